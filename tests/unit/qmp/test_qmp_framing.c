// SPDX-License-Identifier: BSD-2-Clause
/* Messages are found in any stream of bytes, however it is cut, and within bounds. */
#include <lib/tap.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "framing.h"

/* Feeds text in pieces of `piece` bytes; the number of messages, or the first failure. */
static int feed(struct qmp_framing *f, const char *text, size_t len, size_t piece, json_t **last,
		struct error *err)
{
	size_t at = 0, used, n;
	int messages = 0, ret;

	while (at < len) {
		n = len - at < piece ? len - at : piece;
		ret = qmp_framing_feed(f, text + at, n, &used, err);
		if (ret < 0)
			return ret;
		assert_true(used <= n && used > 0);
		at += used;
		if (!ret)
			continue;
		json_decref(*last);
		*last = qmp_framing_take(f, err);
		if (!*last)
			return -EPROTO;
		messages++;
	}
	return messages;
}

static const char stream[] =
	"{\"a\": {\"b\": [1, {}, \"}\\\"]\\\\\"]}}\r\n\r\n{} \t\n{\"c\":\"\\\\\"}";

/* Brackets in strings, escaped quotes, CRLF and none: three messages, wherever the cuts are. */
static void test_qmp_framing__finds_messages_at_any_cut(void **state)
{
	struct qmp_framing f = {};
	struct error err = {};
	json_t *last = NULL;
	size_t piece;

	for (piece = 1; piece <= sizeof(stream); piece++) {
		assert_int_equal(feed(&f, stream, sizeof(stream) - 1, piece, &last, &err), 3);
		assert_string_equal(json_string_value(json_object_get(last, "c")), "\\");
	}
	json_decref(last);
	qmp_framing_release(&f);
}

/* The bytes behind a whole message are left for the next call. */
static void test_qmp_framing__stops_at_the_end_of_a_message(void **state)
{
	struct qmp_framing f = {};
	size_t used;

	assert_int_equal(qmp_framing_feed(&f, " {}{}", 5, &used, NULL), 1);
	assert_int_equal(used, 3);
	json_decref(qmp_framing_take(&f, NULL));
	assert_int_equal(qmp_framing_feed(&f, "{}", 2, &used, NULL), 1);
	assert_int_equal(f.len, 2);
	qmp_framing_release(&f);
}

/* What no message begins with is told in printable characters. */
static void test_qmp_framing__refuses_what_is_no_object(void **state)
{
	static const char *const texts[] = { "QEMU 7.2 monitor", "[]", "}", "\"x\"", "\x1b[1m" };
	struct error err = {};
	size_t used, i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct qmp_framing f = {};

		assert_int_equal(qmp_framing_feed(&f, texts[i], strlen(texts[i]), &used, &err),
				 -EPROTO);
		assert_null(strchr(err.msg, '\x1b'));
	}
	assert_non_null(strstr(err.msg, "\"?[1m\""));
}

/* Balanced brackets are not JSON yet. */
static void test_qmp_framing__refuses_what_is_no_json(void **state)
{
	static const char *const texts[] = { "{]", "{a}", "{\"a\" 1}", "{\"a\":1,\"a\":2}" };
	struct qmp_framing f = {};
	struct error err;
	json_t *last = NULL;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		err = (struct error){};
		assert_int_equal(feed(&f, texts[i], strlen(texts[i]), 64, &last, &err), -EPROTO);
		assert_non_null(strstr(err.msg, "no JSON"));
	}
	qmp_framing_release(&f);
}

