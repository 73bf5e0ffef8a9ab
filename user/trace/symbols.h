/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of a process's functions and the walk over a stack of its, by libdw: from what the files
 * say that it has mapped (.symtab, else .dynsym; .eh_frame), and from its memory, read without
 * stopping it. One thread at a time. No debug information is needed, none is fetched from a net;
 * what is installed under /usr/lib/debug is used.
 */
#ifndef TRACE_SYMBOLS_H
#define TRACE_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>
#include <sys/types.h>
#include <handoff/compiler.h>
#include <handoff/report.h>

struct symbols;

/* NULL with why: no such process, or we may not look into it. */
struct symbols *symbols_new(pid_t pid, char why[REPORT_TEXT]) MUST_CHECK;
void symbols_free(struct symbols *s);
/* What it has mapped by now. When it has ended, the last state stays. */
void symbols_refresh(struct symbols *s);

/*
 * "ppoll (libc.so.6)", with_offset "ppoll+0x96 (libc.so.6)"; without a symbol
 * "qemu-system-x86_64+0x4f12ab"; outside of every file the address. `is_return`: addr is where a
 * call will return to, so the call itself is named.
 */
void symbols_name(struct symbols *s, uint64_t addr, bool is_return, bool with_offset, char *buf,
		  size_t size);

/* What a walk begins with. */
struct symbols_walk {
	const __u64 *regs; /* abi/stack.h */
	uint32_t regs_bytes;
	/* A copy of the stack from its pointer up, in place of the process's memory; NULL = none,
	 * the memory as it is now. */
	const void *stack;
	uint32_t stack_bytes;
	bool with_offset; /* of names */
};

/*
 * The stack of a thread, innermost first, named. Bounded in time too: 200 ms. Returns the number of
 * frames; `why`: what ended the walk before the outermost one, else "".
 */
uint32_t symbols_unwind(struct symbols *s, pid_t tid, const struct symbols_walk *walk,
			char frame[][REPORT_FRAME], uint32_t max, char why[REPORT_TEXT]);

#endif
