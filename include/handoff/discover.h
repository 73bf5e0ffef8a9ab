/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMs of this machine from outside: their vCPUs, ioeventfds, irqfds, and which thread waits for
 * which eventfd. BPF iterators walk KVM's structures; nothing of the VMM's help is needed. One
 * thread at a time. Nothing stays in the kernel when the object is gone.
 */
#ifndef HANDOFF_DISCOVER_H
#define HANDOFF_DISCOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <abi/model.h>
#include <handoff/error.h>

#define VM_NAME	     32
#define VM_TEXT	     160
#define VM_FDS	     4 /* descriptors of one eventfd that are kept: dup makes more */
#define VM_CONSUMERS 4

/* How a thread waits for an eventfd: told by its entry in the eventfd's wait queue. */
enum consumer_how {
	CONSUMER_UNKNOWN,
	CONSUMER_EPOLL,	   /* tid 0: in an epoll set, and nobody waits for the set now */
	CONSUMER_PPOLL,	   /* poll, ppoll, select */
	CONSUMER_IO_URING, /* a poll or read request of a ring */
	CONSUMER_READ,	   /* blocked in read() */
	CONSUMER_VHOST,	   /* a vhost worker */
	CONSUMER_IRQFD,	   /* KVM itself: an interrupt */
	CONSUMERS
};
/* "epoll", "ppoll", "io_uring", "read", "vhost", "irqfd", "unknown". */
const char *consumer_how_name(enum consumer_how how);

struct vm_consumer {
	uint32_t tid; /* 0 = not known now */
	pid_t pid;    /* its process: a back end may be outside of the VMM (vhost-user) */
	enum consumer_how how;
	char comm[VM_NAME];
};

struct vm_eventfd {
	uint64_t ctx; /* the kernel's object (struct eventfd_ctx): its identity while it lives; 0 =
			 not known */
	uint32_t id;  /* fdinfo's eventfd-id; reused after free */
	uint64_t count; /* signals that nobody has read yet, at the walk */
	uint32_t n_fds; /* 0: the VMM has closed its own */
	int32_t fd[VM_FDS];
	uint32_t n_consumers; /* 0: nobody waits for it now */
	struct vm_consumer consumer[VM_CONSUMERS];
};

/* A virtqueue, as KVM sees it: an eventfd that guest writes signal. */
struct vm_queue {
	struct vm_eventfd eventfd;
	uint32_t n_ways;
	struct kick_key way[QUEUE_WAYS]; /* a len-0 MMIO and its FAST_MMIO twin are one */
	uint32_t len[QUEUE_WAYS];	 /* bytes of the write; 0 = any */
	char device[VM_NAME];		 /* "vblk0"; without QMP its notify page: "0xfe003000" */
	uint32_t queue;
	/* exact: by QMP; inferred: by rule, which name_reason states; absent: by nothing, queue is
	 * the eventfd's position */
	enum evidence name_evidence;
	char name_reason[VM_TEXT];
};

struct vm_irqfd {
	struct vm_eventfd eventfd;
	uint32_t gsi;
	bool is_msi; /* message is valid; else a pin, or not routed yet */
	struct irq_key message;
};

struct vm_vcpu {
	uint32_t id;
	uint32_t tid; /* 0 before its first KVM_RUN */
};

struct vm {
	pid_t pid;
	char comm[VM_NAME], command[VM_TEXT]; /* printable */
	char kind[16];			      /* "qemu", "handoff", "firecracker", "unknown"... */
	uint64_t kvm;			      /* the kernel's struct kvm; 0 = not known */
	int32_t vm_fd;
	uint32_t n_vcpus, n_queues, n_irqfds, n_others;
	struct vm_vcpu *vcpu;	  /* by id */
	struct vm_queue *queue;	  /* by device, then queue */
	struct vm_irqfd *irqfd;	  /* by gsi */
	struct vm_eventfd *other; /* the process's eventfds that are neither */
	/* Of queues and irqfds: exact (walked), inferred (registrations that were seen, or given by
	 * hand), absent with why. */
	enum evidence evidence;
	char reason[VM_TEXT];
	/* Entries that made no sense, and walks that were not equal to the next: both were taken
	 * again. */
	uint32_t garbage, unequal;
};

struct vm_list {
	uint32_t n;
	struct vm *vm;
	char kvm[64]; /* flavour of KVM on this host */
};

struct discover;

/* NULL with err: no privilege, no BTF. */
struct discover *discover_new(struct error *err) MUST_CHECK;
void discover_free(struct discover *d);

/*
 * All VMs (pid 0) or those of one process, into `list` (zeroed before its first use; what it held
 * is released). Bounded: two equal walks in a row within some tries, else the last, with `unequal`
 * counted. `samples`: so many walks are looked at for consumers, which are only seen while they
 * wait: 1 for a snapshot, more for `ls`. 0 or -errno with err; no VM is 0 with n 0.
 */
int discover_run(struct discover *d, pid_t pid, unsigned int samples, struct vm_list *list,
		 struct error *err) MUST_CHECK;
void vm_list_release(struct vm_list *list);

/* What a QMP socket tells of a VM (user/cmd fills it): devices by address range, loops by thread.
 */
#define VM_NAMES_MAX 64
struct vm_names {
	uint32_t n_ranges, n_loops;
	struct {
		char device[VM_NAME];
		uint64_t begin, size; /* of a BAR */
		bool pio;
	} range[VM_NAMES_MAX];
	struct {
		char id[VM_NAME];
		uint32_t tid;
		bool main;
		bool poll_known; /* of the four settings */
		uint64_t poll_max_ns, poll_grow, poll_shrink, poll_weight;
	} loop[VM_NAMES_MAX];
};

/*
 * Device and queue numbers of all queues: by names (may be NULL) where a range holds an address,
 * else by the rules of vm_queue. discover_run has called it with NULL. Pure.
 */
void vm_name_queues(struct vm *vm, const struct vm_names *names);

/*
 * A queue that was not found by walking: its registration was seen, or its address was given by
 * hand (n ways, at most QUEUE_WAYS). Evidence inferred. Queues are named anew without names. 0;
 * -EEXIST: a queue has one of these ways; -EINVAL or -ENOMEM with err.
 */
int vm_add_given(struct vm *vm, const struct kick_key *way, uint32_t n,
		 struct error *err) MUST_CHECK;

#endif
