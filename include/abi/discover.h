/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the iterator of bpf/discover.bpf.c writes and user/trace/discover*.c reads: a record for
 * each thing it met, as found; judging them is user space's. They lie in an array that user space
 * has mapped: the iterator's own buffer would hold 32 KiB of one file's, and a VM is one file.
 */
#ifndef HANDOFF_ABI_DISCOVER_H
#define HANDOFF_ABI_DISCOVER_H

#include <linux/types.h>

enum discover_kind {
	DISCOVER_VM = 1,
	DISCOVER_VCPU,
	DISCOVER_IOEVENTFD,
	DISCOVER_IRQFD,
	DISCOVER_EVENTFD, /* a descriptor of the process */
};

/* How an entry of an eventfd's wait queue waits: enum consumer_how of <handoff/discover.h>. */
enum discover_how {
	DISCOVER_UNKNOWN,
	DISCOVER_EPOLL,
	DISCOVER_PPOLL,
	DISCOVER_IO_URING,
	DISCOVER_READ,
	DISCOVER_VHOST,
	DISCOVER_BY_IRQFD,
};

#define DISCOVER_COMM	 16
#define DISCOVER_WAITERS 4

struct discover_waiter {
	__u32 tid; /* 0 = not told by the entry */
	__u32 how;
	__u32 tgid; /* of tid */
	__u32 pad;
	char comm[DISCOVER_COMM];
};

struct discover_record {
	__u32 kind;
	__u32 tgid; /* whose descriptors are walked; as tid: of the initial pid namespace */
	__s32 fd;   /* VM, VCPU, EVENTFD */
	__u32 tid;  /* VCPU: 0 before its first KVM_RUN */
	__u32 vcpu; /* VCPU: its id */
	__u32 id;   /* of ctx */
	__u64 kvm;  /* all but EVENTFD */
	__u64 node; /* the kernel's object: two records of one node are the same thing */
	__u64 ctx;  /* IOEVENTFD, IRQFD, EVENTFD: struct eventfd_ctx */
	/* IOEVENTFD */
	__u64 addr, datamatch;
	__u32 len, wildcard; /* 1 = any value */
	__u32 bus;
	/* IRQFD: the route KVM has cached */
	__u32 gsi, irq_type;
	__u32 msi_address, msi_data;
	/* From here on it changes by itself. */
	__u32 waiters; /* all of them; the first DISCOVER_WAITERS follow */
	__u64 count;
	struct discover_waiter waiter[DISCOVER_WAITERS];
};

/* irq_type of an MSI (KVM_IRQ_ROUTING_MSI). */
#define DISCOVER_IRQ_MSI 2

#define DISCOVER_MAX_ENTRIES 2048 /* of one list of a VM; a queue has two ioeventfds or more */
#define DISCOVER_MAX_RECORDS 8192

struct discover_in {
	__u32 tgid;	/* 0 = every process */
	__u32 vms_only; /* 1 = only records of kind VM */
};

struct discover_out {
	__u32 n;
	__u32 full;	  /* records there was no room for */
	__u32 torn;	  /* lists that changed under the walk */
	__u32 endless;	  /* lists longer than DISCOVER_MAX_ENTRIES */
	__u32 ioeventfds; /* 1 = this kernel's BTF tells of struct _ioeventfd */
	__u32 irqfds;	  /* 1 = of struct kvm_kernel_irqfd */
};

_Static_assert(sizeof(struct discover_waiter) == 32, "shared with BPF");
_Static_assert(sizeof(struct discover_record) == 6 * 4 + 5 * 8 + 8 * 4 + 8 + 4 * 32,
	       "shared with BPF");

#endif
