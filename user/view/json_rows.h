/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of a report's tables as JSON objects: new references. Main thread. */
#ifndef HANDOFF_VIEW_JSON_ROWS_H
#define HANDOFF_VIEW_JSON_ROWS_H

#include <stdbool.h>
#include <jansson.h>

struct hist;
struct report_alarm;
struct report_loop;
struct report_queue;
struct report_stage;
struct report_vcpu;

/* [le_ns, n] of each bucket that holds any. */
json_t *json_hist(const struct hist *h);
/* All ten. */
json_t *json_stages(const struct report_stage *stages, bool with_hist);
json_t *json_queue(const struct report_queue *q);
json_t *json_loop(const struct report_loop *l);
json_t *json_vcpu(const struct report_vcpu *v);
json_t *json_alarm(const struct report_alarm *a);

#endif
