// SPDX-License-Identifier: BSD-2-Clause
/*
 * A running VM under a QMP client's hand: a thousand settings and hand-overs at depth 32, while the
 * guest checks every byte; stop and cont; iothreads that come and go. The client is our own, in a
 * thread; socat has tests/kvm/test_qmp.sh.
 */
#include "vm_run.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <handoff/clock.h>
#include <handoff/qmp.h>

/* Of each kind. Where the CPU is emulated, or shared, there may be time for fewer before the
 * guest's load ends. */
#define CALLS	   1000
#define MIN_CALLS  100
/* The same where a call is several, and the guest stands still meanwhile. */
#define TURNS	   100
#define MIN_TURNS  10
#define TIMEOUT_NS (60 * (uint64_t)NS_PER_S)

/*
 * Growth of memory of our own (guest RAM is shared, and not in it) between the first hundred calls
 * and the last: less than a byte kept per call and 1 KiB, so a lost JSON object shows. Without huge
 * pages, each of which would be twice that, and which the kernel makes of what is there already.
 */
#define FLAT_KIB 1024

/*
 * Another thread of the same machine, which wants to run for an instant every few milliseconds: by
 * how much that came late at worst. Whatever waits for a CPU may have to wait as long.
 */
struct witness {
	pthread_t thread;
	atomic_bool stop;
	uint64_t gap_ns;
};

#define WITNESS_NS     (5 * NS_PER_MS)
/* Settled and quiesced in the old loop, its last request there, entered in the new one. */
#define HANDOVER_TURNS 4

static void *witness_thread(void *opaque)
{
	struct timespec wait = clock_timespec(WITNESS_NS);
	struct witness *w = opaque;
	int64_t before;

	while (!atomic_load(&w->stop)) {
		before = clock_ns();
		ppoll(NULL, 0, &wait, NULL);
		w->gap_ns = MAX(w->gap_ns, (uint64_t)(clock_ns() - before - WITNESS_NS));
	}
	return NULL;
}

struct control {
	struct vm_run run;
	char path[96];
	pthread_t thread;
	bool started;
	struct witness witness;
	void (*body)(struct control *c);
	struct qmp_client *client;
	int own_fd;	     /* of whoever started the board */
	unsigned int calls;  /* that were answered well */
	uint64_t longest_ns; /* hand-over */
	long early_kib, end_kib;
	struct error failure; /* "" = none. cmocka's asserts are for the main thread */
};

static void control_fail(struct control *c, const char *what, const char *why)
{
	if (!c->failure.msg[0])
		error_set(&c->failure, -1, "call %u: %s: %s", c->calls, what, why);
}

/* The result, the caller's reference; NULL once something has failed. */
static json_t *call(struct control *c, const char *command, json_t *arguments)
{
	struct error err;
	json_t *result = NULL;

	if (c->failure.msg[0]) {
		json_decref(arguments);
		return NULL;
	}
	result = qmp_client_call(c->client, command, arguments, &err);
	if (!result)
		control_fail(c, command, err.msg);
	return result;
}

static bool call_well(struct control *c, const char *command, json_t *arguments)
{
	json_t *result = call(c, command, arguments);

	json_decref(result);
	return result;
}

/* It must fail, and say this. */
static void call_badly(struct control *c, const char *command, json_t *arguments, const char *why)
{
	struct error err = {};
	json_t *result = qmp_client_call(c->client, command, arguments, &err);

	if (result || !strstr(err.msg, why))
		control_fail(c, command, result ? "it should have failed" : err.msg);
	json_decref(result);
}

static bool set_poll_max_ns(struct control *c, const char *path, int ns)
{
	return call_well(c, "qom-set",
			 json_pack("{s:s, s:s, s:i}", "path", path, "property", "poll-max-ns",
				   "value", ns));
}

/* NULL = main loop. */
static bool move_to(struct control *c, const char *iothread)
{
	return call_well(c, "x-blockdev-set-iothread",
			 json_pack("{s:s, s:s?}", "node-name", "disk0", "iothread", iothread));
}

