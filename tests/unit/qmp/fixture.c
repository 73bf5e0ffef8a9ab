// SPDX-License-Identifier: BSD-2-Clause
/* See fixture.h. */
#include "fixture.h"

#include <string.h>

static json_t *give_back(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	return json_deep_copy(arguments);
}

static json_t *none(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	struct qmp_session **s = opaque;

	if (*s)
		qmp_session_event(*s, "HAPPENED", json_pack("{s:i}", "n", 1));
	return json_object();
}

static json_t *fail_always(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	return qmp_fail(failure, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", "\x1b[1m\xc3\xa4");
}

static json_t *no_memory(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	return NULL;
}

const struct qmp_command fixture_commands[] = {
	{ "all", give_back, { { "s", QMP_STRING }, { "i", QMP_INTEGER }, { "b", QMP_BOOLEAN } } },
	{ "some", give_back, { { "sn", QMP_STRING_OR_NULL, true }, { "any", QMP_ANY, true } } },
	{ "none", none, {} },
	{ "fail", fail_always, {} },
	{ "no-memory", no_memory, {} },
	{ .name = NULL },
};

void fixture_feed(struct qmp_session *s, const char *text, size_t len, size_t piece)
{
	size_t at = 0, taken;

	while (at < len) {
		taken = qmp_session_feed(s, text + at, len - at < piece ? len - at : piece);
		assert_true(taken > 0 && taken <= piece);
		at += taken;
		if (qmp_session_ready(s))
			qmp_session_execute(s);
	}
}

json_t *fixture_next(struct qmp_session *s)
{
	size_t n;
	const char *out = qmp_session_output(s, &n), *end = n ? memchr(out, '\n', n) : NULL;
	json_error_t why;
	json_t *message;

	if (!n)
		return NULL;
	/* Whole lines, ended as the protocol wants it. */
	assert_non_null(end);
	assert_true(end > out && end[-1] == '\r');
	message = json_loadb(out, (size_t)(end - out), 0, &why);
	if (!message)
		fail_msg("%s: %.*s", why.text, (int)(end - out), out);
	qmp_session_sent(s, (size_t)(end + 1 - out));
	return message;
}

struct qmp_session *fixture_session(void)
{
	static struct qmp_session *s;
	static const char negotiate[] = "{\"execute\": \"qmp_capabilities\"}";

	s = qmp_session_new(fixture_commands, &s);
	assert_non_null(s);
	json_decref(fixture_next(s));
	fixture_feed(s, negotiate, sizeof(negotiate) - 1, sizeof(negotiate));
	json_decref(fixture_next(s));
	return s;
}
