// SPDX-License-Identifier: BSD-2-Clause
/* The server's side: what a client says, and what it hears. Expected words are QEMU 7.2's. */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

static void say(struct qmp_session *s, const char *text)
{
	fixture_feed(s, text, strlen(text), 4096);
}

/* The next message is this one, key by key. */
static void assert_hears(struct qmp_session *s, const char *text)
{
	json_t *got = fixture_next(s), *want = json_loads(text, 0, NULL);
	char *dump;

	assert_non_null(want);
	if (!json_equal(got, want)) {
		dump = got ? json_dumps(got, 0) : NULL;
		fail_msg("got %s, not %s", dump ? dump : "nothing", text);
	}
	json_decref(got);
	json_decref(want);
}

static void assert_hears_error(struct qmp_session *s, const char *class, const char *desc)
{
	json_t *got = fixture_next(s), *error = json_object_get(got, "error");

	assert_non_null(error);
	assert_string_equal(json_string_value(json_object_get(error, "class")), class);
	if (!strstr(json_string_value(json_object_get(error, "desc")), desc))
		fail_msg("got %s, not %s", json_string_value(json_object_get(error, "desc")), desc);
	json_decref(got);
}

static void assert_silent(struct qmp_session *s)
{
	size_t n;

	qmp_session_output(s, &n);
	assert_int_equal(n, 0);
}

/* Greeted, a client may do nothing but negotiate; once. Events wait for that. */
static void test_qmp_session__negotiates_first(void **state)
{
	static struct qmp_session *none;
	struct qmp_session *s = qmp_session_new(fixture_commands, &none);
	json_t *greeting = fixture_next(s), *qmp = json_object_get(greeting, "QMP");

	assert_true(json_is_object(json_object_get(json_object_get(qmp, "version"), "qemu")));
	assert_int_equal(json_array_size(json_object_get(qmp, "capabilities")), 0);
	json_decref(greeting);

	say(s, "{\"execute\": \"none\"}{\"execute\": \"query-version\"}{\"execute\": \"nope\"}");
	for (int i = 0; i < 3; i++)
		assert_hears_error(s, "CommandNotFound", "Expecting capabilities negotiation");
	qmp_session_event(s, "STOP", NULL);
	assert_silent(s);
	say(s, "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"oob\"]}}");
	assert_hears_error(s, "GenericError", "does not accept value 'oob'");
	say(s, "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": 1}}");
	assert_hears_error(s, "GenericError", "expected: array");
	say(s, "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": []}}");
	assert_hears(s, "{\"return\": {}}");
	say(s, "{\"execute\": \"qmp_capabilities\"}");
	assert_hears_error(s, "CommandNotFound", "already complete");
	qmp_session_free(s);
}

/* An id is any value, and comes back as it was, with errors too. */
static void test_qmp_session__echoes_ids(void **state)
{
	struct qmp_session *s = fixture_session();

	say(s, "{\"id\": {\"a\": [1, null, \"\\u00e4\"]}, \"execute\": \"some\"}");
	assert_hears(s, "{\"return\": {}, \"id\": {\"a\": [1, null, \"\\u00e4\"]}}");
	say(s, "{\"id\": null, \"execute\": \"nope\"}");
	assert_hears(s, "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": "
			"\"The command nope has not been found\"}, \"id\": null}");
	say(s, "{\"execute\": \"some\"}");
	assert_hears(s, "{\"return\": {}}");
	qmp_session_free(s);
}

/* Arguments arrive as they were sent. */
static void test_qmp_session__hands_over_arguments(void **state)
{
	struct qmp_session *s = fixture_session();

	say(s, "{\"execute\": \"all\", \"arguments\": {\"s\": \"x\", \"i\": -3, \"b\": true}}");
	assert_hears(s, "{\"return\": {\"s\": \"x\", \"i\": -3, \"b\": true}}");
	say(s, "{\"execute\": \"some\", \"arguments\": {\"sn\": null, \"any\": [{}]}}");
	assert_hears(s, "{\"return\": {\"sn\": null, \"any\": [{}]}}");
	qmp_session_free(s);
}

