/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The main loop: GLib's default context with our main AioContext in it as a source. The BQL is held
 * everywhere except in the wait itself, so a vCPU thread that holds it may use the main AioContext,
 * even run aio_poll on it.
 */
#ifndef HANDOFF_MAIN_LOOP_H
#define HANDOFF_MAIN_LOOP_H

#include <handoff/aio.h>

/*
 * Once, from the main thread, before everything else of aio; takes the BQL. stats: the main loop's
 * row or NULL.
 */
int main_loop_init(struct stats_loop *stats, struct error *err) MUST_CHECK;
/* After main_loop() returned and all users of the context are gone. Releases the BQL. */
void main_loop_release(void);

struct AioContext *main_loop_aio_context_any(void);

/* Runs until main_loop_quit_any(). Returns the exit status given there. */
FRAME int main_loop(void);

/* The first call wins. Any thread, async-signal-safe. */
void main_loop_quit_any(int exit_status);

#endif
