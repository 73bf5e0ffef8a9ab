// SPDX-License-Identifier: BSD-2-Clause
/*
 * Registers of a vCPU: the state a PVH kernel is entered in, and a dump for a guest that died. Main
 * thread before the first run, then the vCPU's own thread. Neighbours: vcpu.c, exec.c;
 * machine/boot_pvh.c knows entry and start_info.
 */
#include "vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <handoff/log.h>

#define CR0_PE	   0x1
#define CR0_ET	   0x10 /* hard-wired */
#define RFLAGS_ONE 0x2	/* hard-wired */

/* Segment types, SDM 3.4.5.1 and 3.5. */
#define TYPE_DATA_RW  0x3
#define TYPE_CODE_RX  0xb
#define TYPE_TSS_BUSY 0xb

/*
 * PVH (xen/docs/misc/pvh): CS flat 32-bit code, DS, ES and SS flat data, a 32-bit TSS of 0x67
 * bytes, CR0.PE only, ebx = start_info.
 */
int kvm_vcpu_set_pvh(struct kvm_vcpu *vcpu, const struct kvm_vcpu_regs_pvh *pvh, struct error *err)
{
	struct kvm_segment code = { .limit = 0xffffffff,
				    .selector = 0x8,
				    .type = TYPE_CODE_RX,
				    .present = 1,
				    .db = 1,
				    .s = 1,
				    .g = 1 };
	struct kvm_segment data = { .limit = 0xffffffff,
				    .selector = 0x10,
				    .type = TYPE_DATA_RW,
				    .present = 1,
				    .db = 1,
				    .s = 1,
				    .g = 1 };
	struct kvm_segment tss = {
		.limit = 0x67, .selector = 0x18, .type = TYPE_TSS_BUSY, .present = 1
	};
	struct kvm_regs regs = { .rip = pvh->entry,
				 .rbx = pvh->start_info_gpa,
				 .rflags = RFLAGS_ONE };
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return error_set(err, -errno, "vCPU %u: KVM_GET_SREGS: %m", vcpu->id);
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = data;
	sregs.tr = tss;
	sregs.cr0 = CR0_PE | CR0_ET;
	sregs.cr4 = 0;
	sregs.efer = 0;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0)
		return error_set(err, -errno, "vCPU %u: KVM_SET_SREGS: %m", vcpu->id);
	if (ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0)
		return error_set(err, -errno, "vCPU %u: KVM_SET_REGS: %m", vcpu->id);
	return 0;
}

void kvm_vcpu_dump(struct kvm_vcpu *vcpu, const char *why)
{
	struct kvm_sregs s;
	struct kvm_regs r;

	log_error("vCPU %u: %s", vcpu->id, why);
	if (ioctl(vcpu->fd, KVM_GET_REGS, &r) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &s) < 0) {
		log_error("  no registers: %m");
		return;
	}
	log_error("  rip %04x:%016llx rsp %04x:%016llx rflags %08llx", s.cs.selector, r.rip,
		  s.ss.selector, r.rsp, r.rflags);
	log_error("  rax %016llx rbx %016llx rcx %016llx rdx %016llx", r.rax, r.rbx, r.rcx, r.rdx);
	log_error("  rsi %016llx rdi %016llx rbp %016llx r8  %016llx", r.rsi, r.rdi, r.rbp, r.r8);
	log_error("  cr0 %08llx cr2 %016llx cr3 %016llx cr4 %08llx efer %04llx", s.cr0, s.cr2,
		  s.cr3, s.cr4, s.efer);
}