/* What is wrong with a request is said in QEMU's words, and nothing is run. */
static void test_qmp_session__judges_requests(void **state)
{
	static const char *const wrong[][3] = {
		{ "{}", "GenericError", "QMP input lacks member 'execute'" },
		{ "{\"execute\": 3}", "GenericError", "member 'execute' must be a string" },
		{ "{\"execute\": \"all\", \"arguments\": []}", "GenericError",
		  "member 'arguments' must be an object" },
		{ "{\"execute\": \"none\", \"foo\": 1}", "GenericError",
		  "QMP input member 'foo' is unexpected" },
		{ "{\"exec-oob\": \"none\"}", "GenericError", "'exec-oob' is unexpected" },
		{ "{\"execute\": \"none\", \"arguments\": {\"x\": 1}}", "GenericError",
		  "Parameter 'x' is unexpected" },
		{ "{\"execute\": \"query-version\", \"arguments\": {\"x\": 1}}", "GenericError",
		  "Parameter 'x' is unexpected" },
		{ "{\"execute\": \"all\", \"arguments\": {\"s\": \"\", \"b\": true}}",
		  "GenericError", "Parameter 'i' is missing" },
		{ "{\"execute\": \"all\"}", "GenericError", "Parameter 's' is missing" },
		{ "{\"execute\": \"all\", \"arguments\": {\"s\": 1, \"i\": 1, \"b\": true}}",
		  "GenericError", "Invalid parameter type for 's', expected: string" },
		{ "{\"execute\": \"all\", \"arguments\": {\"s\": \"\", \"i\": 1.5, \"b\": true}}",
		  "GenericError", "Invalid parameter type for 'i', expected: integer" },
		{ "{\"execute\": \"all\", \"arguments\": {\"s\": \"\", \"i\": 1, \"b\": 0}}",
		  "GenericError", "Invalid parameter type for 'b', expected: boolean" },
		{ "{\"execute\": \"some\", \"arguments\": {\"sn\": 1}}", "GenericError",
		  "Invalid parameter type for 'sn', expected: StrOrNull" },
		{ "{\"execute\": \"fail\"}", "DeviceNotFound",
		  "Device '?[1m?"
		  "?' not found" },
		{ "{\"execute\": \"no-memory\"}", "GenericError", "out of memory" },
	};
	struct qmp_session *s = fixture_session();

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		say(s, wrong[i][0]);
		assert_hears_error(s, wrong[i][1], wrong[i][2]);
		assert_silent(s);
	}
	qmp_session_free(s);
}

/* After a line that is no request the next line is heard; each is answered once. */
static void test_qmp_session__goes_on_after_garbage(void **state)
{
	static const char *const garbage[][2] = {
		{ "xyz {\"execute\": \"none\"}", "must be a JSON object" },
		{ "[1]", "must be a JSON object" },
		{ "{\"execute\": \"none}", "breaks off" },
		{ "{\"execute\": \xff", "breaks off" },
		{ "{\"execute\" 1}", "no JSON" },
		{ "{\"s\": \"\xfe\"}", "no JSON" },
		{ "{\"s\": \"\\u0000\"}", "no JSON" },
		{ "{\"n\": 1e999}", "no JSON" },
	};
	struct qmp_session *s = fixture_session();

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		say(s, garbage[i][0]);
		say(s, "\r\n{\"execute\": \"some\", \"id\": 7}");
		assert_hears_error(s, "GenericError", garbage[i][1]);
		assert_hears(s, "{\"return\": {}, \"id\": 7}");
		assert_silent(s);
	}
	qmp_session_free(s);
}

/* 64 KiB, 64 levels: more is refused without being kept, and the next line is heard. */
static void test_qmp_session__bounds_requests(void **state)
{
	struct qmp_session *s = fixture_session();
	char *text = malloc(2 * QMP_MAX_COMMAND_BYTES);

	assert_non_null(text);
	memset(text, '[', 2 * QMP_MAX_COMMAND_BYTES);
	memcpy(text, "{\"a\":", 5);
	fixture_feed(s, text, 1000, 100);
	assert_hears_error(s, "GenericError", "deeper than 64");
	say(s, "\n");
	memset(text + 5, ' ', 2 * QMP_MAX_COMMAND_BYTES - 5);
	fixture_feed(s, text, 2 * QMP_MAX_COMMAND_BYTES, 1000);
	assert_hears_error(s, "GenericError", "larger than 64 KiB");
	assert_int_equal(s->framing.size, QMP_MAX_COMMAND_BYTES);
	say(s, "\n{\"execute\": \"some\"}");
	assert_hears(s, "{\"return\": {}}");
	assert_silent(s);
	free(text);
	qmp_session_free(s);
}

