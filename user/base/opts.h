/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the writers of help, man page and completion share: the words for an option and for a key,
 * made from the tables.
 */
#ifndef BASE_OPTS_H
#define BASE_OPTS_H

#include <handoff/opts.h>

#define OPTS_PROGRAM "handoff"
#define OPTS_SUMMARY "see how a virtual machine's requests reach the thread that serves them"

#define OPTS_RANGE_SIZE 80

/* Must an argument follow? If it can be left out, it is part of the option's own word. */
bool opts_needs_argument(const struct opts_option *option);

/* What a key takes: "N", "SIZE", "on|off", ... Lives as long as the table. */
const char *opts_key_value(const struct kv_key *key);

/* The bounds of a key as " (1..64)", " (at least 4k)" or "". Returns buf. */
char *opts_key_range(const struct kv_key *key, char buf[OPTS_RANGE_SIZE]);

#endif
