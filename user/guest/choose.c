// SPDX-License-Identifier: BSD-2-Clause
/*
 * What to ask the disk next: kind, block, think times, limits. Called from load.c's loop with a
 * slot free; knows nothing of rings. Think time is fio's: the queue drains, pauses, goes on. So is
 * rate_iops: the clock says when, whatever has come back; what finds no slot free is made up for.
 */
#include "load.h"

static bool is_random(uint64_t rw)
{
	return rw == RW_RANDREAD || rw == RW_RANDWRITE || rw == RW_RANDRW;
}

static enum blk_op choose_op(struct load *load)
{
	const struct words *words = load->words;

	switch (words->rw) {
	case RW_READ:
	case RW_RANDREAD:
		return BLK_IN;
	case RW_READWRITE:
	case RW_RANDRW:
		if (random_below(&load->random, 100) < words->rwmixread)
			return BLK_IN;
		break;
	default:
		break;
	}
	load->writes_issued++;
	if (words->flush && load->writes_issued % words->flush == 0)
		load->flush_due = true;
	if (words->discard && load->writes_issued % words->discard == 0)
		return BLK_DISCARD;
	if (words->zeroes && load->writes_issued % words->zeroes == 0)
		return BLK_WRITE_ZEROES;
	return BLK_OUT;
}

static uint64_t choose_block(struct load *load)
{
	uint64_t block;

	if (is_random(load->words->rw))
		block = random_below(&load->random, load->nr_blocks);
	else
		block = load->next_block;
	/* load_init() saw to it that there are more blocks than slots: an idle one comes. */
	while (load->verify && load->verify->blocks[block] & VERIFY_BUSY)
		block = block + 1 < load->nr_blocks ? block + 1 : 0;
	load->next_block = block + 1 < load->nr_blocks ? block + 1 : 0;
	return block;
}

static bool load_is_over(const struct load *load, uint64_t now)
{
	if (load->words->requests && load->issued >= load->words->requests)
		return !load->flush_due;
	return now >= load->end_tsc;
}

static bool clock_allows(struct load *load, struct request_queue *q, uint64_t now)
{
	uint64_t interval = load->interval_cycles;

	if (now < q->resume_tsc)
		return false;
	if (load->words->rate_process == RATE_POISSON)
		interval = random_exp(&load->random, interval);
	q->resume_tsc += interval;
	return true;
}

/* May this queue go on, as far as think time is concerned? */
static bool burst_allows(struct load *load, struct request_queue *q, uint64_t now)
{
	if (load->words->think == THINK_NONE || q->burst_left)
		return true;
	if (request_in_flight(q) || now < q->resume_tsc)
		return false;
	q->burst_left = load->words->burst;
	return true;
}

static bool allows(struct load *load, struct request_queue *q, uint64_t now)
{
	return load->words->rate_iops ? clock_allows(load, q, now) : burst_allows(load, q, now);
}

static bool is_thinking(const struct load *load, const struct request_queue *q)
{
	return load->phase == PHASE_LOAD && load->words->think != THINK_NONE && !q->burst_left &&
	       !request_in_flight(q);
}

bool choose_is_pausing(const struct load *load, const struct request_queue *q)
{
	return is_thinking(load, q) || (load->phase == PHASE_LOAD && load->words->rate_iops);
}

void choose_after_completions(struct load *load, struct request_queue *q, uint64_t now)
{
	uint64_t pause = load->pause_cycles;

	if (!is_thinking(load, q))
		return;
	if (load->words->think == THINK_EXP)
		pause = random_exp(&load->random, pause);
	q->resume_tsc = now + pause;
}

static bool choose_load(struct load *load, struct request_queue *q, uint64_t now,
			struct request *out)
{
	if (load_is_over(load, now) || !allows(load, q, now))
		return false;
	if (load->flush_due) {
		load->flush_due = false;
		*out = (struct request){ .op = BLK_FLUSH };
		return true;
	}
	out->op = choose_op(load);
	out->block = choose_block(load);
	load->issued++;
	if (q->burst_left)
		q->burst_left--;
	return true;
}

/* Every block of which the table knows the content, in order. */
static bool choose_verify(struct load *load, struct request *out)
{
	const struct verify *v = load->verify;

	while (load->next_block < v->nr_blocks && !(v->blocks[load->next_block] & VERIFY_STATE))
		load->next_block++;
	if (load->next_block == v->nr_blocks)
		return false;
	*out = (struct request){ .op = BLK_IN, .block = load->next_block++ };
	return true;
}

bool choose_request(struct load *load, struct request_queue *q, uint64_t now, struct request *out)
{
	switch (load->phase) {
	case PHASE_LOAD:
		return choose_load(load, q, now, out);
	case PHASE_VERIFY:
		return choose_verify(load, out);
	default:
		return false;
	}
}

bool choose_is_over(const struct load *load, uint64_t now)
{
	switch (load->phase) {
	case PHASE_LOAD:
		return load_is_over(load, now);
	case PHASE_VERIFY:
		return load->next_block == load->nr_blocks;
	default:
		return true;
	}
}
