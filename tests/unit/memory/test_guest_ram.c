// SPDX-License-Identifier: BSD-2-Clause
/* Guest RAM: layout round 4 GiB, and that nothing outside it can be reached. */
#include <lib/tap.h>

#include <string.h>
#include <sys/mman.h>
#include <handoff/guest_ram.h>

#define MIB	 (1ull << 20)
#define FOUR_GIB (1ull << 32)

/* RAM that fits below the limit is one range at 0. */
static void test_guest_ram__small_is_one_range(void **state)
{
	struct guest_ram *ram = guest_ram_new(16 * MIB, 3072 * MIB, NULL);

	assert_non_null(ram);
	assert_int_equal(ram->n_ranges, 1);
	assert_int_equal(ram->range[0].gpa, 0);
	assert_int_equal(ram->range[0].size_bytes, 16 * MIB);
	guest_ram_free(ram);
}

/* What is above the limit continues at 4 GiB, in the same memfd. */
static void test_guest_ram__rest_goes_above_4g(void **state)
{
	struct guest_ram *ram = guest_ram_new(16 * MIB, 4 * MIB, NULL);

	assert_non_null(ram);
	assert_int_equal(ram->n_ranges, 2);
	assert_int_equal(ram->range[0].size_bytes, 4 * MIB);
	assert_int_equal(ram->range[1].gpa, FOUR_GIB);
	assert_int_equal(ram->range[1].size_bytes, 12 * MIB);
	assert_ptr_equal((char *)ram->range[0].hva + 4 * MIB, ram->range[1].hva);
	guest_ram_free(ram);
}

/* A range is reachable to its last byte and not beyond, however the sum would wrap. */
static void test_guest_ram__edges(void **state)
{
	struct guest_ram *ram = guest_ram_new(16 * MIB, 4 * MIB, NULL);
	static const struct {
		uint64_t gpa, len;
		bool inside;
	} rows[] = {
		{ 0, 1, true },
		{ 0, 0, false },
		{ 0, 4 * MIB, true },
		{ 0, 4 * MIB + 1, false },
		{ 4 * MIB - 1, 1, true },
		{ 4 * MIB - 1, 2, false },
		{ 4 * MIB, 1, false },
		{ FOUR_GIB - 1, 2, false },
		{ FOUR_GIB, 12 * MIB, true },
		{ FOUR_GIB + 12 * MIB - 1, 1, true },
		{ FOUR_GIB + 12 * MIB, 1, false },
		{ UINT64_MAX, 1, false },
		{ UINT64_MAX, UINT64_MAX, false },
		{ 1, UINT64_MAX, false },
		{ FOUR_GIB + 1, UINT64_MAX - FOUR_GIB, false },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		void *hva = guest_ram_hva(ram, rows[i].gpa, rows[i].len);

		if (!!hva != rows[i].inside)
			fail_msg("row %u: %p", i, hva);
	}
	guest_ram_free(ram);
}

/* Copies arrive; one that is not wholly inside copies nothing at all. */
static void test_guest_ram__copies_all_or_nothing(void **state)
{
	struct guest_ram *ram = guest_ram_new(4 * MIB, 4 * MIB, NULL);
	uint8_t buf[8];

	assert_true(guest_ram_write(ram, 4 * MIB - 8, "abcdefgh", 8));
	assert_true(guest_ram_read(ram, 4 * MIB - 8, buf, 8));
	assert_memory_equal(buf, "abcdefgh", 8);
	assert_false(guest_ram_write(ram, 4 * MIB - 4, "01234567", 8));
	memset(buf, 'x', 8);
	assert_false(guest_ram_read(ram, 4 * MIB - 4, buf, 8));
	assert_memory_equal(buf, "xxxxxxxx", 8);
	assert_true(guest_ram_read(ram, 4 * MIB - 8, buf, 8));
	assert_memory_equal(buf, "abcdefgh", 8);
	guest_ram_free(ram);
}

/* The memfd's pages are the guest's: another mapping of it sees the same bytes. */
static void test_guest_ram__memfd_is_shared(void **state)
{
	struct guest_ram *ram = guest_ram_new(8 * MIB, 4 * MIB, NULL);
	char *other = mmap(NULL, 8 * MIB, PROT_READ, MAP_SHARED, ram->fd, 0);

	assert_ptr_not_equal(other, MAP_FAILED);
	assert_true(guest_ram_write(ram, FOUR_GIB + 100, "seen", 4));
	assert_memory_equal(other + 4 * MIB + 100, "seen", 4);
	munmap(other, 8 * MIB);
	guest_ram_free(ram);
}

/* Sizes that are no whole pages, or none, are refused in words. */
static void test_guest_ram__rejects_odd_sizes(void **state)
{
	static const struct {
		uint64_t size, below;
	} rows[] = { { 0, MIB },
		     { 4097, MIB },
		     { MIB, 0 },
		     { MIB, 100 },
		     { MIB, FOUR_GIB + 4096 },
		     { UINT64_MAX - 4095, MIB } };
	struct error err;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		err.msg[0] = '\0';
		assert_null(guest_ram_new(rows[i].size, rows[i].below, &err));
		assert_non_null(strstr(err.msg, "4 KiB"));
	}
}

/* A size the host cannot map is an error, not the end. */
static void test_guest_ram__reports_impossible_size(void **state)
{
	struct error err = { "" };

	assert_null(guest_ram_new(1ull << 62, MIB, &err));
	assert_non_null(strstr(err.msg, "guest RAM"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guest_ram__small_is_one_range),
		cmocka_unit_test(test_guest_ram__rest_goes_above_4g),
		cmocka_unit_test(test_guest_ram__edges),
		cmocka_unit_test(test_guest_ram__copies_all_or_nothing),
		cmocka_unit_test(test_guest_ram__memfd_is_shared),
		cmocka_unit_test(test_guest_ram__rejects_odd_sizes),
		cmocka_unit_test(test_guest_ram__reports_impossible_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
