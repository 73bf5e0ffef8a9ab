// SPDX-License-Identifier: BSD-2-Clause
/* What the tests of a foreign VMM need of the kernel: a word whose address there is known (KVM's
 * tracepoints point to what a guest wrote), and the context of an eventfd. */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define KERNEL_TYPE __attribute__((preserve_access_index))

struct file {
	void *private_data;
} KERNEL_TYPE;

struct task_struct {
	int tgid;
} KERNEL_TYPE;

struct bpf_iter_meta;

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
} KERNEL_TYPE;

struct foreign_words {
	__u64 word, address;
	__u64 ctx;
	__s32 tgid, fd; /* whose context */
} words = {};

SEC("raw_tp/test")
int foreign_address(void *ctx)
{
	words.address = (__u64)&words.word;
	return 0;
}

SEC("iter/task_file")
int foreign_ctx(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;

	if (task && file && task->tgid == words.tgid && (int)ctx->fd == words.fd)
		words.ctx = (__u64)file->private_data;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
