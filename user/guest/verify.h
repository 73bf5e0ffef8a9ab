/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify=crc32c: every block written carries its number, a generation and a checksum; a table in
 * RAM remembers what each block must hold. A block has at most one request in flight.
 */
#ifndef GUEST_VERIFY_H
#define GUEST_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

/* What a block holds, in one word: generation, state, and whether a request is in flight on it. */
#define VERIFY_GENERATION 0x0fffffffu
#define VERIFY_STATE	  0x70000000u
#define VERIFY_UNKNOWN	  0x00000000u /* never written, or by a request that failed */
#define VERIFY_WRITTEN	  0x10000000u
#define VERIFY_ZEROES	  0x20000000u
#define VERIFY_BUSY	  0x80000000u

struct verify {
	uint32_t *blocks;
	uint64_t nr_blocks;
	uint32_t block_bytes;
	uint64_t seed;
	bool has_sse42;
	uint32_t crc_table[256]; /* filled if the CPU has no crc32 instruction */
};

/* Dies if there is no room for the table: 4 bytes a block. block_bytes is a multiple of 512. */
void verify_init(struct verify *v, uint64_t nr_blocks, uint32_t block_bytes, uint64_t seed);

/* The entry a write (discard, write-zeroes) of the block leads to. */
uint32_t verify_next_entry(uint32_t entry, uint32_t state);
/* Fills data with what entry says the block holds; entry is VERIFY_WRITTEN. */
void verify_fill(const struct verify *v, void *data, uint64_t block, uint32_t entry);
/* Does the whole block hold what entry says? Always true for VERIFY_UNKNOWN. data is the same
 * afterwards. */
bool verify_check(const struct verify *v, void *data, uint64_t block, uint32_t entry);

#endif
