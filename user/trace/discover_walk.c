// SPDX-License-Identifier: BSD-2-Clause
/*
 * The records of a walk in order, each once, and what two walks have in common: what KVM's lists
 * hold was there both times, what was met while it changed was not. Pure.
 */
#include "discover.h"

#include <stdlib.h>
#include <string.h>

/* What is the same at every look at the same thing comes first in a record. */
#define RECORD_FIXED offsetof(struct discover_record, waiters)

/* By process and descriptor, as a user would list them; the rest in any order that is one. */
static int compare_records(const void *a, const void *b)
{
	const struct discover_record *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->tgid != y->tgid)
		return x->tgid < y->tgid ? -1 : 1;
	if (x->fd != y->fd)
		return x->fd < y->fd ? -1 : 1;
	return memcmp(a, b, RECORD_FIXED);
}

void walk_sort(struct walk *w)
{
	uint32_t i, n = 0;

	if (w->n)
		qsort(w->record, w->n, sizeof(w->record[0]), compare_records);
	for (i = 0; i < w->n; i++)
		if (!n || compare_records(&w->record[n - 1], &w->record[i]))
			w->record[n++] = w->record[i];
	w->n = n;
}

/* Those that have to be met twice. They sort before the descriptors. */
static uint32_t registrations(const struct walk *w)
{
	uint32_t n = 0;

	while (n < w->n && w->record[n].kind != DISCOVER_EVENTFD)
		n++;
	return n;
}

bool walk_same(const struct walk *a, const struct walk *b)
{
	uint32_t i, n = registrations(a);

	if (a->out.torn || b->out.torn || registrations(b) != n)
		return false;
	for (i = 0; i < n; i++)
		if (compare_records(&a->record[i], &b->record[i]))
			return false;
	return true;
}

void walk_intersect(struct walk *w, const struct walk *before)
{
	uint32_t i, n = 0;

	for (i = 0; i < w->n; i++)
		if (w->record[i].kind == DISCOVER_EVENTFD ||
		    (before->n && bsearch(&w->record[i], before->record, before->n,
					  sizeof(w->record[0]), compare_records)))
			w->record[n++] = w->record[i];
	w->n = n;
}

void walk_release(struct walk *w)
{
	free(w->record);
	memset(w, 0, sizeof(*w));
}
