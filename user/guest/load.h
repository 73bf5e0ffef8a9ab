/* SPDX-License-Identifier: BSD-2-Clause */
/* The load engine: decides which request goes where and when, and keeps the account that report.c
 * prints. */
#ifndef GUEST_LOAD_H
#define GUEST_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "guest.h"
#include "random.h"
#include "request.h"
#include "words.h"

enum load_phase {
	PHASE_LOAD,   /* what the command line asked for */
	PHASE_SETTLE, /* after a reset: which of two contents do half-done writes have? */
	PHASE_VERIFY, /* at the end: read back every block written */
};

struct load {
	const struct words *words;
	const struct clock *clock;
	struct virtio_blk *blk;
	struct request_queue queues[BLK_MAX_QUEUES];
	uint32_t nr_queues;
	struct verify *verify; /* or NULL */
	struct random random;
	uint64_t nr_blocks; /* the span, in blocks of bs */
	enum load_phase phase;
	bool gave_up; /* the device was silent for too long */

	/* Limits and places, in cycles, blocks and requests. */
	uint64_t start_tsc;
	uint64_t end_tsc; /* ~0: no limit */
	uint64_t stall_cycles;
	uint64_t pause_cycles;
	uint64_t interval_cycles; /* between requests of a queue, by the clock */
	uint64_t progress_tsc;	  /* of the last completion, or of the first submission to an idle
				     device */
	uint64_t last_tsc;	  /* of the load's last completion */
	uint64_t next_block;	  /* sequential kinds, and PHASE_VERIFY */
	uint64_t issued;	  /* reads and writes of PHASE_LOAD */
	uint64_t writes_issued;
	bool flush_due;

	/* The account. */
	struct tally tally;
	struct tally verify_tally;
	uint64_t stalls;
	uint32_t silent_stalls; /* in a row */
	uint64_t resets;
	uint64_t halts;

	uint64_t irqs_spurious; /* woken by an interrupt, and no completion there */
	uint64_t irqs_missed;	/* completions that no interrupt announced, found by the watchdog */
};

/* Memory, queues, limits; the device is started. Dies if words and disk do not fit together. */
void load_init(struct load *load, const struct words *words, const struct clock *clock,
	       struct virtio_blk *blk);
/* The disk's serial number, 20 bytes and a zero; empty if the device has none. One request. */
void load_get_id(struct load *load, char id[BLK_ID_BYTES + 1]);
/* Runs to the end, verification included. */
void load_run(struct load *load);

/* choose.c: the next request of the phase, if it has one now for this queue. */
bool choose_request(struct load *load, struct request_queue *q, uint64_t now, struct request *out);
/* choose.c: the phase will never have another one. */
bool choose_is_over(const struct load *load, uint64_t now);
/* choose.c: a burst has ended with the completion of its last request: sets when the next one
 * begins. */
void choose_after_completions(struct load *load, struct request_queue *q, uint64_t now);
/* choose.c: the queue holds nothing back but time. */
bool choose_is_pausing(const struct load *load, const struct request_queue *q);

/* report.c. id: as load_get_id() has it, or empty. */
void report_ready(const struct load *load, const char *id);
/* False if data or the ring's rules were broken, or the device fell silent. */
bool report_result(const struct load *load);

#endif
