/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's struct pt_regs, as abi/stack.h brings it, in the numbers of DWARF and of system
 * calls: all that depends on the machine in taking a stack.
 */
#ifndef TRACE_STACK_REGS_H
#define TRACE_STACK_REGS_H

#include <stdint.h>
#include <string.h>
#include <linux/types.h>

#if defined(__x86_64__)
#define STACK_REGS_BYTES (21 * 8)
#define STACK_DWARF_REGS 17

/* r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss */
static inline void stack_regs_dwarf(const __u64 *regs, uint64_t dwarf[STACK_DWARF_REGS])
{
	/* ax dx cx bx si di bp sp r8..r15 ip: psABI, figure 3.36 */
	static const uint8_t order[STACK_DWARF_REGS] = { 10, 12, 11, 5, 13, 14, 4, 19, 9,
							 8,  7,	 6,  3, 2,  1,	0, 16 };
	int i;

	for (i = 0; i < STACK_DWARF_REGS; i++)
		dwarf[i] = regs[order[i]];
}

static inline uint64_t stack_regs_pc(const __u64 *regs)
{
	return regs[16];
}

static inline uint64_t stack_regs_sp(const __u64 *regs)
{
	return regs[19];
}

/* Of the last entry to the kernel; < 0: it was no system call's. */
static inline long stack_regs_syscall(const __u64 *regs)
{
	return (long)regs[15];
}

static inline uint64_t stack_regs_arg(const __u64 *regs, unsigned int i)
{
	static const uint8_t order[] = { 14, 13, 12, 7 };

	return regs[order[i & 3]];
}

#elif defined(__aarch64__)
#define STACK_REGS_BYTES (36 * 8)
#define STACK_DWARF_REGS 32

/* x0..x30 sp pc pstate orig_x0 syscallno */
static inline void stack_regs_dwarf(const __u64 *regs, uint64_t dwarf[STACK_DWARF_REGS])
{
	memcpy(dwarf, regs, STACK_DWARF_REGS * sizeof(*dwarf));
}

static inline uint64_t stack_regs_pc(const __u64 *regs)
{
	return regs[32];
}

static inline uint64_t stack_regs_sp(const __u64 *regs)
{
	return regs[31];
}

static inline long stack_regs_syscall(const __u64 *regs)
{
	return (int32_t)regs[35];
}

static inline uint64_t stack_regs_arg(const __u64 *regs, unsigned int i)
{
	return i ? regs[i & 3] : regs[34];
}

#else
#error "taking a stack: which registers has this machine?"
#endif

#endif
