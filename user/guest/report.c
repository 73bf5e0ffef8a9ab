// SPDX-License-Identifier: BSD-2-Clause
/*
 * The two lines the guest says: ready, and the result, key=value words that `handoff run` reads.
 * Cycles always; times in ns where the TSC's frequency is known.
 */
#include "load.h"

/* Buckets are up to 12.5 % wide: within one, values are taken as evenly spread. */
static uint64_t percentile(const struct hist *h, uint32_t percent)
{
	uint64_t rank = (h->count * percent + 99) / 100, below = 0, low, high, part;
	uint32_t i = 0;

	if (!h->count)
		return 0;
	while (below + h->bucket[i] < rank)
		below += h->bucket[i++];
	high = MIN(hist_upper(i), h->max_ns);
	low = i ? hist_upper(i - 1) + 1 : 0;
	low = MIN(MAX(low, h->min_ns), high);
	if (__builtin_mul_overflow(high - low, rank - below, &part))
		return high;
	return low + part / h->bucket[i];
}

static void add_time(struct line *line, const struct load *load, const char *name, uint64_t cycles)
{
	if (load->clock->khz)
		line_add(line, " %s_ns=%lu", name, clock_ns(load->clock, cycles));
	line_add(line, " %s_cycles=%lu", name, cycles);
}

static void add_latency(struct line *line, const struct load *load)
{
	const struct hist *h = &load->tally.latency;

	add_time(line, load, "lat_min", h->count ? h->min_ns : 0);
	add_time(line, load, "lat_p50", percentile(h, 50));
	add_time(line, load, "lat_p90", percentile(h, 90));
	add_time(line, load, "lat_p99", percentile(h, 99));
	add_time(line, load, "lat_max", h->max_ns);
	add_time(line, load, "lat_mean", h->count ? h->sum_ns / h->count : 0);
}

/* Both tallies: what a ring does wrong while data is verified is wrong as well. */
static uint64_t ring_errors(const struct load *load)
{
	const struct tally *a = &load->tally, *b = &load->verify_tally;

	return a->bad_status + a->bad_ids + a->bad_lengths + b->bad_status + b->bad_ids +
	       b->bad_lengths;
}

static uint64_t io_errors(const struct load *load)
{
	const struct tally *a = &load->tally, *b = &load->verify_tally;

	return a->io_errors + a->unsupported + b->io_errors + b->unsupported;
}

static uint64_t completed(const struct tally *t)
{
	return t->reads + t->writes + t->flushes + t->discards + t->zeroes + t->ids;
}

static void add_requests(struct line *line, const struct load *load)
{
	const struct tally *t = &load->tally, *v = &load->verify_tally;

	line_add(line, " requests=%lu reads=%lu writes=%lu flushes=%lu discards=%lu zeroes=%lu",
		 completed(t), t->reads, t->writes, t->flushes, t->discards, t->zeroes);
	line_add(line, " bytes=%lu dropped=%lu verify_reads=%lu requests_made=%lu", t->bytes,
		 t->dropped, v->reads, completed(t) + completed(v) + t->dropped);
	line_add(line, " errors=%lu io_errors=%lu unsupported=%lu bad_status=%lu",
		 io_errors(load) + ring_errors(load), t->io_errors + v->io_errors,
		 t->unsupported + v->unsupported, t->bad_status + v->bad_status);
	line_add(line, " bad_ids=%lu bad_lengths=%lu verify_errors=%lu", t->bad_ids + v->bad_ids,
		 t->bad_lengths + v->bad_lengths, t->verify_errors + v->verify_errors);
}

static void add_kicks(struct line *line, const struct load *load)
{
	uint64_t kicks = 0, suppressed = 0;

	for (uint32_t i = 0; i < load->nr_queues; i++) {
		kicks += load->blk->vq[i].kicks;
		suppressed += load->blk->vq[i].kicks_suppressed;
	}
	line_add(line, " kicks=%lu kicks_suppressed=%lu irqs=%lu irqs_spurious=%lu", kicks,
		 suppressed, irq_devices(), load->irqs_spurious);
	line_add(line, " irqs_missed=%lu halts=%lu", load->irqs_missed, load->halts);
}

static void add_queues(struct line *line, const struct load *load)
{
	for (uint32_t i = 0; i < load->nr_queues; i++)
		line_add(line, " kicks_q%u=%lu", i, load->blk->vq[i].kicks);
	for (uint32_t i = 0; i < load->nr_queues && load->blk->dev.has_msix; i++)
		line_add(line, " irqs_q%u=%lu", i, irq_vector(load->blk->vq[i].vector));
}

void report_ready(const struct load *load, const char *id)
{
	const struct virtio_blk *blk = load->blk;

	say("ready blk=%lu queues=%u iodepth=%lu size=%u ring=%s event_idx=%u indirect=%u msix=%u "
	    "tsc_khz=%lu config=%s%s%s",
	    blk->capacity_sectors, load->nr_queues, load->words->iodepth, blk->vq[0].size,
	    blk->vq[0].packed ? "packed" : "split", blk->vq[0].event_idx ? 1 : 0,
	    blk->vq[0].tables ? 1 : 0, blk->dev.has_msix ? blk->dev.msix.entries : 0,
	    load->clock->khz, blk->dev.fn.host->ecam ? "ecam" : "ports", *id ? " id=" : "", id);
}

bool report_result(const struct load *load)
{
	static struct line line;
	const struct words *words = load->words;
	uint64_t cycles = load->last_tsc - load->start_tsc;
	uint64_t ns = clock_ns(load->clock, cycles);

	line_add(&line, "handoff-guest: result rw=%s bs=%lu queues=%u iodepth=%lu completion=%s",
		 words_rw_name(words->rw), words->bs, load->nr_queues, words->iodepth,
		 words_completion_name(words->completion));
	add_requests(&line, load);
	add_kicks(&line, load);
	line_add(&line, " stalls=%lu resets=%lu end=%s", load->stalls, load->resets,
		 load->gave_up ? "silent" : "done");
	add_time(&line, load, "runtime", cycles);
	if (ns)
		line_add(&line, " iops=%lu", completed(&load->tally) * 1000000 / MAX(ns / 1000, 1));
	add_latency(&line, load);
	/* Last: a reader with room for few words loses these. */
	add_queues(&line, load);
	line_print(&line);
	return !load->gave_up && !ring_errors(load) && !load->tally.verify_errors &&
	       !load->verify_tally.verify_errors;
}
