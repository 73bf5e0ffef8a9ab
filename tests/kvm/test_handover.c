// SPDX-License-Identifier: BSD-2-Clause
/*
 * Hand-overs under load: the disk moves between loops while the guest writes, reads and verifies.
 * Nothing may be lost, reordered or stalled for over a second.
 */
#include "vm_run.h"

#include <handoff/clock.h>

/* One a millisecond; where the CPU is emulated, and shared, there is time for fewer. */
#define MOVES	  1000
#define MIN_MOVES 100

/* What the handovers of a run went through; the ring keeps the newest. */
static void assert_moved(const struct vm_run *r, uint64_t moves)
{
	unsigned int i, loops = 0;
	bool seen[STATS_MAX_LOOPS] = { false };

	assert_in_range(r->stats->n_handovers, moves, UINT64_MAX);
	for (i = 0; i < STATS_MAX_HANDOVERS; i++) {
		const struct stats_handover *h = &r->stats->handover[i];

		if (!h->t_ns)
			continue;
		assert_int_not_equal(h->from, h->to);
		assert_in_range(h->duration_ns, 1, NS_PER_S);
		assert_in_range(h->to, 0, STATS_MAX_LOOPS - 1);
		loops += !seen[h->to];
		seen[h->to] = true;
	}
	assert_int_equal(loops, r->config.n_iothreads + 1);
}

static void move_under_load(void **state, const char *load, unsigned int cache, uint64_t delay_ns)
{
	struct vm_run r;

	vm_run_init(&r, "%s", load);
	vm_run_use_layout(&r, state);
	vm_run_add_iothread(&r, "io1");
	vm_run_use_file(&r, 0, 16 * MIB);
	r.config.disk[0].cache = cache;
	r.config.disk[0].delay_ns = delay_ns;
	r.config.n_moves = 1;
	r.config.move[0] = (struct machine_move){ .disk = (char *)"disk0",
						  .loops = (char *)"io1:main:io0",
						  .every_ns = NS_PER_MS,
						  .count = MOVES };
	vm_run(&r);
	vm_run_assert_clean(&r);
	assert_moved(&r, MIN_MOVES);
	vm_run_assert_exact(&r);
	vm_run_release(&r);
}

/* Up to a thousand moves at queue depth 32, completions polled, data in the page cache. */
static void test_handover__loses_nothing(void **state)
{
	move_under_load(state, "rw=randrw bs=4k iodepth=32 runtime=6 verify=crc32c",
			MACHINE_CACHE_WRITEBACK, 0);
}

/* The same with interrupts, so that a lost one shows as a stall, and O_DIRECT. */
static void test_handover__loses_no_interrupt(void **state)
{
	vm_run_need_direct_io();
	move_under_load(state,
			"rw=randwrite bs=4k iodepth=32 runtime=6 verify=crc32c completion=irq",
			MACHINE_CACHE_DIRECT, 0);
}

/* Each move meets requests that are held by the delay filter's timers. */
static void test_handover__waits_for_requests_in_flight(void **state)
{
	move_under_load(state, "rw=randrw bs=4k iodepth=32 runtime=6 verify=crc32c",
			MACHINE_CACHE_WRITEBACK, 200 * NS_PER_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handover__loses_nothing),
		VM_TEST_BOTH(test_handover__loses_no_interrupt),
		cmocka_unit_test(test_handover__waits_for_requests_in_flight),
	};

	return cmocka_run_group_tests_name("handover", tests, vm_run_group_setup,
					   vm_run_group_teardown);
}