static void *control_thread(void *opaque)
{
	struct control *c = opaque;
	struct error err;

	c->client = qmp_client_new(c->path, TIMEOUT_NS, &err);
	if (!c->client) {
		control_fail(c, "connect", err.msg);
		return NULL;
	}
	c->body(c);
	qmp_client_free(c->client);
	return NULL;
}

/* The socket is there, and the guest works. */
static void on_ready(struct vm_run *r)
{
	struct control *c = r->private;

	c->started = !pthread_create(&c->thread, NULL, control_thread, c);
}

static void control_run(struct control *c, void (*body)(struct control *c))
{
	snprintf(c->path, sizeof(c->path), "%s/qmp", vm_run_folder());
	c->body = body;
	c->run.private = c;
	c->run.on_ready = on_ready;
	c->run.config.qmp_path = c->path;
	assert_int_equal(pthread_create(&c->witness.thread, NULL, witness_thread, &c->witness), 0);
	vm_run(&c->run);
	atomic_store(&c->witness.stop, true);
	pthread_join(c->witness.thread, NULL);
	assert_true(c->started);
	pthread_join(c->thread, NULL);
	assert_int_equal(access(c->path, F_OK), -1);
}

static void assert_went_well(struct control *c)
{
	if (c->failure.msg[0])
		fail_msg("%s", c->failure.msg);
	vm_run_assert_clean(&c->run);
	vm_run_assert_exact(&c->run);
}

/* The load's end ends the calls; every one before it went well. */
static void assert_enough_calls(struct control *c, unsigned int least, unsigned int wanted)
{
	print_message("# %u calls of each kind\n", c->calls);
	if (c->calls < least || (c->calls < wanted && !strstr(c->failure.msg, "closed")))
		fail_msg("%u calls; %s", c->calls, c->failure.msg);
	c->failure.msg[0] = '\0';
}

static long own_kib(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[128];
	long kib = -1;

	while (f && kib < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %ld kB", &kib) != 1)
			kib = -1;
	if (f)
		fclose(f);
	return kib;
}

/* --- a thousand of each ---------------------------------------------------------------------- */

static uint64_t newest_ns(const struct stats_page *page)
{
	return page->handover[(page->n_handovers - 1) % STATS_MAX_HANDOVERS].duration_ns;
}

static void tune_and_move(struct control *c)
{
	static const char *const loops[] = { "io1", NULL, "io0" };
	static const int settings[] = { 0, 100000, 4000, 32768 };

	while (c->calls < CALLS) {
		if (!set_poll_max_ns(c, c->calls & 1 ? "/objects/io1" : "/objects/io0",
				     settings[c->calls / 2 % 4]) ||
		    !move_to(c, loops[c->calls % 3]))
			return;
		c->longest_ns = MAX(c->longest_ns, newest_ns(c->run.stats));
		c->calls++;
		if (c->calls == MIN_CALLS)
			c->early_kib = own_kib();
		c->end_kib = own_kib();
	}
}

/* An image that no disk is behind. The file is the caller's to close. */
static int use_memory(struct vm_run *r, uint64_t bytes)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_int_not_equal(fd, -1);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	snprintf(r->path[0], sizeof(r->path[0]), "/proc/self/fd/%d", fd);
	r->config.disk[0].file = r->path[0];
	r->config.disk[0].size_bytes = bytes;
	return fd;
}

/*
 * Nothing lost: the guest checks each byte, and says so if a request does not end. No stall: the
 * VMM measures each hand-over from begin to end, a fraction of a millisecond. No disk that may be
 * busy is in it, the image is in memory; but each of its turns through a loop waits for a CPU, and
 * may find the whole machine standing still (seen: 3 s). How long that takes the witness knows. The
 * guest's own longest request is shown, but not judged: it has all other waits for a CPU in it.
 * Memory is flat.
 */
