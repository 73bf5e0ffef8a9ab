/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The big lock (QEMU's BQL): held by the main loop except while it waits, and by a vCPU thread
 * while it emulates a device. Whoever holds it counts as being in the main loop's AioContext.
 * iothreads never take it: they would wait for a drain that waits for them. Not recursive.
 */
#ifndef HANDOFF_BQL_H
#define HANDOFF_BQL_H

#include <stdbool.h>

void bql_lock(void);
void bql_unlock(void);

/* Does the calling thread hold it? */
bool bql_locked(void);

#endif
