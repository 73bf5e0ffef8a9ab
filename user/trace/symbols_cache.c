// SPDX-License-Identifier: BSD-2-Clause
/* See symbols_cache.h. */
#include "symbols_cache.h"

#include <stdio.h>
#include <string.h>

/* Field 22 of /proc/PID/stat, which tells it from all that had its number before (proc(5)); 0:
 * there is none. */
static uint64_t start_of(pid_t pid)
{
	unsigned long long start = 0;
	char path[64], text[1024], *at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	at = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL; /* its name may hold any */
	fclose(f);
	if (!at || sscanf(at + 1,
			  " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			  "%*d %*d %llu",
			  &start) != 1)
		return 0;
	return start;
}

struct symbols *symbols_cache_of(struct symbols_cache *c, pid_t pid)
{
	struct cached_symbols *p;
	char why[REPORT_TEXT];

	for (p = c->process; p < c->process + c->n; p++)
		if (p->pid == pid)
			return p->symbols;
	if (c->n == SYMBOLS_CACHED)
		return NULL;
	p->pid = pid;
	/* Before what it has mapped is read: if its number changes hands meanwhile, it shows. */
	p->start = start_of(pid);
	p->symbols = symbols_new(pid, why);
	c->n++;
	return p->symbols;
}

void symbols_cache_refresh(struct symbols_cache *c)
{
	bool full = c->n == SYMBOLS_CACHED;
	uint64_t start;
	uint32_t i = 0;

	while (i < c->n) {
		start = start_of(c->process[i].pid);
		if (start ? start == c->process[i].start : !full) {
			i++;
			continue;
		}
		symbols_free(c->process[i].symbols);
		c->process[i] = c->process[--c->n];
	}
}

void symbols_cache_release(struct symbols_cache *c)
{
	while (c->n)
		symbols_free(c->process[--c->n].symbols);
}
