// SPDX-License-Identifier: BSD-2-Clause
/*
 * Single values as users write them: numbers, sizes, durations, switches. Stricter than strtoull:
 * no sign, no white space, no octal, nothing behind, no silent wrap-around. Pure, any thread.
 */
#include <handoff/kv.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <handoff/clock.h>
#include "kv.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static int digit(char c, unsigned int base)
{
	int d = c >= '0' && c <= '9'			 ? c - '0'
		: (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
							 : -1;

	return d < (int)base ? d : -1;
}

/* Digits at *text, which moves behind them. */
static int parse_digits(const char **text, unsigned int base, uint64_t *value)
{
	const char *s = *text;
	uint64_t v = 0;
	int d;

	if (digit(*s, base) < 0)
		return -EINVAL;
	for (; (d = digit(*s, base)) >= 0; s++)
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			return -ERANGE;
	*text = s;
	*value = v;
	return 0;
}

int kv_parse_u64(const char *text, uint64_t *value)
{
	bool hex = text[0] == '0' && (text[1] | 0x20) == 'x';
	uint64_t v;
	int ret;

	text += hex ? 2 : 0;
	ret = parse_digits(&text, hex ? 16 : 10, &v);
	if (ret)
		return ret;
	if (*text)
		return -EINVAL;
	*value = v;
	return 0;
}

/*
 * The digits behind a decimal point, in units of 1/factor: "25" of 1000 is 250. What is finer than
 * one is refused, not rounded away.
 */
static int parse_fraction(const char **text, uint64_t factor, uint64_t *value)
{
	const char *s = *text;
	int d;

	*value = 0;
	if (digit(*s, 10) < 0)
		return -EINVAL;
	for (; (d = digit(*s, 10)) >= 0; s++) {
		if (factor % 10 && d)
			return -EINVAL;
		factor /= 10;
		*value += (uint64_t)d * factor;
	}
	*text = s;
	return 0;
}

static const struct unit *find_unit(const struct unit *units, const char *name)
{
	for (; units->name; units++)
		if (!strcasecmp(name, units->name))
			return units;
	return NULL;
}

static int parse_with_unit(const char *text, const struct unit *units, uint64_t *value)
{
	const struct unit *unit;
	uint64_t v, fraction = 0;
	int ret;

	ret = parse_digits(&text, 10, &v);
	if (ret)
		return ret;
	unit = find_unit(units, text + (*text == '.' ? 1 + strspn(text + 1, "0123456789") : 0));
	if (!unit)
		return -EINVAL;
	/* Fractions are for decimal units: half a second, not half a kilobyte. */
	if (*text == '.') {
		text++;
		ret = parse_fraction(&text, unit->factor, &fraction);
		if (ret)
			return ret;
	}
	if (__builtin_mul_overflow(v, unit->factor, &v) || __builtin_add_overflow(v, fraction, &v))
		return -ERANGE;
	*value = v;
	return 0;
}

int kv_parse_size(const char *text, uint64_t *bytes)
{
	static const struct unit units[] = {
		{ "", 1 },	     { "k", 1ull << 10 }, { "m", 1ull << 20 },
		{ "g", 1ull << 30 }, { "t", 1ull << 40 }, {},
	};

	return parse_with_unit(text, units, bytes);
}

int kv_parse_time(const char *text, uint64_t *ns)
{
	static const struct unit units[] = {
		{ "", 1 },	     { "ns", 1 },	{ "us", NS_PER_US },
		{ "ms", NS_PER_MS }, { "s", NS_PER_S }, {},
	};

	return parse_with_unit(text, units, ns);
}

int kv_parse_bool(const char *text, bool *value)
{
	static const char *const words[] = { "off", "on", "false", "true", "no", "yes", "0", "1" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(text, words[i]))
			continue;
		*value = i & 1;
		return 0;
	}
	return -EINVAL;
}

char *kv_format(enum kv_type type, uint64_t v, char buf[32])
{
	static const char *const suffixes[] = { "", "k", "M", "G", "T" };
	unsigned int i = 0;

	if (type == KV_TIME && v <= INT64_MAX)
		return clock_format_ns(buf, v);
	if (type == KV_SIZE)
		for (; v && v % 1024 == 0 && i + 1 < ARRAY_SIZE(suffixes); i++)
			v /= 1024;
	snprintf(buf, 32, "%llu%s", (unsigned long long)v, suffixes[i]);
	return buf;
}
