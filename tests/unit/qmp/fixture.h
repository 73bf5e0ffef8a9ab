/* SPDX-License-Identifier: BSD-2-Clause */
/* A session with commands of every kind of argument, and what it says. */
#ifndef TESTS_QMP_FIXTURE_H
#define TESTS_QMP_FIXTURE_H

#include <lib/tap.h>

#include "session.h"

/*
 * "all" takes a string, an integer and a boolean, all needed; "some" may have a string or null and
 * anything; both return their arguments. "none" takes nothing and sends an event. "fail" fails with
 * DeviceNotFound, "no-memory" without a word.
 */
extern const struct qmp_command fixture_commands[];

/* Negotiated; greeting and answer are taken. */
struct qmp_session *fixture_session(void);
/* Feeds text in pieces of `piece` bytes, and executes what becomes ready. */
void fixture_feed(struct qmp_session *s, const char *text, size_t len, size_t piece);
/* The next message of its output, the caller's reference; NULL if there is none. */
json_t *fixture_next(struct qmp_session *s);

#endif
