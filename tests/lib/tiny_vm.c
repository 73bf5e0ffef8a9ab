// SPDX-License-Identifier: BSD-2-Clause
/* The VM of tiny_vm.h: memory, descriptors, vCPU threads. tiny_vm_regs.c gives a vCPU its state. */
#include "tiny_vm.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "tiny_vm_regs.h"

#define TSS_ADDR       0xfffbd000
#define MSI_ADDRESS    0xfee00000u
#define MSI_DEST_SHIFT 12

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static struct kvm_msi msi_of(const struct tiny_vm *vm, unsigned int queue)
{
	return (struct kvm_msi){ .address_lo = MSI_ADDRESS | vm->vcpu[queue % vm->n_vcpus].id
								     << MSI_DEST_SHIFT,
				 .data = TINY_VECTOR + queue };
}

static void init_memory(struct tiny_vm *vm)
{
	struct kvm_userspace_memory_region slot = { .memory_size = TINY_RAM_BYTES };

	vm->ram = mmap(NULL, TINY_RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		       0);
	if (vm->ram == MAP_FAILED)
		err(1, "guest memory");
	slot.userspace_addr = (uintptr_t)vm->ram;
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		err(1, "KVM_SET_USER_MEMORY_REGION");
	tiny_vm_init_tables(vm->ram);
}

static void init_vcpu(struct tiny_vm *vm, unsigned int i, unsigned int id)
{
	struct tiny_vcpu *vcpu = &vm->vcpu[i];
	int size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->orders = (struct tiny_orders *)(vm->ram + TINY_VCPUS + i * 4096);
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)id);
	if (vcpu->fd < 0 || size < 0)
		err(1, "KVM_CREATE_VCPU");
	vcpu->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		err(1, "run area");
	tiny_vcpu_init_regs(vm->kvm, vcpu->fd, i, TINY_VCPUS + i * 4096);
	sem_init(&vcpu->go, 0, 0);
	sem_init(&vcpu->told, 0, 0);
}

void tiny_vm_init(struct tiny_vm *vm, unsigned int n_vcpus, unsigned int first_id)
{
	unsigned int i;

	memset(vm, 0, sizeof(*vm));
	vm->n_vcpus = n_vcpus;
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		err(1, "/dev/kvm");
	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		err(1, "KVM_CREATE_VM");
	/* AMD needs no such address and may not know the call. */
	(void)!ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_ADDR);
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
		err(1, "KVM_CREATE_IRQCHIP");
	vm->ended = eventfd(0, EFD_CLOEXEC);
	if (vm->ended < 0)
		err(1, "eventfd");
	init_memory(vm);
	for (i = 0; i < n_vcpus; i++)
		init_vcpu(vm, i, first_id + i);
}

struct tiny_ring *tiny_vm_ring(struct tiny_vm *vm, unsigned int queue)
{
	return (struct tiny_ring *)(vm->ram + TINY_RINGS) + queue;
}

uint64_t tiny_vm_irqs_taken(const struct tiny_vm *vm, unsigned int queue)
{
	return __atomic_load_n((uint64_t *)(vm->ram + TINY_IRQS) + queue, __ATOMIC_RELAXED);
}

void tiny_vm_ioeventfd(struct tiny_vm *vm, const struct tiny_notify *at, int fd, bool assign)
{
	struct kvm_ioeventfd io = { .addr = at->gpa,
				    .len = at->len,
				    .fd = fd,
				    .datamatch = at->datamatch ? at->value : 0 };

	io.flags = (at->datamatch ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) |
		   (at->pio ? KVM_IOEVENTFD_FLAG_PIO : 0) |
		   (assign ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN);
	if (ioctl(vm->fd, KVM_IOEVENTFD, &io) < 0)
		err(1, "KVM_IOEVENTFD");
}

void tiny_vm_route(struct tiny_vm *vm)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry[TINY_MAX_QUEUES];
	} table = { .head.nr = TINY_MAX_QUEUES };
	unsigned int i;

	for (i = 0; i < TINY_MAX_QUEUES; i++) {
		struct kvm_msi msi = msi_of(vm, i);

		table.entry[i].gsi = i;
		table.entry[i].type = KVM_IRQ_ROUTING_MSI;
		table.entry[i].u.msi.address_lo = msi.address_lo;
		table.entry[i].u.msi.data = msi.data;
	}
	if (ioctl(vm->fd, KVM_SET_GSI_ROUTING, &table) < 0)
		err(1, "KVM_SET_GSI_ROUTING");
}

