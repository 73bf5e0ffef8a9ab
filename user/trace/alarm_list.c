// SPDX-License-Identifier: BSD-2-Clause
/* See alarm_list.h. */
#include "alarm_list.h"

#include <string.h>

bool alarm_key_same(const struct alarm_key *a, const struct alarm_key *b)
{
	return a->kind == b->kind && a->row == b->row && a->tid == b->tid && a->id == b->id &&
	       a->ctx == b->ctx;
}

static struct alarm_entry *find_active(struct alarm_list *l, const struct alarm_key *key)
{
	uint32_t i;

	for (i = 0; i < l->n; i++)
		if (l->entry[i].active && alarm_key_same(&l->entry[i].key, key))
			return &l->entry[i];
	return NULL;
}

static struct alarm_unkept *find_unkept(struct alarm_list *l, const struct alarm_key *key)
{
	uint32_t i;

	for (i = 0; i < l->n_unkept; i++)
		if (alarm_key_same(&l->unkept[i].key, key))
			return &l->unkept[i];
	return NULL;
}

/* They stay in the order in which they came. */
static void drop_oldest_over(struct alarm_list *l)
{
	uint32_t i;

	for (i = 0; i < l->n && l->entry[i].active; i++)
		;
	if (i == l->n)
		return;
	l->n--;
	memmove(&l->entry[i], &l->entry[i + 1], (l->n - i) * sizeof(l->entry[0]));
}

static void count_only(struct alarm_list *l, const struct alarm_key *key, uint32_t check)
{
	struct alarm_unkept *u = find_unkept(l, key);

	if (!u) {
		if (l->n_unkept == ALARM_UNKEPT)
			return;
		u = &l->unkept[l->n_unkept++];
		u->key = *key;
		l->total++;
	}
	u->seen = check;
}

struct alarm_entry *alarm_list_raise(struct alarm_list *l, const struct alarm_key *key,
				     uint32_t check)
{
	struct alarm_entry *e = find_active(l, key);
	struct alarm_unkept *u;

	if (e) {
		e->seen = check;
		return e;
	}
	if (l->n == REPORT_ALARMS)
		drop_oldest_over(l);
	if (l->n == REPORT_ALARMS) {
		count_only(l, key, check);
		return NULL;
	}
	u = find_unkept(l, key);
	if (u)
		*u = l->unkept[--l->n_unkept]; /* counted already */
	else
		l->total++;
	e = &l->entry[l->n++];
	*e = (struct alarm_entry){ .key = *key, .active = true, .seen = check };
	e->a.kind = key->kind;
	return e;
}

void alarm_list_hold(struct alarm_list *l, const struct alarm_key *key, uint32_t check)
{
	struct alarm_entry *e = find_active(l, key);
	struct alarm_unkept *u = find_unkept(l, key);

	if (e)
		e->seen = check;
	if (u)
		u->seen = check;
}

void alarm_list_end(struct alarm_list *l, uint32_t check)
{
	uint32_t i, n = 0;

	for (i = 0; i < l->n; i++) {
		if (!l->entry[i].active || l->entry[i].seen == check)
			continue;
		l->entry[i].active = false;
		l->entry[i].a.over = true;
	}
	for (i = 0; i < l->n_unkept; i++)
		if (l->unkept[i].seen == check)
			l->unkept[n++] = l->unkept[i];
	l->n_unkept = n;
}

void alarm_list_put(const struct alarm_list *l, struct report *r)
{
	uint32_t i;

	r->n_alarms = l->n;
	r->alarms_total = l->total;
	for (i = 0; i < l->n; i++)
		r->alarm[i] = l->entry[i].a;
}
