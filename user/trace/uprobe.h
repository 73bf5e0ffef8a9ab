/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Uprobes on functions that a VMM exports, for what it does not tell in any other way: attached
 * where they cost least (uprobe_place.h), to the file the process runs. One thread at a time.
 */
#ifndef TRACE_UPROBE_H
#define TRACE_UPROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <handoff/compiler.h>
#include "programs.h"

struct kernel_config;
struct bpf_program;
struct bpf_link;

/* Where a function's probe goes. */
struct uprobe_spot {
	uint64_t file_offset;
	bool cheap;    /* else it is the function's beginning, single-stepped */
	char why[160]; /* not found, or not cheap, because */
};

/*
 * Finds `symbol` in an ELF file, by its dynamic symbols, then by all; `needs` is enum uprobe_reg.
 * 0; -ENOENT: it has no such function; another -errno: the file cannot be read. With why, if not 0.
 */
int uprobe_find(const char *path, const char *symbol, uint32_t needs,
		struct uprobe_spot *spot) MUST_CHECK;

/*
 * Attaches the program of a PROGRAM_UPROBE to the process of `config`. NULL with why: the process
 * exports no such function; it would be single-stepped, and that is not wanted; or the kernel
 * refuses.
 */
struct bpf_link *uprobe_attach(const struct bpf_program *program, enum program p,
			       const struct kernel_config *config, char *why,
			       size_t size) MUST_CHECK;

#endif
