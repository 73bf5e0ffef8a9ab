// SPDX-License-Identifier: BSD-2-Clause
/*
 * The board's life on real KVM: guests boot and report; however a run ends, it ends well; what
 * cannot start says why and leaves nothing behind.
 */
#include "vm_run.h"

#include <string.h>
#include <unistd.h>
#include <handoff/clock.h>

extern const char code_triple_fault[], code_triple_fault_end[], code_spin[], code_spin_end[],
	code_hostile[], code_hostile_end[];

/* The guest boots, finds its disk, does what it was told and says so. */
static void test_boot__guest_reports(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randread bs=4k iodepth=4 requests=2000");
	vm_run(&r);
	vm_run_assert_clean(&r);
	assert_true(r.ready);
	assert_int_equal(vm_run_word(&r, "requests"), 2000);
	assert_int_equal(vm_run_word(&r, "reads"), 2000);
	vm_run_assert_exact(&r);
	assert_int_not_equal(r.stats->tsc_khz, 0);
	vm_run_release(&r);
}

/* Boards come and go in one process: nothing of one is in the way of the next. */
static void test_boot__boots_again_and_again(void **state)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		struct vm_run r;

		vm_run_init(&r, "rw=randread requests=50");
		vm_run(&r);
		vm_run_assert_clean(&r);
		vm_run_release(&r);
	}
}

/* RAM above the hole is usable too: 4 GiB and more are given out in two ranges. */
static void test_boot__boots_with_high_memory(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randread requests=50");
	r.config.memory_bytes = 6144 * MIB;
	vm_run(&r);
	vm_run_assert_clean(&r);
	vm_run_release(&r);
}

/* vCPUs that wait for their start, which never comes, are in nobody's way. */
static void test_boot__idle_cpus_wait(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randread iodepth=4 requests=2000 completion=irq");
	r.config.cpus = 4;
	vm_run(&r);
	vm_run_assert_clean(&r);
	assert_int_not_equal(r.stats->vcpu_tid[3], 0);
	vm_run_release(&r);
}

/* A guest that finds fault with its words ends the run with its own status. */
static void test_boot__guest_failure_is_told(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "no-such-word=1");
	vm_run(&r);
	assert_int_equal(r.status, MACHINE_EXIT_GUEST);
	assert_non_null(strstr(r.last_line, "no-such-word"));
	vm_run_release(&r);
}

/* A triple fault ends the run, not the process. */
static void test_boot__triple_fault_ends_the_run(void **state)
{
	struct vm_run r;

	vm_run_init(&r, " ");
	vm_run_use_code(&r, code_triple_fault, code_triple_fault_end);
	vm_run(&r);
	assert_int_equal(r.status, MACHINE_EXIT_SHUTDOWN);
	vm_run_release(&r);
}

/* A guest without an end is cut off when its time is over. */
static void test_boot__duration_cuts_the_run(void **state)
{
	struct vm_run r;
	int64_t start_ns;

	vm_run_init(&r, " ");
	vm_run_use_code(&r, code_spin, code_spin_end);
	r.config.duration_ns = 300 * NS_PER_MS;
	start_ns = clock_ns();
	vm_run(&r);
	assert_int_equal(r.status, MACHINE_EXIT_OK);
	assert_in_range(clock_ns() - start_ns, 300 * NS_PER_MS, 30 * NS_PER_S);
	vm_run_release(&r);
}

static void close_stop_fd(struct vm_run *r)
{
	close(*(int *)r->private);
}

/*
 * A request to stop, here a pipe whose other end is closed while the guest is at work, is obeyed.
 */
static void test_boot__stops_on_request(void **state)
{
	struct vm_run r;
	int fds[2];

	vm_run_init(&r, "rw=randread iodepth=32 runtime=60");
	assert_int_equal(pipe(fds), 0);
	r.config.stop_fd = fds[0];
	r.private = &fds[1];
	r.on_ready = close_stop_fd;
	vm_run(&r);
	assert_int_equal(r.status, MACHINE_EXIT_OK);
	assert_string_equal(r.result, "");
	close(fds[0]);
	vm_run_release(&r);
}

/* Any MMIO and port I/O of a hostile guest is harmless: it reaches its own end. */
static void test_boot__survives_a_hostile_guest(void **state)
{
	struct vm_run r;

	vm_run_init(&r, " ");
	r.config.disk[0].queues = 2;
	vm_run_use_code(&r, code_hostile, code_hostile_end);
	vm_run(&r);
	assert_int_equal(r.status, MACHINE_EXIT_OK);
	/* It did get through to the device. */
	assert_int_not_equal(vm_run_sum(&r, userspace_kicks), 0);
	vm_run_release(&r);
}

static void refused(struct vm_run *r, const char *words)
{
	struct error err = { "" };
	struct machine *m = machine_new(&r->config, &err);

	assert_null(m);
	if (!strstr(err.msg, words))
		fail_msg("'%s' is not in: %s", words, err.msg);
}

/* What cannot be built is refused in words, at whatever step, and the next board can be built. */
static void test_boot__refusals_leave_nothing_behind(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randread requests=50");
	r.config.disk[0].iothread = (char *)"io7";
	refused(&r, "disk0: there is no iothread 'io7'");
	r.config.disk[0].iothread = (char *)"io0";
	r.config.disk[0].file = (char *)"/no/such/folder/disk.img";
	refused(&r, "/no/such/folder/disk.img");
	r.config.disk[0].file = (char *)"null";
	vm_run_add_iothread(&r, "io0");
	refused(&r, "there are two of them");
	r.config.iothread[1].id = (char *)"main";
	refused(&r, "'main'");
	r.config.n_iothreads = 1;
	r.config.disk[1] = r.config.disk[0];
	r.config.disk[1].id = (char *)"disk0";
	r.config.n_disks = 2;
	refused(&r, "disk0: there are two of them");
	r.config.n_disks = 1;
	r.config.n_moves = 1;
	r.config.move[0].disk = (char *)"disk9";
	r.config.move[0].loops = (char *)"main";
	refused(&r, "move: there is no disk 'disk9'");
	r.config.move[0].disk = (char *)"disk0";
	r.config.move[0].loops = (char *)"main:io3";
	refused(&r, "move: there is no iothread 'io3'");
	r.config.n_moves = 0;
	r.config.kernel = "/dev/null";
	refused(&r, "/dev/null");
	r.config.kernel = "/proc/self/exe";
	refused(&r, "PVH entry note");
	r.config.kernel = NULL;
	r.config.memory_bytes = 64 * 4096;
	refused(&r, "less than 1 MiB of memory");
	r.config.memory_bytes = 128 * MIB;
	vm_run(&r);
	vm_run_assert_clean(&r);
	vm_run_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_boot__guest_reports),
		cmocka_unit_test(test_boot__boots_again_and_again),
		cmocka_unit_test(test_boot__boots_with_high_memory),
		cmocka_unit_test(test_boot__idle_cpus_wait),
		cmocka_unit_test(test_boot__guest_failure_is_told),
		cmocka_unit_test(test_boot__triple_fault_ends_the_run),
		cmocka_unit_test(test_boot__duration_cuts_the_run),
		cmocka_unit_test(test_boot__stops_on_request),
		cmocka_unit_test(test_boot__survives_a_hostile_guest),
		cmocka_unit_test(test_boot__refusals_leave_nothing_behind),
	};

	return cmocka_run_group_tests_name("boot", tests, vm_run_group_setup,
					   vm_run_group_teardown);
}
