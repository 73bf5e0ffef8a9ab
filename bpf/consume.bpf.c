// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What the loops of a VMM that is not ours do: they read the eventfds of kicks. Seen where the
 * kernel's own function can be hooked (every way to read: read(), blocking or not, io_uring);
 * elsewhere at the end of the system call, and where io_uring completes a request.
 */
#include "account.h"
#include "change.h"
#include "drift.bpf.h"
#include "served.h"

#define EVENTFD_BYTES 8
#define EAGAIN	      11

/* 1 + row; 0 = no queue's. */
static __always_inline __u32 row_of_fd(__s32 fd)
{
	__u32 *row = bpf_map_lookup_elem(&eventfd_fds, &fd);

	return row ? *row : 0;
}

static __always_inline __u32 row_of_ctx(__u64 ctx)
{
	__u32 *row = bpf_map_lookup_elem(&eventfd_ctxs, &ctx);

	return row ? *row : 0;
}

/* read(fd, buffer, ...): what was read is in the caller's buffer still. */
static __always_inline __u64 read_signals(struct pt_regs *regs)
{
	__u64 signals = 0;

	if (bpf_probe_read_user(&signals, sizeof(signals), (void *)call_second(regs)) || !signals)
		return SIGNALS_ALL;
	return signals;
}

static __always_inline void has_read(__u32 row, long ret, __u64 signals)
{
	struct thread_state *t = thread_keep(current_tid());

	if (!t)
		return;
	t->reads = 1;
	if (ret == EVENTFD_BYTES)
		queue_consumed(t, row - 1, signals);
	else
		account_empty(t, bpf_ktime_get_ns());
}

static __always_inline bool read_ends(long ret)
{
	return ret == EVENTFD_BYTES || ret == -EAGAIN;
}

/* A descriptor's row is asked where the tracer could not learn the context. */
SEC("?fexit/eventfd_read")
int BPF_PROG(ho_read, struct kiocb *iocb, struct iov_iter *to, long ret)
{
	__u64 signals = SIGNALS_ALL;
	struct pt_regs *regs;
	__u32 row;

	if (!ours_or_consumer() || !read_ends(ret))
		return 0;
	/* io_uring tries, and waits for the eventfd if there is nothing. */
	if (ret != EVENTFD_BYTES && iocb->ki_flags & IOCB_NOWAIT)
		return 0;
	row = row_of_ctx((__u64)iocb->ki_filp->private_data);
	regs = call_current();
	if ((!row || ret == EVENTFD_BYTES) && call_nr(regs) == NR_READ) {
		row = row ?: row_of_fd(call_first(regs));
		if (row && ret == EVENTFD_BYTES)
			signals = read_signals(regs);
	}
	if (row)
		has_read(row, ret, signals);
	return 0;
}

static __always_inline int read_returned(struct pt_regs *regs, long ret)
{
	__u32 row = row_of_fd(call_first(regs));

	if (row)
		has_read(row, ret, ret == EVENTFD_BYTES ? read_signals(regs) : 0);
	return 0;
}

/* As the tracepoint's format file has it, on every kernel. */
struct sys_exit_args {
	__u64 common;
	long nr, ret;
};

SEC("?tp/syscalls/sys_exit_read")
int ho_sys_read(struct sys_exit_args *ctx)
{
	if (!ours() || !read_ends(ctx->ret))
		return 0;
	return read_returned(call_current(), ctx->ret);
}

/*
 * (registers, result): where single system calls' tracepoints cannot be had. Every thread of the
 * machine pays for it, at each of its calls.
 */
SEC("?raw_tp/sys_exit")
int ho_sys_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (void *)ctx->args[0];
	long ret = ctx->args[1];
	__u64 nr;

	if (!ours() || (ret && !read_ends(ret)))
		return 0;
	nr = call_nr(regs);
	if (nr == NR_IOCTL && sys_exit_ioctls && !ret)
		return vm_changed(regs);
	if (nr == NR_READ && sys_exit_reads && ret)
		return read_returned(regs, ret);
	return 0;
}

SEC("?tp/syscalls/sys_exit_ioctl")
int ho_sys_ioctl(struct sys_exit_args *ctx)
{
	return ours() && !ctx->ret ? vm_changed(call_current()) : 0;
}

/* IORING_OP_*: those that read; a completed poll of the eventfd is no consumption. */
#define RING_READV	1
#define RING_READ_FIXED 4
#define RING_READ	22

/* (ring, request, user data, result, ...) or (ring, request, completion): drift.bpf.h. */
SEC("?raw_tp/io_uring_complete")
int ho_ring_read(struct bpf_raw_tracepoint_args *ctx)
{
	struct io_kiocb *request;
	struct file *file;
	__u8 op;
	__u32 row;

	if (!ours() || drift_ring_result(ctx) != EVENTFD_BYTES)
		return 0;
	request = (void *)ctx->args[1];
	op = BPF_CORE_READ(request, opcode);
	if (op != RING_READ && op != RING_READ_FIXED && op != RING_READV)
		return 0;
	file = BPF_CORE_READ(request, file);
	row = file ? row_of_ctx((__u64)BPF_CORE_READ(file, private_data)) : 0;
	if (row)
		has_read(row, EVENTFD_BYTES, SIGNALS_ALL);
	return 0;
}
