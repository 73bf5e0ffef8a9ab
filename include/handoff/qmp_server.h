/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server's side of QMP (docs/interop/qmp-spec.txt of QEMU), apart from commands that do
 * something, and apart from any event loop: a session turns bytes of one client into calls of a
 * command table and their results into bytes; a listener is the socket they come by. Nothing
 * blocks. One thread at a time, but for qmp_listener_check.
 */
#ifndef HANDOFF_QMP_SERVER_H
#define HANDOFF_QMP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <jansson.h>
#include <handoff/error.h>

/* --- commands -------------------------------------------------------------------------------- */

enum qmp_error_class {
	QMP_GENERIC_ERROR,
	QMP_COMMAND_NOT_FOUND,
	QMP_DEVICE_NOT_ACTIVE,
	QMP_DEVICE_NOT_FOUND,
};

struct qmp_failure {
	enum qmp_error_class class;
	struct error error;
};

/* Returns NULL, for a command to return. */
json_t *qmp_fail(struct qmp_failure *failure, enum qmp_error_class class, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

enum qmp_type { QMP_STRING, QMP_INTEGER, QMP_BOOLEAN, QMP_STRING_OR_NULL, QMP_ANY };

/* Does the value have the type? If not, failure says so about `name`, in QEMU's words. */
bool qmp_type_check(const char *name, enum qmp_type type, const json_t *value,
		    struct qmp_failure *failure) MUST_CHECK;

struct qmp_parameter {
	const char *name;
	enum qmp_type type;
	bool optional;
};

#define QMP_MAX_PARAMETERS 12

struct qmp_command {
	const char *name; /* NULL ends the table */
	/*
	 * An object, or NULL with failure. Arguments are of the types declared, the mandatory ones
	 * are there, and no others. The reference is the caller's.
	 */
	json_t *(*run)(void *opaque, const json_t *arguments, struct qmp_failure *failure);
	struct qmp_parameter parameters[QMP_MAX_PARAMETERS]; /* up to the first without a name */
};

/* --- a session ------------------------------------------------------------------------------- */

#define QMP_MAX_COMMAND_BYTES (64u << 10)
#define QMP_MAX_OUTPUT_BYTES  (1u << 20)

struct qmp_session;

/*
 * Its greeting is its first output. commands must outlive it; besides them it knows
 * qmp_capabilities, query-version and query-commands. NULL without memory.
 */
struct qmp_session *qmp_session_new(const struct qmp_command *commands, void *opaque) MUST_CHECK;
void qmp_session_free(struct qmp_session *s);

/*
 * Bytes of the client's, up to the end of a request; returns how many were taken, all of them
 * unless a request is ready now. What is no request is answered with an error, and its line
 * skipped. Not while a request is ready.
 */
size_t qmp_session_feed(struct qmp_session *s, const char *bytes, size_t n);
/* A request waits for qmp_session_execute. */
bool qmp_session_ready(const struct qmp_session *s);
/* Runs it and answers. The command may send events; it must not free the session. */
void qmp_session_execute(struct qmp_session *s);

/* Sent only after the negotiation. Takes the reference of data, an object or NULL. */
void qmp_session_event(struct qmp_session *s, const char *name, json_t *data);

/* What is to be sent; *n = 0 when there is nothing. */
const char *qmp_session_output(const struct qmp_session *s, size_t *n);
void qmp_session_sent(struct qmp_session *s, size_t n);
/* More than QMP_MAX_OUTPUT_BYTES wait to be sent, or memory was short: output is missing. */
bool qmp_session_is_broken(const struct qmp_session *s);

/* --- a listener ------------------------------------------------------------------------------ */

struct qmp_listener {
	int fd;
	const char *path; /* the caller's */
	dev_t dev;
	ino_t ino;
};

/* Can a socket have this path? 0 or -errno with err. */
int qmp_listener_check(const char *path, struct error *err) MUST_CHECK;
/*
 * Makes the socket, mode 0600, and listens. A socket that nobody listens to any more is replaced;
 * -EADDRINUSE with err if somebody does, -EEXIST if it is something else.
 */
int qmp_listener_open(struct qmp_listener *l, const char *path, struct error *err) MUST_CHECK;
/*
 * The next client, non-blocking; -EAGAIN if there is none, -EPERM with err if it is neither root's
 * nor of our own user.
 */
int qmp_listener_accept(struct qmp_listener *l, struct error *err) MUST_CHECK;
/* Removes the socket, if it is still the one that was made. */
void qmp_listener_close(struct qmp_listener *l);

#endif
