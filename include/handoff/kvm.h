/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM, x86-64: the VM, its memory slots and ioeventfds (a MemoryListener), MSI routes by irqfd (an
 * irq_sink), vCPU threads. Only machine/ includes this. Main context, except where said.
 */
#ifndef HANDOFF_KVM_H
#define HANDOFF_KVM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <handoff/compiler.h>
#include <handoff/error.h>
#include <handoff/irq_sink.h>
#include <handoff/memory.h>

struct kvm_vm;
struct kvm_vcpu;

struct kvm_vm_config {
	const char *device;	     /* "/dev/kvm" */
	struct AddressSpace *memory; /* RAM sections become slots, ioeventfds are registered: a
					listener is attached */
	struct AddressSpace *io;     /* port I/O; its ioeventfds too */
	/*
	 * Refuse ioeventfds (as if KVM had said -ENOSPC) after this many: rehearses the fallback to
	 * user space. -1 = no limit. A test uses it; a real refusal comes the same way.
	 */
	int ioeventfd_limit;
};

/*
 * Opens /dev/kvm, checks the API version and the capabilities the board needs, creates VM, irqchip
 * and identity map. err says what is missing.
 */
struct kvm_vm *kvm_vm_new(const struct kvm_vm_config *config, struct error *err) MUST_CHECK;
/* All vCPUs must have been freed. */
void kvm_vm_free(struct kvm_vm *vm);
struct irq_sink *kvm_vm_irq_sink(struct kvm_vm *vm);
/* Raises or lowers an IOAPIC/PIC pin. Any thread. */
void kvm_vm_set_irq_any(struct kvm_vm *vm, unsigned int gsi, bool level);
bool kvm_vm_has_cap(struct kvm_vm *vm, int cap);
uint64_t kvm_vm_tsc_khz(struct kvm_vm *vm); /* 0 = unknown */

/* Why a vCPU thread stopped by itself. */
enum kvm_stop_reason {
	KVM_STOP_NONE,
	KVM_STOP_SHUTDOWN,	 /* triple fault */
	KVM_STOP_INTERNAL_ERROR, /* KVM_EXIT_INTERNAL_ERROR or FAIL_ENTRY; printed with registers */
	/* The three kinds of KVM_EXIT_SYSTEM_EVENT. */
	KVM_STOP_POWEROFF,
	KVM_STOP_RESET,
	KVM_STOP_CRASH,
};

struct kvm_vcpu_regs_pvh {
	uint32_t entry, start_info_gpa;
};

/* pml4: maps all of the kernel, zero page, GDT and command line to itself; gdt: 64-bit code in
 * 0x10, data in 0x18. */
struct kvm_vcpu_regs_linux64 {
	uint64_t rip, zero_page_gpa, pml4_gpa, gdt_gpa;
};

struct kvm_vcpu_config {
	unsigned int id;
	unsigned int n_vcpus; /* that the VM will have; the id is below it */
	/* Called under the BQL from the vCPU thread when it stops by itself. */
	void (*stopped)(void *opaque, enum kvm_stop_reason reason);
	void *opaque;
};

/*
 * NULL with err. The thread "vcpu<id>" exists when this returns, waiting for kvm_vcpu_resume. Any
 * vCPU but 0 waits for SIPI.
 */
struct kvm_vcpu *kvm_vcpu_new(struct kvm_vm *vm, const struct kvm_vcpu_config *config,
			      struct error *err) MUST_CHECK;
void kvm_vcpu_free(struct kvm_vcpu *vcpu); /* stops and joins; drops the BQL while it waits */
/*
 * PVH entry state (32-bit protected mode, flat, paging off, ebx = start_info). Before the first
 * resume.
 */
int kvm_vcpu_set_pvh(struct kvm_vcpu *vcpu, const struct kvm_vcpu_regs_pvh *regs,
		     struct error *err) MUST_CHECK;
/*
 * Entry state of Linux's 64-bit boot protocol (long mode, flat, interrupts off, rsi = zero page).
 * Before the first resume.
 */
int kvm_vcpu_set_linux64(struct kvm_vcpu *vcpu, const struct kvm_vcpu_regs_linux64 *regs,
			 struct error *err) MUST_CHECK;
void kvm_vcpu_resume(struct kvm_vcpu *vcpu);
/* Before a resume after a pause: the guest's watchdogs are to forgive the gap, if it uses kvmclock.
 */
void kvm_vcpu_tell_paused(struct kvm_vcpu *vcpu);
/* Returns when the thread is out of the guest and of all device code; drops the BQL while it waits.
 */
void kvm_vcpu_pause(struct kvm_vcpu *vcpu);
pid_t kvm_vcpu_tid(const struct kvm_vcpu *vcpu);

/*
 * C_exit of tuning.md: CPU-ns that a kick of an ioeventfd costs a vCPU of this host, from the
 * guest's write to its next instruction. Measured in a VM made for that and gone when this returns,
 * some 150 kicks: 1 ms, 10 where exits are dear. Any thread. -1 with err if it cannot be measured.
 */
int64_t kvm_kick_exit_ns_any(const char *device, struct error *err) MUST_CHECK;

/*
 * The run loop of a vCPU thread: KVM_RUN, MMIO and PIO to the address spaces, until paused or
 * stopped.
 */
FRAME int kvm_cpu_exec(struct kvm_vcpu *vcpu);

#endif
