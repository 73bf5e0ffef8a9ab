// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pattern and checksum of verified blocks. Called between completions and submissions, outside what
 * the latencies measure, but in the guest's time: about 1 us a 4 KiB block each way.
 */
#include "verify.h"

#include "guest.h"

#define HEADER_MAGIC  0x46464f444e414821ull
#define CRC32C_POLY   0x82f63b78u /* reflected */
#define LEAF_FEATURES 1
#define ECX_SSE42     (1u << 20)
#define PATTERN_STEP  0x9e3779b97f4a7c15ull

struct block_header {
	uint64_t magic;
	uint64_t seed;
	uint64_t block;
	uint32_t generation;
	uint32_t crc; /* of the whole block with 0 here */
};

/* The instruction works in general registers and needs no SSE state. */
static uint32_t crc_sse42(const uint64_t *words, uint32_t n)
{
	uint64_t crc = ~0u;

	for (uint32_t i = 0; i < n; i++)
		__asm__("crc32q %1, %0" : "+r"(crc) : "rm"(words[i]));
	return ~(uint32_t)crc;
}

static uint32_t crc_bytes(const struct verify *v, const uint8_t *bytes, uint32_t n)
{
	uint32_t crc = ~0u;

	for (uint32_t i = 0; i < n; i++)
		crc = v->crc_table[(crc ^ bytes[i]) & 0xff] ^ crc >> 8;
	return ~crc;
}

static uint32_t crc32c(const struct verify *v, const void *data, uint32_t bytes)
{
	return v->has_sse42 ? crc_sse42(data, bytes / 8) : crc_bytes(v, data, bytes);
}

void verify_init(struct verify *v, uint64_t nr_blocks, uint32_t block_bytes, uint64_t seed)
{
	uint32_t regs[4];

	if (nr_blocks > UINT64_MAX / sizeof(*v->blocks))
		die(GUEST_EXIT_USAGE, "verify=: the span has too many blocks; give size=");
	v->blocks = memory_alloc(nr_blocks * sizeof(*v->blocks), 4096,
				 "verify='s table (4 bytes a block of size=)");
	v->nr_blocks = nr_blocks;
	v->block_bytes = block_bytes;
	v->seed = seed;
	cpuid(LEAF_FEATURES, 0, regs);
	v->has_sse42 = regs[2] & ECX_SSE42;
	for (uint32_t i = 0; i < 256 && !v->has_sse42; i++) {
		uint32_t crc = i;

		for (uint32_t bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32C_POLY : 0);
		v->crc_table[i] = crc;
	}
}

uint32_t verify_next_entry(uint32_t entry, uint32_t state)
{
	return ((entry + 1) & VERIFY_GENERATION) | state;
}

static struct block_header make_header(const struct verify *v, uint64_t block, uint32_t entry)
{
	return (struct block_header){
		.magic = HEADER_MAGIC,
		.seed = v->seed,
		.block = block,
		.generation = entry & VERIFY_GENERATION,
	};
}

void verify_fill(const struct verify *v, void *data, uint64_t block, uint32_t entry)
{
	struct block_header *header = data;
	uint64_t *words = data;
	uint64_t x = (v->seed ^ block << 28) + entry;

	for (uint32_t i = sizeof(*header) / 8; i < v->block_bytes / 8; i++) {
		x += PATTERN_STEP;
		words[i] = x ^ x >> 29;
	}
	*header = make_header(v, block, entry);
	header->crc = crc32c(v, data, v->block_bytes);
}

static bool is_zero(const uint64_t *words, uint32_t n)
{
	uint64_t any = 0;

	for (uint32_t i = 0; i < n; i++)
		any |= words[i];
	return !any;
}

bool verify_check(const struct verify *v, void *data, uint64_t block, uint32_t entry)
{
	struct block_header *header = data;
	struct block_header want;
	uint32_t crc = header->crc;

	switch (entry & VERIFY_STATE) {
	case VERIFY_WRITTEN:
		break;
	case VERIFY_ZEROES:
		return is_zero(data, v->block_bytes / 8);
	default:
		return true;
	}
	want = make_header(v, block, entry);
	header->crc = 0;
	if (memcmp(header, &want, sizeof(want)) || crc32c(v, data, v->block_bytes) != crc) {
		header->crc = crc;
		return false;
	}
	header->crc = crc;
	return true;
}
