// SPDX-License-Identifier: BSD-2-Clause
/*
 * Keys that change a loop's settings, against a QMP server that is a thread here: it has one
 * iothread, which is this process's first thread, and may misbehave.
 */
#include <lib/tap.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <jansson.h>
#include <handoff/report.h>
#include "keys.h"

#define PATIENCE_MS 60000

enum manners {
	KIND,
	SILENT,	   /* takes connections and says nothing */
	STRANGE,   /* of another process */
	STUBBORN,  /* sets nothing, and says that it did */
	GOES,	   /* closes the connection when something is to be set */
	HAS_POLICY /* as our own VMM */
};

struct server {
	enum manners manners;
	pthread_t thread;
	int listener;
	char folder[32], path[64];
	atomic_llong max_ns;
	char policy[16];
	atomic_uint clients;
};

static json_t *iothreads(const struct server *s)
{
	json_t *one = json_pack("{s:s, s:i, s:I}", "id", "io0", "thread-id",
				s->manners == STRANGE ? 1 : (int)getpid(), "poll-max-ns",
				(json_int_t)s->max_ns);

	if (s->manners == HAS_POLICY)
		json_object_set_new(one, "poll-policy", json_string(s->policy));
	return json_pack("[o]", one);
}

static void set(struct server *s, const json_t *arguments)
{
	const json_t *value = json_object_get(arguments, "value");

	if (s->manners == STUBBORN)
		return;
	if (json_is_string(value))
		snprintf(s->policy, sizeof(s->policy), "%s", json_string_value(value));
	else
		s->max_ns = json_integer_value(value);
}

/* NULL: nothing more. */
static json_t *answer(struct server *s, const json_t *request)
{
	const char *command = json_string_value(json_object_get(request, "execute"));
	const json_t *arguments = json_object_get(request, "arguments");
	const char *property = json_string_value(json_object_get(arguments, "property"));

	if (!strcmp(command, "query-iothreads"))
		return iothreads(s);
	if (!strcmp(command, "qom-get"))
		return strcmp(property, "poll-policy") ? json_integer(s->max_ns)
						       : json_string(s->policy);
	if (!strcmp(command, "qom-set")) {
		if (s->manners == GOES)
			return NULL;
		set(s, arguments);
	}
	return json_object();
}

static void serve_client(struct server *s, int fd)
{
	FILE *in = fdopen(fd, "r");
	char line[512];
	json_t *request, *value = json_null();

	if (s->manners != SILENT)
		dprintf(fd, "{\"QMP\": {}}\r\n");
	while (value && fgets(line, sizeof(line), in)) {
		char *text;

		request = json_loads(line, 0, NULL);
		value = answer(s, request);
		text = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
		if (text)
			dprintf(fd, "{\"return\": %s, \"id\": %lld}\r\n", text,
				(long long)json_integer_value(json_object_get(request, "id")));
		free(text);
		json_decref(value);
		json_decref(request);
	}
	fclose(in);
}

static void *serve(void *opaque)
{
	struct server *s = opaque;
	int fd;

	while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
		s->clients++;
		serve_client(s, fd);
	}
	return NULL;
}

static void server_start(struct server *s, enum manners manners, long long max_ns)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*s = (struct server){ .manners = manners, .folder = "/tmp/handoff-keys.XXXXXX" };
	s->max_ns = max_ns;
	snprintf(s->policy, sizeof(s->policy), "qemu");
	assert_non_null(mkdtemp(s->folder));
	snprintf(s->path, sizeof(s->path), "%s/sock", s->folder);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", s->path);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(s->listener, 4), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	unlink(s->path);
	rmdir(s->folder);
}

static struct keys *keys_of(const struct server *s)
{
	const struct keys_config config = { .pid = getpid(), .path = s->path, .fd = -1 };
	struct keys *k = keys_new(&config, NULL);

	assert_non_null(k);
	return k;
}

static const struct report_loop *io0(void)
{
	static struct report_loop loop = { .id = "io0", .kind = STATS_LOOP_IOTHREAD };

	loop.tid = (uint32_t)getpid();
	return &loop;
}

static void press(struct keys *k, enum view_event event)
{
	char line[KEYS_LINE];

	keys_press(k, event, io0(), line);
	assert_string_equal(line, "iothread io0: asking the VM ...");
}

