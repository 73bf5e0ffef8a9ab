/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A QMP client: QEMU's monitor protocol over a Unix socket (docs/interop/qmp-spec.txt of QEMU).
 * Blocking, with a deadline for each command; input is bounded in size and depth. One thread at a
 * time.
 */
#ifndef HANDOFF_QMP_H
#define HANDOFF_QMP_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include <handoff/error.h>

struct qmp_client;

/* Connects, reads the greeting, negotiates. NULL with err: no socket, busy (QEMU serves one client
 * at a time), not QMP, no answer in timeout_ns. path may begin with "unix:". */
struct qmp_client *qmp_client_new(const char *path, uint64_t timeout_ns,
				  struct error *err) MUST_CHECK;
/* The same on a connection that is there already. Takes fd, also when it fails. */
struct qmp_client *qmp_client_from_fd(int fd, uint64_t timeout_ns, struct error *err) MUST_CHECK;
void qmp_client_free(struct qmp_client *c);

/* From now on all calls together have this long, besides each its own timeout. */
void qmp_client_limit(struct qmp_client *c, uint64_t limit_ns);
/* A call has failed by the connection, not by the server's word: so will all others. */
bool qmp_client_is_broken(const struct qmp_client *c);

/*
 * Sends a command; events that come before the answer are dropped. `arguments` may be NULL; the
 * reference is taken. The value of "return" (the caller's reference), or NULL with err: the error
 * the server gave, or what is wrong with the connection, after which every call fails.
 */
json_t *qmp_client_call(struct qmp_client *c, const char *command, json_t *arguments,
			struct error *err) MUST_CHECK;

#endif
