// SPDX-License-Identifier: BSD-2-Clause
/*
 * The client against a server that has said all its words before it is asked: the client numbers
 * its commands 1, 2, ... so answers can be written beforehand, and no thread is needed. Over
 * SOCK_SEQPACKET, a write is what one recv gets.
 */
#include <lib/tap.h>

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <handoff/clock.h>
#include <handoff/compiler.h>
#include <handoff/qmp.h>

#define GREETING   "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n"
#define NEGOTIATED "{\"return\": {}, \"id\": 1}\r\n"
#define EVENT	   "{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 1, \"microseconds\": 2}}\r\n"
#define LONG_NS	   (60 * (uint64_t)NS_PER_S)
#define SHORT_NS   (20 * (uint64_t)NS_PER_MS)

/* A server that sends these packets, and closes its side after them if it is told to. */
struct server {
	int fd, client_fd;
};

static struct server server_say(bool then_close, const char *const packets[])
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0);
	for (; *packets; packets++)
		assert_int_equal(send(fd[0], *packets, strlen(*packets), 0), strlen(*packets));
	if (then_close)
		assert_int_equal(shutdown(fd[0], SHUT_WR), 0);
	return (struct server){ fd[0], fd[1] };
}

#define SAY(...)     server_say(false, (const char *const[]){ __VA_ARGS__, NULL })
#define SAY_END(...) server_say(true, (const char *const[]){ __VA_ARGS__, NULL })

/* The next packet the client sent: a command and its newline. */
static void assert_received(struct server *s, const char *text)
{
	char got[256];
	ssize_t n = recv(s->fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, text);
}

static struct qmp_client *connected(struct server *s, uint64_t timeout_ns)
{
	struct error err = {};
	struct qmp_client *c = qmp_client_from_fd(s->client_fd, timeout_ns, &err);

	if (!c)
		fail_msg("%s", err.msg);
	assert_received(s, "{\"execute\":\"qmp_capabilities\",\"id\":1}\n");
	return c;
}

static void assert_refused(struct server s, uint64_t timeout_ns, const char *why)
{
	struct error err = {};

	assert_null(qmp_client_from_fd(s.client_fd, timeout_ns, &err));
	if (!strstr(err.msg, why))
		fail_msg("\"%s\" expected in \"%s\"", why, err.msg);
	assert_null(strchr(err.msg, '\n'));
	close(s.fd);
}

/* A call fails for that reason; then so does the next if the connection is no longer sound. */
static void assert_call_fails(struct server s, uint64_t timeout_ns, bool broken, const char *why)
{
	struct qmp_client *c = connected(&s, timeout_ns);
	struct error err = {}, again = {};
	json_t *next;

	assert_null(qmp_client_call(c, "query-x", NULL, &err));
	if (!strstr(err.msg, why) || strncmp(err.msg, "query-x: ", 9))
		fail_msg("\"query-x: \" and \"%s\" expected in \"%s\"", why, err.msg);
	next = qmp_client_call(c, "query-y", NULL, &again);
	assert_int_equal(!next, broken);
	if (broken)
		assert_string_equal(again.msg, err.msg);
	json_decref(next);
	qmp_client_free(c);
	close(s.fd);
}

/* What was asked is what is sent, with arguments and a number; what is returned is the answer. */
static void test_qmp_client__asks_and_gets_the_answer(void **state)
{
	struct server s = SAY(GREETING, NEGOTIATED, "{\"return\": [7], \"id\": 2}\r\n",
			      "{\"id\": 3, \"return\": \"x\"}\n");
	struct qmp_client *c = connected(&s, LONG_NS);
	json_t *answer = qmp_client_call(c, "qom-get", json_pack("{s:s}", "path", "/a"), NULL);

	assert_int_equal(json_integer_value(json_array_get(answer, 0)), 7);
	assert_received(&s, "{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/a\"},\"id\":2}\n");
	json_decref(answer);
	answer = qmp_client_call(c, "stop", NULL, NULL);
	assert_string_equal(json_string_value(answer), "x");
	json_decref(answer);
	qmp_client_free(c);
	close(s.fd);
}

/* A message in pieces, two messages in one packet, events before, between and behind: all the
 * same. */
