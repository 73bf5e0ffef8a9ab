// SPDX-License-Identifier: BSD-2-Clause
/* What the programs cost, as the kernel accounts for it while somebody asks it to. */
#include "kernel_private.h"

#include <errno.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <handoff/compiler.h>
#include "run_time.h"

static uint64_t program_ns(const struct kernel *k, enum program p)
{
	return k->program[p].loaded
		       ? run_time_ns(bpf_program__fd(kernel_program_of(k, p)), k->run_clock_ns)
		       : 0;
}

static void sum_ns(const struct kernel *k, uint64_t *kick_side_ns, uint64_t *all_ns)
{
	enum program p;
	uint64_t ns;

	*kick_side_ns = 0;
	*all_ns = 0;
	for (p = 0; p < PROGRAMS; p++) {
		ns = program_ns(k, p);
		*all_ns += ns;
		if (program_on_kick(p))
			*kick_side_ns += ns;
	}
}

int kernel_cost_begin(struct kernel *k)
{
	if (k->cost_fd >= 0)
		return -EBUSY;
	k->cost_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (k->cost_fd < 0)
		return -errno;
	if (!k->run_clock_ns)
		k->run_clock_ns = run_time_clock_ns();
	sum_ns(k, &k->cost_kick_ns, &k->cost_all_ns);
	return 0;
}

int kernel_cost_end(struct kernel *k, uint64_t *kick_side_ns, uint64_t *all_ns)
{
	if (k->cost_fd < 0)
		return -EINVAL;
	sum_ns(k, kick_side_ns, all_ns);
	/* A run's time, less the clock's, may turn out below what was: the sums are not monotonic.
	 */
	*kick_side_ns -= MIN(*kick_side_ns, k->cost_kick_ns);
	*all_ns -= MIN(*all_ns, k->cost_all_ns);
	close(k->cost_fd);
	k->cost_fd = -1;
	return 0;
}

uint64_t kernel_run_clock_ns(const struct kernel *k)
{
	return k->run_clock_ns;
}
