/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Who waits in an eventfd's wait queue: from an entry's function how, from what the entry belongs
 * to which thread. For a walk (discover.bpf.c): reads that cannot fault, of what may be changing.
 */
#ifndef HANDOFF_BPF_WAITER_H
#define HANDOFF_BPF_WAITER_H

#include "discover_types.h"
#include <abi/discover.h>

/* Functions in wait queues. One that the kernel's symbols do not show to us (kptr_restrict), or a
 * module loaded after this object, is asked for by name; so is irqfd_wakeup, of which Xen's privcmd
 * has one too: libbpf refuses a name with two addresses. */
extern const void ep_poll_callback __ksym __weak;
extern const void pollwake __ksym __weak;
extern const void io_poll_wake __ksym __weak;
extern const void vhost_poll_wakeup __ksym __weak;
extern const void autoremove_wake_function __ksym __weak;
extern const void default_wake_function __ksym __weak;

static __always_inline struct list_head *list_next(const struct list_head *node)
{
	return BPF_CORE_READ(node, next);
}

static __always_inline bool begins(const char *text, const char *with, int len)
{
	int i;

	for (i = 0; i < len; i++)
		if (text[i] != with[i])
			return false;
	return true;
}

#define BEGINS(text, with) begins(text, with, sizeof(with) - 1)

static const char symbol_format[] = "%ps";

__attribute__((noinline)) int waiter_how_by_name(__u64 func)
{
	char name[32] = "";

	if (bpf_snprintf(name, sizeof(name), symbol_format, &func, sizeof(func)) < 0)
		return DISCOVER_UNKNOWN;
	if (BEGINS(name, "ep_poll_callback"))
		return DISCOVER_EPOLL;
	if (BEGINS(name, "pollwake"))
		return DISCOVER_PPOLL;
	if (BEGINS(name, "io_poll_wake"))
		return DISCOVER_IO_URING;
	if (BEGINS(name, "irqfd_wakeup"))
		return DISCOVER_BY_IRQFD;
	if (BEGINS(name, "vhost_poll_wakeup"))
		return DISCOVER_VHOST;
	if (BEGINS(name, "autoremove_wake_function") || BEGINS(name, "default_wake_function"))
		return DISCOVER_READ;
	return DISCOVER_UNKNOWN;
}

static __always_inline enum discover_how waiter_how(const void *func)
{
	if (!func)
		return DISCOVER_UNKNOWN;
	if (func == &ep_poll_callback)
		return DISCOVER_EPOLL;
	if (func == &pollwake)
		return DISCOVER_PPOLL;
	if (func == &io_poll_wake)
		return DISCOVER_IO_URING;
	if (func == &vhost_poll_wakeup)
		return DISCOVER_VHOST;
	if (func == &autoremove_wake_function || func == &default_wake_function)
		return DISCOVER_READ;
	return waiter_how_by_name((__u64)func);
}

static __always_inline struct wait_queue_entry *waiter_of(struct list_head *node)
{
	return (void *)node - bpf_core_field_offset(struct wait_queue_entry, entry);
}

/* The first thread in epoll_wait, or else the first that polls the epoll's own descriptor. */
static __always_inline struct task_struct *epoll_task(const struct wait_queue_entry *entry)
{
	struct eppoll_entry *pwq = (void *)entry - bpf_core_field_offset(struct eppoll_entry, wait);
	struct eventpoll *ep = BPF_CORE_READ(pwq, base, ep);
	struct list_head *head, *node;
	struct wait_queue_entry *waiter;
	struct poll_wqueues *poll;

	if (!ep)
		return NULL;
	head = (void *)ep + bpf_core_field_offset(struct eventpoll, wq.head);
	node = list_next(head);
	if (node && node != head)
		return BPF_CORE_READ(waiter_of(node), private);
	head = (void *)ep + bpf_core_field_offset(struct eventpoll, poll_wait.head);
	node = list_next(head);
	if (!node || node == head)
		return NULL;
	waiter = waiter_of(node);
	if (BPF_CORE_READ(waiter, func) != &pollwake)
		return NULL;
	poll = BPF_CORE_READ(waiter, private);
	return BPF_CORE_READ(poll, polling_task);
}

static __always_inline struct task_struct *ring_task(__u64 private)
{
	/* The low bits are flags (5.17). */
	struct io_kiocb *req = (void *)(private & ~3ull);
	struct io_kiocb___old *old = (void *)req;

	if (bpf_core_field_exists(old->task))
		return BPF_CORE_READ(old, task);
	if (bpf_core_field_exists(req->tctx) && bpf_core_type_exists(struct io_uring_task))
		return BPF_CORE_READ(req, tctx, task);
	return NULL;
}

static __always_inline struct task_struct *waiter_task(const struct wait_queue_entry *entry,
						       enum discover_how how)
{
	struct poll_wqueues *poll;

	switch (how) {
	case DISCOVER_EPOLL:
		return epoll_task(entry);
	case DISCOVER_PPOLL:
		poll = BPF_CORE_READ(entry, private);
		return BPF_CORE_READ(poll, polling_task);
	case DISCOVER_IO_URING:
		return ring_task((__u64)BPF_CORE_READ(entry, private));
	case DISCOVER_READ:
		return BPF_CORE_READ(entry, private);
	default:
		return NULL;
	}
}

#endif
