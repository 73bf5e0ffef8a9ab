// SPDX-License-Identifier: BSD-2-Clause
/* See gap_laws.h. */
#include "gap_laws.h"

#include <math.h>

const char *const gap_law_name[GAP_LAWS] = {
	"exp 4 us",
	"exp 20 us",
	"exp 200 us",
	"fixed 10 us",
	"fixed 25 us",
	"fixed 40 us",
	"90 % 5 us, 10 % 500 us",
	"50 % 5 us, 50 % 100 us",
	"Pareto 1.2 from 2 us",
	"phases: 2000 of 5 us, 2000 of 120 us",
	"20, 20, 20, 40 us",
};

/* splitmix64. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* In (0, 1]. */
static double uniform(uint64_t *state)
{
	return (double)((next(state) >> 11) + 1) * 0x1p-53;
}

/* us */
static double one(unsigned int law, uint64_t *random, size_t i)
{
	double u = uniform(random);

	switch (law) {
	case 0:
		return -4 * log(u);
	case 1:
		return -20 * log(u);
	case 2:
		return -200 * log(u);
	case 3:
		return 10;
	case 4:
		return 25;
	case 5:
		return 40;
	case 6:
		return u < 0.9 ? 5 : 500;
	case 7:
		return u < 0.5 ? 5 : 100;
	case 8:
		return 2 * pow(u, -1 / 1.2);
	case 9:
		return i / 2000 % 2 ? 120 : 5;
	default:
		return i % 4 == 3 ? 40 : 20;
	}
}

void gap_law_fill(unsigned int law, uint64_t seed, int64_t *gaps, size_t n)
{
	uint64_t random = seed * GAP_LAWS + law;
	size_t i;

	for (i = 0; i < n; i++)
		gaps[i] = (int64_t)(one(law, &random, i) * 1000);
}
