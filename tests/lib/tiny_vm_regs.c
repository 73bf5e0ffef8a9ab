// SPDX-License-Identifier: BSD-2-Clause
/*
 * Tables and registers of the tiny guest. It begins at CPL 3 in long mode, so that no guest code
 * has to bring it there: a software KVM emulates all that runs below. SDM volume 3, 3.4, 4.5, 6.14.
 */
#include "tiny_vm_regs.h"

#include <err.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "tiny_guest.h"

#define CPUID_ENTRIES 256
#define PTE_TABLE     0x07 /* present, writable, user */
#define PTE_LARGE     0x87
#define PAGE_2M	      (2ull << 20)
#define GATE	      0x8e
#define UD	      6
#define LAPIC_SVR     0xf0
#define SVR_ENABLE    0x1ff

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_mid;
	uint32_t offset_high, reserved;
};

static void set_gate(uint8_t *ram, unsigned int vector, const char *code)
{
	uint32_t at = TINY_CODE + (uint32_t)(code - tiny_guest);

	((struct gate *)(ram + TINY_IDT))[vector] = (struct gate){ .offset_low = (uint16_t)at,
								   .offset_mid = at >> 16,
								   .selector = TINY_CODE0,
								   .type = GATE };
}

void tiny_vm_init_tables(uint8_t *ram)
{
	static const uint64_t gdt[] = { 0, 0x00af9b000000ffff, 0x00cf93000000ffff,
					0x00cff3000000ffff, 0x00affb000000ffff };
	uint64_t *pdpt = (uint64_t *)(ram + TINY_PDPT), *pd = (uint64_t *)(ram + TINY_PDS);
	unsigned int i;

	*(uint64_t *)(ram + TINY_PML4) = TINY_PDPT | PTE_TABLE;
	for (i = 0; i < 4; i++)
		pdpt[i] = (TINY_PDS + i * 4096) | PTE_TABLE;
	for (i = 0; i < 4 * 512; i++)
		pd[i] = i * PAGE_2M | PTE_LARGE;
	memcpy(ram + TINY_GDT, gdt, sizeof(gdt));
	memcpy(ram + TINY_CODE, tiny_guest, tiny_guest_end - tiny_guest);
	set_gate(ram, UD, tiny_guest_ud);
	for (i = 0; i < TINY_MAX_QUEUES; i++)
		set_gate(ram, TINY_VECTOR + i, tiny_guest_irqs + i * TINY_STUB);
	for (i = 0; i < TINY_MAX_VCPUS; i++) {
		uint8_t *tss = ram + TINY_TSS + i * TINY_TSS_BYTES;
		uint64_t stack = TINY_STACKS + (i + 1) * 4096;

		memcpy(tss + 4, &stack, sizeof(stack)); /* rsp0 */
		tss[102] = 104;				/* no I/O permission bitmap */
	}
}

static void set_cpuid(int kvm, int vcpu)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(cpuid->entries[0]));

	if (!cpuid)
		err(1, "memory");
	cpuid->nent = CPUID_ENTRIES;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) < 0 ||
	    ioctl(vcpu, KVM_SET_CPUID2, cpuid) < 0)
		err(1, "CPUID");
	free(cpuid);
}

/* Its local APIC takes interrupts, and it runs without being started by another. */
static void start_lapic(int vcpu)
{
	struct kvm_mp_state state = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_lapic_state lapic;
	uint32_t svr = SVR_ENABLE;

	if (ioctl(vcpu, KVM_GET_LAPIC, &lapic) < 0)
		err(1, "KVM_GET_LAPIC");
	memcpy(lapic.regs + LAPIC_SVR, &svr, sizeof(svr));
	if (ioctl(vcpu, KVM_SET_LAPIC, &lapic) < 0)
		err(1, "KVM_SET_LAPIC");
	if (ioctl(vcpu, KVM_SET_MP_STATE, &state) < 0)
		err(1, "KVM_SET_MP_STATE");
}

static void set_sregs(struct kvm_sregs *s, unsigned int id)
{
	s->cs = (struct kvm_segment){ .limit = 0xffffffff,
				      .selector = TINY_CODE3,
				      .type = 0xb,
				      .present = 1,
				      .dpl = 3,
				      .l = 1,
				      .s = 1,
				      .g = 1 };
	s->ds = (struct kvm_segment){ .limit = 0xffffffff,
				      .selector = TINY_DATA3,
				      .type = 0x3,
				      .present = 1,
				      .dpl = 3,
				      .db = 1,
				      .s = 1,
				      .g = 1 };
	s->es = s->ss = s->fs = s->gs = s->ds;
	s->tr = (struct kvm_segment){ .base = TINY_TSS + id * TINY_TSS_BYTES,
				      .limit = 0x67,
				      .selector = TINY_TR,
				      .type = 0xb,
				      .present = 1 };
	s->gdt = (struct kvm_dtable){ .base = TINY_GDT, .limit = 5 * 8 - 1 };
	s->idt = (struct kvm_dtable){ .base = TINY_IDT, .limit = 256 * 16 - 1 };
	s->cr0 = 0x80000011; /* PG, ET, PE */
	s->cr3 = TINY_PML4;
	s->cr4 = 0x20;	 /* PAE */
	s->efer = 0x500; /* LMA, LME */
}

void tiny_vcpu_init_regs(int kvm, int vcpu, unsigned int id, uint64_t orders_gpa)
{
	struct kvm_regs regs = { .rip = TINY_CODE, .rdi = orders_gpa, .rflags = 0x202 };
	struct kvm_sregs sregs;

	set_cpuid(kvm, vcpu);
	if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		err(1, "KVM_GET_SREGS");
	set_sregs(&sregs, id);
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
		err(1, "registers of vCPU %u", id);
	start_lapic(vcpu);
}