/* However the bytes are cut, the same is answered. */
static void test_qmp_session__does_not_care_how_text_is_cut(void **state)
{
	static const char text[] =
		"{\"execute\":\"some\",\"id\":1}{\"execute\":\r\n\"some\",\"id\":"
		"\r\n2}x\n{\"a\n{\"execute\":\"none\",\"id\":3}\r\n";

	for (size_t piece = 1; piece <= sizeof(text); piece++) {
		struct qmp_session *s = fixture_session();
		json_t *event;

		fixture_feed(s, text, sizeof(text) - 1, piece);
		assert_hears(s, "{\"return\": {}, \"id\": 1}");
		assert_hears(s, "{\"return\": {}, \"id\": 2}");
		assert_hears_error(s, "GenericError", "must be a JSON object");
		assert_hears_error(s, "GenericError", "breaks off");
		event = fixture_next(s);
		assert_string_equal(json_string_value(json_object_get(event, "event")), "HAPPENED");
		json_decref(event);
		assert_hears(s, "{\"return\": {}, \"id\": 3}");
		assert_silent(s);
		qmp_session_free(s);
	}
}

/* An event has a time, and data only if there is some. */
static void test_qmp_session__sends_events(void **state)
{
	struct qmp_session *s = fixture_session();
	json_t *event, *time;

	qmp_session_event(s, "STOP", NULL);
	event = fixture_next(s);
	time = json_object_get(event, "timestamp");
	assert_true(json_integer_value(json_object_get(time, "seconds")) > 1500000000);
	assert_in_range(json_integer_value(json_object_get(time, "microseconds")), 0, 999999);
	assert_int_equal(json_object_size(event), 2);
	json_decref(event);
	qmp_session_event(s, "X", json_pack("{s:i}", "n", 1));
	event = fixture_next(s);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(event, "data"), "n")),
			 1);
	json_decref(event);
	qmp_session_free(s);
}

/* All commands are listed, the protocol's own too. */
static void test_qmp_session__lists_commands(void **state)
{
	struct qmp_session *s = fixture_session();

	say(s, "{\"execute\": \"query-commands\"}");
	assert_hears(s, "{\"return\": [{\"name\": \"qmp_capabilities\"}, "
			"{\"name\": \"query-version\"}, {\"name\": \"query-commands\"}, "
			"{\"name\": \"all\"}, {\"name\": \"some\"}, {\"name\": \"none\"}, "
			"{\"name\": \"fail\"}, {\"name\": \"no-memory\"}]}");
	qmp_session_free(s);
}

/* Output that nobody takes is bounded, and what a long one took is given back. */
static void test_qmp_session__bounds_output(void **state)
{
	struct qmp_session *s = fixture_session();
	size_t n, events = 0;

	while (!qmp_session_is_broken(s) && events++ < QMP_MAX_OUTPUT_BYTES)
		qmp_session_event(s, "STOP", NULL);
	assert_true(qmp_session_is_broken(s));
	qmp_session_output(s, &n);
	assert_true(n <= QMP_MAX_OUTPUT_BYTES && n > QMP_MAX_OUTPUT_BYTES - 200);
	assert_true(s->out_size <= QMP_MAX_OUTPUT_BYTES);
	qmp_session_sent(s, n);
	assert_int_equal(s->out_size, 0);
	/* It takes no more requests either. */
	assert_int_equal(qmp_session_feed(s, "{\"execute\": \"none\"}", 19), 19);
	assert_false(qmp_session_ready(s));
	qmp_session_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qmp_session__negotiates_first),
		cmocka_unit_test(test_qmp_session__echoes_ids),
		cmocka_unit_test(test_qmp_session__hands_over_arguments),
		cmocka_unit_test(test_qmp_session__judges_requests),
		cmocka_unit_test(test_qmp_session__goes_on_after_garbage),
		cmocka_unit_test(test_qmp_session__bounds_requests),
		cmocka_unit_test(test_qmp_session__does_not_care_how_text_is_cut),
		cmocka_unit_test(test_qmp_session__sends_events),
		cmocka_unit_test(test_qmp_session__lists_commands),
		cmocka_unit_test(test_qmp_session__bounds_output),
	};

	return cmocka_run_group_tests_name("qmp_session", tests, NULL, NULL);
}
