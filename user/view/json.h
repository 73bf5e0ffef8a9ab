/* SPDX-License-Identifier: BSD-2-Clause */
/* The JSON documents before they are printed. */
#ifndef HANDOFF_VIEW_JSON_H
#define HANDOFF_VIEW_JSON_H

#include <jansson.h>

struct report;

/* New reference, or NULL when memory is exhausted. */
json_t *view_json_document(const struct report *r);
json_t *view_json_reports(const struct report *const *report, size_t n);

#endif
