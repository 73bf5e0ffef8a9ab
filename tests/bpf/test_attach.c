// SPDX-License-Identifier: BSD-2-Clause
/* Programs attach or say why not; what a tracer made in the kernel goes with it, however it ends.
 */
#include "privileged.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <handoff/clock.h>
#include <handoff/report.h>
#include <handoff/stats.h>
#include <handoff/trace.h>

#define MAX_IDS	       256
/* The kernel frees after a grace period, on a busy machine a long one. */
#define GONE_WITHIN_NS (20 * NS_PER_S)

struct ids {
	unsigned int n_programs, n_maps, n_links;
	unsigned int program[MAX_IDS], map[MAX_IDS], link[MAX_IDS];
};

/* BPF objects that this process holds descriptors of: others on this machine may trace too. */
static struct ids held_ids(void)
{
	struct ids ids = { 0 };
	char path[64], line[128];
	unsigned int i, id;
	FILE *f;

	for (i = 0; i < 512; i++) {
		bool is_link = false;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%u", i);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f)) {
			if (sscanf(line, "link_id: %u", &id) == 1 && ids.n_links < MAX_IDS) {
				ids.link[ids.n_links++] = id;
				is_link = true;
			}
			/* A link names its program too. */
			if (!is_link && sscanf(line, "prog_id: %u", &id) == 1 &&
			    ids.n_programs < MAX_IDS)
				ids.program[ids.n_programs++] = id;
			if (sscanf(line, "map_id: %u", &id) == 1 && ids.n_maps < MAX_IDS)
				ids.map[ids.n_maps++] = id;
		}
		if (f)
			fclose(f);
	}
	return ids;
}

static unsigned int alive(const unsigned int *ids, unsigned int n, int (*open_id)(__u32 id))
{
	unsigned int i, left = 0;
	int fd;

	for (i = 0; i < n; i++) {
		fd = open_id(ids[i]);
		left += fd >= 0;
		if (fd >= 0)
			close(fd);
	}
	return left;
}

static void assert_gone(const struct ids *ids)
{
	int64_t end = clock_ns() + GONE_WITHIN_NS;
	unsigned int left;

	do {
		left = alive(ids->program, ids->n_programs, bpf_prog_get_fd_by_id) +
		       alive(ids->map, ids->n_maps, bpf_map_get_fd_by_id) +
		       alive(ids->link, ids->n_links, bpf_link_get_fd_by_id);
		/* Nothing tells when a grace period is over; ask again in a while. */
		if (left)
			poll(NULL, 0, 10);
	} while (left && clock_ns() < end);
	assert_int_equal(left, 0);
}

static struct tracer *trace_self(void)
{
	struct tracer_config config = { .pid = getpid(), .use_bpf = true };
	struct error err = { "" };
	struct tracer *t = tracer_new(&config, &err);

	if (!t)
		fail_msg("%s", err.msg);
	return t;
}

/* Every program that is not optional attaches here; every one that does not says why. */
static void test_attach__each_program(void **state)
{
	struct tracer_probe *probe = calloc(1, sizeof(*probe));
	struct error err = { "" };
	size_t i;

	NEED_PRIVILEGE();
	if (tracer_probe_host(probe, &err))
		fail_msg("%s", err.msg);
	assert_true(probe->n > 10);
	for (i = 0; i < probe->n; i++) {
		const struct tracer_program_probe *p = &probe->program[i];

		print_message("# %-16s %-32s %s\n", p->name, p->hook,
			      p->attached ? "attaches" : p->why);
		if (!p->attached) {
			assert_true(p->optional || !p->loaded || strstr(p->hook, "kvm_"));
			assert_true(strlen(p->why) > 5);
		}
	}
	free(probe);
}

/* Each stage has evidence, or a reason for its absence. */
static void test_attach__each_stage(void **state)
{
	struct tracer_probe *probe = calloc(1, sizeof(*probe));
	struct error err;
	enum stage s;

	NEED_PRIVILEGE();
	assert_int_equal(tracer_probe_host(probe, &err), 0);
	for (s = 0; s < STAGES; s++) {
		bool sampled = s >= STAGE_SERVICE && s <= STAGE_IRQ;

		if (probe->evidence[s] == EVIDENCE_EXACT && !sampled)
			assert_string_equal(probe->reason[s], "");
		else
			assert_true(strlen(probe->reason[s]) > 10);
	}
	for (s = STAGE_SIGNAL; s <= STAGE_INJECT; s++)
		assert_int_not_equal(probe->evidence[s], EVIDENCE_ABSENT);
	free(probe);
}

