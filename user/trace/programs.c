// SPDX-License-Identifier: BSD-2-Clause
/*
 * The table of programs.h. Threads are watched before they are listed, the scheduler before KVM, so
 * that no kick is seen whose wake is not; queues are placed before anything is counted for them;
 * arming is last: from then on everything counts. Of uprobes the first is attached last: what a
 * handler begins is seen to its end.
 */
#include "programs.h"

#include <stdio.h>

/* A function of QEMU's. */
#define UPROBE(program, name, function, stages)                                                    \
	[program] = { name, PROGRAM_UPROBE, function, stages, true, PROGRAM_FOREIGN }

/* A function's hook, and its kprobe for where fentry is refused. */
#define HOOK(program, fentry, kprobe, function, stages)                                            \
	[program] = { fentry, PROGRAM_FENTRY, function, stages, true },                            \
	[program##_KP] = { kprobe, PROGRAM_KPROBE, function, stages, true }

const struct program_info programs[PROGRAMS] = {
	[PROGRAM_FORK] = { "ho_fork", PROGRAM_TP_BTF, "sched_process_fork", "wake,runq", false },
	[PROGRAM_EXIT] = { "ho_exit", PROGRAM_TP_BTF, "sched_process_exit", "loop accounts",
			   false },
	[PROGRAM_THREADS] = { "ho_threads", PROGRAM_ITER, "task", "wake,runq", false },
	[PROGRAM_SWITCH] = { "ho_switch", PROGRAM_TP_BTF, "sched_switch", "runq,dispatch", false },
	[PROGRAM_WAKEUP] = { "ho_wakeup", PROGRAM_TP_BTF, "sched_wakeup", "wake,runq", false },
	[PROGRAM_WAKING] = { "ho_waking", PROGRAM_TP_BTF, "sched_waking", "signal,wake", false },
	[PROGRAM_NOTIFIED] = { "ho_notified", PROGRAM_USDT, "queue_notified", "dispatch,outcomes",
			       false, PROGRAM_OURS },
	[PROGRAM_POLL_BEGIN] = { "ho_poll_begin", PROGRAM_USDT, "poll_begin", "outcomes", false,
				 PROGRAM_OURS },
	[PROGRAM_POLL_END] = { "ho_poll_end", PROGRAM_USDT, "poll_end", "outcomes", false,
			       PROGRAM_OURS },
	[PROGRAM_PLACED] = { "ho_placed", PROGRAM_USDT, "queue_placed", "kicks,inject", true,
			     PROGRAM_OURS },
	[PROGRAM_PLACE] = { "ho_place", PROGRAM_RUN, "place", "kicks,inject", false, PROGRAM_OURS },
	/* Registrations are heard of before the first look at what there is. */
	[PROGRAM_SYS_IOCTL] = { "ho_sys_ioctl", PROGRAM_TRACEPOINT, "syscalls/sys_exit_ioctl",
				"registrations", true, PROGRAM_FOREIGN },
	[PROGRAM_READ] = { "ho_read", PROGRAM_FEXIT, "eventfd_read", "dispatch,outcomes", true,
			   PROGRAM_FOREIGN },
	[PROGRAM_SYS_READ] = { "ho_sys_read", PROGRAM_TRACEPOINT, "syscalls/sys_exit_read",
			       "dispatch,outcomes", true, PROGRAM_FOREIGN },
	[PROGRAM_SYS_EXIT] = { "ho_sys_exit", PROGRAM_RAW_TP, "sys_exit",
			       "dispatch,outcomes,registrations", true, PROGRAM_FOREIGN },
	[PROGRAM_RING_READ] = { "ho_ring_read", PROGRAM_RAW_TP, "io_uring_complete",
				"dispatch,outcomes", true, PROGRAM_FOREIGN },
	[PROGRAM_BIND] = { "ho_bind", PROGRAM_RUN, "bind", "kicks,inject", false, PROGRAM_FOREIGN },
	HOOK(PROGRAM_SIGNAL_MASK, "ho_signal_mask", "ho_sigmask_kp", "eventfd_signal_mask",
	     "signal,wake"),
	HOOK(PROGRAM_SIGNAL, "ho_signal", "ho_signal_kp", "eventfd_signal", "signal,wake"),
	HOOK(PROGRAM_IOEVENTFD, "ho_ioeventfd", "ho_ioeventfd_kp", "ioeventfd_write",
	     "exit,signal"),
	HOOK(PROGRAM_IRQFD, "ho_irqfd", "ho_irqfd_kp", "kvm_arch_set_irq_inatomic", "inject"),
	[PROGRAM_MSI] = { "ho_msi_set_irq", PROGRAM_RAW_TP, "kvm_msi_set_irq", "inject", false },
	[PROGRAM_ACCEPT] = { "ho_accept_irq", PROGRAM_RAW_TP, "kvm_apic_accept_irq", "inject,enter",
			     false },
	[PROGRAM_POSTED] = { "ho_posted_irq", PROGRAM_RAW_TP, "kvm_apicv_accept_irq", "enter",
			     true },
	/* Where KVM is PVM, for the what-if curve (gap.bpf.c). */
	[PROGRAM_READ_MSR] = { "ho_read_msr", PROGRAM_RAW_TP, "read_msr", "waits", true },
	[PROGRAM_WRITE_MSR] = { "ho_write_msr", PROGRAM_RAW_TP, "write_msr", "waits", true },
	[PROGRAM_KVM_ENTRY] = { "ho_kvm_entry", PROGRAM_RAW_TP, "kvm_entry", "enter", false },
	[PROGRAM_KVM_EXIT] = { "ho_kvm_exit", PROGRAM_RAW_TP, "kvm_exit", "exit", false },
	[PROGRAM_EXIT_REASON] = { "ho_exit_reason", PROGRAM_RAW_TP, "kvm_exit", "exit reasons",
				  true },
	[PROGRAM_USER_EXIT] = { "ho_user_exit", PROGRAM_RAW_TP, "kvm_userspace_exit", "outcomes",
				false },
	[PROGRAM_FAST_MMIO] = { "ho_fast_mmio", PROGRAM_RAW_TP, "kvm_fast_mmio", "exit,signal",
				true },
	[PROGRAM_PIO] = { "ho_kvm_pio", PROGRAM_RAW_TP, "kvm_pio", "exit,signal", true },
	[PROGRAM_MMIO] = { "ho_kvm_mmio", PROGRAM_RAW_TP, "kvm_mmio", "exit,signal,wake", false },
	[PROGRAM_ARMED] = { "ho_armed", PROGRAM_USDT, "stats_armed", "service,io,irq", false,
			    PROGRAM_OURS },
	UPROBE(PROGRAM_UP_HANDLED, "ho_up_handled", "virtio_blk_handle_vq", "service"),
	UPROBE(PROGRAM_UP_PUSH, "ho_up_push", "virtqueue_push", "io,irq"),
	UPROBE(PROGRAM_UP_NOTIFY, "ho_up_notify", "virtio_notify", "irq"),
	UPROBE(PROGRAM_UP_NOTIFY_FD, "ho_up_notify_fd", "virtio_notify_irqfd", "irq"),
	UPROBE(PROGRAM_UP_READ, "ho_up_read", "blk_aio_preadv", "io"),
	UPROBE(PROGRAM_UP_WRITE, "ho_up_write", "blk_aio_pwritev", "io"),
	UPROBE(PROGRAM_UP_ZEROES, "ho_up_zeroes", "blk_aio_pwrite_zeroes", "io"),
	UPROBE(PROGRAM_UP_DISCARD, "ho_up_discard", "blk_aio_pdiscard", "io"),
	UPROBE(PROGRAM_UP_FLUSH, "ho_up_flush", "blk_aio_flush", "io"),
	UPROBE(PROGRAM_UP_HANDLE, "ho_up_handle", "virtio_blk_handle_vq", "service,outcomes"),
};

bool program_on_kick(enum program p)
{
	switch (p) {
	case PROGRAM_WAKING:
	case PROGRAM_SIGNAL_MASK:
	case PROGRAM_SIGNAL_MASK_KP:
	case PROGRAM_SIGNAL:
	case PROGRAM_SIGNAL_KP:
	case PROGRAM_IOEVENTFD:
	case PROGRAM_IOEVENTFD_KP:
	case PROGRAM_READ_MSR:
	case PROGRAM_WRITE_MSR:
	case PROGRAM_KVM_ENTRY:
	case PROGRAM_KVM_EXIT:
	case PROGRAM_EXIT_REASON:
	case PROGRAM_USER_EXIT:
	case PROGRAM_FAST_MMIO:
	case PROGRAM_PIO:
	case PROGRAM_MMIO:
		return true;
	default:
		return false;
	}
}

char *program_hook(enum program p, char buf[64])
{
	static const char *const kinds[] = {
		[PROGRAM_RAW_TP] = "raw_tp/",	  [PROGRAM_TP_BTF] = "tp_btf/",
		[PROGRAM_FENTRY] = "fentry/",	  [PROGRAM_KPROBE] = "kprobe/",
		[PROGRAM_USDT] = "usdt/handoff:", [PROGRAM_ITER] = "iter/",
		[PROGRAM_FEXIT] = "fexit/",	  [PROGRAM_TRACEPOINT] = "tp/",
		[PROGRAM_UPROBE] = "uprobe/",	  [PROGRAM_RUN] = "run/",
	};

	snprintf(buf, 64, "%s%s", kinds[programs[p].kind], programs[p].target);
	return buf;
}
