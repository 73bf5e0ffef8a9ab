// SPDX-License-Identifier: BSD-2-Clause
/* A key and its value put into a JSON object: see json_put.h. Main thread. */
#include "json_put.h"

#include <stdio.h>

#include <handoff/report.h>

void json_put_uint(json_t *to, const char *key, uint64_t value)
{
	json_object_set_new(to, key, json_integer((json_int_t)value));
}

void json_put_known(json_t *to, const char *key, bool known, uint64_t value)
{
	json_object_set_new(to, key, known ? json_integer((json_int_t)value) : json_null());
}

void json_put_share(json_t *to, const char *key, bool known, uint64_t part, uint64_t whole)
{
	json_object_set_new(to, key,
			    known && whole ? json_real((double)part / (double)whole) : json_null());
}

void json_put_text(json_t *to, const char *key, const char *value)
{
	json_t *text = json_string(value);

	/* The guest or a file name may have given bytes that are no UTF-8. */
	json_object_set_new(to, key, text ? text : json_string("?"));
}

void json_put_reason(json_t *to, const char *key, const char *reason)
{
	if (*reason)
		json_put_text(to, key, reason);
	else
		json_object_set_new(to, key, json_null());
}

void json_put_evidence(json_t *to, const char *key, enum evidence evidence, const char *reason)
{
	char name[48];

	snprintf(name, sizeof(name), "%s_evidence", key);
	json_put_text(to, name, evidence_name(evidence));
	if (!reason)
		return;
	snprintf(name, sizeof(name), "%s_reason", key);
	json_put_reason(to, name, reason);
}
