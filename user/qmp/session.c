// SPDX-License-Identifier: BSD-2-Clause
/*
 * A client's session: bytes to requests, results and events to bytes. Neighbours: framing.c finds
 * the requests, command.c runs them; whoever owns the connection moves the bytes.
 */
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_BYTES 4096u

/* --- output ---------------------------------------------------------------------------------- */

static int output_reserve(struct qmp_session *s, size_t n)
{
	size_t pending = s->out_end - s->out_begin, size = s->out_size ? s->out_size : FIRST_BYTES;
	char *out;

	if (n > QMP_MAX_OUTPUT_BYTES - pending)
		return -EMSGSIZE;
	if (s->out_begin)
		memmove(s->out, s->out + s->out_begin, pending);
	s->out_begin = 0;
	s->out_end = pending;
	while (size < pending + n)
		size *= 2;
	if (size == s->out_size)
		return 0;
	out = realloc(s->out, size);
	if (!out)
		return -ENOMEM;
	s->out = out;
	s->out_size = size;
	return 0;
}

/* One message and its end. Takes the reference; NULL is a lack of memory. */
static void output_put(struct qmp_session *s, json_t *message)
{
	char *text = message ? json_dumps(message, 0) : NULL;
	size_t n = text ? strlen(text) : 0;

	json_decref(message);
	if (!text || output_reserve(s, n + 2)) {
		s->broken = true;
	} else {
		memcpy(s->out + s->out_end, text, n);
		memcpy(s->out + s->out_end + n, "\r\n", 2);
		s->out_end += n + 2;
	}
	free(text);
}

const char *qmp_session_output(const struct qmp_session *s, size_t *n)
{
	*n = s->out_end - s->out_begin;
	return s->out + s->out_begin;
}

/* What a long answer took is given back. */
void qmp_session_sent(struct qmp_session *s, size_t n)
{
	s->out_begin += n;
	if (s->out_begin < s->out_end || s->out_size == FIRST_BYTES)
		return;
	free(s->out);
	s->out = NULL;
	s->out_begin = s->out_end = s->out_size = 0;
}

bool qmp_session_is_broken(const struct qmp_session *s)
{
	return s->broken;
}

/* --- messages -------------------------------------------------------------------------------- */

static const char *const class_names[] = {
	[QMP_GENERIC_ERROR] = "GenericError",
	[QMP_COMMAND_NOT_FOUND] = "CommandNotFound",
	[QMP_DEVICE_NOT_ACTIVE] = "DeviceNotActive",
	[QMP_DEVICE_NOT_FOUND] = "DeviceNotFound",
};

/* Takes the reference of result; id is the client's, or NULL. */
static void answer(struct qmp_session *s, json_t *result, const struct qmp_failure *failure,
		   json_t *id)
{
	char desc[sizeof(failure->error.msg)];
	json_t *message;

	if (result) {
		message = json_pack("{s:o, s:O*}", "return", result, "id", id);
	} else {
		/* It may quote the client. */
		qmp_printable(desc, sizeof(desc), failure->error.msg, strlen(failure->error.msg));
		message = json_pack("{s:{s:s, s:s}, s:O*}", "error", "class",
				    class_names[failure->class], "desc", desc, "id", id);
	}
	output_put(s, message);
}

static void answer_error(struct qmp_session *s, const struct error *err)
{
	struct qmp_failure failure = { .class = QMP_GENERIC_ERROR, .error = *err };

	answer(s, NULL, &failure, NULL);
}

void qmp_session_event(struct qmp_session *s, const char *name, json_t *data)
{
	struct timespec now;

	if (!s->negotiated) {
		json_decref(data);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	output_put(s, json_pack("{s:{s:I, s:I}, s:s, s:o*}", "timestamp", "seconds",
				(json_int_t)now.tv_sec, "microseconds",
				(json_int_t)(now.tv_nsec / 1000), "event", name, "data", data));
}

/* --- input ----------------------------------------------------------------------------------- */

/* Whatever it is that came, the client hears of it, and the next line may be better. */
static void refuse_input(struct qmp_session *s, int ret, struct error *err)
{
	if (ret == -EPROTO && !s->framing.depth)
		error_set(err, ret, "QMP input must be a JSON object");
	answer_error(s, err);
	if (ret == -ENOMEM)
		s->broken = true;
	qmp_framing_skip_line(&s->framing);
}

size_t qmp_session_feed(struct qmp_session *s, const char *bytes, size_t n)
{
	size_t taken = 0, used;
	struct error err;
	int ret;

	while (taken < n && !s->request && !s->broken) {
		ret = qmp_framing_feed(&s->framing, bytes + taken, n - taken, &used, &err);
		taken += used;
		if (ret < 0) {
			refuse_input(s, ret, &err);
		} else if (ret) {
			s->request = qmp_framing_take(&s->framing, &err);
			if (!s->request)
				answer_error(s, &err);
		}
	}
	return s->broken ? n : taken;
}

bool qmp_session_ready(const struct qmp_session *s)
{
	return s->request;
}

void qmp_session_execute(struct qmp_session *s)
{
	struct qmp_failure failure = { .class = QMP_GENERIC_ERROR };
	json_t *request = s->request, *id = json_object_get(request, "id");

	answer(s, qmp_dispatch(s, request, &failure), &failure, id);
	json_decref(request);
	s->request = NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

struct qmp_session *qmp_session_new(const struct qmp_command *commands, void *opaque)
{
	struct qmp_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->commands = commands;
	s->opaque = opaque;
	s->framing.max_bytes = QMP_MAX_COMMAND_BYTES;
	output_put(s,
		   json_pack("{s:{s:o, s:[]}}", "QMP", "version", qmp_version(), "capabilities"));
	if (!s->broken)
		return s;
	qmp_session_free(s);
	return NULL;
}

void qmp_session_free(struct qmp_session *s)
{
	if (!s)
		return;
	json_decref(s->request);
	qmp_framing_release(&s->framing);
	free(s->out);
	free(s);
}
