// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Walks the descriptors of one process (or all) and, from those of KVM, the lists KVM keeps:
 * ioeventfds, irqfds, and who waits for their eventfds. KVM's locks are not ours to take: reads
 * cannot fault, but may meet what is being changed; then the walk is called torn, and user space
 * (discover.c) takes it again. What is verified once although it is used in loops is a function of
 * global linkage.
 */
#include "waiter.h"
#include <abi/discover.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct discover_in in;
struct discover_out out;

/* A map of its own: its bounds are the kernel's to check. User space has it mapped. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DISCOVER_MAX_RECORDS);
	__type(key, __u32);
	__type(value, struct discover_record);
} records SEC(".maps");

/* Where in a list of KVM's we are. Not static: the compiler would take it apart, and its BTF not.
 */
struct {
	__u64 head, node, prev;
} cursor;

#define ANON_INODE_FS_MAGIC 0x09041934
#define MAX_WAITERS	    16

static __always_inline struct discover_record *record(__u32 index)
{
	return bpf_map_lookup_elem(&records, &index);
}

/* Is `node` where it was found? Asked after reading it. */
static __always_inline bool list_holds(const struct list_head *prev, const struct list_head *node)
{
	return BPF_CORE_READ(prev, next) == node && BPF_CORE_READ(node, prev) == prev;
}

/* Entry i of the record's wait queue. 0: it has left meanwhile. */
__attribute__((noinline)) int read_waiter(__u32 index, __u32 i, __u64 node, __u64 prev)
{
	struct wait_queue_entry *entry = waiter_of((struct list_head *)node);
	struct discover_record *r = record(index);
	struct discover_waiter w = { 0 };
	struct task_struct *task;
	__u64 at = i;

	if (!r)
		return 0;
	w.how = waiter_how(BPF_CORE_READ(entry, func));
	task = waiter_task(entry, w.how);
	if (task) {
		w.tid = BPF_CORE_READ(task, pid);
		w.tgid = BPF_CORE_READ(task, tgid);
		BPF_CORE_READ_STR_INTO(&w.comm, task, comm);
	}
	if (!list_holds((struct list_head *)prev, (struct list_head *)node))
		return 0;
	if (i < DISCOVER_WAITERS) {
		/* What the verifier is to know has to be said where the compiler cannot drop it. */
		asm volatile("%0 &= %1" : "+r"(at) : "i"(DISCOVER_WAITERS - 1));
		r->waiter[at] = w;
	}
	return 1;
}

/* The eventfd of the record: who it is, what is in it, who waits. A queue that changes under the
 * walk is short: threads come and go. */
__attribute__((noinline)) int read_eventfd(__u32 index)
{
	struct discover_record *r = record(index);
	struct list_head *head, *node, *prev;
	struct eventfd_ctx *ctx;
	int i;

	if (!r || !r->ctx)
		return 0;
	ctx = (void *)r->ctx;
	if (bpf_core_field_exists(ctx->id))
		r->id = BPF_CORE_READ(ctx, id);
	r->count = BPF_CORE_READ(ctx, count);
	head = (void *)ctx + bpf_core_field_offset(struct eventfd_ctx, wqh.head);
	prev = head;
	node = list_next(head);
	for (i = 0; i < MAX_WAITERS; i++) {
		if (!node || node == head || !read_waiter(index, i, (__u64)node, (__u64)prev))
			break;
		prev = node;
		node = list_next(node);
	}
	r->waiters = i;
	return 0;
}

__attribute__((noinline)) int read_ioeventfd(__u32 index, __u64 node)
{
	struct discover_record *r = record(index);
	struct _ioeventfd *p;

	if (!bpf_core_type_exists(struct _ioeventfd) || !r)
		return 0;
	p = (void *)node - bpf_core_field_offset(struct _ioeventfd, list);
	r->addr = BPF_CORE_READ(p, addr);
	r->len = BPF_CORE_READ(p, length);
	r->bus = BPF_CORE_READ(p, bus_idx);
	r->wildcard = BPF_CORE_READ(p, wildcard);
	r->datamatch = BPF_CORE_READ(p, datamatch);
	r->ctx = (__u64)BPF_CORE_READ(p, eventfd);
	return 0;
}

__attribute__((noinline)) int read_irqfd(__u32 index, __u64 node)
{
	struct discover_record *r = record(index);
	struct kvm_kernel_irqfd *p;

	if (!bpf_core_type_exists(struct kvm_kernel_irqfd) || !r)
		return 0;
	p = (void *)node - bpf_core_field_offset(struct kvm_kernel_irqfd, list);
	r->gsi = BPF_CORE_READ(p, gsi);
	r->ctx = (__u64)BPF_CORE_READ(p, eventfd);
	r->irq_type = BPF_CORE_READ(p, irq_entry.type);
	if (r->irq_type == DISCOVER_IRQ_MSI) {
		r->msi_address = BPF_CORE_READ(p, irq_entry.msi.address_lo);
		r->msi_data = BPF_CORE_READ(p, irq_entry.msi.data);
	}
	return 0;
}

