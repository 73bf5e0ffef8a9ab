/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of the kernel's functions. A copy of /proc/kallsyms: some 10 MB, so only while needed. */
#ifndef TRACE_KALLSYMS_H
#define TRACE_KALLSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <handoff/compiler.h>
#include <handoff/report.h>

struct kallsyms;

/* From a text as /proc/kallsyms has it. NULL with why: no memory, or the addresses are hidden. */
struct kallsyms *kallsyms_parse(FILE *from, char why[REPORT_TEXT]) MUST_CHECK;
/* The running kernel's. */
struct kallsyms *kallsyms_new(char why[REPORT_TEXT]) MUST_CHECK;
void kallsyms_free(struct kallsyms *k);

/*
 * "schedule", with_offset "schedule+0x2a", of a module "irqfd_wakeup+0x2a [kvm]". An address below
 * the first function, or without `k` (NULL): false, and buf holds the address.
 */
bool kallsyms_name(const struct kallsyms *k, uint64_t addr, bool with_offset, char *buf,
		   size_t size);

#endif
