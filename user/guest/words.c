// SPDX-License-Identifier: BSD-2-Clause
/* Command line to struct words. One table names every word, its kind and its bounds; runs once,
 * before any device. */
#include "words.h"

#include "boot.h"
#include "guest.h"
#include "virtio_blk.h"

#define DEFAULT_RUNTIME_NS 10000000000ull
/* Above any poll-max-ns in use, so that the loop that serves the disk goes to sleep in each pause.
 */
#define DEFAULT_PAUSE_NS   300000
#define DEFAULT_BURST	   200
#define DEFAULT_ECAM	   0xb0000000
/* The hole that PC boards keep below the I/O APIC; a BAR must lie below 4 GiB. */
#define DEFAULT_BARS	   0xfe000000
#define MAX_BARS	   0xff000000
#define NSEC_PER_SEC	   1000000000ull
#define MAX_RATE	   1000000

enum word_kind {
	WORD_COUNT,
	WORD_SIZE,
	WORD_SECONDS, /* a bare number counts seconds */
	WORD_CHOICE,
	WORD_THINK,
};

struct word {
	const char *name;
	enum word_kind kind;
	uint32_t offset; /* in struct words */
	uint64_t min;
	uint64_t max;
	const char *const *choices; /* WORD_CHOICE: value is the place in this list */
};

static const char *const rw_names[] = { "read",	     "write",  "randread", "randwrite",
					"readwrite", "randrw", NULL };
static const char *const verify_names[] = { "none", "crc32c", NULL };
static const char *const move_names[] = { "no", "low", "high", NULL };
static const char *const completion_names[] = { "poll", "irq", "mixed", NULL };
static const char *const process_names[] = { "linear", "poisson", NULL };

#define WORD(name, kind, min, max, choices)                                                        \
	{                                                                                          \
#name, kind, offsetof(struct words, name), min, max, choices                       \
	}

static const struct word table[] = {
	WORD(rw, WORD_CHOICE, 0, 0, rw_names),
	WORD(bs, WORD_SIZE, SECTOR_BYTES, 4 << 20, NULL),
	WORD(iodepth, WORD_COUNT, 1, VIRTQ_MAX_SIZE, NULL),
	WORD(queues, WORD_COUNT, 1, BLK_MAX_QUEUES, NULL),
	WORD(requests, WORD_SIZE, 1, UINT64_MAX, NULL),
	{ "runtime", WORD_SECONDS, offsetof(struct words, runtime_ns), 1, UINT64_MAX, NULL },
	{ "startdelay", WORD_SECONDS, offsetof(struct words, startdelay_ns), 0, UINT64_MAX, NULL },
	{ "thinktime", WORD_THINK, 0, 0, 0, NULL },
	WORD(rate_iops, WORD_COUNT, 1, MAX_RATE, NULL),
	WORD(rate_process, WORD_CHOICE, 0, 0, process_names),
	WORD(verify, WORD_CHOICE, 0, 0, verify_names),
	WORD(completion, WORD_CHOICE, 0, 0, completion_names),
	WORD(seed, WORD_COUNT, 0, UINT64_MAX, NULL),
	WORD(size, WORD_SIZE, SECTOR_BYTES, UINT64_MAX, NULL),
	WORD(rwmixread, WORD_COUNT, 0, 100, NULL),
	WORD(flush, WORD_COUNT, 0, UINT64_MAX, NULL),
	WORD(discard, WORD_COUNT, 0, UINT64_MAX, NULL),
	WORD(zeroes, WORD_COUNT, 0, UINT64_MAX, NULL),
	WORD(resets, WORD_COUNT, 0, 1000000, NULL),
	WORD(segs, WORD_COUNT, 1, BLK_MAX_DATA_SEGMENTS, NULL),
	WORD(noevent, WORD_COUNT, 0, 1, NULL),
	WORD(indirect, WORD_COUNT, 0, 1, NULL),
	WORD(packed, WORD_COUNT, 0, 1, NULL),
	WORD(getid, WORD_COUNT, 0, 1, NULL),
	WORD(movebars, WORD_CHOICE, 0, 0, move_names),
	WORD(disk, WORD_COUNT, 0, 255, NULL),
	WORD(ecam, WORD_COUNT, 0, UINT64_MAX, NULL),
	WORD(bars, WORD_COUNT, 1 << 20, MAX_BARS, NULL),
	WORD(tsc_khz, WORD_COUNT, 1, 100000000, NULL),
};

