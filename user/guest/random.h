/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers that depend on the seed alone, so that a run can be had again. No floating point.
 */
#ifndef GUEST_RANDOM_H
#define GUEST_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

/* splitmix64 (Steele, Lea, Flood 2014): any state will do, 0 too. */
static inline uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* 0 .. n - 1, n > 0. */
static inline uint64_t random_below(struct random *r, uint64_t n)
{
	return (uint64_t)((unsigned __int128)random_next(r) * n >> 64);
}

/* Exponentially distributed with this mean, at most 44 times it; right to about 1 part in 10,000.
 */
static inline uint64_t random_exp(struct random *r, uint64_t mean)
{
	uint64_t u = random_next(r) | 1, x, log2;
	uint32_t whole = 63 - (uint32_t)__builtin_clzll(u);

	/* log2(u) in 1/65536: the whole part from the top bit, 16 more bits by squaring the
	 * mantissa x (1.31). */
	x = (u << (63 - whole)) >> 32;
	log2 = whole;
	for (uint32_t i = 0; i < 16; i++) {
		x = x * x >> 31;
		log2 = log2 << 1 | x >> 32;
		x >>= x >> 32;
	}
	/* -ln(u / 2^64) = (64 - log2(u)) * ln 2; ln 2 = 45426 / 65536. */
	return (uint64_t)((unsigned __int128)mean * ((64ull << 16) - log2) * 45426 >> 32);
}

#endif
