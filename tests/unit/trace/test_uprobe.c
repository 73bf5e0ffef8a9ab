// SPDX-License-Identifier: BSD-2-Clause
/* Functions of this very program, found in its file. */
#include <lib/tap.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "uprobe.h"
#include "uprobe_place.h"

#if defined(__x86_64__)
/* endbr64, then a push; and one that nothing cheap begins. */
__asm__(".text\n"
	".globl begins_cheap\n.type begins_cheap, @function\n"
	"begins_cheap: endbr64\n push %r12\n pop %r12\n ret\n"
	".size begins_cheap, .-begins_cheap\n"
	".globl begins_slow\n.type begins_slow, @function\n"
	"begins_slow: ret\n"
	".size begins_slow, .-begins_slow\n");
#endif
extern char begins_cheap[], begins_slow[];

static void need_x86(void)
{
#ifndef __x86_64__
	skip_because("instructions of x86-64");
#endif
}

/* The offset found is where the function's bytes are in the file, past what is single-stepped. */
static void test_uprobe__finds_a_cheap_place(void **state)
{
#if defined(__x86_64__)
	struct uprobe_spot spot;
	char bytes[3];
	int fd;

	assert_int_equal(uprobe_find("/proc/self/exe", "begins_cheap", UPROBE_RSP, &spot), 0);
	assert_true(spot.cheap);
	assert_string_equal(spot.why, "");
	fd = open("/proc/self/exe", O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, bytes, sizeof(bytes), (off_t)spot.file_offset), sizeof(bytes));
	close(fd);
	assert_memory_equal(bytes, begins_cheap + 4, sizeof(bytes));
#endif
	need_x86();
}

/* A function that begins with what the kernel does not execute is found, and said to be slow. */
static void test_uprobe__says_what_is_slow(void **state)
{
#if defined(__x86_64__)
	struct uprobe_spot spot, cheap;

	assert_int_equal(uprobe_find("/proc/self/exe", "begins_slow", 0, &spot), 0);
	assert_int_equal(uprobe_find("/proc/self/exe", "begins_cheap", 0, &cheap), 0);
	assert_false(spot.cheap);
	assert_non_null(strstr(spot.why, "(c3"));
	assert_int_equal(spot.file_offset, cheap.file_offset - 4 + (begins_slow - begins_cheap));
#endif
	need_x86();
}

/* What a program does not export cannot be hooked, and the reason names it. */
static void test_uprobe__names_what_is_missing(void **state)
{
	struct uprobe_spot spot;

	assert_int_equal(uprobe_find("/proc/self/exe", "virtio_blk_handle_vq", 0, &spot), -ENOENT);
	assert_string_equal(spot.why, "it exports no function virtio_blk_handle_vq");
	/* Named, but another's: not a function of this file. */
	assert_int_equal(uprobe_find("/proc/self/exe", "pread", 0, &spot), -ENOENT);
}

/* Files that are no programs, or none at all. */
static void test_uprobe__survives_other_files(void **state)
{
	char path[] = "/tmp/handoff-uprobe-XXXXXX";
	struct uprobe_spot spot;
	int fd;

	assert_int_equal(uprobe_find("/nonexistent", "main", 0, &spot), -ENOENT);
	assert_string_not_equal(spot.why, "");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_true(uprobe_find(path, "main", 0, &spot) < 0);
	assert_string_not_equal(spot.why, "");
	/* The head of an ELF file, and nothing behind it. */
	assert_int_equal(write(fd, "\177ELF\2\1\1", 7), 7);
	assert_int_equal(ftruncate(fd, 64), 0);
	assert_true(uprobe_find(path, "main", 0, &spot) < 0);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uprobe__finds_a_cheap_place),
		cmocka_unit_test(test_uprobe__says_what_is_slow),
		cmocka_unit_test(test_uprobe__names_what_is_missing),
		cmocka_unit_test(test_uprobe__survives_other_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
