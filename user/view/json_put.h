/* SPDX-License-Identifier: BSD-2-Clause */
/* A key and its value put into a JSON object; a figure without evidence is null. Main thread. */
#ifndef HANDOFF_VIEW_JSON_PUT_H
#define HANDOFF_VIEW_JSON_PUT_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include <abi/model.h>

void json_put_uint(json_t *to, const char *key, uint64_t value);
/* null when nobody knows. */
void json_put_known(json_t *to, const char *key, bool known, uint64_t value);
void json_put_share(json_t *to, const char *key, bool known, uint64_t part, uint64_t whole);
/* Bytes that are no UTF-8 become "?". */
void json_put_text(json_t *to, const char *key, const char *value);
/* What there is to say, or null. */
void json_put_reason(json_t *to, const char *key, const char *reason);
/* "KEY_evidence", and "KEY_reason" if `reason` is not NULL. */
void json_put_evidence(json_t *to, const char *key, enum evidence evidence, const char *reason);

#endif
