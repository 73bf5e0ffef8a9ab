/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A key's bound in the form in which users write it: "64M", "20.0us", "8". For messages, help and
 * man page.
 */
#ifndef BASE_KV_H
#define BASE_KV_H

#include <handoff/kv.h>

/* Returns buf. */
char *kv_format(enum kv_type type, uint64_t v, char buf[32]);

#endif
