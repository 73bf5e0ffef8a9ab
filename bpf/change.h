/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the VM registers and drops, told to user space: for the tracer to look anew, and to know it
 * at all where KVM's lists cannot be walked. Called when the ioctl has succeeded.
 */
#ifndef HANDOFF_BPF_CHANGE_H
#define HANDOFF_BPF_CHANGE_H

#include "call.h"

/* Of <linux/kvm.h>, which the programs do without: user ABI. */
#define CALL_IOEVENTFD 0x4040ae79
#define CALL_IRQFD     0x4020ae76
#define CALL_ROUTING   0x4008ae6a

struct kvm_ioeventfd_head {
	__u64 datamatch, addr;
	__u32 len;
	__s32 fd;
	__u32 flags;
	__u32 pad;
};

struct kvm_irqfd_head {
	__u32 fd, gsi, flags, resamplefd;
};

static __always_inline void change_ioeventfd(struct vm_change *c, const void *arg)
{
	struct kvm_ioeventfd_head head = {};

	bpf_probe_read_user(&head, sizeof(head), arg);
	c->op = CHANGE_IOEVENTFD;
	c->gpa = head.addr;
	c->datamatch = head.datamatch;
	c->len = head.len;
	c->flags = head.flags;
	c->fd = head.fd;
}

static __always_inline void change_irqfd(struct vm_change *c, const void *arg)
{
	struct kvm_irqfd_head head = {};

	bpf_probe_read_user(&head, sizeof(head), arg);
	c->op = CHANGE_IRQFD;
	c->fd = head.fd;
	c->gsi = head.gsi;
	c->flags = head.flags;
}

static __always_inline void change_routing(struct vm_change *c, const void *arg)
{
	__u32 entries = 0;

	bpf_probe_read_user(&entries, sizeof(entries), arg);
	c->op = CHANGE_ROUTING;
	c->len = entries;
	c->fd = -1;
}

/* ioctl(vm, request, argument) */
static __always_inline int vm_changed(struct pt_regs *regs)
{
	struct vm_change c = {}, *slot;
	__u32 request = call_second(regs);
	const void *arg = (const void *)call_third(regs);

	if (request == CALL_IOEVENTFD)
		change_ioeventfd(&c, arg);
	else if (request == CALL_IRQFD)
		change_irqfd(&c, arg);
	else if (request == CALL_ROUTING)
		change_routing(&c, arg);
	else
		return 0;
	c.t_ns = bpf_ktime_get_ns();
	c.vm_fd = call_first(regs);
	slot = bpf_ringbuf_reserve(&changes, sizeof(*slot), 0);
	if (!slot) {
		lost(LOSS_RECORDS);
		return 0;
	}
	*slot = c;
	bpf_ringbuf_submit(slot, 0);
	return 0;
}

#endif
