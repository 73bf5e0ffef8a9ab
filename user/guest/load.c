// SPDX-License-Identifier: BSD-2-Clause
/*
 * The loop of the load: reap, fill, kick, and spin or halt when there is nothing to do. Also device
 * resets under load and the watch over silence. One flow of control at CPL 3; interrupts only count
 * (vectors.S).
 */
#include "load.h"

#define NSEC_PER_SEC	  1000000000ull
#define STALL_NS	  (10 * NSEC_PER_SEC)
#define STALLS_TO_GIVE_UP 3
#define LATE_IRQ_NS	  1000000
/* Cycles a nanosecond when nobody knows the frequency; only the watch over silence uses it. */
#define GUESSED_CYCLES	  2

/* Bytes of one data segment: bs split as the words say, or finer if the device's segments are
 * smaller. */
static uint32_t choose_segment_bytes(const struct words *words, const struct virtio_blk *blk)
{
	uint64_t bytes = ROUND_UP(words->bs / words->segs, SECTOR_BYTES), n;

	if (blk->size_max && bytes > blk->size_max)
		bytes = ROUND_DOWN(blk->size_max, SECTOR_BYTES);
	if (!bytes)
		die(GUEST_EXIT_DEVICE, "the disk's size_max is %u", blk->size_max);
	n = ROUND_UP(words->bs, bytes) / bytes;
	if (n > BLK_MAX_DATA_SEGMENTS || (blk->seg_max && n > blk->seg_max))
		die(GUEST_EXIT_USAGE, "bs=%lu takes %lu segments; the disk's seg_max is %u",
		    words->bs, n, blk->seg_max);
	return (uint32_t)bytes;
}

static void init_queue(struct load *load, uint32_t i, uint32_t segment_bytes)
{
	const struct words *words = load->words;
	struct request_queue *q = &load->queues[i];

	q->vq = &load->blk->vq[i];
	q->verify = load->verify;
	q->tally = &load->tally;
	if (words->iodepth > virtq_slots(q->vq))
		die(GUEST_EXIT_USAGE,
		    "iodepth=%lu: queue %u has %u entries, room for %u requests of %u "
		    "descriptors%s",
		    words->iodepth, i, q->vq->size, virtq_slots(q->vq), q->vq->stride,
		    words->indirect ? "" : "; indirect=1 makes it one each");
	request_queue_init(q, (uint32_t)words->iodepth, (uint32_t)words->bs, segment_bytes);
}

static void judge_words(const struct words *words, const struct virtio_blk *blk)
{
	bool writes = words->rw != RW_READ && words->rw != RW_RANDREAD;

	if (words->bs % blk->block_bytes)
		die(GUEST_EXIT_USAGE, "bs=%lu: the disk's blocks have %u bytes", words->bs,
		    blk->block_bytes);
	if (writes && blk->read_only)
		die(GUEST_EXIT_USAGE, "rw=%s: the disk is read-only", words_rw_name(words->rw));
	if (words->flush && !blk->has_flush)
		die(GUEST_EXIT_USAGE, "flush=%lu: the disk does not offer it", words->flush);
	if (words->discard && !blk->has_discard)
		die(GUEST_EXIT_USAGE, "discard=%lu: the disk does not offer it", words->discard);
	if (words->zeroes && !blk->has_zeroes)
		die(GUEST_EXIT_USAGE, "zeroes=%lu: the disk does not offer it", words->zeroes);
	if (words->queues > blk->nr_device_queues)
		die(GUEST_EXIT_USAGE, "queues=%lu: the disk has %u", words->queues,
		    blk->nr_device_queues);
}

static void init_limits(struct load *load)
{
	const struct words *words = load->words;
	uint64_t capacity = load->blk->capacity_sectors * SECTOR_BYTES;

	if (words->size > capacity)
		die(GUEST_EXIT_USAGE, "size=%lu: the disk has %lu bytes", words->size, capacity);
	load->nr_blocks = (words->size ? words->size : capacity) / words->bs;
	if (!load->nr_blocks)
		die(GUEST_EXIT_USAGE, "no block of bs=%lu fits into %lu bytes", words->bs,
		    words->size ? words->size : capacity);
	if (!load->clock->khz &&
	    (words->runtime_ns || words->think != THINK_NONE || words->rate_iops))
		die(GUEST_EXIT_USAGE, "runtime=, thinktime= and rate_iops= need the TSC's "
				      "frequency, which nobody told: give tsc_khz=, or requests= "
				      "alone");
	if (words->rate_iops)
		load->interval_cycles = clock_cycles(load->clock, NSEC_PER_SEC / words->rate_iops);
	load->pause_cycles = clock_cycles(load->clock, words->pause_ns);
	load->stall_cycles =
		load->clock->khz ? clock_cycles(load->clock, STALL_NS) : STALL_NS * GUESSED_CYCLES;
}

