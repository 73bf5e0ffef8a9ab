// SPDX-License-Identifier: BSD-2-Clause
/*
 * Registers of a vCPU: the states kernels are entered in, and a dump for a guest that died. Main
 * thread before the first run, then the vCPU's own thread. Neighbours: vcpu.c, exec.c;
 * machine/cpus.c knows which kernel wants which.
 */
#include "vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <handoff/log.h>

#define CR0_PE	 0x1
#define CR0_ET	 0x10 /* hard-wired */
#define CR0_PG	 0x80000000u
#define CR4_PAE	 0x20
#define EFER_LME 0x100
#define EFER_LMA 0x400

/* Segment types, SDM 3.4.5.1 and 3.5. */
#define TYPE_DATA_RW  0x3
#define TYPE_CODE_RX  0xb
#define TYPE_TSS_BUSY 0xb

/* __BOOT_CS and __BOOT_DS of Linux's 64-bit boot protocol; the data segment is the last. */
#define BOOT_CS	       0x10
#define BOOT_DS	       0x18
#define BOOT_GDT_LIMIT (BOOT_DS + 8 - 1)

static int get_sregs(struct kvm_vcpu *vcpu, struct kvm_sregs *sregs, struct error *err)
{
	if (ioctl(vcpu->fd, KVM_GET_SREGS, sregs) < 0)
		return error_set(err, -errno, "vCPU %u: KVM_GET_SREGS: %m", vcpu->id);
	return 0;
}

static int set_all(struct kvm_vcpu *vcpu, const struct kvm_sregs *sregs,
		   const struct kvm_regs *regs, struct error *err)
{
	if (ioctl(vcpu->fd, KVM_SET_SREGS, sregs) < 0)
		return error_set(err, -errno, "vCPU %u: KVM_SET_SREGS: %m", vcpu->id);
	if (ioctl(vcpu->fd, KVM_SET_REGS, regs) < 0)
		return error_set(err, -errno, "vCPU %u: KVM_SET_REGS: %m", vcpu->id);
	return 0;
}

/* Flat segments, of the privilege level that the code selector asks for. A TSS in the register
 * only: it is there because CPUs want one. */
static void set_segments(struct kvm_sregs *sregs, uint16_t code, uint16_t data, uint16_t tss,
			 bool long_mode)
{
	sregs->cs = (struct kvm_segment){ .limit = 0xffffffff,
					  .selector = code,
					  .type = TYPE_CODE_RX,
					  .present = 1,
					  .dpl = code & 3,
					  .db = !long_mode,
					  .l = long_mode,
					  .s = 1,
					  .g = 1 };
	sregs->ds = (struct kvm_segment){ .limit = 0xffffffff,
					  .selector = data,
					  .type = TYPE_DATA_RW,
					  .present = 1,
					  .dpl = code & 3,
					  .db = 1,
					  .s = 1,
					  .g = 1 };
	sregs->es = sregs->ss = sregs->fs = sregs->gs = sregs->ds;
	sregs->tr = (struct kvm_segment){
		.limit = 0x67, .selector = tss, .type = TYPE_TSS_BUSY, .present = 1
	};
}

/*
 * PVH (xen/docs/misc/pvh): CS flat 32-bit code, DS, ES and SS flat data, a 32-bit TSS of 0x67
 * bytes, CR0.PE only, ebx = start_info.
 */
int kvm_vcpu_set_pvh(struct kvm_vcpu *vcpu, const struct kvm_vcpu_regs_pvh *pvh, struct error *err)
{
	struct kvm_regs regs = { .rip = pvh->entry,
				 .rbx = pvh->start_info_gpa,
				 .rflags = KVM_RFLAGS_ONE };
	struct kvm_sregs sregs;
	int ret = get_sregs(vcpu, &sregs, err);

	if (ret)
		return ret;
	set_segments(&sregs, 0x8, 0x10, 0x18, false);
	sregs.cr0 = CR0_PE | CR0_ET;
	sregs.cr4 = 0;
	sregs.efer = 0;
	return set_all(vcpu, &sregs, &regs, err);
}

void kvm_sregs_set_long_mode(struct kvm_sregs *sregs, uint16_t code, uint16_t data, uint16_t tss)
{
	set_segments(sregs, code, data, tss, true);
	sregs->idt = (struct kvm_dtable){ .base = 0, .limit = 0 };
	sregs->cr0 = CR0_PE | CR0_ET | CR0_PG;
	sregs->cr4 = CR4_PAE;
	sregs->efer = EFER_LME | EFER_LMA;
}

/* Linux Documentation/arch/x86/boot.rst, "64-bit boot protocol". */
int kvm_vcpu_set_linux64(struct kvm_vcpu *vcpu, const struct kvm_vcpu_regs_linux64 *linux64,
			 struct error *err)
{
	struct kvm_regs regs = { .rip = linux64->rip,
				 .rsi = linux64->zero_page_gpa,
				 .rflags = KVM_RFLAGS_ONE };
	struct kvm_sregs sregs;
	int ret = get_sregs(vcpu, &sregs, err);

	if (ret)
		return ret;
	kvm_sregs_set_long_mode(&sregs, BOOT_CS, BOOT_DS, 0);
	sregs.gdt = (struct kvm_dtable){ .base = linux64->gdt_gpa, .limit = BOOT_GDT_LIMIT };
	sregs.cr3 = linux64->pml4_gpa;
	return set_all(vcpu, &sregs, &regs, err);
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
