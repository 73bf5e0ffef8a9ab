// SPDX-License-Identifier: BSD-2-Clause
/*
 * The server's reader against what clients may send: valid requests, mutated a little, so that both
 * what is answered and what is refused are reached, cut anywhere, read slowly. A fixed seed: a
 * failure comes back. `make fuzz` runs a million (HANDOFF_FUZZ_RUNS).
 */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#define RUNS	   20000
#define TEXT_BYTES (160u << 10)

static uint64_t seed = 0x68616e646f6666;

static uint64_t random_next(void)
{
	/* xorshift64* (Vigna 2016) */
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1dull;
}

static size_t below(size_t n)
{
	return n ? (random_next() >> 11) % n : 0;
}

static bool one_in(unsigned int n)
{
	return !below(n);
}

/* --- inputs ---------------------------------------------------------------------------------- */

static const char *const requests[] = {
	"{\"execute\": \"all\", \"arguments\": {\"s\": \"x\", \"i\": 3, \"b\": true}, \"id\": 1}",
	"{\"execute\":\"all\",\"arguments\":{\"s\":\"\\u00e4\","
	"\"i\":-9223372036854775808,\"b\":false}}",
	"{\"execute\": \"some\", \"arguments\": {\"sn\": null}, \"id\": {\"a\": [1, 2.5e3, null]}}",
	"{\"execute\": \"some\", \"arguments\": {\"any\": {\"a\": {\"b\": [[[{}]]]}}}}",
	"{\"id\": \"\\ud83d\\ude00\", \"execute\": \"none\", \"arguments\": {}}",
	"{\"execute\": \"fail\", \"id\": 18446744073709551615}",
	"{\"execute\": \"query-commands\"}",
	"{\"execute\": \"query-version\", \"id\": []}",
	"{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"oob\"]}}",
	"{\"execute\": \"nope\"}",
};

/* Of which JSON, QMP and their readers are made, and on which they break. */
static const char *const tokens[] = {
	"{",	   "}",	       "[",	      "]",	 "\"",		 "\\",
	":",	   ",",	       "\n",	      "\r\n",	 "\xff",	 "\xc3",
	"\\u0000", "\\ud800",  "1e999",	      "-",	 "null",	 "true",
	"\"id\":", "{\"id\":", "\x01",	      "/**/",	 "0x10",	 "18446744073709551616",
	"[[[[[",   "]]]]]",    "\"execute\"", "\"a\":1", "\xed\xa0\x80", "\xef\xbb\xbf",
	"\t",	   " ",
};

struct input {
	char text[TEXT_BYTES];
	size_t len;
};

static void put(struct input *in, size_t at, const char *bytes, size_t n)
{
	if (n > TEXT_BYTES - in->len)
		n = TEXT_BYTES - in->len;
	memmove(in->text + at + n, in->text + at, in->len - at);
	memcpy(in->text + at, bytes, n);
	in->len += n;
}

static void cut(struct input *in, size_t at, size_t n)
{
	if (n > in->len - at)
		n = in->len - at;
	memmove(in->text + at, in->text + at + n, in->len - at - n);
	in->len -= n;
}

/* Now and then more of a byte than any bound allows. */
static void put_run(struct input *in, size_t at)
{
	static char run[QMP_MAX_COMMAND_BYTES + 4096];
	size_t n = one_in(8) ? sizeof(run) - below(8192) : 1 + below(3 * QMP_MAX_DEPTH);

	memset(run, "[{ a\"0"[below(6)], n);
	put(in, at, run, n);
}

static void mutate(struct input *in)
{
	size_t at = below(in->len + 1), from = below(in->len);
	const char *token;
	char copy[64];
	size_t n = below(sizeof(copy));

	switch (below(in->len ? 7 : 2)) {
	case 0:
		token = tokens[below(ARRAY_SIZE(tokens))];
		put(in, at, token, strlen(token));
		break;
	case 1:
		if (one_in(20))
			put_run(in, at);
		break;
	case 2:
		in->text[from] = (char)random_next();
		break;
	case 3:
		in->text[from] ^= (char)(1 << below(8));
		break;
	case 4:
		cut(in, from, 1 + below(8));
		break;
	case 5:
		cut(in, from, below(64));
		break;
	case 6:
		n = n < in->len - from ? n : in->len - from;
		memcpy(copy, in->text + from, n);
		put(in, at, copy, n);
		break;
	}
}

static void make_input(struct input *in)
{
	static const char *const ends[] = { "", "\n", "\r\n", " " };
	size_t n = 1 + below(4), mutations = one_in(5) ? 0 : below(6);
	const char *text;

	in->len = 0;
	while (n--) {
		text = requests[below(ARRAY_SIZE(requests))];
		put(in, in->len, text, strlen(text));
		text = ends[below(ARRAY_SIZE(ends))];
		put(in, in->len, text, strlen(text));
	}
	while (mutations--)
		mutate(in);
}

/* --- outputs --------------------------------------------------------------------------------- */

struct outcome {
	uint64_t executed, returned, events;
	uint64_t not_found, device, unexpected, parameter, no_object, no_json, breaks, deep, large;
};

