/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM by raw ioctls in the test's own process, and threads that wait for eventfds in every way:
 * what discovery is to find. All functions assert that the kernel does as asked.
 */
#ifndef TESTS_BPF_RAW_VM_H
#define TESTS_BPF_RAW_VM_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <handoff/discover.h>

struct raw_vm {
	int kvm, vm, vcpu[2];
	pid_t tid; /* that ran vCPU 1; vCPU 0 has never run */
};

/* Can this process make a VM? If not, `why` says why not. */
bool raw_vm_possible(char why[400]);
/* Two vCPUs; GSI 24.. are MSIs to 0xfee00000 of data 0x40.., GSI 5 is a pin. */
void raw_vm_init(struct raw_vm *v);
void raw_vm_release(struct raw_vm *v);

/* flags of KVM_IOEVENTFD: 0, KVM_IOEVENTFD_FLAG_PIO, _DATAMATCH, _DEASSIGN. */
void raw_vm_ioeventfd(struct raw_vm *v, int fd, uint64_t addr, uint32_t len, uint64_t value,
		      uint32_t flags);
void raw_vm_irqfd(struct raw_vm *v, int fd, uint32_t gsi, bool add);

int raw_eventfd(void);
/* What /proc says. */
uint32_t raw_eventfd_id(int fd);

/* A thread that waits for an eventfd until it is signalled. */
struct raw_waiter {
	enum consumer_how how;
	int fd, epoll;
	pid_t tid;
	sem_t ready;
	pthread_t thread;
};

/* Returns when the thread is about to wait. how: EPOLL, PPOLL, IO_URING or READ. */
void raw_waiter_start(struct raw_waiter *w, enum consumer_how how, int fd);
/* Signals the eventfd. */
void raw_waiter_stop(struct raw_waiter *w);

#endif
