// SPDX-License-Identifier: BSD-2-Clause
/*
 * The ways an arrival can take, each produced on purpose and recognised in the stats page: polled,
 * notified, busy, user space; and what must not change them: resets, several queues, several disks.
 */
#include "vm_run.h"

#include <stdio.h>
#include <handoff/clock.h>

/* By a policy that spins also where another thread waits for its CPU, as on a machine of one. */
static void set_poll_max(struct vm_run *r, uint64_t ns)
{
	r->config.iothread[0].policy = (char *)"qemu-weighted";
	r->config.iothread[0].poll_max_ns = ns;
	r->config.iothread[0].poll_max_ns_seen = true;
}

/*
 * A loop that may spin for as long as it likes sees most itself, and kicks are suppressed: how many
 * depends on how soon the loop is back at its spin, and on a machine of one real CPU that is a time
 * slice.
 */
static void test_ways__endless_spin_is_polled(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randread iodepth=1 requests=500");
	vm_run_use_layout(&r, state);
	set_poll_max(&r, NS_PER_S);
	vm_run_well(&r);
	assert_in_range(vm_run_sum(&r, arrivals_polled), vm_run_sum(&r, arrivals) / 2,
			vm_run_sum(&r, arrivals));
	assert_int_not_equal(vm_run_word(&r, "kicks"), 0);
	assert_int_not_equal(vm_run_word(&r, "kicks_suppressed"), 0);
	vm_run_release(&r);
}

/*
 * A loop that may not spin is notified, or busy when the next request comes while it serves the
 * last.
 */
static void test_ways__no_spin_is_notified(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randread iodepth=1 requests=5000");
	set_poll_max(&r, 0);
	vm_run_well(&r);
	assert_int_equal(vm_run_sum(&r, arrivals_polled), 0);
	assert_in_range(vm_run_sum(&r, arrivals_notified), 1000, 5000);
	vm_run_release(&r);
}

/* The main loop never spins. */
static void test_ways__main_loop_is_notified(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randread iodepth=1 requests=5000");
	r.config.disk[0].iothread = NULL;
	vm_run_well(&r);
	assert_int_equal(vm_run_sum(&r, arrivals_polled), 0);
	assert_in_range(vm_run_sum(&r, arrivals_notified), 1000, 5000);
	vm_run_release(&r);
}

/*
 * Bursts and pauses: the first request of a burst finds the loop asleep, the next ones are seen by
 * the spin.
 */
static void test_ways__bursts_are_polled_and_notified(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randread iodepth=1 requests=1000 thinktime=burst:50@60ms");
	/* Longer than a time slice: where there is but one CPU the guest has to have its turn. */
	set_poll_max(&r, 20 * NS_PER_MS);
	vm_run_well(&r);
	assert_in_range(vm_run_sum(&r, arrivals_polled), 50, 1000);
	assert_in_range(vm_run_sum(&r, arrivals_notified), 10, 1000);
	assert_int_not_equal(vm_run_word(&r, "kicks_suppressed"), 0);
	vm_run_release(&r);
}

/* A deep queue without spinning: one kick announces many requests. */
static void test_ways__deep_queue_shares_kicks(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randread iodepth=32 requests=50000");
	set_poll_max(&r, 0);
	vm_run_well(&r);
	assert_int_equal(vm_run_sum(&r, arrivals_polled), 0);
	assert_in_range(vm_run_word(&r, "kicks"), 1, 50000 / 4);
	vm_run_release(&r);
}

static void assert_userspace_only(const struct vm_run *r)
{
	vm_run_assert_clean(r);
	vm_run_assert_exact(r);
	assert_int_equal(vm_run_sum(r, signals), 0);
	assert_int_not_equal(vm_run_sum(r, arrivals_userspace), 0);
	assert_int_equal(vm_run_sum(r, arrivals_polled) + vm_run_sum(r, arrivals_notified), 0);
}

/* ioeventfd=off: every kick leaves to user space, and everything works. */
static void test_ways__ioeventfd_off_goes_to_user_space(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randrw iodepth=8 requests=2000 verify=crc32c");
	vm_run_use_file(&r, 0, 16 * MIB);
	r.config.disk[0].ioeventfd = false;
	r.config.disk[0].iothread = NULL;
	vm_run(&r);
	assert_userspace_only(&r);
	vm_run_release(&r);
}

/* An ioeventfd that KVM refuses: the disk falls back to user space and works. */
static void test_ways__refused_ioeventfd_goes_to_user_space(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randrw iodepth=8 requests=2000 verify=crc32c completion=irq");
	vm_run_use_file(&r, 0, 16 * MIB);
	r.config.ioeventfd_limit = 0;
	vm_run(&r);
	assert_userspace_only(&r);
	vm_run_release(&r);
}

/* The limit hits in the middle of a device: all of its queues fall back, none is left half way. */
static void test_ways__half_refused_device_falls_back_whole(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randread iodepth=8 requests=2000 queues=4");
	r.config.disk[0].queues = 4;
	r.config.ioeventfd_limit = 2;
	vm_run(&r);
	assert_userspace_only(&r);
	vm_run_release(&r);
}

/*
 * Interrupts: each completion is announced or suppressed, none is missed, and the guest sleeps
 * meanwhile.
 */
static void test_ways__interrupts_announce_completions(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randread iodepth=1 requests=2000 completion=irq");
	vm_run_use_layout(&r, state);
	/* So that it is asleep by then: on one CPU it might find all done when it looks. */
	r.config.disk[0].delay_ns = 200 * NS_PER_US;
	vm_run_well(&r);
	assert_int_equal(vm_run_word(&r, "irqs_missed"), 0);
	assert_in_range(vm_run_word(&r, "irqs"), 1, vm_run_sum(&r, interrupts));
	vm_run_release(&r);
}