const char *words_rw_name(uint64_t rw)
{
	return rw_names[rw];
}

static bool equal(const char *a, const char *b)
{
	return strlen(a) == strlen(b) && !memcmp(a, b, strlen(a));
}

/* Digits of *s, decimal or 0x, and moves *s behind them. False without a digit and on overflow. */
static bool take_number(const char **s, uint64_t *value)
{
	uint32_t base = 10, digit;
	const char *start;

	if ((*s)[0] == '0' && (*s)[1] == 'x') {
		base = 16;
		*s += 2;
	}
	*value = 0;
	for (start = *s;; (*s)++) {
		if (**s >= '0' && **s <= '9')
			digit = (uint32_t)(**s - '0');
		else if (base == 16 && (**s | 0x20) >= 'a' && (**s | 0x20) <= 'f')
			digit = (uint32_t)((**s | 0x20) - 'a' + 10);
		else
			return *s != start;
		if (__builtin_mul_overflow(*value, (uint64_t)base, value) ||
		    __builtin_add_overflow(*value, (uint64_t)digit, value))
			return false;
	}
}

static bool parse_size(const char *s, uint64_t *value)
{
	uint32_t shift = 0;

	if (!take_number(&s, value))
		return false;
	if ((*s | 0x20) == 'k')
		shift = 10;
	else if ((*s | 0x20) == 'm')
		shift = 20;
	else if ((*s | 0x20) == 'g')
		shift = 30;
	if (shift)
		s++;
	return !*s && !__builtin_mul_overflow(*value, 1ull << shift, value);
}

/* unit_ns: what a number without a suffix counts. Fractions such as 2.5 are allowed. */
static bool parse_time(const char *s, uint64_t unit_ns, uint64_t *ns)
{
	uint64_t whole, fraction = 0, scale = 1;

	if (!take_number(&s, &whole))
		return false;
	if (*s == '.') {
		for (s++; *s >= '0' && *s <= '9'; s++) {
			if (scale >= NSEC_PER_SEC)
				continue;
			fraction = fraction * 10 + (uint64_t)(*s - '0');
			scale *= 10;
		}
	}
	if (equal(s, "ns"))
		unit_ns = 1;
	else if (equal(s, "us"))
		unit_ns = 1000;
	else if (equal(s, "ms"))
		unit_ns = 1000000;
	else if (equal(s, "s"))
		unit_ns = NSEC_PER_SEC;
	else if (*s)
		return false;
	if (__builtin_mul_overflow(whole, unit_ns, ns))
		return false;
	return !__builtin_add_overflow(*ns, fraction * unit_ns / scale, ns);
}

/* 0 | fixed:T | exp:T | burst:N@T; a bare T is fixed, as in fio, and counts microseconds. */
static bool parse_think(struct words *words, const char *s)
{
	words->burst = 1;
	if (!memcmp(s, "burst:", 6)) {
		s += 6;
		words->think = THINK_BURST;
		if (!take_number(&s, &words->burst) || !words->burst || *s++ != '@')
			return false;
	} else if (!memcmp(s, "exp:", 4)) {
		s += 4;
		words->think = THINK_EXP;
	} else {
		if (!memcmp(s, "fixed:", 6))
			s += 6;
		words->think = THINK_FIXED;
	}
	if (!parse_time(s, 1000, &words->pause_ns))
		return false;
	if (!words->pause_ns)
		words->think = THINK_NONE;
	return true;
}

static bool parse_choice(const char *const *choices, const char *s, uint64_t *value)
{
	for (*value = 0; choices[*value]; (*value)++) {
		if (equal(choices[*value], s))
			return true;
	}
	return false;
}