/* A fresh record: its index, or DISCOVER_MAX_RECORDS. */
static __always_inline __u32 new_record(enum discover_kind kind, __u32 tgid, __s32 fd, __u64 kvm)
{
	__u32 index = out.n;
	struct discover_record *r = record(index);

	if (!r) {
		out.full++;
		return DISCOVER_MAX_RECORDS;
	}
	__builtin_memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->tgid = tgid;
	r->fd = fd;
	r->kvm = kvm;
	out.n = index + 1;
	return index;
}

/* The entry at the cursor, which moves on. 0: the end of the list, or it has changed. */
__attribute__((noinline)) int read_entry(__u32 kind, __u32 tgid, __u64 kvm)
{
	struct list_head *node = (void *)cursor.node, *prev = (void *)cursor.prev;
	struct discover_record *r;
	__u32 index;

	if (cursor.node == cursor.head)
		return 0;
	index = new_record(kind, tgid, -1, kvm);
	r = record(index);
	if (!r)
		return 0;
	r->node = cursor.node;
	if (kind == DISCOVER_IOEVENTFD)
		read_ioeventfd(index, cursor.node);
	else
		read_irqfd(index, cursor.node);
	read_eventfd(index);
	if (!node || !list_holds(prev, node)) {
		out.n = index;
		out.torn++;
		return 0;
	}
	cursor.prev = cursor.node;
	cursor.node = (__u64)list_next(node);
	return 1;
}

/* One branch to a round: the verifier keeps them all. */
__attribute__((noinline)) int read_list(__u32 kind, __u32 tgid, __u64 kvm, __u64 head)
{
	int i;

	cursor.head = head;
	cursor.prev = head;
	cursor.node = (__u64)list_next((struct list_head *)head);
	for (i = 0; i < DISCOVER_MAX_ENTRIES; i++)
		if (!read_entry(kind, tgid, kvm))
			return 0;
	if (cursor.node != head)
		out.endless++;
	return 0;
}

/* KVM serves the process that made the VM alone; others may hold its descriptor. */
static __always_inline bool belongs(const struct kvm *kvm, const struct task_struct *task)
{
	return BPF_CORE_READ(kvm, mm) == BPF_CORE_READ(task, mm);
}

static __always_inline void meet_vm(struct kvm *kvm, struct task_struct *task, __u32 fd)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);
	struct discover_record *r;

	if (!belongs(kvm, task))
		return;
	r = record(new_record(DISCOVER_VM, tgid, fd, (__u64)kvm));
	if (!r)
		return;
	r->node = (__u64)kvm;
	if (in.vms_only)
		return;
	if (bpf_core_type_exists(struct _ioeventfd) && bpf_core_field_exists(kvm->ioeventfds)) {
		out.ioeventfds = 1;
		read_list(DISCOVER_IOEVENTFD, tgid, (__u64)kvm,
			  (__u64)kvm + bpf_core_field_offset(struct kvm, ioeventfds));
	}
	if (bpf_core_type_exists(struct kvm_kernel_irqfd) && bpf_core_field_exists(kvm->irqfds)) {
		out.irqfds = 1;
		read_list(DISCOVER_IRQFD, tgid, (__u64)kvm,
			  (__u64)kvm + bpf_core_field_offset(struct kvm, irqfds.items));
	}
}

static __always_inline void meet_vcpu(struct kvm_vcpu *vcpu, struct task_struct *task, __u32 fd)
{
	struct kvm *kvm = BPF_CORE_READ(vcpu, kvm);
	struct discover_record *r;
	struct pid *pid;

	if (!belongs(kvm, task))
		return;
	r = record(new_record(DISCOVER_VCPU, BPF_CORE_READ(task, tgid), fd, (__u64)kvm));
	if (!r)
		return;
	r->node = (__u64)vcpu;
	r->vcpu = BPF_CORE_READ(vcpu, vcpu_id);
	pid = BPF_CORE_READ(vcpu, pid);
	if (pid)
		r->tid = BPF_CORE_READ(pid, numbers[0].nr);
}

static __always_inline void meet_eventfd(struct eventfd_ctx *ctx, struct task_struct *task,
					 __u32 fd)
{
	__u32 index = new_record(DISCOVER_EVENTFD, BPF_CORE_READ(task, tgid), fd, 0);
	struct discover_record *r = record(index);

	if (!r)
		return;
	r->node = (__u64)ctx;
	r->ctx = (__u64)ctx;
	read_eventfd(index);
}

/* A file of any name may lie on a disk; these are the kernel's own. */
SEC("iter/task_file")
int ho_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	char name[16] = "";
	void *private;

	if (!task || !file || (in.tgid && (__u32)task->tgid != in.tgid))
		return 0;
	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC)
		return 0;
	bpf_probe_read_kernel_str(name, sizeof(name),
				  BPF_CORE_READ(file, f_path.dentry, d_name.name));
	private = BPF_CORE_READ(file, private_data);
	if (!private)
		return 0;
	if (BEGINS(name, "kvm-vm"))
		meet_vm(private, task, ctx->fd);
	else if (in.vms_only)
		return 0;
	else if (BEGINS(name, "kvm-vcpu:"))
		meet_vcpu(private, task, ctx->fd);
	else if (BEGINS(name, "[eventfd]"))
		meet_eventfd(private, task, ctx->fd);
	return 0;
}
