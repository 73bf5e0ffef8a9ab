/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of `handoff ls`: ls.c finds, ls_text.c and ls_json.c print. Main thread. */
#ifndef CMD_LS_H
#define CMD_LS_H

#include <stdio.h>
#include <handoff/discover.h>

extern const char ls_help_text[];

/* names: loops by thread; may be NULL. */
void ls_print_text(const struct vm_list *list, const struct vm_names *names, FILE *to);
/* One document, schema handoff.ls/1. 0 or -ENOMEM. */
int ls_print_json(const struct vm_list *list, const struct vm_names *names, FILE *to);

/* "mmio", "pio" or "?"; a kick's key that is told by value is that of its bus. */
const char *ls_bus_name(const struct kick_key *way);
/* The id of the loop that is this thread; NULL if no name is known. */
const char *ls_loop(const struct vm_names *names, uint32_t tid);

#endif
