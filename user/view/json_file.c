// SPDX-License-Identifier: BSD-2-Clause
/* The JSON documents to a stream or a file: see handoff/view.h. Main thread. Neighbour: json.c
 * makes the document of a report. */
#include <stdio.h>

#include <handoff/out_file.h>
#include <handoff/report.h>
#include <handoff/view.h>

#include "json.h"

struct selection {
	const struct report *const *report;
	size_t n;
};

int view_json(const struct report *r, FILE *to, struct error *err)
{
	return out_json(view_json_document(r), "report", to, err);
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

	return out_json(view_json_reports(s->report, s->n), "report", to, err);
}

int view_json_reports_file(const struct report *const *report, size_t n, const char *path,
			   struct error *err)
{
	struct selection s = { report, n };

	return out_file_write(path, fill_several, &s, err);
}
