/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The account of a loop's time (design.md): where each ns went, while a tracer has armed it. Stamps
 * are chained, each is the end of one phase and the start of the next, so the account adds up to
 * now - account_start_ns to the ns. Writer: the loop's thread.
 */
#ifndef AIO_ACCOUNT_H
#define AIO_ACCOUNT_H

#include <handoff/stats.h>

/*
 * Ends the running phase at now_ns and puts its time into *sum, one of row's four accounts; `next`
 * begins. now_ns 0 = the caller did not look at the clock, since nobody was listening when the turn
 * began: only the phase is kept then.
 */
void loop_account(struct stats_loop *row, __u64 *sum, enum stats_phase next, int64_t now_ns);

#endif
