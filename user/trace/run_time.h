/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long BPF programs ran, by the kernel's own accounting, which is kept while BPF_STATS_RUN_TIME
 * is enabled by somebody (sysctl kernel.bpf_stats_enabled, bpf(2) BPF_ENABLE_STATS). It reads the
 * clock before and after each run (include/linux/filter.h, __bpf_prog_run), and one of the two
 * readings falls between them: 40 ns where the clock is a hypervisor's, as much as a small program
 * takes. That is no cost of the program, so it is measured and taken off. Any thread.
 */
#ifndef TRACE_RUN_TIME_H
#define TRACE_RUN_TIME_H

#include <stdint.h>

/*
 * What the accounting, which has to be enabled, says of a program that does nothing, ns: the least
 * of some runs. 0: could not be found out, so it will stay counted in. Some 0.1 ms.
 */
uint64_t run_time_clock_ns(void);

/* Of this program so far, less clock_ns for each run; never less than 0. Unknown: 0. */
uint64_t run_time_ns(int program_fd, uint64_t clock_ns);

#endif
