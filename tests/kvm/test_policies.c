// SPDX-License-Identifier: BSD-2-Clause
/*
 * Poll policies under a real guest: however long a loop decides to spin, no kick is lost, and what
 * guest and device count are the same numbers.
 */
#include "vm_run.h"

#include <handoff/clock.h>

static const char *const policies[] = { "qemu-weighted", "qemu", "break-even", "fixed" };

/* No think time, so spins hit; pauses beyond any spin; both by turns, where it learns all the time.
 */
static const char *const loads[] = {
	"iodepth=1 requests=1500",
	"iodepth=1 requests=300 thinktime=200us completion=irq",
	"iodepth=4 requests=1500 thinktime=burst:20@150us completion=mixed",
	"iodepth=2 requests=1000 thinktime=exp:20us",
};

static void run(void **state, const char *policy, const char *load)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randrw bs=4k verify=crc32c %s", load);
	vm_run_use_layout(&r, state);
	vm_run_use_file(&r, 0, 16 * MIB);
	r.config.iothread[0].policy = (char *)policy;
	r.config.iothread[0].poll_max_ns_seen = false;
	vm_run(&r);
	vm_run_assert_clean(&r);
	assert_int_equal(vm_run_word(&r, "stalls"), 0);
	vm_run_assert_exact(&r);
	assert_true(vm_run_sum(&r, arrivals) > 0);
	vm_run_release(&r);
}

/* Every policy, every load, data verified. */
static void test_policies__lose_no_kick(void **state)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(policies); i++)
		for (j = 0; j < ARRAY_SIZE(loads); j++)
			run(state, policies[i], loads[j]);
}

/* A loop that measures its sleeps gives its disk away and gets it back, again and again.
 */
static void test_policies__break_even_hands_over(void **state)
{
	struct vm_run r;
	unsigned int i;

	vm_run_init(&r, "rw=randrw bs=4k iodepth=8 runtime=2 verify=crc32c completion=irq");
	vm_run_add_iothread(&r, "io1");
	vm_run_use_file(&r, 0, 16 * MIB);
	for (i = 0; i < 2; i++) {
		r.config.iothread[i].policy = (char *)"break-even";
		r.config.iothread[i].poll_latency_percent = 200;
	}
	r.config.n_moves = 1;
	r.config.move[0] = (struct machine_move){ .disk = (char *)"disk0",
						  .loops = (char *)"io1:main:io0",
						  .every_ns = NS_PER_MS,
						  .count = 300 };
	vm_run(&r);
	vm_run_assert_clean(&r);
	assert_in_range(r.stats->n_handovers, 20, 300);
	vm_run_assert_exact(&r);
	vm_run_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VM_TEST_BOTH(test_policies__lose_no_kick),
		cmocka_unit_test(test_policies__break_even_hands_over),
	};

	return cmocka_run_group_tests_name("policies", tests, vm_run_group_setup,
					   vm_run_group_teardown);
}
