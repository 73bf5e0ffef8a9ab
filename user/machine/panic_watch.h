/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds the line with which Linux panics among what a guest prints on its serial port, for guests
 * without a pvpanic driver. It is a hint, no proof: whoever may write to the console can print such
 * a line. BQL.
 */
#ifndef MACHINE_PANIC_WATCH_H
#define MACHINE_PANIC_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#define PANIC_LINE_BYTES 200 /* more is cut off */

/* Caller's memory, zeroes at first; fields private to panic_watch.c. */
struct panic_watch {
	unsigned int matched; /* bytes of the marker, or all of it: its line is being kept */
	unsigned int len;
	bool found;
	char text[PANIC_LINE_BYTES + 1];
};

/* A byte of the console. True once: when it ended the first line that tells of a panic. */
bool panic_watch_put(struct panic_watch *w, uint8_t byte);
/*
 * What that line says of the reason, "sysrq triggered crash", without the marker and with control
 * characters replaced; empty if it says nothing, NULL if there was no such line.
 */
const char *panic_watch_reason(const struct panic_watch *w);

#endif
