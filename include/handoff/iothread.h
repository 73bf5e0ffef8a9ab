/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IOThread: a thread that runs an AioContext. Created, changed and destroyed from the main context.
 * Thread name "iothread:<id>".
 */
#ifndef HANDOFF_IOTHREAD_H
#define HANDOFF_IOTHREAD_H

#include <stdint.h>
#include <sys/types.h>
#include <handoff/aio.h>
#include <handoff/error.h>
#include <handoff/poll_policy.h>

#define IOTHREAD_POLL_MAX_NS_DEFAULT POLL_USUAL_MAX_NS

struct IOThread;

struct iothread_config {
	const char *id; /* letters, digits, - _ . ; 1..31 characters */
	struct aio_poll_params poll;
	struct aio_context_config aio;
	int cpu; /* pin to this CPU; -1 = do not */
};

/* Returns when the thread runs its loop. NULL with err. */
struct IOThread *iothread_new(const struct iothread_config *config, struct error *err) MUST_CHECK;
/* Stops the loop by a bottom half, joins, frees. Nothing may be attached to its context any more.
 */
void iothread_free(struct IOThread *iothread);

struct AioContext *iothread_get_aio_context(struct IOThread *iothread);
const char *iothread_get_id(const struct IOThread *iothread);
pid_t iothread_get_tid(const struct IOThread *iothread);

#endif
