// SPDX-License-Identifier: BSD-2-Clause
/* A file written at the end: whole or not at all, links kept, nothing left beside it. */
#include <lib/tap.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <handoff/out_file.h>

struct folder {
	char dir[64], file[80], link[80];
};

static int setup(void **state)
{
	struct folder *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/handoff-out-file.XXXXXX");
	*state = f;
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->file, sizeof(f->file), "%s/file", f->dir);
	snprintf(f->link, sizeof(f->link), "%s/link", f->dir);
	return 0;
}

static int teardown(void **state)
{
	struct folder *f = *state;

	unlink(f->file);
	unlink(f->link);
	rmdir(f->dir);
	free(f);
	return 0;
}

static unsigned int entries(const struct folder *f)
{
	DIR *d = opendir(f->dir);
	unsigned int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void assert_holds(const char *path, const char *text)
{
	char buf[64] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	(void)!fread(buf, 1, sizeof(buf) - 1, f);
	fclose(f);
	assert_string_equal(buf, text);
}

static int fill(void *opaque, FILE *to, struct error *err)
{
	return fputs(opaque, to) < 0 ? error_set(err, -EIO, "no") : 0;
}

/* Writes half, then fails. */
static int fill_half(void *opaque, FILE *to, struct error *err)
{
	fputs("half", to);
	return error_set(err, -EIO, "cannot go on");
}

/* What is written is there, and nothing else; a second time it is replaced. */
static void test_out_file__writes_and_replaces(void **state)
{
	struct folder *f = *state;
	struct error err;

	assert_int_equal(out_file_write(f->file, fill, "first", &err), 0);
	assert_holds(f->file, "first");
	assert_int_equal(out_file_write(f->file, fill, "second", &err), 0);
	assert_holds(f->file, "second");
	assert_int_equal(entries(f), 1);
}

/* A failure half-way leaves what was there before. */
static void test_out_file__failure_keeps_the_old_one(void **state)
{
	struct folder *f = *state;
	struct error err;

	assert_int_equal(out_file_write(f->file, fill, "old", &err), 0);
	assert_int_equal(out_file_write(f->file, fill_half, NULL, &err), -EIO);
	assert_string_equal(err.msg, "cannot go on");
	assert_holds(f->file, "old");
	assert_int_equal(entries(f), 1);
}

/* A link stays a link to the file that is written. */
static void test_out_file__link_stays_a_link(void **state)
{
	struct folder *f = *state;
	struct error err;
	struct stat st;

	assert_int_equal(out_file_write(f->file, fill, "old", &err), 0);
	assert_int_equal(symlink("file", f->link), 0);
	assert_int_equal(out_file_write(f->link, fill, "new", &err), 0);
	assert_int_equal(lstat(f->link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_holds(f->file, "new");
}

/* The check finds what would fail, and leaves nothing. */
static void test_out_file__check_leaves_nothing(void **state)
{
	struct folder *f = *state;
	struct error err;

	assert_int_equal(out_file_check(f->file, &err), 0);
	assert_int_equal(entries(f), 0);
	assert_int_equal(out_file_check(f->dir, &err), -EISDIR);
	assert_int_equal(out_file_check("/nonexistent/x", &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/x"));
	assert_int_equal(out_file_check("/dev/null", &err), 0);
	assert_int_equal(out_file_check("-", &err), 0);
}

/* A device that is full is an error, at the latest when it is closed. */
static void test_out_file__full_device_is_an_error(void **state)
{
	struct error err;

	assert_int_equal(out_file_write("/dev/full", fill, "x", &err), -ENOSPC);
}

/* A link that somebody has put where the temporary goes leads nowhere, and stays. */
static void test_out_file__does_not_follow_a_planted_link(void **state)
{
	struct folder *f = *state;
	char tmp[100];
	struct error err;
	struct stat st;

	snprintf(tmp, sizeof(tmp), "%s.%d", f->file, (int)getpid());
	assert_int_equal(out_file_write(f->link, fill, "victim", &err), 0);
	assert_int_equal(symlink("link", tmp), 0);
	assert_int_equal(out_file_check(f->file, &err), -EEXIST);
	assert_int_equal(out_file_write(f->file, fill, "new", &err), -EEXIST);
	assert_non_null(strstr(err.msg, tmp));
	assert_holds(f->link, "victim");
	assert_int_equal(lstat(tmp, &st), 0);
	unlink(tmp);
	assert_int_equal(entries(f), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_out_file__writes_and_replaces, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_out_file__failure_keeps_the_old_one, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_out_file__link_stays_a_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_out_file__check_leaves_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_out_file__does_not_follow_a_planted_link,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_out_file__full_device_is_an_error, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
