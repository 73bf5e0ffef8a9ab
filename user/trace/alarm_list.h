/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of alarms: raised once, kept up while checks confirm them, over when one does not, and
 * kept after that until another needs the room. Pure. One thread at a time.
 */
#ifndef TRACE_ALARM_LIST_H
#define TRACE_ALARM_LIST_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/report.h>

/* What an alarm is about: while it lasts there is one of each. */
struct alarm_key {
	enum report_alarm_kind kind;
	uint32_t row; /* stuck: of the queue */
	uint32_t tid; /* spinning */
	uint32_t id;  /* of the eventfd */
	uint64_t ctx;
};

bool alarm_key_same(const struct alarm_key *a, const struct alarm_key *b);

struct alarm_entry {
	struct alarm_key key;
	bool active;
	uint32_t seen;	  /* check it was last confirmed at */
	uint64_t pc, sp;  /* where the thread's stack was taken */
	int64_t since_ns; /* CLOCK_MONOTONIC; 0 = not known yet */
	struct report_alarm a;
};

/* An alarm that lasts while there is no room for it: known so that it is counted once. */
struct alarm_unkept {
	struct alarm_key key;
	uint32_t seen;
};

#define ALARM_UNKEPT 128 /* what does not even fit here is not counted */

struct alarm_list {
	uint32_t n, n_unkept;
	uint64_t total; /* raised so far, each once */
	struct alarm_entry entry[REPORT_ALARMS];
	struct alarm_unkept unkept[ALARM_UNKEPT];
};

/* A check raises or confirms it. One that is new takes the place of the oldest that is over; NULL:
 * all last, it is only counted. */
struct alarm_entry *alarm_list_raise(struct alarm_list *l, const struct alarm_key *key,
				     uint32_t check);
/* A check cannot tell: if it is there it stays. */
void alarm_list_hold(struct alarm_list *l, const struct alarm_key *key, uint32_t check);
/* Ends the check: what it has not confirmed is over. */
void alarm_list_end(struct alarm_list *l, uint32_t check);
void alarm_list_put(const struct alarm_list *l, struct report *r);

#endif
