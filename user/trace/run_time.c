// SPDX-License-Identifier: BSD-2-Clause
/* See run_time.h. */
#include "run_time.h"

#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <handoff/compiler.h>

#define TRIES 64

static int ask(int fd, struct bpf_prog_info *info)
{
	__u32 size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &size);
}

/* Returns 0. It need not be attached to be run. */
static int load_idle_program(void)
{
	static const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "ho_nothing", "GPL", code,
			     ARRAY_SIZE(code), NULL);
}

/* One run of it; 0 = it was not counted. */
static uint64_t run_once(int fd)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct bpf_prog_info before, after;

	if (ask(fd, &before) || bpf_prog_test_run_opts(fd, &opts) || ask(fd, &after) ||
	    after.run_cnt != before.run_cnt + 1)
		return 0;
	return after.run_time_ns - before.run_time_ns;
}

uint64_t run_time_clock_ns(void)
{
	uint64_t least = 0, ns;
	int i, fd = load_idle_program();

	if (fd < 0)
		return 0;
	for (i = 0; i < TRIES; i++) {
		ns = run_once(fd);
		if (ns && (!least || ns < least))
			least = ns;
	}
	close(fd);
	return least;
}

uint64_t run_time_ns(int program_fd, uint64_t clock_ns)
{
	struct bpf_prog_info info;

	if (ask(program_fd, &info) || info.run_time_ns < info.run_cnt * clock_ns)
		return 0;
	return info.run_time_ns - info.run_cnt * clock_ns;
}
