/* SPDX-License-Identifier: BSD-2-Clause */
/* Pieces of documents, the caller's references. Main thread. */
#ifndef TUNE_JSON_H
#define TUNE_JSON_H

#include <jansson.h>
#include <handoff/advisor.h>

json_t *json_of_point(const struct advice_point *p);
/* Of what is not known: that, and why. */
json_t *json_of_observed(const struct advice_observed *o);

#endif