static void parse_word(struct words *words, const struct word *word, const char *s)
{
	uint64_t value = word->min;
	const char *at = s;
	bool ok = false;

	switch (word->kind) {
	case WORD_COUNT:
		ok = take_number(&at, &value) && !*at;
		break;
	case WORD_SIZE:
		ok = parse_size(s, &value);
		break;
	case WORD_SECONDS:
		ok = parse_time(s, NSEC_PER_SEC, &value);
		break;
	case WORD_CHOICE:
		ok = parse_choice(word->choices, s, &value);
		break;
	case WORD_THINK:
		ok = parse_think(words, s);
		break;
	}
	if (!ok)
		die(GUEST_EXIT_USAGE, "%s=%s: not a value of this word", word->name, s);
	if (word->max && (value < word->min || value > word->max))
		die(GUEST_EXIT_USAGE, "%s=%s: must be %lu to %lu", word->name, s, word->min,
		    word->max);
	if (word->kind != WORD_THINK)
		*(uint64_t *)((char *)words + word->offset) = value;
}

static void judge(struct words *words)
{
	if (words->bs % SECTOR_BYTES)
		die(GUEST_EXIT_USAGE, "bs=%lu: not a multiple of %u", words->bs, SECTOR_BYTES);
	if (words->bs / words->segs < SECTOR_BYTES)
		die(GUEST_EXIT_USAGE, "segs=%lu: more than bs=%lu has sectors", words->segs,
		    words->bs);
	if (words->discard == 1 || words->zeroes == 1)
		die(GUEST_EXIT_USAGE, "discard= and zeroes= replace each n-th write: n must be 2 "
				      "or more");
	if (words->rate_iops && words->think != THINK_NONE)
		die(GUEST_EXIT_USAGE, "thinktime= and rate_iops=: a request waits for the one "
				      "before, or for the clock");
	if (!words->requests && !words->runtime_ns)
		words->runtime_ns = DEFAULT_RUNTIME_NS;
}

/* Words are split in place: separators become zeroes. */
void words_parse(struct words *words, const char *cmdline)
{
	static char copy[BOOT_MAX_CMDLINE];
	bool has_rw = false, has_think = false, has_completion = false;
	char *at = memcpy(copy, cmdline, strlen(cmdline) + 1);

	*words = (struct words){ .rw = RW_RANDREAD,
				 .bs = 4096,
				 .iodepth = 1,
				 .seed = 1,
				 .segs = 1,
				 .packed = 1,
				 .rwmixread = 50,
				 .ecam = DEFAULT_ECAM,
				 .bars = DEFAULT_BARS };
	for (;;) {
		const struct word *word = NULL;
		char *name, *value;

		while (*at == ' ')
			*at++ = 0;
		if (!*at)
			break;
		name = at;
		while (*at && *at != ' ' && *at != '=')
			at++;
		if (*at != '=')
			die(GUEST_EXIT_USAGE, "'%s': not of the form word=value", name);
		*at++ = 0;
		for (value = at; *at && *at != ' ';)
			at++;
		if (*at)
			*at++ = 0;
		for (uint32_t i = 0; i < ARRAY_SIZE(table); i++) {
			if (equal(table[i].name, name))
				word = &table[i];
		}
		if (!word)
			die(GUEST_EXIT_USAGE, "%s=%s: unknown word", name, value);
		has_rw |= equal(name, "rw");
		has_think |= equal(name, "thinktime") || equal(name, "rate_iops");
		has_completion |= equal(name, "completion");
		parse_word(words, word, value);
	}
	/* Who asks for nothing in particular is shown both: polled arrivals and notified ones, and
	 * some interrupts. */
	if (!has_rw && !has_think) {
		words->think = THINK_BURST;
		words->burst = DEFAULT_BURST;
		words->pause_ns = DEFAULT_PAUSE_NS;
		if (!has_completion)
			words->completion = COMPLETION_MIXED;
	}
	judge(words);
}

const char *words_completion_name(uint64_t completion)
{
	return completion_names[completion];
}
