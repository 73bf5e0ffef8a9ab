/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM by raw KVM ioctls, with tiny_guest.S in it: what the tiny VMM (tests/tiny) is made of.
 * Shares no code with ours. Whatever fails ends the process with a message.
 */
#ifndef TESTS_TINY_VM_H
#define TESTS_TINY_VM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "tiny_guest.h"

/* Where a queue is kicked. */
struct tiny_notify {
	uint64_t gpa; /* or port */
	uint32_t value, len;
	bool pio, datamatch;
};

struct tiny_vm;

struct tiny_vcpu {
	struct tiny_vm *vm;
	unsigned int id; /* KVM's */
	int fd;
	struct kvm_run *run;
	struct tiny_orders *orders;
	pthread_t thread;
	sem_t go, told; /* told: tid is there */
	pid_t tid;
	uint64_t ns, kicks; /* of all its runs */
	bool end;
};

struct tiny_vm {
	int kvm, fd;
	uint8_t *ram; /* shared with children */
	unsigned int n_vcpus;
	struct tiny_vcpu vcpu[TINY_MAX_VCPUS];
	int ended; /* eventfd: a vCPU is through with its orders */
	/* A kick that no ioeventfd took; in the vCPU's thread. */
	void (*on_write)(void *opaque, uint64_t gpa, bool pio, uint32_t value);
	void *opaque;
	uint64_t stray; /* writes to anywhere else; by vCPU threads, atomically */
};

/* A VM with its interrupt controller, its memory, and no vCPU thread yet. vCPUs' ids, and so their
 * local APICs', are numbered from first_id. */
void tiny_vm_init(struct tiny_vm *vm, unsigned int n_vcpus, unsigned int first_id);
/* Its vCPU threads, which wait for tiny_vcpu_go. After the last fork. */
void tiny_vm_start(struct tiny_vm *vm);
/* Idle vCPUs only. */
void tiny_vm_release(struct tiny_vm *vm);
/* In a child that has no use for the VM itself. */
void tiny_vm_close(struct tiny_vm *vm);

struct tiny_ring *tiny_vm_ring(struct tiny_vm *vm, unsigned int queue);
uint64_t tiny_vm_irqs_taken(const struct tiny_vm *vm, unsigned int queue);

/* fd is signalled by writes there from now on, or no more. */
void tiny_vm_ioeventfd(struct tiny_vm *vm, const struct tiny_notify *at, int fd, bool assign);
/* gsi i is queue i's vector, at vCPU i % n_vcpus; all of them. */
void tiny_vm_route(struct tiny_vm *vm);
void tiny_vm_irqfd(struct tiny_vm *vm, unsigned int queue, int fd, bool assign);
void tiny_vm_signal_msi(struct tiny_vm *vm, unsigned int queue);

/* Lets an idle vCPU post so many times to each of its rings; it writes to `ended` when it has. */
void tiny_vcpu_go(struct tiny_vcpu *vcpu, uint64_t rounds, uint64_t pause);

#endif