/* Four queues: all are used, each counts for itself and answers by a vector of its own. */
static void test_ways__serves_four_queues(void **state)
{
	struct vm_run r;
	unsigned int i;

	vm_run_init(&r, "rw=randrw iodepth=8 queues=4 requests=20000 verify=crc32c completion=irq");
	vm_run_use_layout(&r, state);
	vm_run_use_file(&r, 0, 16 * MIB);
	r.config.disk[0].queues = 4;
	vm_run_well(&r);
	for (i = 0; i < 4; i++) {
		char word[16];

		snprintf(word, sizeof(word), "kicks_q%u", i);
		assert_int_equal(vm_run_word(&r, word),
				 r.stats->queue[i].signals + r.stats->queue[i].userspace_kicks);
		assert_int_not_equal(r.stats->queue[i].requests, 0);
		snprintf(word, sizeof(word), "irqs_q%u", i);
		assert_in_range(vm_run_word(&r, word), 1, r.stats->queue[i].interrupts);
	}
	vm_run_release(&r);
}

/* A guest that wants more queues than it is offered says so in one line. */
static void test_ways__refuses_queues_not_offered(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randread requests=100 queues=5");
	r.config.disk[0].queues = 4;
	vm_run(&r);
	assert_int_equal(r.status, MACHINE_EXIT_GUEST);
	assert_string_equal(r.last_line, "handoff-guest: error: queues=5: the disk has 4");
	assert_false(r.ready);
	vm_run_release(&r);
}

/* Two disks on two iothreads: the one the guest drives works, its neighbour is left alone. */
static void test_ways__serves_the_second_of_two_disks(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randrw iodepth=8 requests=5000 verify=crc32c disk=1");
	vm_run_add_iothread(&r, "io1");
	r.config.n_disks = 2;
	r.config.disk[1] = r.config.disk[0];
	r.config.disk[1].iothread = (char *)"io1";
	vm_run_use_file(&r, 0, 16 * MIB);
	vm_run_use_file(&r, 1, 16 * MIB);
	vm_run_well(&r);
	assert_string_equal(r.stats->queue[1].device, "disk1");
	assert_int_equal(r.stats->queue[0].requests, 0);
	assert_int_not_equal(r.stats->queue[1].requests, 0);
	vm_run_release(&r);
}

/*
 * Resets in the middle of the load, at depth 32: what had been acknowledged is there, nothing
 * hangs.
 */
static void test_ways__resets_under_load(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randrw iodepth=32 requests=30000 verify=crc32c resets=100");
	vm_run_use_layout(&r, state);
	vm_run_use_file(&r, 0, 16 * MIB);
	vm_run(&r);
	vm_run_assert_clean(&r);
	/* All but those that were due when nothing was in flight. */
	assert_in_range(vm_run_word(&r, "resets"), 90, 100);
	vm_run_assert_exact(&r);
	vm_run_release(&r);
}

/* The same while the disk is handed from loop to loop: resets and moves get in each other's way. */
static void test_ways__resets_while_moving(void **state)
{
	struct vm_run r;

	vm_run_init(&r,
		    "rw=randrw iodepth=32 requests=30000 verify=crc32c resets=100 completion=irq");
	vm_run_use_layout(&r, state);
	vm_run_add_iothread(&r, "io1");
	vm_run_use_file(&r, 0, 16 * MIB);
	r.config.n_moves = 1;
	r.config.move[0] = (struct machine_move){ .disk = (char *)"disk0",
						  .loops = (char *)"io1:main:io0",
						  .every_ns = NS_PER_MS };
	vm_run(&r);
	vm_run_assert_clean(&r);
	/* All but those that were due when nothing was in flight. */
	assert_in_range(vm_run_word(&r, "resets"), 90, 100);
	assert_in_range(r.stats->n_handovers, 20, UINT64_MAX);
	vm_run_assert_exact(&r);
	vm_run_release(&r);
}

/*
 * Handlers held back once: arrivals wait that long, are served in the end, and none is forgotten.
 */
static void test_ways__held_handlers_serve_late(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randread iodepth=4 runtime=1");
	r.config.hold_handlers_ns = 800 * NS_PER_MS;
	vm_run(&r);
	vm_run_assert_clean(&r);
	/* The hold begins 100 ms after the start, when a slow guest is not at work yet. */
	assert_in_range(vm_run_word(&r, "lat_max_ns"), 200 * NS_PER_MS, 30 * NS_PER_S);
	vm_run_assert_exact(&r);
	vm_run_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VM_TEST_BOTH(test_ways__endless_spin_is_polled),
		cmocka_unit_test(test_ways__no_spin_is_notified),
		cmocka_unit_test(test_ways__main_loop_is_notified),
		cmocka_unit_test(test_ways__bursts_are_polled_and_notified),
		cmocka_unit_test(test_ways__deep_queue_shares_kicks),
		cmocka_unit_test(test_ways__ioeventfd_off_goes_to_user_space),
		cmocka_unit_test(test_ways__refused_ioeventfd_goes_to_user_space),
		cmocka_unit_test(test_ways__half_refused_device_falls_back_whole),
		VM_TEST_BOTH(test_ways__interrupts_announce_completions),
		VM_TEST_BOTH(test_ways__serves_four_queues),
		cmocka_unit_test(test_ways__refuses_queues_not_offered),
		cmocka_unit_test(test_ways__serves_the_second_of_two_disks),
		VM_TEST_BOTH(test_ways__resets_under_load),
		VM_TEST_BOTH(test_ways__resets_while_moving),
		cmocka_unit_test(test_ways__held_handlers_serve_late),
	};

	return cmocka_run_group_tests_name("ways", tests, vm_run_group_setup,
					   vm_run_group_teardown);
}