static struct keys_done wait_for_done(struct keys *k)
{
	struct pollfd fd = { keys_fd(k), POLLIN, 0 };
	struct keys_done done;

	assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
	assert_true(keys_take(k, &done));
	return done;
}

static struct keys_done pressed(struct keys *k, enum view_event event)
{
	press(k, event);
	return wait_for_done(k);
}

static void assert_summary(const struct keys *k, bool kept, const char *wanted)
{
	size_t size;
	char *text;
	FILE *to = open_memstream(&text, &size);

	keys_summary(k, kept, to);
	fclose(to);
	assert_string_equal(text, wanted);
	free(text);
}

static void assert_says(const struct keys_done *done, const char *words)
{
	if (!strstr(done->line, words))
		fail_msg("'%s' is not in: %s", words, done->line);
}

/* Longer, longer, shorter: each is what the server then has, and it serves others in between. */
static void test_keys__double_and_halve(void **state)
{
	struct server s;
	struct keys_done done;
	struct keys *k;

	server_start(&s, KIND, 0);
	k = keys_of(&s);
	done = pressed(k, VIEW_LONGER);
	assert_string_equal(done.line, "iothread io0: poll-max-ns 0 -> 4096");
	done = pressed(k, VIEW_LONGER);
	assert_string_equal(done.line, "iothread io0: poll-max-ns 4096 -> 8192");
	assert_int_equal(s.max_ns, 8192);
	assert_true(done.found);
	assert_int_equal(done.tid, getpid());
	assert_summary(k, true, "Changed by keys meanwhile: io0 poll-max-ns 0 -> 8192, kept\n");
	assert_summary(k, false, "Changed by keys meanwhile: io0 poll-max-ns 0 -> 8192\n");
	pressed(k, VIEW_SHORTER);
	pressed(k, VIEW_SHORTER);
	assert_int_equal(s.max_ns, 0);
	assert_summary(k, true, "");
	done = pressed(k, VIEW_SHORTER);
	assert_says(&done, "it never spins");
	assert_int_equal(s.clients, 5);
	keys_free(k);
	server_stop(&s);
}

/* QEMU has no policies to choose from. */
static void test_keys__no_policy_of_qemus(void **state)
{
	struct server s;
	struct keys_done done;
	struct keys *k;

	server_start(&s, KIND, 0);
	k = keys_of(&s);
	done = pressed(k, VIEW_POLICY);
	assert_says(&done, "nothing was changed: QEMU has no property poll-policy");
	assert_summary(k, true, "");
	keys_free(k);
	server_stop(&s);
}

/* Our own VMM has. */
static void test_keys__next_policy(void **state)
{
	struct server s;
	struct keys_done done;
	struct keys *k;

	server_start(&s, HAS_POLICY, 0);
	k = keys_of(&s);
	done = pressed(k, VIEW_POLICY);
	assert_string_equal(done.line, "iothread io0: poll-policy qemu -> break-even");
	pressed(k, VIEW_LONGER);
	assert_summary(k, true,
		       "Changed by keys meanwhile: io0 poll-max-ns 0 -> 4096, poll-policy qemu -> "
		       "break-even, kept\n");
	keys_free(k);
	server_stop(&s);
	assert_string_equal(s.policy, "break-even");
}

/* The longest is the longest. */
static void test_keys__stop_at_the_limit(void **state)
{
	struct server s;
	struct keys_done done;
	struct keys *k;

	server_start(&s, KIND, 600000000);
	k = keys_of(&s);
	done = pressed(k, VIEW_LONGER);
	assert_string_equal(done.line, "iothread io0: poll-max-ns 600000000 -> 1000000000");
	done = pressed(k, VIEW_LONGER);
	assert_says(&done, "the longest that a key sets");
	assert_int_equal(s.max_ns, 1000000000);
	keys_free(k);
	server_stop(&s);
}

/* A server that says nothing: pressing returns, it is told why nothing comes of the keys, and they
 * do not wait as long each. */
