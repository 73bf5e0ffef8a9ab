/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HANDOFF_ID_H
#define HANDOFF_ID_H

#include <stdbool.h>

/*
 * One or more letters, digits, '-', '_' or '.', of any length: nothing that a terminal, a shell, or
 * a QOM path could stumble over. QEMU's (util/id.c) begin with a letter as well. Pure, any thread.
 */
bool id_wellformed(const char *id);

#endif
