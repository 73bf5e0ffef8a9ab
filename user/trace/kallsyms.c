// SPDX-License-Identifier: BSD-2-Clause
/* See kallsyms.h: one text block, one sorted array of addresses that point into it. */
#include "kallsyms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct kernel_symbol {
	uint64_t addr;
	uint32_t name; /* offset into text: name, NUL, module, NUL */
};

struct kallsyms {
	uint32_t n, room;
	struct kernel_symbol *symbol;
	char *text;
	size_t used, text_room;
};

static int push_text(struct kallsyms *k, const char *s)
{
	size_t len = strlen(s) + 1, room = k->text_room ? k->text_room * 2 : 1 << 20;
	char *p;

	if (k->used + len > k->text_room) {
		p = realloc(k->text, room);
		if (!p)
			return -ENOMEM;
		k->text = p;
		k->text_room = room;
	}
	memcpy(k->text + k->used, s, len);
	k->used += len;
	return 0;
}

static int push(struct kallsyms *k, uint64_t addr, const char *name, const char *module)
{
	uint32_t room = k->room ? k->room * 2 : 1 << 15;
	struct kernel_symbol *p;

	if (k->n == k->room) {
		p = reallocarray(k->symbol, room, sizeof(*p));
		if (!p)
			return -ENOMEM;
		k->symbol = p;
		k->room = room;
	}
	k->symbol[k->n] = (struct kernel_symbol){ .addr = addr, .name = k->used };
	if (push_text(k, name) || push_text(k, module))
		return -ENOMEM;
	k->n++;
	return 0;
}

/* By address; of several names for one the first in the file, which is the first in text. */
static int compare(const void *a, const void *b)
{
	const struct kernel_symbol *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

struct kallsyms *kallsyms_parse(FILE *from, char why[REPORT_TEXT])
{
	struct kallsyms *k = calloc(1, sizeof(*k));
	char line[512], name[256], module[128], kind;
	unsigned long long addr, any = 0;
	int ret = k ? 0 : -ENOMEM;

	while (!ret && fgets(line, sizeof(line), from)) {
		module[0] = '\0';
		if (sscanf(line, "%llx %c %255s [%127[^]]]", &addr, &kind, name, module) < 3 ||
		    !strchr("tTwW", kind))
			continue;
		any |= addr;
		ret = push(k, addr, name, module);
	}
	if (!ret && any) {
		qsort(k->symbol, k->n, sizeof(*k->symbol), compare);
		return k;
	}
	snprintf(why, REPORT_TEXT,
		 ret ? "out of memory"
		     : "the kernel hides its addresses: needs CAP_SYSLOG (kernel.kptr_restrict)");
	kallsyms_free(k);
	return NULL;
}

struct kallsyms *kallsyms_new(char why[REPORT_TEXT])
{
	FILE *f = fopen("/proc/kallsyms", "re");
	struct kallsyms *k;

	if (!f) {
		snprintf(why, REPORT_TEXT, "/proc/kallsyms: %m");
		return NULL;
	}
	k = kallsyms_parse(f, why);
	fclose(f);
	return k;
}

void kallsyms_free(struct kallsyms *k)
{
	if (!k)
		return;
	free(k->symbol);
	free(k->text);
	free(k);
}

/* The last symbol at or below addr, of several at its address the first; NULL. */
static const struct kernel_symbol *find(const struct kallsyms *k, uint64_t addr)
{
	uint32_t low = 0, high = k->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (k->symbol[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return NULL;
	low--;
	while (low && k->symbol[low - 1].addr == k->symbol[low].addr)
		low--;
	return &k->symbol[low];
}

bool kallsyms_name(const struct kallsyms *k, uint64_t addr, bool with_offset, char *buf,
		   size_t size)
{
	const struct kernel_symbol *s = k ? find(k, addr) : NULL;
	const char *name, *module;
	char offset[32] = "";

	if (!s) {
		snprintf(buf, size, "0x%llx", (unsigned long long)addr);
		return false;
	}
	name = k->text + s->name;
	module = name + strlen(name) + 1;
	if (with_offset)
		snprintf(offset, sizeof(offset), "+0x%llx", (unsigned long long)(addr - s->addr));
	snprintf(buf, size, "%s%s%s%s%s", name, offset, *module ? " [" : "", module,
		 *module ? "]" : "");
	return true;
}
