/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EventNotifier: an eventfd (non-blocking, close-on-exec) that is set by any thread, guest kick or
 * kernel and consumed by a loop.
 */
#ifndef HANDOFF_EVENT_NOTIFIER_H
#define HANDOFF_EVENT_NOTIFIER_H

#include <stdbool.h>
#include <handoff/compiler.h>

struct EventNotifier {
	int fd; /* -1 when released */
};

/* 0 or -errno. `active` = already set. */
int event_notifier_init(struct EventNotifier *e, bool active) MUST_CHECK;
void event_notifier_release(struct EventNotifier *e);

/* Any thread, async-signal-safe. */
void event_notifier_set(struct EventNotifier *e);

/* Clears it; true if it was set. */
bool event_notifier_test_and_clear(struct EventNotifier *e);

#endif