static void count_error(struct outcome *o, const char *class, const char *desc)
{
	const struct {
		const char *text;
		uint64_t *counter;
	} kinds[] = {
		{ "deeper than", &o->deep },	  { "larger than", &o->large },
		{ "breaks off", &o->breaks },	  { "a message is no JSON", &o->no_json },
		{ "JSON object", &o->no_object }, { "is unexpected", &o->unexpected },
		{ "arameter", &o->parameter },
	};

	if (!strcmp(class, "CommandNotFound")) {
		o->not_found++;
		return;
	}
	if (!strcmp(class, "DeviceNotFound")) {
		o->device++;
		return;
	}
	assert_string_equal(class, "GenericError");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!strstr(desc, kinds[i].text))
			continue;
		(*kinds[i].counter)++;
		return;
	}
	assert_non_null(strstr(desc, "QMP input"));
}

/* Every line is one message of a kind that the protocol knows. The last one's id. */
static json_int_t take_output(struct qmp_session *s, struct outcome *o)
{
	json_int_t id = -1;
	json_t *message;

	while ((message = fixture_next(s))) {
		json_t *error = json_object_get(message, "error");
		const char *desc = json_string_value(json_object_get(error, "desc"));

		if (error)
			count_error(o, json_string_value(json_object_get(error, "class")), desc);
		for (; error && *desc; desc++)
			assert_in_range(*desc, ' ', '~');
		o->returned += json_object_get(message, "return") != NULL;
		o->events += json_object_get(message, "event") != NULL;
		assert_int_equal(!!error + !!json_object_get(message, "return") +
					 !!json_object_get(message, "event"),
				 1);
		id = json_integer_value(json_object_get(message, "id"));
		json_decref(message);
	}
	return id;
}

static void feed(struct qmp_session *s, const struct input *in, struct outcome *o)
{
	size_t at = 0, n, taken;

	while (at < in->len) {
		n = 1 + below(one_in(2) ? 4096 : 16);
		n = n < in->len - at ? n : in->len - at;
		taken = qmp_session_feed(s, in->text + at, n);
		assert_true(taken <= n && (taken == n || qmp_session_ready(s)));
		at += taken;
		if (qmp_session_ready(s)) {
			qmp_session_execute(s);
			o->executed++;
		}
		if (one_in(4))
			take_output(s, o);
	}
}

/* Whatever came, 0xff and a newline end it, and the next request is answered. */
static void assert_recovers(struct qmp_session *s, struct outcome *o, json_int_t run)
{
	char text[80];
	int n = snprintf(text, sizeof(text), "\xff\n{\"execute\": \"query-version\", \"id\": %lld}",
			 (long long)run);

	fixture_feed(s, text, (size_t)n, 1 + below((size_t)n));
	assert_false(qmp_session_is_broken(s));
	assert_int_equal(take_output(s, o), run);
	assert_true(s->framing.size <= QMP_MAX_COMMAND_BYTES);
	assert_true(s->out_size <= QMP_MAX_OUTPUT_BYTES);
}

/* A million clients of the worst sort: each is answered line by line, within bounds, and what comes
 * after is heard. */
static void test_qmp_session__survives_any_input(void **state)
{
	const char *wanted = getenv("HANDOFF_FUZZ_RUNS");
	json_int_t runs = wanted ? strtoll(wanted, NULL, 10) : RUNS, run;
	struct input *in = calloc(1, sizeof(*in));
	struct qmp_session *s = fixture_session();
	struct outcome o = { 0 };

	assert_non_null(in);
	assert_true(runs > 0);
	for (run = 1; run <= runs; run++) {
		make_input(in);
		feed(s, in, &o);
		assert_recovers(s, &o, run);
		/* A new one now and then: what an old one has grown by is not needed by a new one.
		 */
		if (one_in(100)) {
			qmp_session_free(s);
			s = fixture_session();
		}
	}
	print_message("# %lld inputs: %llu requests, %llu returned, %llu events; not found %llu, "
		      "device %llu, unexpected %llu, parameter %llu, no object %llu, no JSON %llu, "
		      "broken off %llu, deep %llu, large %llu\n",
		      (long long)runs, (unsigned long long)o.executed,
		      (unsigned long long)o.returned, (unsigned long long)o.events,
		      (unsigned long long)o.not_found, (unsigned long long)o.device,
		      (unsigned long long)o.unexpected, (unsigned long long)o.parameter,
		      (unsigned long long)o.no_object, (unsigned long long)o.no_json,
		      (unsigned long long)o.breaks, (unsigned long long)o.deep,
		      (unsigned long long)o.large);
	/* Both sides of every judgement were reached. */
	assert_true(o.executed > (uint64_t)runs && o.returned > (uint64_t)runs);
	assert_true(o.events && o.not_found && o.device && o.unexpected && o.parameter &&
		    o.no_object && o.no_json && o.breaks && o.deep && o.large);
	qmp_session_free(s);
	free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qmp_session__survives_any_input),
	};

	return cmocka_run_group_tests_name("qmp_fuzz", tests, NULL, NULL);
}
