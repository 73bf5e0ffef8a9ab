// SPDX-License-Identifier: BSD-2-Clause
/*
 * Data: what the guest writes to a real file it reads back, in every mode and shape of request;
 * errors are told, not hidden.
 */
#include "vm_run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const modes[] = {
	"read", "write", "randread", "randwrite", "readwrite", "randrw"
};

/* Every mode, by polled completions and by interrupts, verified. */
static void every_mode(unsigned int cache)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		struct vm_run r;

		vm_run_init(&r, "rw=%s bs=4k iodepth=16 requests=4000 verify=crc32c completion=%s",
			    modes[i], i & 1 ? "irq" : "poll");
		vm_run_use_file(&r, 0, 16 * MIB);
		r.config.disk[0].cache = cache;
		vm_run(&r);
		vm_run_assert_clean(&r);
		assert_int_equal(vm_run_word(&r, "requests"), 4000);
		if (!strstr(modes[i], "read"))
			assert_int_not_equal(vm_run_word(&r, "verify_reads"), 0);
		vm_run_assert_exact(&r);
		vm_run_release(&r);
	}
}

/* Through the page cache. */
static void test_data__verifies_through_the_page_cache(void **state)
{
	every_mode(MACHINE_CACHE_WRITEBACK);
}

/* Past the page cache. */
static void test_data__verifies_with_direct_io(void **state)
{
	vm_run_need_direct_io();
	every_mode(MACHINE_CACHE_DIRECT);
}

/* Small and large blocks, many segments, indirect tables, no event index: all shapes of a ring. */
static void test_data__verifies_every_shape(void **state)
{
	static const char *const shapes[] = {
		"bs=512 iodepth=32",
		"bs=512 iodepth=32 noevent=1",
		"bs=64k iodepth=4 segs=16",
		"bs=64k iodepth=8 segs=62 indirect=1",
		"bs=1M iodepth=2 segs=32",
		"bs=4k iodepth=64 indirect=1 noevent=1",
		"bs=4k iodepth=2 movebars=low",
		"bs=4k iodepth=2 movebars=high completion=irq",
	};
	unsigned int i;

	vm_run_need_direct_io();
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct vm_run r;

		vm_run_init(&r, "rw=randrw requests=1000 verify=crc32c %s", shapes[i]);
		vm_run_use_layout(&r, state);
		vm_run_use_file(&r, 0, 16 * MIB);
		/* The small blocks of the first two are not aligned for O_DIRECT: bounced. */
		r.config.disk[0].cache = i & 1 ? MACHINE_CACHE_WRITEBACK : MACHINE_CACHE_DIRECT;
		vm_run_well(&r);
		vm_run_release(&r);
	}
}

/* A guest may refuse the packed ring it is offered. */
static void test_data__guest_may_refuse_packed(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randread requests=100 packed=0");
	r.config.disk[0].packed = true;
	vm_run(&r);
	vm_run_assert_clean(&r);
	assert_true(r.ready);
	assert_false(r.packed);
	vm_run_release(&r);
}

/*
 * Flush, discard and write-zeroes among the writes: discarded blocks may hold anything, zeroed ones
 * hold zeroes.
 */
static void test_data__flushes_discards_and_zeroes(void **state)
{
	struct vm_run r;

	vm_run_init(&r,
		    "rw=randwrite bs=4k iodepth=8 requests=4000 verify=crc32c flush=64 discard=7 "
		    "zeroes=5");
	vm_run_use_file(&r, 0, 16 * MIB);
	vm_run(&r);
	vm_run_assert_clean(&r);
	assert_int_not_equal(vm_run_word(&r, "flushes"), 0);
	assert_int_not_equal(vm_run_word(&r, "discards"), 0);
	assert_int_not_equal(vm_run_word(&r, "zeroes"), 0);
	assert_int_equal(vm_run_word(&r, "unsupported"), 0);
	vm_run_release(&r);
}

/* A read-only disk says so, and can be read. */
static void test_data__read_only_disk_is_told(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randread requests=100 getid=1");
	vm_run_use_file(&r, 0, 16 * MIB);
	vm_run(&r);
	vm_run_assert_clean(&r);
	vm_run_release(&r);

	r.config.disk[0].read_only = true;
	vm_run(&r);
	vm_run_assert_clean(&r);
	vm_run_release(&r);

	snprintf(r.load, sizeof(r.load), "rw=randrw requests=100");
	vm_run(&r);
	assert_int_equal(r.status, MACHINE_EXIT_GUEST);
	assert_non_null(strstr(r.last_line, "read-only"));
	vm_run_release(&r);
}

static void shrink_image(struct vm_run *r)
{
	assert_int_equal(truncate(r->config.disk[0].file, 1 * MIB), 0);
}

/*
 * An image that shrinks under the running guest gives it I/O errors, and nobody crashes or hangs.
 */
static void test_data__shrinking_image_gives_errors(void **state)
{
	struct vm_run r;

	vm_run_init(&r, "rw=randread bs=4k iodepth=16 requests=20000");
	vm_run_use_file(&r, 0, 16 * MIB);
	r.on_ready = shrink_image;
	vm_run(&r);
	assert_int_equal(r.status, MACHINE_EXIT_OK);
	assert_int_equal(vm_run_word(&r, "stalls"), 0);
	assert_in_range(vm_run_word(&r, "io_errors"), 1, 20000);
	assert_int_equal(vm_run_word(&r, "io_errors"), vm_run_sum(&r, errors));
	vm_run_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data__verifies_through_the_page_cache),
		cmocka_unit_test(test_data__verifies_with_direct_io),
		VM_TEST_BOTH(test_data__verifies_every_shape),
		cmocka_unit_test(test_data__guest_may_refuse_packed),
		cmocka_unit_test(test_data__flushes_discards_and_zeroes),
		cmocka_unit_test(test_data__read_only_disk_is_told),
		cmocka_unit_test(test_data__shrinking_image_gives_errors),
	};

	return cmocka_run_group_tests_name("data", tests, vm_run_group_setup,
					   vm_run_group_teardown);
}
