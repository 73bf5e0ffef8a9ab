// SPDX-License-Identifier: BSD-2-Clause
/* The JSON documents to a stream or a file: see handoff/view.h. Main thread. Neighbour: json.c
 * makes the document of a report. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <handoff/out_file.h>
#include <handoff/report.h>
#include <handoff/view.h>

#include "json.h"

struct selection {
	const struct report *const *report;
	size_t n;
};

/* The reference is taken. */
static int dump(json_t *root, FILE *to, struct error *err)
{
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

int view_json(const struct report *r, FILE *to, struct error *err)
{
	return dump(view_json_document(r), to, err);
}

static int fill_one(void *opaque, FILE *to, struct error *err)
{
	return view_json(opaque, to, err);
}

int view_json_file(const struct report *r, const char *path, struct error *err)
{
	return out_file_write(path, fill_one, (void *)r, err);
}

json_t *view_json_reports(const struct report *const *report, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, view_json_document(report[i]));
	return json_pack("{ss so}", "schema", VIEW_REPORTS_SCHEMA, "reports", list);
}

static int fill_several(void *opaque, FILE *to, struct error *err)
{
	const struct selection *s = opaque;

	return dump(view_json_reports(s->report, s->n), to, err);
}

int view_json_reports_file(const struct report *const *report, size_t n, const char *path,
			   struct error *err)
{
	struct selection s = { report, n };

	return out_file_write(path, fill_several, &s, err);
}