static void test_keys__silent_server(void **state)
{
	struct server s;
	struct keys_done done;
	char line[KEYS_LINE] = "";
	unsigned int taken = 0, done_with = 0;
	struct keys *k;

	server_start(&s, SILENT, 0);
	k = keys_of(&s);
	keys_press(k, VIEW_LONGER, io0(), line);
	for (; taken < 100 && strstr(line, "asking"); taken++)
		keys_press(k, VIEW_LONGER, io0(), line);
	assert_string_equal(line, "the VM has not answered earlier keys yet: this one is dropped");
	while (done_with < taken) {
		done = wait_for_done(k);
		assert_says(&done, "iothread io0: nothing was changed: QMP ");
		assert_says(&done, "no greeting within");
		done_with += done.n_keys;
	}
	assert_int_equal(done_with, taken);
	assert_in_range(s.clients, 1, taken - 1);
	press(k, VIEW_LONGER);
	keys_end(k);
	assert_summary(k, true, "");
	keys_free(k);
	server_stop(&s);
}

/* Whose iothread it is shows by its thread. */
static void test_keys__socket_of_another_vm(void **state)
{
	struct server s;
	struct keys_done done;
	struct keys *k;

	server_start(&s, STRANGE, 0);
	k = keys_of(&s);
	done = pressed(k, VIEW_LONGER);
	assert_says(&done, "none of the 1 iothreads that QMP tells of");
	assert_false(done.found);
	assert_int_equal(s.max_ns, 0);
	keys_free(k);
	server_stop(&s);
}

/* What is told is what the server then has, not what was asked for. */
static void test_keys__reads_back(void **state)
{
	struct server s;
	struct keys_done done;
	struct keys *k;

	server_start(&s, STUBBORN, 5000);
	k = keys_of(&s);
	done = pressed(k, VIEW_LONGER);
	assert_says(&done, "was set to 10000, and is 5000");
	assert_int_equal(done.max_ns, 5000);
	assert_summary(k, true, "");
	keys_free(k);
	server_stop(&s);
}

/* A connection that breaks in the middle: nobody knows, and nobody pretends to. */
static void test_keys__broken_in_the_middle(void **state)
{
	struct server s;
	struct keys_done done;
	struct keys *k;

	server_start(&s, GOES, 5000);
	k = keys_of(&s);
	done = pressed(k, VIEW_LONGER);
	assert_says(&done, "whether it was changed is not known");
	assert_int_equal(done.max_ns, -1);
	assert_summary(k, true,
		       "Changed by keys meanwhile: io0 poll-max-ns 5000 -> not known, kept\n");
	keys_free(k);
	server_stop(&s);
}

/* A connection of its own, which the VM has taken along. */
static void test_keys__connection_that_is_gone(void **state)
{
	struct keys_config config = { .pid = getpid() };
	struct keys_done done;
	struct keys *k;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	config.fd = pair[0];
	k = keys_new(&config, NULL);
	assert_non_null(k);
	close(pair[1]);
	for (int i = 0; i < 2; i++) {
		done = pressed(k, VIEW_LONGER);
		assert_says(&done, "the other side has closed the connection");
	}
	keys_free(k);
}

/* What can never work is said at once. */
static void test_keys__refusals(void **state)
{
	struct keys_config config = { .why_not = "no socket", .fd = -1 };
	struct report_loop main_loop = { .id = "main", .kind = STATS_LOOP_MAIN };
	struct keys *k = keys_new(&config, NULL);
	struct server s;
	char line[KEYS_LINE];

	keys_press(k, VIEW_LONGER, io0(), line);
	assert_string_equal(line, "no socket");
	assert_int_equal(keys_fd(k), -1);
	keys_free(k);
	server_start(&s, KIND, 0);
	k = keys_of(&s);
	keys_press(k, VIEW_LONGER, &main_loop, line);
	assert_string_equal(line, "the main loop has no poll settings: its disks need an iothread");
	keys_press(k, VIEW_LONGER, NULL, line);
	assert_string_equal(line, "there is no loop to change yet");
	keys_free(k);
	server_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys__double_and_halve),
		cmocka_unit_test(test_keys__no_policy_of_qemus),
		cmocka_unit_test(test_keys__next_policy),
		cmocka_unit_test(test_keys__stop_at_the_limit),
		cmocka_unit_test(test_keys__silent_server),
		cmocka_unit_test(test_keys__socket_of_another_vm),
		cmocka_unit_test(test_keys__reads_back),
		cmocka_unit_test(test_keys__broken_in_the_middle),
		cmocka_unit_test(test_keys__connection_that_is_gone),
		cmocka_unit_test(test_keys__refusals),
	};

	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