void load_init(struct load *load, const struct words *words, const struct clock *clock,
	       struct virtio_blk *blk)
{
	uint32_t segment_bytes;

	load->words = words;
	load->clock = clock;
	load->blk = blk;
	load->random.state = words->seed;
	judge_words(words, blk);
	init_limits(load);
	load->nr_queues = (uint32_t)words->queues;
	if (!load->nr_queues)
		load->nr_queues = MIN(blk->nr_device_queues, BLK_MAX_QUEUES);
	if (words->verify) {
		if (load->nr_blocks <= load->nr_queues * words->iodepth)
			die(GUEST_EXIT_USAGE, "verify=: %lu blocks are too few for %lu in flight",
			    load->nr_blocks, load->nr_queues * words->iodepth);
		load->verify = memory_alloc(sizeof(*load->verify), 64, "verify=");
		verify_init(load->verify, load->nr_blocks, (uint32_t)words->bs, words->seed);
	}
	segment_bytes = choose_segment_bytes(words, blk);
	virtio_blk_start(blk, load->nr_queues,
			 (uint32_t)(ROUND_UP(words->bs, segment_bytes) / segment_bytes));
	for (uint32_t i = 0; i < load->nr_queues; i++)
		init_queue(load, i, segment_bytes);
	if (words->completion != COMPLETION_POLL)
		lapic_watchdog_start();
}

static uint32_t in_flight(const struct load *load)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < load->nr_queues; i++)
		n += request_in_flight(&load->queues[i]);
	return n;
}

static uint32_t reap_all(struct load *load, uint64_t now)
{
	uint32_t n, total = 0;

	for (uint32_t i = 0; i < load->nr_queues; i++) {
		n = request_reap(&load->queues[i]);
		if (n)
			choose_after_completions(load, &load->queues[i], now);
		total += n;
	}
	if (total) {
		load->progress_tsc = now;
		load->silent_stalls = 0;

		if (load->phase == PHASE_LOAD)
			load->last_tsc = now;
	}
	return total;
}

static uint32_t fill_all(struct load *load, uint64_t now)
{
	struct request request;
	uint32_t total = 0;
	bool was_idle = !in_flight(load);

	for (uint32_t i = 0; i < load->nr_queues; i++) {
		struct request_queue *q = &load->queues[i];
		uint32_t n = 0;

		while (q->nr_free && choose_request(load, q, now, &request)) {
			request_add(q, &request);
			n++;
		}
		if (n)
			request_publish(q);
		total += n;
	}
	if (total && was_idle)
		load->progress_tsc = now;
	return total;
}

static bool any_used(const struct load *load)
{
	for (uint32_t i = 0; i < load->nr_queues; i++) {
		if (virtq_has_used(load->queues[i].vq))
			return true;
	}
	return false;
}

/* Woken by the watchdog with a completion waiting: its interrupt may still be under way for a
 * moment. */
static void judge_late_irq(struct load *load, uint64_t devices)
{
	uint64_t end = rdtsc() + (load->clock->khz ? clock_cycles(load->clock, LATE_IRQ_NS)
						   : LATE_IRQ_NS * GUESSED_CYCLES);

	while (irq_devices() == devices) {
		if (rdtsc() > end) {
			load->irqs_missed++;
			return;
		}
		cpu_relax();
	}
}

/*
 *   mark = interrupts so far
 *   wish for interrupts; fence		<-> the device: used.idx; fence; is an interrupt wanted?
 *   used ring empty?			    it has seen the wish, or we see its entry
 *   halt unless an interrupt came since mark, checked with interrupts off
 */
static void sleep_until_irq(struct load *load)
{
	uint64_t mark = irq_mark(), devices = irq_devices(), timer = irq_timer();

	for (uint32_t i = 0; i < load->nr_queues; i++)
		virtq_irq_arm(load->queues[i].vq);
	if (!any_used(load)) {
		load->halts++;
		irq_wait(mark);
		load->irqs_spurious += irq_devices() != devices && !any_used(load);
	}
	for (uint32_t i = 0; i < load->nr_queues; i++)
		virtq_irq_disarm(load->queues[i].vq);
	if (irq_timer() != timer && irq_devices() == devices && any_used(load))
		judge_late_irq(load, devices);
}