static void test_qmp_client__does_not_care_how_text_is_cut(void **state)
{
	struct server s = SAY("{\"QMP\": {\"ver", "sion\": {}}", "}", EVENT EVENT NEGOTIATED EVENT,
			      "{\"return\"", ": 1, \"id\":", " 2}{\"return\": 2, \"id\": 3}" EVENT,
			      EVENT, "\r", "\n{\"return\": 3, \"id\": 4}");
	struct qmp_client *c = connected(&s, LONG_NS);
	json_t *answer;
	int i;

	for (i = 1; i <= 3; i++) {
		answer = qmp_client_call(c, "query-x", NULL, NULL);
		assert_int_equal(json_integer_value(answer), i);
		json_decref(answer);
	}
	qmp_client_free(c);
	close(s.fd);
}

/* The server's own words, made harmless to a terminal; the connection goes on. */
static void test_qmp_client__tells_the_servers_errors(void **state)
{
	assert_call_fails(SAY(GREETING, NEGOTIATED,
			      "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": "
			      "\"no\\nsuch\\u001b command\"}, \"id\": 2}",
			      "{\"return\": {}, \"id\": 3}"),
			  LONG_NS, false, "no?such? command");
	assert_call_fails(SAY(GREETING, NEGOTIATED, "{\"error\": 5}", "{\"return\":{},\"id\":3}"),
			  LONG_NS, false, "without a description");
}

/* An answer to something else is not taken for ours, nor is what comes after it. */
static void test_qmp_client__refuses_a_wrong_id(void **state)
{
	static const char *const answers[] = { "{\"return\": {}, \"id\": 1}",
					       "{\"return\": {}, \"id\": \"2\"}",
					       "{\"return\": {}}",
					       "{\"error\": {\"desc\": \"no\"}, \"id\": 3}" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(answers); i++)
		assert_call_fails(SAY(GREETING, NEGOTIATED, answers[i], "{\"return\":1,\"id\":2}"),
				  LONG_NS, true, "to another command");
	assert_call_fails(SAY(GREETING, NEGOTIATED, "{\"id\": 2}"), LONG_NS, true, "neither");
}

/* Garbage instead of a greeting, of an answer, and a greeting that is none. */
static void test_qmp_client__refuses_garbage(void **state)
{
	assert_refused(SAY("QEMU 7.2.22 monitor - type 'help'\r\n"), LONG_NS,
		       "begins with \"QEMU 7.2.22 monitor - type 'help'?");
	assert_refused(SAY("{\"return\": {}, \"id\": 1}"), LONG_NS, "does not greet");
	assert_refused(SAY("{\"QMP\": {]}"), LONG_NS, "no JSON");
	assert_refused(SAY(GREETING, "{\"error\": {\"desc\": \"no oob\"}, \"id\": 1}"), LONG_NS,
		       "qmp_capabilities: no oob");
	assert_call_fails(SAY(GREETING, NEGOTIATED, "% oops"), LONG_NS, true, "\"% oops\"");
}

/* Sends as long as somebody listens. */
static void *feed_for_ever(void *opaque)
{
	const struct server *s = opaque;
	char packet[4096];

	memset(packet, 'x', sizeof(packet));
	while (send(s->fd, packet, sizeof(packet), MSG_NOSIGNAL) > 0)
		;
	return NULL;
}

/* A message that never ends, and one that never stops to open brackets. */
static void test_qmp_client__bounds_what_it_takes(void **state)
{
	struct server s = SAY(GREETING, NEGOTIATED, "{\"a\": \"");
	struct qmp_client *c = connected(&s, LONG_NS);
	struct error err = {};
	pthread_t feeder;
	char deep[80];

	assert_int_equal(pthread_create(&feeder, NULL, feed_for_ever, &s), 0);
	assert_null(qmp_client_call(c, "query-x", NULL, &err));
	assert_string_equal(err.msg, "query-x: a message is larger than 4096 KiB");
	qmp_client_free(c);
	assert_int_equal(pthread_join(feeder, NULL), 0);
	close(s.fd);

	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	assert_call_fails(SAY(GREETING, NEGOTIATED, "{\"return\":", deep), LONG_NS, true,
			  "deeper than 64");
}