/* A tracer arms the VMM's clocks, and disarms them when it goes; nothing of it stays. */
static void test_attach__nothing_stays(void **state)
{
	struct ids before, ids;
	struct tracer *t;

	NEED_PRIVILEGE();
	before = held_ids();
	assert_false(stats_armed());
	t = trace_self();
	assert_true(stats_armed());
	ids = held_ids();
	assert_true(ids.n_programs >= before.n_programs + 10 && ids.n_maps > before.n_maps);
	tracer_free(t);
	assert_false(stats_armed());
	assert_gone(&ids);
}

/* Two tracers of one VMM: each has its own figures, and the clocks stay armed for the second. */
static void test_attach__two_tracers(void **state)
{
	struct tracer *first, *second;

	NEED_PRIVILEGE();
	first = trace_self();
	second = trace_self();
	tracer_free(first);
	assert_true(stats_armed());
	tracer_free(second);
	assert_false(stats_armed());
}

/* kill -9: the kernel cleans up after the tracer. */
static void test_attach__nothing_stays_after_kill(void **state)
{
	struct tracer_config config = { .pid = getpid(), .use_bpf = true };
	struct ids ids = { 0 };
	struct error err;
	int fds[2];
	pid_t child;

	NEED_PRIVILEGE();
	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (!child) {
		struct tracer *t = tracer_new(&config, &err);

		ids = held_ids();
		if (t && write(fds[1], &ids, sizeof(ids)) == sizeof(ids))
			pause();
		_exit(1);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &ids, sizeof(ids)), sizeof(ids));
	close(fds[0]);
	assert_true(ids.n_programs >= 10);
	assert_true(stats_armed());
	assert_true(alive(ids.program, ids.n_programs, bpf_prog_get_fd_by_id) > 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_gone(&ids);
	assert_false(stats_armed());
}

/* A tracer outlives its VMM: it still gives a report, of the last state. */
static void test_attach__vmm_killed(void **state)
{
	struct tracer_config config = { .use_bpf = true };
	struct report *r = report_new();
	struct stats_page *page;
	struct error err = { "" };
	struct tracer *t;
	int fds[2];
	char byte;

	NEED_PRIVILEGE();
	assert_int_equal(pipe(fds), 0);
	config.pid = fork();
	if (!config.pid) {
		close_range(3, fds[1] - 1, 0); /* our page of this test is not the child's */
		if (stats_page_new(&page, &err))
			_exit(1);
		stats_loop_get(page, STATS_LOOP_MAIN, "main")->tid = getpid();
		if (write(fds[1], "x", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	t = tracer_new(&config, &err);
	if (!t)
		fail_msg("%s", err.msg);
	kill(config.pid, SIGKILL);
	waitpid(config.pid, NULL, 0);
	assert_int_equal(tracer_snapshot(t, r, &err), 0);
	assert_false(r->vmm_alive);
	assert_int_equal(r->n_loops, 1);
	assert_string_equal(r->loop[0].id, "main");
	assert_int_equal(report_check(r, NULL, NULL), 0);
	assert_int_equal(tracer_snapshot(t, r, &err), 0);
	tracer_free(t);
	report_free(r);
}

/* No such process, and a process that is no VMM, are refused in words. */
static void test_attach__refuses_others(void **state)
{
	struct tracer_config config = { .pid = 1, .use_bpf = true };
	struct error err = { "" };

	NEED_PRIVILEGE();
	assert_null(tracer_new(&config, &err));
	assert_non_null(strstr(err.msg, "process 1"));
	config.pid = fork();
	if (!config.pid)
		_exit(0);
	waitpid(config.pid, NULL, 0);
	assert_null(tracer_new(&config, &err));
	assert_true(strlen(err.msg) > 10);
}

/* Without BPF there is a tracer too; it says why its stages are absent. */
static void test_attach__without_bpf(void **state)
{
	struct tracer_config config = { .pid = getpid(), .no_bpf_reason = "not wanted here" };
	struct report *r = report_new();
	struct error err = { "" };
	struct tracer *t = tracer_new(&config, &err);

	assert_non_null(t);
	assert_int_equal(tracer_snapshot(t, r, &err), 0);
	assert_string_equal(r->stage[STAGE_WAKE].reason, "not wanted here");
	assert_false(stats_armed());
	tracer_free(t);
	report_free(r);
}

static int setup(void **state)
{
	struct stats_page *page;
	struct error err;

	if (stats_page_new(&page, &err))
		return -1;
	*state = page;
	return 0;
}

static int teardown(void **state)
{
	stats_page_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attach__each_program),
		cmocka_unit_test(test_attach__each_stage),
		cmocka_unit_test(test_attach__nothing_stays),
		cmocka_unit_test(test_attach__two_tracers),
		cmocka_unit_test(test_attach__nothing_stays_after_kill),
		cmocka_unit_test(test_attach__vmm_killed),
		cmocka_unit_test(test_attach__refuses_others),
		cmocka_unit_test(test_attach__without_bpf),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
