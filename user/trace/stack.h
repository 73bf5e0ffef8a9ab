/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a thread is, by a BPF iterator that looks at that thread alone: its kernel stack, its user
 * stack, its state. It is neither stopped nor slowed: no ptrace. One thread at a time.
 */
#ifndef TRACE_STACK_H
#define TRACE_STACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <abi/stack.h>
#include <handoff/compiler.h>
#include <handoff/error.h>
#include <handoff/report.h>

struct stacks;

struct thread_stack {
	uint32_t tid, tgid;
	char state; /* R, S, D, T, t, I; '?' = another */
	bool on_cpu;
	long syscall; /* of its last entry to the kernel; -1: that was none */
	uint64_t arg[4];
	/* Frames, innermost first; why: there are none, or they are not sure. */
	uint32_t n_kernel, n_user;
	char kernel[REPORT_FRAMES][REPORT_FRAME], user[REPORT_FRAMES][REPORT_FRAME];
	char kernel_why[REPORT_TEXT], user_why[REPORT_TEXT];
};

/* NULL with err: the kernel does not take the program. */
struct stacks *stacks_new(struct error *err) MUST_CHECK;
void stacks_free(struct stacks *s);

/* Registers and raw kernel addresses alone: some 50 us. -ESRCH: no such thread. */
int stacks_look(struct stacks *s, pid_t tid, struct stack_record *record) MUST_CHECK;

/* All, with names: milliseconds. -ESRCH: no such thread. */
int stacks_take(struct stacks *s, pid_t tid, struct thread_stack *out) MUST_CHECK;

/* Pure: as ps has it, but that what is on a CPU runs. */
char stack_state(const struct stack_record *record);

#endif
