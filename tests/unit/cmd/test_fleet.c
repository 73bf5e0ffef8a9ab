// SPDX-License-Identifier: BSD-2-Clause
/* The fleet's lists, without a VM: who makes room, and who is not tried again. */
#include <lib/tap.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <handoff/discover.h>

#include "fleet_private.h"

/* Nothing here looks into a tracer. */
static struct tracer *const living = (struct tracer *)1;

/* VMs 1, 2, ... n, all of one process or each of its own. */
static struct vm_list list_of(uint32_t n)
{
	struct vm_list list = { .n = n, .vm = calloc(n, sizeof(struct vm)) };

	for (uint32_t i = 0; i < n; i++)
		list.vm[i] = (struct vm){ .pid = (pid_t)i / 2 + 1, .kvm = i };
	return list;
}

/* A hundred VMs are refused time after time: each counts for itself, and is given up once. */
static void test_fleet__counts_each_refusal(void **state)
{
	struct vm_list list = list_of(100);
	struct fleet_refused r = {};

	assert_int_equal(fleet_refused_tries(&r, &list.vm[7]), 0);
	for (unsigned int tries = 1; tries <= FLEET_TRIES; tries++)
		for (uint32_t i = 0; i < list.n; i++)
			assert_int_equal(fleet_refused_add(&r, &list.vm[i]), tries);
	for (uint32_t i = 0; i < list.n; i++)
		assert_int_equal(fleet_refused_tries(&r, &list.vm[i]), FLEET_TRIES);
	assert_int_equal(r.n, 100);
	fleet_refused_release(&r);
	free(list.vm);
}

/* A VM that is gone is forgotten: another under its number has its own tries. */
static void test_fleet__forgets_refusals_of_those_gone(void **state)
{
	struct vm_list list = list_of(10);
	struct fleet_refused r = {};
	struct vm last = list.vm[9];

	for (uint32_t i = 0; i < list.n; i++)
		fleet_refused_add(&r, &list.vm[i]);
	list.n = 9;
	fleet_refused_keep(&r, &list);
	assert_int_equal(r.n, 9);
	assert_int_equal(fleet_refused_tries(&r, &list.vm[8]), 1);
	assert_int_equal(fleet_refused_tries(&r, &last), 0);
	fleet_refused_release(&r);
	free(list.vm);
}

/* While there is room a VM comes behind the others; then where the first that ended was; where all
 * live, nowhere. */
static void test_fleet__gives_up_who_ended_first(void **state)
{
	struct fleet *f = calloc(1, sizeof(*f));

	assert_ptr_equal(fleet_place(f), &f->vm[0]);
	for (f->n = 0; f->n < FLEET_MAX; f->n++)
		f->vm[f->n].tracer = living;
	assert_null(fleet_place(f));
	f->vm[9].tracer = NULL;
	f->vm[9].ended = 3;
	f->vm[40].tracer = NULL;
	f->vm[40].ended = 2;
	assert_ptr_equal(fleet_place(f), &f->vm[40]);
	f->n--;
	assert_ptr_equal(fleet_place(f), &f->vm[FLEET_MAX - 1]);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fleet__counts_each_refusal),
		cmocka_unit_test(test_fleet__forgets_refusals_of_those_gone),
		cmocka_unit_test(test_fleet__gives_up_who_ended_first),
	};

	return cmocka_run_group_tests_name("fleet", tests, NULL, NULL);
}
