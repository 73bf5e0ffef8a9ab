// SPDX-License-Identifier: BSD-2-Clause
/* The JSON document to a stream or a file: see handoff/view.h. Main thread. Neighbour: json.c makes
 * the document. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <handoff/report.h>
#include <handoff/view.h>

#include "json.h"

int view_json(const struct report *r, FILE *to, struct error *err)
{
	json_t *root = view_json_document(r);
	int ret = 0;

	if (!root)
		return error_set(err, -ENOMEM, "out of memory");
	errno = 0;
	if (json_dumpf(root, to, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) ||
	    fputc('\n', to) == EOF || fflush(to))
		ret = error_set(err, errno ? -errno : -EIO, "cannot write the report: %s",
				strerror(errno ? errno : EIO));
	json_decref(root);
	return ret;
}

/* Devices and pipes cannot be renamed over: /dev/stderr, /dev/null, a fifo. */
static bool is_written_in_place(const char *path)
{
	struct stat st;

	return !stat(path, &st) && !S_ISREG(st.st_mode);
}

/* The file behind `path`, whose links stay links, and the temporary beside it; both to be freed. */
static int json_names(const char *path, char **target, char **tmp, struct error *err)
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

int view_json_check(const char *path, struct error *err)
{
	char *target, *tmp;
	int fd, ret;

	if (!strcmp(path, "-"))
		return 0;
	if (is_written_in_place(path)) {
		struct stat st;

		if (!stat(path, &st) && S_ISDIR(st.st_mode))
			return error_set(err, -EISDIR, "%s: %s", path, strerror(EISDIR));
		return access(path, W_OK) ? error_set(err, -errno, "%s: %s", path, strerror(errno))
					  : 0;
	}
	ret = json_names(path, &target, &tmp, err);
	if (ret)
		return ret;
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		ret = error_set(err, -errno, "%s: %s", path, strerror(errno));
	} else {
		close(fd);
		unlink(tmp);
	}
	free(target);
	free(tmp);
	return ret;
}

static int json_in_place(const struct report *r, const char *path, struct error *err)
{
	FILE *f = fopen(path, "w");
	int ret =
		f ? view_json(r, f, err) : error_set(err, -errno, "%s: %s", path, strerror(errno));

	if (f && fclose(f) && !ret)
		ret = error_set(err, -errno, "%s: %s", path, strerror(errno));
	return ret;
}

int view_json_file(const struct report *r, const char *path, struct error *err)
{
	char *target, *tmp;
	int ret;

	if (!strcmp(path, "-"))
		return view_json(r, stdout, err);
	if (is_written_in_place(path))
		return json_in_place(r, path, err);
	ret = json_names(path, &target, &tmp, err);
	if (ret)
		return ret;
	ret = json_in_place(r, tmp, err);
	if (!ret && rename(tmp, target))
		ret = error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (ret)
		unlink(tmp);
	free(target);
	free(tmp);
	return ret;
}