/* 4 MiB pass to the byte; one more does not, and no more memory than that is taken. */
static void test_qmp_framing__bounds_the_size(void **state)
{
	struct qmp_framing f = {};
	struct error err = {};
	char *text = malloc(QMP_MAX_BYTES + 1);
	json_t *last = NULL;

	assert_non_null(text);
	memset(text, 'x', QMP_MAX_BYTES + 1);
	memcpy(text, "{\"a\":\"", 6);
	memcpy(text + QMP_MAX_BYTES - 2, "\"}", 2);
	assert_int_equal(feed(&f, text, QMP_MAX_BYTES, 1000, &last, &err), 1);
	assert_int_equal(json_string_length(json_object_get(last, "a")), QMP_MAX_BYTES - 8);

	memcpy(text + QMP_MAX_BYTES - 2, "x\"}", 3);
	assert_int_equal(feed(&f, text, QMP_MAX_BYTES + 1, 1000, &last, &err), -EMSGSIZE);
	assert_int_equal(f.size, QMP_MAX_BYTES);
	json_decref(last);
	qmp_framing_release(&f);
	free(text);
}

/* 64 levels pass, 65 do not; brackets in a string are no levels. */
static void test_qmp_framing__bounds_the_depth(void **state)
{
	char text[2 * QMP_MAX_DEPTH + 16];
	struct error err = {};
	unsigned int depth, n;
	json_t *last = NULL;

	for (depth = QMP_MAX_DEPTH; depth <= QMP_MAX_DEPTH + 1; depth++) {
		struct qmp_framing f = {};

		n = (unsigned int)strlen(memcpy(text, "{\"[[[[\":", 9));
		memset(text + n, '[', depth - 1);
		memset(text + n + depth - 1, ']', depth - 1);
		text[n + 2 * (depth - 1)] = '}';
		assert_int_equal(feed(&f, text, n + 2 * (depth - 1) + 1, 7, &last, &err),
				 depth > QMP_MAX_DEPTH ? -EMSGSIZE : 1);
		qmp_framing_release(&f);
	}
	assert_non_null(strstr(err.msg, "deeper than 64"));
	json_decref(last);
}

/* Whatever failed, the next line is as good as the first; the same where the newline comes later.
 */
static void test_qmp_framing__finds_the_next_line(void **state)
{
	static const char *const bad[] = { "x{", "{\"a", "{\"a\": \xff{{", "{\"b\":[\xff\"" };
	struct qmp_framing f = {};
	struct error err;
	size_t used, i, n;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		char text[64];

		n = (size_t)snprintf(text, sizeof(text), "%s\n{}", bad[i]);
		for (size_t piece = 1; piece <= n; piece++) {
			unsigned int failures = 0, messages = 0;

			for (size_t at = 0; at < n; at += used) {
				int ret = qmp_framing_feed(&f, text + at, MIN(piece, n - at), &used,
							   &err);

				failures += ret < 0;
				if (ret < 0)
					qmp_framing_skip_line(&f);
				messages += ret == 1;
				if (ret == 1)
					json_decref(qmp_framing_take(&f, &err));
			}
			assert_int_equal(failures, 1);
			assert_int_equal(messages, 1);
		}
	}
	qmp_framing_release(&f);
}

/* Numbers past 2^63, which QEMU sends for unsigned properties, do not make a message unreadable. */
static void test_qmp_framing__reads_large_numbers(void **state)
{
	static const char text[] = "{\"return\":18446744073709551615}";
	struct qmp_framing f = {};
	json_t *last = NULL;

	assert_int_equal(feed(&f, text, sizeof(text) - 1, 64, &last, NULL), 1);
	assert_true(json_number_value(json_object_get(last, "return")) > 1.8e19);
	json_decref(last);
	qmp_framing_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qmp_framing__finds_messages_at_any_cut),
		cmocka_unit_test(test_qmp_framing__stops_at_the_end_of_a_message),
		cmocka_unit_test(test_qmp_framing__refuses_what_is_no_object),
		cmocka_unit_test(test_qmp_framing__refuses_what_is_no_json),
		cmocka_unit_test(test_qmp_framing__bounds_the_size),
		cmocka_unit_test(test_qmp_framing__bounds_the_depth),
		cmocka_unit_test(test_qmp_framing__finds_the_next_line),
		cmocka_unit_test(test_qmp_framing__reads_large_numbers),
	};

	return cmocka_run_group_tests_name("qmp_framing", tests, NULL, NULL);
}
