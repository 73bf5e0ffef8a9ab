// SPDX-License-Identifier: BSD-2-Clause
/* See handoff/out_file.h. */
#include <handoff/out_file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Devices and pipes cannot be renamed over: /dev/stderr, /dev/null, a fifo. */
static bool is_written_in_place(const char *path)
{
	struct stat st;

	return !stat(path, &st) && !S_ISREG(st.st_mode);
}

/* The file behind `path`, whose links stay links, and the temporary beside it; both to be freed. */
static int make_names(const char *path, char **target, char **tmp, struct error *err)
{
	*tmp = NULL;
	*target = realpath(path, NULL);
	if (!*target)
		*target = strdup(path);
	if (*target && asprintf(tmp, "%s.%d", *target, (int)getpid()) >= 0)
		return 0;
	free(*target);
	return error_set(err, -ENOMEM, "out of memory");
}

static int check_in_place(const char *path, struct error *err)
{
	struct stat st;

	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		return error_set(err, -EISDIR, "%s: %s", path, strerror(EISDIR));
	return access(path, W_OK) ? error_set(err, -errno, "%s: %s", path, strerror(errno)) : 0;
}

/* A temporary of that name is another's, or was left by one that was killed. */
static int open_failed(const char *path, const char *tmp, struct error *err)
{
	if (errno == EEXIST)
		return error_set(err, -EEXIST, "%s is in the way: remove it", tmp);
	return error_set(err, -errno, "%s: %s", path, strerror(errno));
}

int out_file_check(const char *path, struct error *err)
{
	char *target, *tmp;
	int fd, ret;

	if (!strcmp(path, "-"))
		return 0;
	if (is_written_in_place(path))
		return check_in_place(path, err);
	ret = make_names(path, &target, &tmp, err);
	if (ret)
		return ret;
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		ret = open_failed(path, tmp, err);
	} else {
		close(fd);
		unlink(tmp);
	}
	free(target);
	free(tmp);
	return ret;
}

static int fill_and_close(const char *path, FILE *f, int (*fill)(void *, FILE *, struct error *),
			  void *opaque, struct error *err)
{
	int ret = fill(opaque, f, err);

	if (fclose(f) && !ret)
		ret = error_set(err, -errno, "%s: %s", path, strerror(errno));
	return ret;
}

static int write_in_place(const char *path, int (*fill)(void *, FILE *, struct error *),
			  void *opaque, struct error *err)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	return fill_and_close(path, f, fill, opaque, err);
}

/* In a folder that others may write to, a link of theirs must not lead us elsewhere. */
static int write_beside(const char *path, const char *target, const char *tmp,
			int (*fill)(void *, FILE *, struct error *), void *opaque,
			struct error *err)
{
	FILE *f = fopen(tmp, "wxe");
	int ret;

	if (!f)
		return open_failed(path, tmp, err);
	ret = fill_and_close(path, f, fill, opaque, err);
	if (!ret && rename(tmp, target))
		ret = error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (ret)
		unlink(tmp);
	return ret;
}

int out_file_write(const char *path, int (*fill)(void *opaque, FILE *to, struct error *err),
		   void *opaque, struct error *err)
{
	char *target, *tmp;
	int ret;

	if (!strcmp(path, "-"))
		return fill(opaque, stdout, err);
	if (is_written_in_place(path))
		return write_in_place(path, fill, opaque, err);
	ret = make_names(path, &target, &tmp, err);
	if (ret)
		return ret;
	ret = write_beside(path, target, tmp, fill, opaque, err);
	free(target);
	free(tmp);
	return ret;
}

int out_json(json_t *root, const char *what, FILE *to, struct error *err)
{
	int ret = 0;

	if (!root)
		return error_set(err, -ENOMEM, "out of memory");
	errno = 0;
	if (json_dumpf(root, to, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) ||
	    fputc('\n', to) == EOF || fflush(to))
		ret = error_set(err, errno ? -errno : -EIO, "cannot write the %s: %s", what,
				strerror(errno ? errno : EIO));
	json_decref(root);
	return ret;
}
