/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The kernel's types that discover.bpf.c and waiter.h read, cut down to these fields;
 * kernel_types.h has those of the programs that trace. Offsets are the running kernel's (CO-RE).
 */
#ifndef HANDOFF_BPF_DISCOVER_TYPES_H
#define HANDOFF_BPF_DISCOVER_TYPES_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL_TYPE __attribute__((preserve_access_index))

struct mm_struct;

struct task_struct {
	int pid, tgid;
	char comm[16];
	struct mm_struct *mm;
} KERNEL_TYPE;

struct list_head {
	struct list_head *next, *prev;
} KERNEL_TYPE;

/* --- files ------------------------------------------------------------------------------------ */

struct qstr {
	const unsigned char *name;
} KERNEL_TYPE;

struct dentry {
	struct qstr d_name;
} KERNEL_TYPE;

struct path {
	struct dentry *dentry;
} KERNEL_TYPE;

struct super_block {
	unsigned long s_magic;
} KERNEL_TYPE;

struct inode {
	struct super_block *i_sb;
} KERNEL_TYPE;

struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
} KERNEL_TYPE;

struct bpf_iter_meta;

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
} KERNEL_TYPE;

/* --- KVM: the first two are in the kernel's own BTF even where KVM is a module, the others in the
 * module's ------------------------------------------------------------------------------------- */

struct kvm {
	struct mm_struct *mm;
	struct {
		struct list_head items;
	} irqfds;
	struct list_head ioeventfds;
} KERNEL_TYPE;

struct upid {
	int nr;
} KERNEL_TYPE;

struct pid {
	struct upid numbers[1];
} KERNEL_TYPE;

struct kvm_vcpu {
	struct kvm *kvm;
	int vcpu_id;
	struct pid *pid;
} KERNEL_TYPE;

struct eventfd_ctx;

struct _ioeventfd {
	struct list_head list;
	__u64 addr;
	int length;
	struct eventfd_ctx *eventfd;
	__u64 datamatch;
	__u8 bus_idx;
	bool wildcard;
} KERNEL_TYPE;

struct kvm_kernel_irq_routing_entry {
	__u32 type;
	union {
		struct {
			__u32 address_lo, address_hi, data;
		} msi;
	};
} KERNEL_TYPE;

struct kvm_kernel_irqfd {
	struct kvm_kernel_irq_routing_entry irq_entry;
	int gsi;
	struct eventfd_ctx *eventfd;
	struct list_head list;
} KERNEL_TYPE;

/* --- who waits for an eventfd ------------------------------------------------------------------
 */

struct wait_queue_head {
	struct list_head head;
} KERNEL_TYPE;

struct wait_queue_entry {
	void *private;
	void *func;
	struct list_head entry;
} KERNEL_TYPE;

struct eventfd_ctx {
	struct wait_queue_head wqh;
	__u64 count;
	int id; /* 5.2 */
} KERNEL_TYPE;

struct eventpoll {
	struct wait_queue_head wq, poll_wait;
} KERNEL_TYPE;

struct epitem {
	struct eventpoll *ep;
} KERNEL_TYPE;

struct eppoll_entry {
	struct epitem *base;
	struct wait_queue_entry wait;
} KERNEL_TYPE;

struct poll_wqueues {
	struct task_struct *polling_task;
} KERNEL_TYPE;

struct io_uring_task {
	struct task_struct *task;
} KERNEL_TYPE;

struct io_kiocb {
	struct io_uring_task *tctx;
} KERNEL_TYPE;

/* Up to 6.12. */
struct io_kiocb___old {
	struct task_struct *task;
} KERNEL_TYPE;

#endif