/* Silence ends at the deadline, before and after the greeting; events do not put it off. */
static void test_qmp_client__does_not_wait_for_ever(void **state)
{
	int64_t begin_ns = clock_ns();

	assert_refused(SAY(" "), SHORT_NS, "busy: another client is connected");
	assert_refused(SAY("{\"QMP\": "), SHORT_NS, "busy: another client is connected");
	assert_refused(SAY(GREETING), SHORT_NS, "qmp_capabilities: no answer within 20");
	assert_call_fails(SAY(GREETING, NEGOTIATED), SHORT_NS, true, "no answer within 20");
	assert_call_fails(SAY(GREETING, NEGOTIATED, EVENT, EVENT "{\"return\": "), SHORT_NS, true,
			  "no answer within 20");
	assert_true(clock_ns() - begin_ns >= 5 * (int64_t)SHORT_NS);
}

/* A server that goes away is told from one that is silent, wherever it goes. */
static void test_qmp_client__sees_the_server_close(void **state)
{
	assert_refused(SAY_END(NULL), LONG_NS, "has closed the connection");
	assert_refused(SAY_END("{\"QMP\":"), LONG_NS, "has closed the connection");
	assert_refused(SAY_END(GREETING), LONG_NS, "has closed the connection");
	assert_call_fails(SAY_END(GREETING, NEGOTIATED), LONG_NS, true,
			  "has closed the connection");
	assert_call_fails(SAY_END(GREETING, NEGOTIATED, "{\"return\":"), LONG_NS, true,
			  "has closed the connection");
}

/* One whose whole socket is gone cannot even be asked. */
static void test_qmp_client__sees_a_lost_connection(void **state)
{
	struct server s = SAY(GREETING, NEGOTIATED);
	struct qmp_client *c = connected(&s, LONG_NS);
	struct error err = {};

	close(s.fd);
	assert_null(qmp_client_call(c, "query-x", NULL, &err));
	assert_string_equal(err.msg, "query-x: the other side has closed the connection");
	qmp_client_free(c);
}

/* Sends blanks for as long as anybody is there, at most two seconds. */
static void *send_blanks(void *opaque)
{
	const struct server *s = opaque;
	int64_t end_ns = clock_ns() + 2 * NS_PER_S;

	while (clock_ns() < end_ns && send(s->fd, " ", 1, MSG_NOSIGNAL) == 1)
		;
	shutdown(s->fd, SHUT_WR);
	return NULL;
}

/* A server that talks without saying anything has its time like one that is silent. */
static void test_qmp_client__is_not_kept_by_blanks(void **state)
{
	struct server s = SAY(GREETING, NEGOTIATED);
	struct qmp_client *c = connected(&s, SHORT_NS);
	struct error err = {};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, send_blanks, &s), 0);
	assert_null(qmp_client_call(c, "query-x", NULL, &err));
	assert_non_null(strstr(err.msg, "no answer within 20"));
	assert_true(qmp_client_is_broken(c));
	qmp_client_free(c);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(s.fd);
}

/* All calls together have their time; what the server refuses does not break the connection. */
static void test_qmp_client__limits_all_calls_together(void **state)
{
	struct server s =
		SAY(GREETING, NEGOTIATED, "{\"error\": {\"desc\": \"no\"}, \"id\": 2}\r\n");
	struct qmp_client *c = connected(&s, LONG_NS);
	struct error err = {};

	qmp_client_limit(c, LONG_NS);
	assert_null(qmp_client_call(c, "query-x", NULL, &err));
	assert_false(qmp_client_is_broken(c));
	qmp_client_limit(c, SHORT_NS);
	assert_null(qmp_client_call(c, "query-y", NULL, &err));
	assert_true(qmp_client_is_broken(c));
	assert_non_null(strstr(err.msg, "query-y: its answers took longer than 20"));
	qmp_client_free(c);
	close(s.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qmp_client__asks_and_gets_the_answer),
		cmocka_unit_test(test_qmp_client__does_not_care_how_text_is_cut),
		cmocka_unit_test(test_qmp_client__tells_the_servers_errors),
		cmocka_unit_test(test_qmp_client__refuses_a_wrong_id),
		cmocka_unit_test(test_qmp_client__refuses_garbage),
		cmocka_unit_test(test_qmp_client__bounds_what_it_takes),
		cmocka_unit_test(test_qmp_client__does_not_wait_for_ever),
		cmocka_unit_test(test_qmp_client__sees_the_server_close),
		cmocka_unit_test(test_qmp_client__sees_a_lost_connection),
		cmocka_unit_test(test_qmp_client__is_not_kept_by_blanks),
		cmocka_unit_test(test_qmp_client__limits_all_calls_together),
	};

	return cmocka_run_group_tests_name("qmp_client", tests, NULL, NULL);
}
