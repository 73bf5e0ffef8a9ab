/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The kernel's types, cut down to the fields we touch. Offsets are the running kernel's
 * (preserve_access_index: CO-RE), so the objects can be built on a machine without KVM in its BTF,
 * and serve every kernel that has these fields.
 */
#ifndef HANDOFF_BPF_KERNEL_TYPES_H
#define HANDOFF_BPF_KERNEL_TYPES_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL_TYPE __attribute__((preserve_access_index))

struct signal_struct {
	struct {
		int counter;
	} live; /* threads that have not begun to end */
} KERNEL_TYPE;

struct task_struct {
	int pid, tgid;
	struct signal_struct *signal;
	unsigned int flags;
	unsigned int __state; /* 5.14 */
	void *worker_private; /* 5.17; of a thread in user space: io_uring's worker, or NULL */
} KERNEL_TYPE;

struct task_struct___old {
	long state;
	void *pf_io_worker; /* up to 5.16 */
} KERNEL_TYPE;

#define PF_EXITING     0x00000004
#define PF_IO_WORKER   0x00000010
#define PF_USER_WORKER 0x00004000 /* 6.4: vhost and KVM's page recovery */

struct file {
	void *private_data; /* of an eventfd: its context */
} KERNEL_TYPE;

struct kiocb {
	struct file *ki_filp;
	int ki_flags;
} KERNEL_TYPE;

/* It must not wait: io_uring's first try. RWF_NOWAIT of <linux/fs.h>. */
#define IOCB_NOWAIT 0x8

struct iov_iter;

struct io_uring_cqe___kernel {
	__s32 res;
} KERNEL_TYPE;

struct io_kiocb {
	struct file *file;
	__u8 opcode;
} KERNEL_TYPE;

struct kvm_vcpu {
	int vcpu_id;
} KERNEL_TYPE;

struct bpf_iter_meta;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} KERNEL_TYPE;

/* AMD: where kvm_exit's reason lies. In kvm-amd's BTF. */
struct vmcb_control_area {
	__u64 exit_code;
} KERNEL_TYPE;

struct vmcb {
	struct vmcb_control_area control;
} KERNEL_TYPE;

struct vcpu_svm {
	struct kvm_vcpu vcpu;
	struct vmcb *vmcb;
} KERNEL_TYPE;

/* Intel: in kvm-intel's BTF; the TDX series of 6.16 moved it into vcpu_vt. */
union vmx_exit_reason {
	__u32 full;
} KERNEL_TYPE;

struct vcpu_vmx___old {
	struct kvm_vcpu vcpu;
	union vmx_exit_reason exit_reason;
} KERNEL_TYPE;

struct vcpu_vt {
	union vmx_exit_reason exit_reason;
} KERNEL_TYPE;

struct vcpu_vmx {
	struct kvm_vcpu vcpu;
	struct vcpu_vt vt;
} KERNEL_TYPE;

#endif
