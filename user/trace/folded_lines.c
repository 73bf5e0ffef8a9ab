// SPDX-License-Identifier: BSD-2-Clause
/* See folded.h: lines in a tree (tsearch), so that each is there once. */
#include "folded.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct folded_line {
	uint32_t tid;
	uint64_t ns;
	char text[];
};

struct folded_lines {
	void *root;
	uint32_t n;
};

static const char no_room[] = "[more different stacks than there is room for]";

static int compare(const void *a, const void *b)
{
	const struct folded_line *x = a, *y = b;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	return strcmp(x->text, y->text);
}

struct folded_lines *folded_lines_new(void)
{
	return calloc(1, sizeof(struct folded_lines));
}

void folded_lines_free(struct folded_lines *l)
{
	if (!l)
		return;
	tdestroy(l->root, free);
	free(l);
}

/* There, or new if there is room below `max`. */
static struct folded_line *line_of(struct folded_lines *l, uint32_t tid, const char *text,
				   uint32_t max)
{
	size_t size = strlen(text) + 1;
	struct folded_line *line = malloc(sizeof(*line) + size), **found;

	if (!line)
		return NULL;
	line->tid = tid;
	line->ns = 0;
	memcpy(line->text, text, size);
	found = l->n < max ? tsearch(line, &l->root, compare) : tfind(line, &l->root, compare);
	if (found && *found == line) {
		l->n++;
		return line;
	}
	free(line);
	return found ? *found : NULL;
}

bool folded_lines_add(struct folded_lines *l, uint32_t tid, const char *text, uint64_t ns)
{
	struct folded_line *line = line_of(l, tid, text, FOLDED_LINES);

	if (!line)
		line = line_of(l, tid, no_room, FOLDED_LINES + FOLD_THREADS);
	if (line)
		line->ns += ns;
	return line;
}

struct visit {
	void (*tell)(void *opaque, uint32_t tid, const char *text, uint64_t ns);
	void *opaque;
};

static void visit_line(const void *node, VISIT when, void *closure)
{
	const struct folded_line *line = *(const struct folded_line *const *)node;
	const struct visit *v = closure;

	if (when == postorder || when == leaf)
		v->tell(v->opaque, line->tid, line->text, line->ns);
}

void folded_lines_each(const struct folded_lines *l,
		       void (*tell)(void *opaque, uint32_t tid, const char *text, uint64_t ns),
		       void *opaque)
{
	struct visit v = { tell, opaque };

	twalk_r(l->root, visit_line, &v);
}

void folded_text_add(struct folded_text *t, const char *frame)
{
	size_t size = strlen(frame), i;
	char *at = t->text + t->used;

	if (!size || t->used + size + 2 > sizeof(t->text))
		return;
	if (t->used)
		*at++ = ';';
	for (i = 0; i < size; i++) {
		at[i] = frame[i] == ';' ? ':' : frame[i];
		if (at[i] < ' ' && at[i] >= 0)
			at[i] = '?';
	}
	at[size] = '\0';
	t->used = at + size - t->text;
}