static void idle(struct load *load, uint64_t now)
{
	bool may_halt = load->words->completion != COMPLETION_POLL && in_flight(load);

	for (uint32_t i = 0; may_halt && i < load->nr_queues; i++) {
		const struct request_queue *q = &load->queues[i];

		may_halt = !choose_is_pausing(load, q);
		if (load->words->completion == COMPLETION_MIXED)
			may_halt = may_halt && !q->burst_left;
	}
	if (in_flight(load) && now - load->progress_tsc > load->stall_cycles &&
	    now > load->progress_tsc) {
		load->stalls++;
		load->progress_tsc = now;
		load->gave_up = ++load->silent_stalls == STALLS_TO_GIVE_UP;
	}
	if (may_halt)
		sleep_until_irq(load);
	else
		cpu_relax();
}

static bool reset_is_due(const struct load *load, uint64_t now)
{
	uint64_t n = load->resets + 1, parts = load->words->resets + 1;

	if (load->phase != PHASE_LOAD || load->resets == load->words->resets)
		return false;
	if (load->words->requests)
		return load->issued >= load->words->requests / parts * n;
	return now >= load->start_tsc + (load->end_tsc - load->start_tsc) / parts * n;
}

/* Until the phase has no more requests and all are back. */
static void pump(struct load *load)
{
	uint64_t now;

	load->progress_tsc = rdtsc();
	while (!load->gave_up) {
		bool progress, due;

		now = rdtsc();
		due = reset_is_due(load, now);
		progress = reap_all(load, now);
		progress |= fill_all(load, now) != 0;
		if (due && in_flight(load))
			return;
		if (progress)
			continue;
		if (!in_flight(load) && choose_is_over(load, now))
			return;
		idle(load, now);
	}
}

static void use_tally(struct load *load, struct tally *tally)
{
	for (uint32_t i = 0; i < load->nr_queues; i++)
		load->queues[i].tally = tally;
}

/* With requests in flight: what the reset drops may have reached the disk or not. */
static void reset_device(struct load *load)
{
	virtio_blk_restart(load->blk);
	load->resets++;
	for (uint32_t i = 0; i < load->nr_queues; i++)
		request_drop_all(&load->queues[i]);
	if (!load->verify)
		return;
	load->phase = PHASE_SETTLE;
	use_tally(load, &load->verify_tally);
	for (uint32_t i = 0; i < load->nr_queues; i++) {
		request_settle(&load->queues[i]);
		request_publish(&load->queues[i]);
	}
	pump(load);
	use_tally(load, &load->tally);
	load->phase = PHASE_LOAD;
}

void load_run(struct load *load)
{
	const struct words *words = load->words;

	load->start_tsc = rdtsc();
	load->last_tsc = load->start_tsc;
	load->end_tsc = ~0ull;
	if (words->runtime_ns)
		load->end_tsc = load->start_tsc + clock_cycles(load->clock, words->runtime_ns);
	for (uint32_t i = 0; i < load->nr_queues; i++)
		load->queues[i].resume_tsc = load->start_tsc;
	pump(load);
	/* pump() also returns when a reset is due, with requests in flight. */
	while (!load->gave_up && in_flight(load)) {
		reset_device(load);
		pump(load);
	}
	if (!load->verify || load->gave_up)
		return;
	load->phase = PHASE_VERIFY;
	load->next_block = 0;
	use_tally(load, &load->verify_tally);
	pump(load);
}

void load_get_id(struct load *load, char id[BLK_ID_BYTES + 1])
{
	struct request_queue *q = &load->queues[0];
	struct request request = { .op = BLK_GET_ID };
	uint32_t n = q->free[q->nr_free - 1];
	uint64_t end = rdtsc() + load->stall_cycles;

	use_tally(load, &load->verify_tally);
	request_add(q, &request);
	request_publish(q);
	while (!request_reap(q)) {
		if (rdtsc() > end)
			die(GUEST_EXIT_DEVICE, "the disk does not answer GET_ID");
		cpu_relax();
	}
	use_tally(load, &load->tally);
	memcpy(id, q->data + (uint64_t)n * q->block_bytes, BLK_ID_BYTES);
	id[BLK_ID_BYTES] = 0;
}
