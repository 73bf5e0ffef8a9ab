// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * QEMU by the functions it exports (user/trace/uprobe.c finds them), in the thread that serves the
 * queue: what no hook of the kernel's tells. Each hit costs 0.75 us, so they are attached only if
 * asked for.
 *
 *   eventfd_read -- virtio_blk_handle_vq ---- blk_aio_*(request) -- return
 *   (or a spin)     `-------------- service -------|----------------'
 *                                                  `-- io -- virtqueue_push(vq, request)
 *                                                                 `- irq - virtio_notify(vq) - MSI
 *
 * A VirtQueue is known by the eventfd that its thread had read when it entered the handler; QEMU
 * reads each at least once, when the guest starts the device. A tracer that came later waits for
 * the first kick that is read: what spins have found before is kept until then.
 */
#include <linux/ptrace.h>
#include "served.h"
#include "uprobe.h"
#include <bpf/bpf_tracing.h>

/* libbpf 1.1 knows five. */
#if defined(__TARGET_ARCH_x86)
#define SIXTH_ARGUMENT(ctx) ((ctx)->r9)
#else
#define SIXTH_ARGUMENT(ctx) (((struct user_pt_regs *)(ctx))->regs[5])
#endif

static __always_inline struct queue_state *queue_of(__u32 row)
{
	__u32 index = row - 1;

	return row ? bpf_map_lookup_elem(&queue_states, &index) : NULL;
}

/* The row of a VirtQueue is known at last: it gets what waited for it. */
static __always_inline void owner_claims(const struct uprobe_owner *old, __u32 row)
{
	struct queue_state *q = queue_of(row + 1);

	if (!q)
		return;
	q->handled += old->handled;
	q->handled_polled += old->handled;
	q->submitted += old->submitted;
	q->completed += old->completed;
	ADD(seen.handlers_unowned, -old->handled);
}

static __always_inline void owner_set(__u64 vq, __u32 row, __u32 votes)
{
	struct uprobe_owner owner = { .row = row, .votes = votes };
	const struct uprobe_owner *old = bpf_map_lookup_elem(&uprobe_owners, &vq);

	if (old && old->row == UPROBE_NOBODY)
		owner_claims(old, row);
	if (bpf_map_update_elem(&uprobe_owners, &vq, &owner, BPF_ANY))
		lost(LOSS_MAPS);
}

/* The thread has read the eventfd of `row` just before: so the queue is that row's, unless another
 * kind of device reads eventfds in this thread too. Most votes win. */
static __always_inline __u32 owner_vote(__u64 vq, __u32 row)
{
	struct uprobe_owner *owner = bpf_map_lookup_elem(&uprobe_owners, &vq);

	if (!owner || (owner->row != row && !owner->votes)) {
		owner_set(vq, row, 1);
		return row + 1;
	}
	if (owner->row != row)
		owner->votes--;
	else if (owner->votes < UPROBE_SURE)
		owner->votes++;
	return owner->row + 1;
}

/* 1 + row; 0 = not known. */
static __always_inline __u32 owner_find(__u64 vq)
{
	const struct uprobe_owner *owner = bpf_map_lookup_elem(&uprobe_owners, &vq);

	return owner && owner->row != UPROBE_NOBODY ? owner->row + 1 : 0;
}

/* Of a VirtQueue whose row is not known. NULL: it is, or there is no room. */
static __always_inline struct uprobe_owner *owner_nobody(__u64 vq)
{
	const struct uprobe_owner nobody = { .row = UPROBE_NOBODY };
	struct uprobe_owner *owner = bpf_map_lookup_elem(&uprobe_owners, &vq);

	if (!owner) {
		bpf_map_update_elem(&uprobe_owners, &vq, &nobody, BPF_NOEXIST);
		owner = bpf_map_lookup_elem(&uprobe_owners, &vq);
	}
	if (!owner)
		lost(LOSS_MAPS);
	return owner && owner->row == UPROBE_NOBODY ? owner : NULL;
}

/* The only queue there is, if this thread serves it; no vote, since a device may begin that has
 * others.
 */
static __always_inline __u32 owner_guess(__u64 vq)
{
	struct thread_state *t = thread_find(current_tid());
	__u64 served = t ? t->served : 0;
	__u32 row;

	if (!served || served & (served - 1) || rows_bound != 1)
		return 0;
	row = lowest_bit(served);
	owner_set(vq, row, 0);
	return row + 1;
}

/* (VirtIODevice *, VirtQueue *) */
SEC("?uprobe")
int BPF_KPROBE(ho_up_handle, void *vdev, __u64 vq)
{
	struct uprobe_thread *u = ours() ? uprobe_thread_make() : NULL;
	struct queue_state *q;
	__u64 now;
	__u32 row;

	if (!u)
		return 0;
	now = bpf_ktime_get_ns();
	if (u->read_row && now - u->read_ns < UPROBE_STEP_NS)
		row = owner_vote(vq, u->read_row - 1);
	else
		row = owner_find(vq) ?: owner_guess(vq);
	u->read_row = 0;
	u->notify_row = 0;
	u->handler_row = row;
	u->handler_ns = now;
	u->handler_vq = vq;
	u->found = 0;
	q = queue_of(row);
	if (!q)
		return 0;
	u->polled = !q->kicked_hd;
	q->kicked_hd = 0;
	q->last_serve_ns = now;
	q->tid = current_tid();
	return 0;
}

SEC("?uretprobe")
int ho_up_handled(struct pt_regs *ctx)
{
	struct uprobe_thread *u = ours() ? uprobe_thread_find() : NULL;

	if (!u || !u->handler_ns)
		return 0;
	if (u->handler_row)
		stage_hist_add(u->handler_row - 1, STAGE_SERVICE,
			       since(u->handler_ns, bpf_ktime_get_ns()));
	u->handler_ns = 0;
	u->handler_row = 0;
	return 0;
}

static __always_inline void submitted_by(const struct uprobe_thread *u, bool first)
{
	struct queue_state *q = queue_of(u->handler_row);

	if (!q)
		return;
	q->submitted++;
	q->handled += first;
	q->handled_polled += first && u->polled;
}

static __always_inline void submitted_by_nobody(const struct uprobe_thread *u, bool first)
{
	struct uprobe_owner *nobody = owner_nobody(u->handler_vq);

	if (first)
		ADD(seen.handlers_unowned, 1);
	if (!nobody)
		return;
	nobody->submitted++;
	nobody->handled += first;
}

/*
 * A request is given to the backend. Those that a handler submits are a queue's; a merged one is
 * submitted once, as the first of its requests. An entry that submits none was sent by a kick whose
 * work a spin had found before: no arrival.
 */
static __always_inline int submitted(__u64 request)
{
	struct uprobe_thread *u = ours() ? uprobe_thread_find() : NULL;
	struct uprobe_begin begin;
	bool first;

	if (!u || !u->handler_ns)
		return 0;
	first = !u->found;
	u->found = 1;
	begin.t_ns = bpf_ktime_get_ns();
	begin.row = u->handler_row - 1; /* of 0: UPROBE_NOBODY */
	begin.pad = 0;
	if (u->handler_row)
		submitted_by(u, first);
	else
		submitted_by_nobody(u, first);
	if (bpf_map_update_elem(&uprobe_begins, &request, &begin, BPF_ANY))
		lost(LOSS_MAPS);
	return 0;
}

/* (blk, offset, qiov, flags, callback, request) */
SEC("?uprobe")
int ho_up_read(struct pt_regs *ctx)
{
	return submitted(SIXTH_ARGUMENT(ctx));
}

/* (blk, offset, qiov, flags, callback, request) */
SEC("?uprobe")
int ho_up_write(struct pt_regs *ctx)
{
	return submitted(SIXTH_ARGUMENT(ctx));
}

/* (blk, offset, bytes, flags, callback, request) */
SEC("?uprobe")
int ho_up_zeroes(struct pt_regs *ctx)
{
	return submitted(SIXTH_ARGUMENT(ctx));
}

/* (blk, offset, bytes, callback, request) */
SEC("?uprobe")
int ho_up_discard(struct pt_regs *ctx)
{
	return submitted(PT_REGS_PARM5(ctx));
}

/* (blk, callback, request) */
SEC("?uprobe")
int ho_up_flush(struct pt_regs *ctx)
{
	return submitted(PT_REGS_PARM3(ctx));
}

static __always_inline void completed_by_nobody(__u64 vq)
{
	struct uprobe_owner *nobody = owner_nobody(vq);

	if (nobody)
		nobody->completed++;
}

/* (vq, request, bytes): the request begins with its VirtQueueElement. */
SEC("?uprobe")
int BPF_KPROBE(ho_up_push, __u64 vq, __u64 request)
{
	struct uprobe_begin *begin;
	struct queue_state *q;
	__u64 now, *completed;
	__u32 row, index;

	if (!ours())
		return 0;
	now = bpf_ktime_get_ns();
	row = owner_find(vq);
	begin = bpf_map_lookup_elem(&uprobe_begins, &request);
	if (begin) {
		row = row ?: begin->row + 1;
		if (row)
			stage_hist_add(row - 1, STAGE_IO, since(begin->t_ns, now));
		else
			completed_by_nobody(vq);
		bpf_map_delete_elem(&uprobe_begins, &request);
	}
	q = queue_of(row);
	if (!q)
		return 0;
	q->completed++;
	q->last_serve_ns = now;
	index = row - 1;
	completed = bpf_map_lookup_elem(&uprobe_completed, &index);
	if (completed && !*completed)
		*completed = now;
	return 0;
}

/* Whether it sends one shows in what follows (uprobe_interrupt): the guest may not want it. */
static __always_inline int notifies(__u64 vq)
{
	struct uprobe_thread *u = ours() ? uprobe_thread_make() : NULL;
	__u64 *completed;
	__u32 row, index;

	if (!u)
		return 0;
	row = owner_find(vq);
	index = row - 1;
	u->notify_row = row;
	u->notify_ns = bpf_ktime_get_ns();
	u->completed_ns = 0;
	completed = row ? bpf_map_lookup_elem(&uprobe_completed, &index) : NULL;
	if (!completed)
		return 0;
	u->completed_ns = *completed;
	*completed = 0;
	return 0;
}

/* (VirtIODevice *, VirtQueue *): from an iothread. */
SEC("?uprobe")
int BPF_KPROBE(ho_up_notify_fd, void *vdev, __u64 vq)
{
	return notifies(vq);
}

/* (VirtIODevice *, VirtQueue *): from the main loop. */
SEC("?uprobe")
int BPF_KPROBE(ho_up_notify, void *vdev, __u64 vq)
{
	return notifies(vq);
}
