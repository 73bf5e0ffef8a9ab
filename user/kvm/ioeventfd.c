// SPDX-License-Identifier: BSD-2-Clause
/*
 * ioeventfds to KVM: a guest write at an address sets an eventfd without leaving the kernel.
 * Whatever KVM refuses is an errno that virtio turns into the slow path (semantics.md 3.2). BQL.
 * Neighbours: slots.c, vm.c; user/memory calls us.
 */
#include "vm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <handoff/event_notifier.h>

/*
 * What size 0 (any width) becomes on a KVM that must be told one: the width of virtio's notify
 * write, virtio 1.2 4.1.5.2.
 */
#define NOTIFY_BYTES 2

static int ioeventfd_ioctl(struct kvm_vm *vm, uint64_t addr, const struct MemoryRegionIoeventfd *fd,
			   uint32_t flags)
{
	struct kvm_ioeventfd args = {
		.datamatch = fd->match_data ? fd->data : 0,
		.addr = addr,
		.len = fd->size || vm->ioeventfds.any_length ? fd->size : NOTIFY_BYTES,
		.fd = fd->e->fd,
		.flags = flags | (fd->match_data ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0),
	};

	return ioctl(vm->fd, KVM_IOEVENTFD, &args) < 0 ? -errno : 0;
}

int kvm_ioeventfd_add(struct kvm_vm *vm, uint64_t addr, const struct MemoryRegionIoeventfd *fd,
		      bool pio)
{
	struct kvm_ioeventfds *ioeventfds = &vm->ioeventfds;
	int ret;

	if (ioeventfds->limit >= 0 && ioeventfds->held >= ioeventfds->limit)
		return -ENOSPC;
	ret = ioeventfd_ioctl(vm, addr, fd, pio ? KVM_IOEVENTFD_FLAG_PIO : 0);
	if (!ret)
		ioeventfds->held++;
	return ret;
}

void kvm_ioeventfd_del(struct kvm_vm *vm, uint64_t addr, const struct MemoryRegionIoeventfd *fd,
		       bool pio)
{
	uint32_t flags = KVM_IOEVENTFD_FLAG_DEASSIGN | (pio ? KVM_IOEVENTFD_FLAG_PIO : 0);

	/* -ENOENT for one that had been refused: not ours to count. */
	if (!ioeventfd_ioctl(vm, addr, fd, flags))
		vm->ioeventfds.held--;
}

static struct kvm_vm *vm_of_pio(struct MemoryListener *l)
{
	return container_of(l, struct kvm_vm, ioeventfds.pio);
}

static int pio_eventfd_add(struct MemoryListener *l, uint64_t port,
			   const struct MemoryRegionIoeventfd *fd)
{
	return kvm_ioeventfd_add(vm_of_pio(l), port, fd, true);
}

static void pio_eventfd_del(struct MemoryListener *l, uint64_t port,
			    const struct MemoryRegionIoeventfd *fd)
{
	kvm_ioeventfd_del(vm_of_pio(l), port, fd, true);
}

void kvm_ioeventfds_init(struct kvm_vm *vm, int limit)
{
	struct kvm_ioeventfds *ioeventfds = &vm->ioeventfds;

	ioeventfds->limit = limit;
	ioeventfds->any_length = kvm_vm_has_cap(vm, KVM_CAP_IOEVENTFD_ANY_LENGTH);
	ioeventfds->pio = (struct MemoryListener){
		.eventfd_add = pio_eventfd_add,
		.eventfd_del = pio_eventfd_del,
	};
	memory_listener_register(&ioeventfds->pio, vm->io);
}

void kvm_ioeventfds_release(struct kvm_vm *vm)
{
	memory_listener_unregister(&vm->ioeventfds.pio, vm->io);
}
