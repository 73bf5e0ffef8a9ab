/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cuts a stream of bytes into JSON messages, by depth of brackets: the protocol asks for no
 * newlines, and CRLF between messages is whitespace. Bounded in size and depth. Client and server
 * share it; one thread at a time.
 */
#ifndef QMP_FRAMING_H
#define QMP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>
#include <handoff/error.h>

#define QMP_MAX_BYTES (4u << 20) /* of one message */
#define QMP_MAX_DEPTH 64u

/* Zeroed before its first use, but for max_bytes. */
struct qmp_framing {
	size_t max_bytes; /* of one message; 0 = QMP_MAX_BYTES */
	char *text;	  /* the message so far */
	size_t len, size;
	unsigned int depth;
	bool in_string, escaped;
	bool skipping; /* to the end of the line */
};

/*
 * Takes bytes up to the end of the next message; *used = how many. 1: a message is whole, and is to
 * be taken before more is fed; 0: all bytes used, more are needed. -EPROTO (no message begins like
 * that), -EMSGSIZE (too large, too deep) or -ENOMEM with err: the stream has no next message,
 * unless qmp_framing_skip_line finds one.
 */
int qmp_framing_feed(struct qmp_framing *f, const char *bytes, size_t n, size_t *used,
		     struct error *err) MUST_CHECK;

/* After a failure: gives up what was begun, and what comes before the next newline. */
void qmp_framing_skip_line(struct qmp_framing *f);

/* The whole message, the caller's reference; NULL with err: it is no JSON object, and the next
 * message may be fed. */
json_t *qmp_framing_take(struct qmp_framing *f, struct error *err) MUST_CHECK;

void qmp_framing_release(struct qmp_framing *f);

/* What text of the other side may look like on a terminal: one line, nothing but printable. */
void qmp_printable(char *to, size_t size, const char *from, size_t n);

#endif
