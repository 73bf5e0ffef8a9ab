// SPDX-License-Identifier: BSD-2-Clause
/*
 * key=value lists: every type, every kind of mistake, and that a mistake leaves the target
 * untouched.
 */
#include <lib/tap.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/compiler.h>
#include <handoff/kv.h>

struct disk {
	char *file;
	bool read_only, read_only_seen;
	uint32_t queues;
	uint64_t offset, size, delay_ns;
	unsigned int cache;
};

static const struct kv_key keys[] = {
	{ "file", KV_STRING, offsetof(struct disk, file), KV_NO_SEEN },
	{ "read-only", KV_BOOL, offsetof(struct disk, read_only),
	  offsetof(struct disk, read_only_seen) },
	{ "queues", KV_U32, offsetof(struct disk, queues), KV_NO_SEEN, 1, 64 },
	{ "offset", KV_U64, offsetof(struct disk, offset), KV_NO_SEEN },
	{ "size", KV_SIZE, offsetof(struct disk, size), KV_NO_SEEN, 4096, 1ull << 40 },
	{ "delay", KV_TIME, offsetof(struct disk, delay_ns), KV_NO_SEEN, 0, 1000000000 },
	{ "cache", KV_ENUM, offsetof(struct disk, cache), KV_NO_SEEN,
	  .values = "direct|writeback|none" },
	{},
};

static void assert_refused(const char *text, const char *why)
{
	struct disk disk = { .queues = 7 }, before = disk;
	struct error err = {};

	assert_int_equal(kv_parse(text, "file", keys, &disk, &err), -EINVAL);
	if (!strstr(err.msg, why))
		fail_msg("\"%s\" gave \"%s\", expected \"%s\"", text, err.msg, why);
	assert_memory_equal(&disk, &before, sizeof(disk));
}

/* One key of every type, in one list. */
static void test_kv__parses_every_type(void **state)
{
	struct disk disk = {};
	struct error err = {};

	assert_int_equal(kv_parse("file=a.img,read-only=yes,queues=4,offset=0x10,size=64M,"
				  "delay=20us,cache=writeback",
				  NULL, keys, &disk, &err),
			 0);
	assert_string_equal(disk.file, "a.img");
	assert_true(disk.read_only && disk.read_only_seen);
	assert_int_equal(disk.queues, 4);
	assert_int_equal(disk.offset, 16);
	assert_int_equal(disk.size, 64 << 20);
	assert_int_equal(disk.delay_ns, 20000);
	assert_int_equal(disk.cache, 1);
	kv_release(keys, &disk);
	assert_null(disk.file);
}

/* The first word may go without its key; later words may not. */
static void test_kv__first_word_may_be_bare(void **state)
{
	struct disk disk = {};

	assert_int_equal(kv_parse("a.img,size=1G", "file", keys, &disk, NULL), 0);
	assert_string_equal(disk.file, "a.img");
	assert_int_equal(disk.size, 1 << 30);
	kv_release(keys, &disk);
	assert_refused("size=1G,a.img", "unknown key 'a.img'");
}

/* A switch alone is on. Keys that were not given are neither written nor seen. */
static void test_kv__bare_switch_is_on(void **state)
{
	struct disk disk = { .queues = 9 };

	assert_int_equal(kv_parse("read-only", NULL, keys, &disk, NULL), 0);
	assert_true(disk.read_only && disk.read_only_seen);
	assert_int_equal(disk.queues, 9);
	disk.read_only_seen = false;
	assert_int_equal(kv_parse("queues=1", NULL, keys, &disk, NULL), 0);
	assert_false(disk.read_only_seen);
}

/* An empty list is a list. */
static void test_kv__empty_list_is_allowed(void **state)
{
	struct disk disk = {};

	assert_int_equal(kv_parse("", "file", keys, &disk, NULL), 0);
	assert_null(disk.file);
}

/* A doubled comma belongs to the value. */
static void test_kv__doubled_comma_is_a_comma(void **state)
{
	struct disk disk = {};

	assert_int_equal(kv_parse("file=a,,b=c.img,queues=2", NULL, keys, &disk, NULL), 0);
	assert_string_equal(disk.file, "a,b=c.img");
	assert_int_equal(disk.queues, 2);
	kv_release(keys, &disk);
}

/* A second parse into the same struct replaces its strings without a leak (ASAN watches). */
static void test_kv__second_string_replaces_first(void **state)
{
	struct disk disk = {};

	assert_int_equal(kv_parse("file=a", NULL, keys, &disk, NULL), 0);
	assert_int_equal(kv_parse("file=b", NULL, keys, &disk, NULL), 0);
	assert_string_equal(disk.file, "b");
	kv_release(keys, &disk);
}

/*
 * Mistakes name the key and what would be right, and write nothing, not even what stands before
 * them.
 */
static void test_kv__mistakes_are_named_and_write_nothing(void **state)
{
	assert_refused("file=a,color=red", "unknown key 'color'; known: file, read-only, queues");
	assert_refused("queues=2,queues=3", "queues: given twice");
	assert_refused("file=a,size=12x", "size=12x: not a size; write 64M");
	assert_refused("file=a,delay=3h", "delay=3h: not a time; write 20us");
	assert_refused("file=a,queues=many", "queues=many: not a number; write 8");
	assert_refused("file=a,read-only=maybe", "read-only=maybe: not a switch; write on or off");
	assert_refused("file=a,cache=direc", "cache=direc: must be one of direct|writeback|none");
	assert_refused("file=a,cache", "cache=: must be one of");
	assert_refused("file=", "file: needs a value");
	assert_refused("queues=2,file", "file: needs a value");
	assert_refused("file=a,size=", "size: needs a value");
	assert_refused("file=a,size", "size: needs a value");
	assert_refused("queues=2,", "empty item");
	assert_refused("=3", "unknown key ''");
}

