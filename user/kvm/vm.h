/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to user/kvm: the VM as its parts see it. One per machine; everything under the BQL but
 * the file descriptors and the address spaces, which never change after kvm_vm_new, so vCPU threads
 * read them freely.
 */
#ifndef KVM_VM_H
#define KVM_VM_H

#include <handoff/kvm.h>
#include <handoff/list.h>
#include <handoff/log.h>

struct kvm_irq_routing;

/* One range of guest RAM that KVM knows; its index is the slot number. size 0 = free. */
struct kvm_slot {
	uint64_t gpa, size;
};

struct kvm_slots {
	struct MemoryListener listener; /* slots, and the ioeventfds of memory */
	struct kvm_slot *slot;
	unsigned int n_slots;
	bool can_readonly;
	int first_error; /* negative errno of the first slot KVM refused; 0 = none */
};

struct kvm_ioeventfds {
	struct MemoryListener pio; /* those of port I/O; memory's come by kvm_slots.listener */
	int limit;		   /* kvm_vm_config.ioeventfd_limit */
	int held;
	bool any_length;
};

struct kvm_irqs {
	struct irq_sink sink;
	struct list_head routes;
	unsigned int n_routes, n_gsis; /* GSIs 0 .. n_gsis - 1 can be used */
	uint64_t *used;		       /* bit per GSI */
	struct kvm_irq_routing *table; /* scratch for KVM_SET_GSI_ROUTING */
};

struct kvm_vm {
	int kvm_fd, fd;
	struct AddressSpace *memory, *io;
	size_t run_bytes; /* of a vCPU's kvm_run mapping */
	uint64_t tsc_khz;
	struct kvm_slots slots;
	struct kvm_ioeventfds ioeventfds;
	struct kvm_irqs irqs;
	struct log_ratelimit
		guest_errors; /* what a guest can provoke by moving BARs over its RAM */
};

/* slots.c */
int kvm_slots_init(struct kvm_vm *vm, struct error *err) MUST_CHECK;
void kvm_slots_release(struct kvm_vm *vm);

/* ioeventfd.c */
void kvm_ioeventfds_init(struct kvm_vm *vm, int limit);
void kvm_ioeventfds_release(struct kvm_vm *vm);
int kvm_ioeventfd_add(struct kvm_vm *vm, uint64_t addr, const struct MemoryRegionIoeventfd *fd,
		      bool pio) MUST_CHECK;
void kvm_ioeventfd_del(struct kvm_vm *vm, uint64_t addr, const struct MemoryRegionIoeventfd *fd,
		       bool pio);

/* irqfd.c */
int kvm_irqs_init(struct kvm_vm *vm, struct error *err) MUST_CHECK;
void kvm_irqs_release(struct kvm_vm *vm);

#endif