void tiny_vm_irqfd(struct tiny_vm *vm, unsigned int queue, int fd, bool assign)
{
	struct kvm_irqfd irqfd = { .fd = fd,
				   .gsi = queue,
				   .flags = assign ? 0 : KVM_IRQFD_FLAG_DEASSIGN };

	if (ioctl(vm->fd, KVM_IRQFD, &irqfd) < 0)
		err(1, "KVM_IRQFD");
}

void tiny_vm_signal_msi(struct tiny_vm *vm, unsigned int queue)
{
	struct kvm_msi msi = msi_of(vm, queue);

	if (ioctl(vm->fd, KVM_SIGNAL_MSI, &msi) < 0)
		err(1, "KVM_SIGNAL_MSI");
}

/* --- vCPU threads -------------------------------------------------------------------------------
 */
/* True: it is through with its orders. */
static bool take_write(struct tiny_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint32_t value = 0;

	if (run->exit_reason == KVM_EXIT_MMIO && run->mmio.is_write) {
		if (run->mmio.phys_addr == TINY_END)
			return true;
		memcpy(&value, run->mmio.data, run->mmio.len <= 4 ? run->mmio.len : 4);
		vcpu->vm->on_write(vcpu->vm->opaque, run->mmio.phys_addr, false, value);
	} else if (run->exit_reason == KVM_EXIT_IO && run->io.direction == KVM_EXIT_IO_OUT) {
		memcpy(&value, (uint8_t *)run + run->io.data_offset, run->io.size);
		vcpu->vm->on_write(vcpu->vm->opaque, run->io.port, true, value);
	} else {
		errx(1, "vCPU %u: KVM_RUN ends with reason %u", vcpu->id, run->exit_reason);
	}
	return false;
}

static void run_orders(struct tiny_vcpu *vcpu)
{
	uint64_t begin = now_ns();

	for (;;) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) < 0) {
			if (errno != EINTR && errno != EAGAIN)
				err(1, "KVM_RUN");
		} else if (take_write(vcpu)) {
			break;
		}
	}
	vcpu->ns += now_ns() - begin;
}

static void *vcpu_thread(void *opaque)
{
	struct tiny_vcpu *vcpu = opaque;
	uint64_t one = 1;
	char name[16];

	snprintf(name, sizeof(name), "tiny-vcpu%u", vcpu->id);
	pthread_setname_np(pthread_self(), name);
	vcpu->tid = gettid();
	sem_post(&vcpu->told);
	for (;;) {
		while (sem_wait(&vcpu->go) < 0)
			;
		if (vcpu->end)
			return NULL;
		run_orders(vcpu);
		if (write(vcpu->vm->ended, &one, sizeof(one)) != sizeof(one))
			err(1, "eventfd");
	}
}

void tiny_vm_start(struct tiny_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->n_vcpus; i++) {
		struct tiny_vcpu *vcpu = &vm->vcpu[i];

		if (pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu))
			errx(1, "cannot create a thread");
		while (sem_wait(&vcpu->told) < 0)
			;
	}
}

void tiny_vcpu_go(struct tiny_vcpu *vcpu, uint64_t rounds, uint64_t pause)
{
	vcpu->orders->rounds = rounds;
	vcpu->orders->pause = pause;
	vcpu->kicks += rounds * vcpu->orders->rings;
	sem_post(&vcpu->go);
}

void tiny_vm_release(struct tiny_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->n_vcpus; i++) {
		vm->vcpu[i].end = true;
		sem_post(&vm->vcpu[i].go);
		pthread_join(vm->vcpu[i].thread, NULL);
	}
	tiny_vm_close(vm);
}

void tiny_vm_close(struct tiny_vm *vm)
{
	int size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	unsigned int i;

	for (i = 0; i < vm->n_vcpus; i++) {
		munmap(vm->vcpu[i].run, size);
		close(vm->vcpu[i].fd);
	}
	close(vm->ended);
	close(vm->fd);
	close(vm->kvm);
}