/* Bounds are inclusive, and are shown in the words in which users write them. */
static void test_kv__bounds_are_checked(void **state)
{
	struct disk disk = {};

	assert_int_equal(kv_parse("queues=64,size=4096,delay=1s", NULL, keys, &disk, NULL), 0);
	assert_refused("queues=0", "queues=0: too small; at least 1");
	assert_refused("queues=65", "queues=65: too large; at most 64");
	assert_refused("size=4095", "size=4095: too small; at least 4k");
	assert_refused("size=2T", "size=2T: too large; at most 1T");
	assert_refused("delay=1001ms", "delay=1001ms: too large; at most 1.00s");
	assert_refused("offset=18446744073709551616", "too large");
}

/* A 32-bit field refuses what does not fit it even without a bound of its own. */
static void test_kv__u32_never_truncates(void **state)
{
	static const struct kv_key unbounded[] = { { "n", KV_U32, 0, KV_NO_SEEN }, {} };
	uint32_t n = 5;

	assert_int_equal(kv_parse("n=4294967296", NULL, unbounded, &n, NULL), -EINVAL);
	assert_int_equal(n, 5);
	assert_int_equal(kv_parse("n=4294967295", NULL, unbounded, &n, NULL), 0);
	assert_int_equal(n, UINT32_MAX);
}

/* More items than any table has keys end in an error, not behind an array. */
static void test_kv__too_many_items_are_refused(void **state)
{
	static const struct kv_key many[] = { { "n", KV_U32, 0, KV_NO_SEEN }, {} };
	struct error err = {};
	char text[2000] = "n=1";
	uint32_t n = 0;
	int i;

	for (i = 0; i < 200; i++)
		strncat(text, ",n=1", sizeof(text) - strlen(text) - 1);
	assert_int_equal(kv_parse(text, NULL, many, &n, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "n: given twice"));
}

/* Single values: what is accepted. */
static void test_kv__single_values(void **state)
{
	uint64_t v;
	bool on;

	assert_int_equal(kv_parse_size("0", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(kv_parse_size("64K", &v), 0);
	assert_int_equal(v, 65536);
	assert_int_equal(kv_parse_size("2t", &v), 0);
	assert_int_equal(v, 2ull << 40);
	assert_int_equal(kv_parse_time("700ns", &v), 0);
	assert_int_equal(v, 700);
	assert_int_equal(kv_parse_time("5s", &v), 0);
	assert_int_equal(v, 5000000000);
	assert_int_equal(kv_parse_time("0.25s", &v), 0);
	assert_int_equal(v, 250000000);
	assert_int_equal(kv_parse_time("1.5us", &v), 0);
	assert_int_equal(v, 1500);
	assert_int_equal(kv_parse_u64("18446744073709551615", &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(kv_parse_u64("0xfF", &v), 0);
	assert_int_equal(v, 255);
	assert_int_equal(kv_parse_bool("off", &on), 0);
	assert_false(on);
	assert_int_equal(kv_parse_bool("1", &on), 0);
	assert_true(on);
}

/* Single values: what strtoull would let through. */
static void test_kv__single_values_are_strict(void **state)
{
	static const char *const wrong[] = { "",   "-1",  "+1",	   " 1",   "1 ",    "1.5",
					     "k",  "1kk", "0x",	   "0xg",  "1e3",   "١",
					     "1.", ".5",  "1.5ns", "0.5k", "1.5.5s" };
	uint64_t v = 42;
	unsigned int i;
	bool on;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(kv_parse_u64(wrong[i], &v), -EINVAL);
		assert_int_equal(kv_parse_size(wrong[i], &v), -EINVAL);
		assert_int_equal(kv_parse_time(wrong[i], &v), -EINVAL);
	}
	assert_int_equal(kv_parse_u64("18446744073709551616", &v), -ERANGE);
	assert_int_equal(kv_parse_size("16777216T", &v), -ERANGE);
	assert_int_equal(kv_parse_time("18446744074s", &v), -ERANGE);
	assert_int_equal(kv_parse_time("18446744073.709551616s", &v), -ERANGE);
	assert_int_equal(kv_parse_bool("ON", &on), -EINVAL);
	assert_int_equal(v, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kv__parses_every_type),
		cmocka_unit_test(test_kv__first_word_may_be_bare),
		cmocka_unit_test(test_kv__bare_switch_is_on),
		cmocka_unit_test(test_kv__empty_list_is_allowed),
		cmocka_unit_test(test_kv__doubled_comma_is_a_comma),
		cmocka_unit_test(test_kv__second_string_replaces_first),
		cmocka_unit_test(test_kv__mistakes_are_named_and_write_nothing),
		cmocka_unit_test(test_kv__bounds_are_checked),
		cmocka_unit_test(test_kv__u32_never_truncates),
		cmocka_unit_test(test_kv__too_many_items_are_refused),
		cmocka_unit_test(test_kv__single_values),
		cmocka_unit_test(test_kv__single_values_are_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
