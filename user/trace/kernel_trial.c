// SPDX-License-Identifier: BSD-2-Clause
/*
 * Finding out by trying. Function hooks are refused for many reasons (no such function, no
 * trampolines, ftrace off, a hypervisor's kernel that just says EPERM), so neither version nor
 * configuration is asked.
 */
#include "kernel_private.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "libbpf_log.h"

int kernel_try_fentry(const char *function, char *why, size_t size)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY);
	int id, fd, link, ret;

	libbpf_log_begin();
	id = libbpf_find_vmlinux_btf_id(function, BPF_TRACE_FENTRY);
	if (id < 0) {
		snprintf(why, size, "this kernel has no function %s", function);
		return id;
	}
	opts.attach_btf_id = id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "ho_trial", "GPL", insns,
			   sizeof(insns) / sizeof(insns[0]), &opts);
	if (fd < 0) {
		ret = fd;
		snprintf(why, size, "this kernel lets no function be hooked: %s", strerror(-ret));
		return ret;
	}
	link = bpf_raw_tracepoint_open(NULL, fd);
	ret = link < 0 ? link : 0;
	if (ret)
		snprintf(why, size, "hooking %s failed: %s", function, strerror(-ret));
	else
		close(link);
	close(fd);
	return ret;
}
