// SPDX-License-Identifier: BSD-2-Clause
/* See raw_vm.h. */
#include "raw_vm.h"

#include <lib/tap.h>

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/kvm.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MSIS 32

bool raw_vm_possible(char why[400])
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	snprintf(why, 400, "/dev/kvm: %s", strerror(errno));
	if (kvm >= 0)
		close(kvm);
	return kvm >= 0;
}

static void set_routes(struct raw_vm *v)
{
	struct kvm_irq_routing *table =
		calloc(1, sizeof(*table) + (MSIS + 1) * sizeof(table->entries[0]));
	struct kvm_irq_routing_entry *e = table->entries;
	uint32_t i;

	for (i = 0; i < MSIS; i++, e++) {
		e->gsi = 24 + i;
		e->type = KVM_IRQ_ROUTING_MSI;
		e->u.msi.address_lo = 0xfee00000;
		e->u.msi.data = 0x40 + i;
	}
	e->gsi = 5;
	e->type = KVM_IRQ_ROUTING_IRQCHIP;
	e->u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
	e->u.irqchip.pin = 5;
	table->nr = MSIS + 1;
	assert_int_equal(ioctl(v->vm, KVM_SET_GSI_ROUTING, table), 0);
	free(table);
}

/* A vCPU has the thread that ran it last, however short. */
static void run_at_once(struct raw_vm *v, int vcpu)
{
	int size = ioctl(v->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_run *run =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, v->vcpu[vcpu], 0);

	assert_true(run != MAP_FAILED);
	run->immediate_exit = 1;
	assert_int_equal(ioctl(v->vcpu[vcpu], KVM_RUN, 0), -1);
	assert_int_equal(errno, EINTR);
	munmap(run, size);
	v->tid = gettid();
}

void raw_vm_init(struct raw_vm *v)
{
	int i;

	v->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	assert_true(v->kvm >= 0);
	v->vm = ioctl(v->kvm, KVM_CREATE_VM, 0);
	assert_true(v->vm >= 0);
	assert_int_equal(ioctl(v->vm, KVM_CREATE_IRQCHIP, 0), 0);
	set_routes(v);
	for (i = 0; i < 2; i++) {
		v->vcpu[i] = ioctl(v->vm, KVM_CREATE_VCPU, i);
		assert_true(v->vcpu[i] >= 0);
	}
	run_at_once(v, 1);
}

void raw_vm_release(struct raw_vm *v)
{
	close(v->vcpu[0]);
	close(v->vcpu[1]);
	close(v->vm);
	close(v->kvm);
}

void raw_vm_ioeventfd(struct raw_vm *v, int fd, uint64_t addr, uint32_t len, uint64_t value,
		      uint32_t flags)
{
	struct kvm_ioeventfd io = {
		.datamatch = value, .addr = addr, .len = len, .fd = fd, .flags = flags
	};

	assert_int_equal(ioctl(v->vm, KVM_IOEVENTFD, &io), 0);
}

void raw_vm_irqfd(struct raw_vm *v, int fd, uint32_t gsi, bool add)
{
	struct kvm_irqfd irqfd = { .fd = fd,
				   .gsi = gsi,
				   .flags = add ? 0 : KVM_IRQFD_FLAG_DEASSIGN };

	assert_int_equal(ioctl(v->vm, KVM_IRQFD, &irqfd), 0);
}

int raw_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

uint32_t raw_eventfd_id(int fd)
{
	char path[64], line[128];
	unsigned int id = ~0u;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) && sscanf(line, "eventfd-id: %u", &id) != 1)
		;
	fclose(f);
	return id;
}

static void wait_by_ring(int fd)
{
	struct io_uring_cqe *cqe;
	struct io_uring ring;

	assert_int_equal(io_uring_queue_init(4, &ring, 0), 0);
	io_uring_prep_poll_add(io_uring_get_sqe(&ring), fd, POLLIN);
	assert_int_equal(io_uring_submit(&ring), 1);
	assert_int_equal(io_uring_wait_cqe(&ring, &cqe), 0);
	io_uring_cqe_seen(&ring, cqe);
	io_uring_queue_exit(&ring);
}

static void *waiter_thread(void *opaque)
{
	struct pollfd p = { .events = POLLIN };
	struct raw_waiter *w = opaque;
	struct epoll_event event;
	uint64_t n;

	p.fd = w->fd;
	w->tid = gettid();
	prctl(PR_SET_NAME, consumer_how_name(w->how));
	sem_post(&w->ready);
	switch (w->how) {
	case CONSUMER_EPOLL:
		assert_int_equal(epoll_wait(w->epoll, &event, 1, -1), 1);
		break;
	case CONSUMER_PPOLL:
		assert_int_equal(ppoll(&p, 1, NULL, NULL), 1);
		break;
	case CONSUMER_IO_URING:
		wait_by_ring(w->fd);
		break;
	case CONSUMER_READ:
		assert_int_equal(read(w->fd, &n, sizeof(n)), sizeof(n));
		break;
	default:
		fail();
	}
	return NULL;
}

void raw_waiter_start(struct raw_waiter *w, enum consumer_how how, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	w->how = how;
	w->fd = fd;
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (how == CONSUMER_EPOLL)
		assert_int_equal(epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event), 0);
	sem_init(&w->ready, 0, 0);
	assert_int_equal(pthread_create(&w->thread, NULL, waiter_thread, w), 0);
	while (sem_wait(&w->ready))
		;
}

void raw_waiter_stop(struct raw_waiter *w)
{
	uint64_t one = 1;

	assert_int_equal(write(w->fd, &one, sizeof(one)), sizeof(one));
	pthread_join(w->thread, NULL);
	close(w->epoll);
	sem_destroy(&w->ready);
}
