// SPDX-License-Identifier: BSD-2-Clause
/*
 * The built-in guest on the board: it boots, does its work and reports; however a run ends, it ends
 * well.
 */
#include "vm_run.h"

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
	vm_run_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_boot__guest_reports),
	};

	return cmocka_run_group_tests_name("boot", tests, vm_run_group_setup,
					   vm_run_group_teardown);
}