static void tune_and_move_under(const char *load, uint64_t delay_ns)
{
	struct control c = { 0 };
	int image;

	vm_run_init(&c.run, "%s", load);
	vm_run_add_iothread(&c.run, "io1");
	image = use_memory(&c.run, 16 * MIB);
	c.run.config.disk[0].delay_ns = delay_ns;
	control_run(&c, tune_and_move);
	assert_enough_calls(&c, MIN_CALLS, CALLS);
	assert_went_well(&c);
	assert_true(c.run.stats->n_handovers >= c.calls);
	print_message("# longest hand-over %llu us, wait for a CPU %llu us, request %llu us; "
		      "memory %ld KiB, later %ld\n",
		      (unsigned long long)c.longest_ns / 1000,
		      (unsigned long long)c.witness.gap_ns / 1000,
		      (unsigned long long)vm_run_word(&c.run, "lat_max_ns") / 1000, c.early_kib,
		      c.end_kib);
	assert_in_range(c.longest_ns, 1, NS_PER_S + HANDOVER_TURNS * c.witness.gap_ns);
	assert_true(c.early_kib > 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	assert_true(c.end_kib - c.early_kib < FLAT_KIB);
#endif
	vm_run_release(&c.run);
	close(image);
}

static void test_qmp__tunes_and_moves_a_thousand_times(void **state)
{
	tune_and_move_under("rw=randrw bs=4k iodepth=32 runtime=12 verify=crc32c", 0);
}

/* With interrupts, so that a lost one shows as a stall, and requests held in flight by the delay
 * filter's timers at each move. */
static void test_qmp__tunes_and_moves_with_interrupts(void **state)
{
	tune_and_move_under("rw=randwrite bs=4k iodepth=32 runtime=12 verify=crc32c completion=irq",
			    200 * NS_PER_US);
}

/* --- stop and cont --------------------------------------------------------------------------- */

static json_t *stats_of_disk(struct control *c)
{
	json_t *list = call(c, "query-blockstats", NULL);
	json_t *stats = json_object_get(json_array_get(list, 0), "stats");

	json_incref(stats);
	json_decref(list);
	return stats;
}

/* Stopped, the disk does nothing, wherever it is moved meanwhile. */
static void stop_and_cont(struct control *c)
{
	json_t *before, *after;

	while (c->calls < TURNS) {
		call_well(c, "stop", NULL);
		before = stats_of_disk(c);
		move_to(c, c->calls & 1 ? "io0" : NULL);
		after = stats_of_disk(c);
		if (!json_equal(before, after))
			control_fail(c, "stop", "the disk worked on");
		json_decref(before);
		json_decref(after);
		if (!call_well(c, "cont", NULL))
			return;
		c->calls++;
	}
}

/* Two vCPUs stopped in the middle of whatever they do, a hundred times, and none of their data is
 * lost. */
static void test_qmp__stops_and_continues(void **state)
{
	struct control c = { 0 };

	vm_run_init(&c.run, "rw=randrw bs=4k iodepth=32 runtime=5 verify=crc32c completion=irq");
	vm_run_use_file(&c.run, 0, 16 * MIB);
	c.run.config.cpus = 2;
	control_run(&c, stop_and_cont);
	assert_enough_calls(&c, MIN_TURNS, TURNS);
	assert_went_well(&c);
	vm_run_release(&c.run);
}

/* A run that ends while the guest is stopped ends in order: its disk too. */
static void stop_and_quit(struct control *c)
{
	call_well(c, "stop", NULL);
	call_well(c, "quit", NULL);
}

static void test_qmp__quits_a_stopped_vm(void **state)
{
	struct control c = { 0 };

	vm_run_init(&c.run, "rw=randwrite bs=4k iodepth=32 runtime=60");
	vm_run_use_file(&c.run, 0, 16 * MIB);
	control_run(&c, stop_and_quit);
	if (c.failure.msg[0])
		fail_msg("%s", c.failure.msg);
	assert_int_equal(c.run.status, MACHINE_EXIT_OK);
	assert_string_equal(c.run.result, "");
	vm_run_release(&c.run);
}

/* --- iothreads that come and go -------------------------------------------------------------- */

static json_t *named(const char *id)
{
	return json_pack("{s:s}", "id", id);
}

static void add_and_remove(struct control *c)
{
	while (c->calls < TURNS) {
		call_well(c, "object-add",
			  json_pack("{s:s, s:s, s:i}", "qom-type", "iothread", "id", "extra",
				    "poll-max-ns", 50000));
		move_to(c, "extra");
		call_badly(c, "object-del", named("extra"), "in use");
		call_well(c, "object-del", named("io0"));
		call_well(c, "object-add",
			  json_pack("{s:s, s:s}", "qom-type", "iothread", "id", "io0"));
		move_to(c, c->calls & 1 ? NULL : "io0");
		if (!call_well(c, "object-del", named("extra")))
			return;
		c->calls++;
	}
}

/* The disk moves to iothreads that were not there before; one in use stays; rows of the stats page
 * are used again. */
static void test_qmp__adds_and_removes_iothreads(void **state)
{
	struct control c = { 0 };

	vm_run_init(&c.run, "rw=randrw bs=4k iodepth=32 runtime=5 verify=crc32c");
	vm_run_use_file(&c.run, 0, 16 * MIB);
	control_run(&c, add_and_remove);
	assert_enough_calls(&c, MIN_TURNS, TURNS);
	assert_went_well(&c);
	for (unsigned int i = 4; i < STATS_MAX_LOOPS; i++)
		assert_int_equal(c.run.stats->loop[i].tid, 0);
	vm_run_release(&c.run);
}

/* --- the connection of whoever started the board --------------------------------------------- */

static void check_poll_max_ns(struct control *c, int ns)
{
	json_t *value =
		call(c, "qom-get",
		     json_pack("{s:s, s:s}", "path", "/objects/io0", "property", "poll-max-ns"));

	if (value && json_integer_value(value) != ns)
		control_fail(c, "qom-get", "not what the other has set");
	json_decref(value);
}

/* Each is told what the other sets. */
static void set_from_both(struct control *c)
{
	struct qmp_client *side[2] = { c->client };
	struct error err;
	char byte;

	side[1] = qmp_client_from_fd(c->own_fd, TIMEOUT_NS, &err);
	if (!side[1]) {
		control_fail(c, "own connection", err.msg);
		return;
	}
	while (c->calls < CALLS && !c->failure.msg[0]) {
		c->client = side[c->calls & 1];
		set_poll_max_ns(c, "/objects/io0", (int)c->calls);
		c->client = side[~c->calls & 1];
		check_poll_max_ns(c, (int)c->calls);
		c->calls += !c->failure.msg[0];
	}
	c->client = side[0];
	if (set_poll_max_ns(c, "/objects/io0", 0) &&
	    recv(c->own_fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) >= 0)
		control_fail(c, "own connection", "it was sent what it has not asked for");
	qmp_client_free(side[1]);
}

/* It is served beside the socket's client, and has no events. */
static void test_qmp__serves_its_owner_beside_a_client(void **state)
{
	struct control c = { 0 };
	int pair[2];

	vm_run_init(&c.run, "rw=randread iodepth=4 runtime=5");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	c.own_fd = pair[0];
	c.run.config.qmp_fd = pair[1];
	control_run(&c, set_from_both);
	assert_enough_calls(&c, MIN_CALLS, CALLS);
	assert_went_well(&c);
	vm_run_release(&c.run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qmp__tunes_and_moves_a_thousand_times),
		cmocka_unit_test(test_qmp__tunes_and_moves_with_interrupts),
		cmocka_unit_test(test_qmp__stops_and_continues),
		cmocka_unit_test(test_qmp__quits_a_stopped_vm),
		cmocka_unit_test(test_qmp__adds_and_removes_iothreads),
		cmocka_unit_test(test_qmp__serves_its_owner_beside_a_client),
	};

	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		perror("# huge pages stay: PR_SET_THP_DISABLE");
	return cmocka_run_group_tests_name("qmp", tests, vm_run_group_setup, vm_run_group_teardown);
}
