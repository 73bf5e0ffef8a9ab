// SPDX-License-Identifier: BSD-2-Clause
/* A guest's panic line: see panic_watch.h. BQL. Neighbour: power_board.c. */
#include "panic_watch.h"

#include <stddef.h>

/* kernel/panic.c, panic(); time stamps or an unfinished line of a program may stand before it. */
static const char marker[] = "Kernel panic - not syncing:";

#define MARKER_LEN (sizeof(marker) - 1)

/* The marker's first byte does not come again in it, so a mismatch starts afresh. */
static void match(struct panic_watch *w, uint8_t byte)
{
	if (byte == (uint8_t)marker[w->matched])
		w->matched++;
	else
		w->matched = byte == (uint8_t)marker[0];
}

static void keep(struct panic_watch *w, uint8_t byte)
{
	bool first = !w->len;

	if ((first && byte == ' ') || byte == '\r' || w->len == PANIC_LINE_BYTES)
		return;
	w->text[w->len++] = (char)(byte < ' ' || byte > '~' ? '?' : byte);
}

bool panic_watch_put(struct panic_watch *w, uint8_t byte)
{
	if (w->found)
		return false;
	if (w->matched < MARKER_LEN) {
		match(w, byte);
		return false;
	}
	if (byte == '\n') {
		w->found = true;
		return true;
	}
	keep(w, byte);
	return false;
}

const char *panic_watch_reason(const struct panic_watch *w)
{
	return w->matched == MARKER_LEN ? w->text : NULL;
}
