// SPDX-License-Identifier: BSD-2-Clause
/*
 * Guest RAM to KVM: a listener on system memory that turns each visible range of RAM into a memory
 * slot. What is no RAM has no slot, so the guest's accesses there exit or meet an ioeventfd. BQL.
 * Neighbours: vm.c, ioeventfd.c; user/memory calls us.
 */
#include "vm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define SLOT_PAGE 4096ull
/*
 * RAM is two ranges; a guest may cut them by BARs placed over them, so some more. KVM's own limit
 * is in the thousands.
 */
#define SLOTS_MAX 512

static struct kvm_vm *vm_of(struct MemoryListener *l)
{
	return container_of(l, struct kvm_vm, slots.listener);
}

/* The part of a section that KVM can map: whole pages. False if nothing is left. */
static bool page_aligned(const struct MemoryRegionSection *s, struct kvm_slot *slot)
{
	uint64_t start = ROUND_UP(s->gpa, SLOT_PAGE);
	uint64_t end = ROUND_DOWN(s->gpa + s->size, SLOT_PAGE);

	if (start >= end)
		return false;
	*slot = (struct kvm_slot){ .gpa = start, .size = end - start };
	return true;
}

static struct kvm_slot *find_slot(struct kvm_slots *slots, uint64_t gpa, uint64_t size)
{
	unsigned int i;

	for (i = 0; i < slots->n_slots; i++) {
		if (slots->slot[i].size == size && (!size || slots->slot[i].gpa == gpa))
			return &slots->slot[i];
	}
	return NULL;
}

static int set_slot(struct kvm_vm *vm, const struct kvm_slot *at, const struct kvm_slot *slot,
		    void *hva, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = at - vm->slots.slot,
		.flags = flags,
		.guest_phys_addr = slot->gpa,
		.memory_size = slot->size,
		.userspace_addr = (uintptr_t)hva,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -errno : 0;
}

static void slots_region_add(struct MemoryListener *l, const struct MemoryRegionSection *s)
{
	struct kvm_vm *vm = vm_of(l);
	struct kvm_slots *slots = &vm->slots;
	struct kvm_slot slot, *at;
	char *hva;
	int ret;

	if (!s->mr->ram || !page_aligned(s, &slot))
		return;
	/* Without KVM_MEM_READONLY even reads exit, which is slow and right. */
	if (s->readonly && !slots->can_readonly)
		return;
	hva = (char *)s->mr->ram + s->offset_in_region + (slot.gpa - s->gpa);
	at = find_slot(slots, 0, 0);
	ret = at ? set_slot(vm, at, &slot, hva, s->readonly ? KVM_MEM_READONLY : 0) : -ENOSPC;
	if (!ret) {
		*at = slot;
		return;
	}
	if (!slots->first_error)
		slots->first_error = ret;
	/* The guest sees unassigned memory there: its own doing, if it put a BAR over its RAM. */
	log_limited(&vm->guest_errors, LOG_ERROR,
		    "KVM takes no memory slot for RAM at 0x%llx, %llu KiB: %s",
		    (unsigned long long)slot.gpa, (unsigned long long)slot.size / 1024,
		    strerror(-ret));
}

static void slots_region_del(struct MemoryListener *l, const struct MemoryRegionSection *s)
{
	struct kvm_vm *vm = vm_of(l);
	struct kvm_slot slot, *at;

	if (!s->mr->ram || !page_aligned(s, &slot))
		return;
	at = find_slot(&vm->slots, slot.gpa, slot.size);
	if (!at)
		return; /* was refused */
	slot.size = 0;
	if (set_slot(vm, at, &slot, NULL, 0)) {
		/*
		 * KVM has no reason to refuse this; to go on would leave the guest memory we hand
		 * to others.
		 */
		log_error("KVM does not give back the memory slot at 0x%llx: %m",
			  (unsigned long long)slot.gpa);
		abort();
	}
	at->size = 0;
}

static int slots_eventfd_add(struct MemoryListener *l, uint64_t gpa,
			     const struct MemoryRegionIoeventfd *fd)
{
	return kvm_ioeventfd_add(vm_of(l), gpa, fd, false);
}

static void slots_eventfd_del(struct MemoryListener *l, uint64_t gpa,
			      const struct MemoryRegionIoeventfd *fd)
{
	kvm_ioeventfd_del(vm_of(l), gpa, fd, false);
}

int kvm_slots_init(struct kvm_vm *vm, struct error *err)
{
	struct kvm_slots *slots = &vm->slots;
	int limit = ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);

	slots->n_slots = limit <= 0 ? 32 : MIN(limit, SLOTS_MAX);
	slots->slot = calloc(slots->n_slots, sizeof(*slots->slot));
	if (!slots->slot)
		return error_set(err, -ENOMEM, "out of memory");
	slots->can_readonly = kvm_vm_has_cap(vm, KVM_CAP_READONLY_MEM);
	slots->listener = (struct MemoryListener){
		.region_add = slots_region_add,
		.region_del = slots_region_del,
		.eventfd_add = slots_eventfd_add,
		.eventfd_del = slots_eventfd_del,
	};
	memory_listener_register(&slots->listener, vm->memory);
	if (slots->first_error) {
		int ret = slots->first_error;

		kvm_slots_release(vm);
		return error_set(err, ret, "KVM refuses guest RAM: %s", strerror(-ret));
	}
	return 0;
}

void kvm_slots_release(struct kvm_vm *vm)
{
	memory_listener_unregister(&vm->slots.listener, vm->memory);
	free(vm->slots.slot);
}
