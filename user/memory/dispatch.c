// SPDX-License-Identifier: BSD-2-Clause
/*
 * One access of 1, 2, 4 or 8 bytes to one device: is it valid, is it an ioeventfd, into which calls
 * of the device's ops is it cut. Sizes and shifts: semantics.md 5. Under the BQL. Frames of path C
 * are here.
 */
#include "dispatch.h"

#include <assert.h>
#include <handoff/bql.h>
#include <handoff/memory.h>
#include "space.h"

#define DEFAULT_MAX_ACCESS_BYTES 4u /* of valid and of impl, when the device does not say */

/*
 * addr, value, shift and mask of one call. A shift below zero: the device is called wider than
 * asked, big endian.
 */
typedef unsigned int access_fn(struct MemoryRegion *mr, uint64_t addr, uint64_t *value,
			       unsigned int size, int shift, uint64_t mask);

static uint64_t mask_of(unsigned int size)
{
	return ~0ull >> (64 - 8 * size);
}

static uint64_t swap_bytes(uint64_t value, unsigned int size)
{
	return __builtin_bswap64(value) >> (64 - 8 * size);
}

unsigned int memory_access_size(const struct MemoryRegion *mr, uint64_t len, uint64_t addr)
{
	unsigned int max = mr->ops->valid.max_access_size;
	unsigned int size;

	if (!max)
		max = DEFAULT_MAX_ACCESS_BYTES;
	if (!mr->ops->impl.unaligned && addr && (addr & -addr) < max)
		max = (unsigned int)(addr & -addr);
	max = (unsigned int)MIN(len, (uint64_t)max);
	for (size = 8; size > max; size /= 2)
		;
	return size;
}

static bool access_valid(struct MemoryRegion *mr, uint64_t addr, unsigned int size, bool is_write)
{
	const struct MemoryRegionOps *ops = mr->ops;

	if (!ops)
		return false;
	if (ops->valid.accepts && !ops->valid.accepts(mr->opaque, addr, size, is_write))
		return false;
	if (!ops->valid.unaligned && (addr & (size - 1)))
		return false;
	if (!ops->valid.max_access_size)
		return true;
	return size >= ops->valid.min_access_size && size <= ops->valid.max_access_size;
}

FRAME static unsigned int memory_region_write_accessor(struct MemoryRegion *mr, uint64_t addr,
						       uint64_t *value, unsigned int size,
						       int shift, uint64_t mask)
{
	uint64_t part = shift >= 0 ? *value >> shift : *value << -shift;

	mr->ops->write(mr->opaque, addr, part & mask, size);
	return MEMTX_OK;
}

static unsigned int memory_region_read_accessor(struct MemoryRegion *mr, uint64_t addr,
						uint64_t *value, unsigned int size, int shift,
						uint64_t mask)
{
	uint64_t part = mr->ops->read(mr->opaque, addr, size) & mask;

	*value |= shift >= 0 ? part << shift : part >> -shift;
	return MEMTX_OK;
}

FRAME static unsigned int access_with_adjusted_size(struct MemoryRegion *mr, uint64_t addr,
						    uint64_t *value, unsigned int size,
						    access_fn *access)
{
	unsigned int min = mr->ops->impl.min_access_size, max = mr->ops->impl.max_access_size;
	unsigned int result = MEMTX_OK;
	unsigned int unit, i;

	/*
	 * A device whose own DMA or reset path reaches its registers again would find itself half
	 * way through an access.
	 */
	if (mr->engaged_in_io && !mr->guard_disabled) {
		log_limited(&mr->complaints, LOG_WARN,
			    "%s: access at 0x%llx from within an access refused", mr->name,
			    (unsigned long long)addr);
		return MEMTX_ACCESS_ERROR;
	}
	mr->engaged_in_io = true;
	unit = MAX(MIN(size, max ? max : DEFAULT_MAX_ACCESS_BYTES), min ? min : 1);
	for (i = 0; i < size; i += unit) {
		int place = mr->ops->big_endian ? (int)size - (int)unit - (int)i : (int)i;

		result |= access(mr, addr + i, value, unit, 8 * place, mask_of(unit));
	}
	mr->engaged_in_io = false;
	return result;
}

/* addr becomes the target's. */
static struct MemoryRegion *follow_alias(struct MemoryRegion *mr, uint64_t *addr)
{
	while (mr->alias) {
		*addr += mr->alias_offset;
		mr = mr->alias;
	}
	return mr;
}

FRAME unsigned int memory_region_dispatch_write(struct MemoryRegion *mr, uint64_t addr,
						uint64_t value, unsigned int size)
{
	assert(bql_locked());
	mr = follow_alias(mr, &addr);
	if (!access_valid(mr, addr, size, true) || !mr->ops->write)
		return MEMTX_DECODE_ERROR;
	value &= mask_of(size);
	if (mr->ops->big_endian)
		value = swap_bytes(value, size);
	if (mr->n_ioeventfds && !transaction_claimers() && ioeventfd_match(mr, addr, value, size))
		return MEMTX_OK;
	return access_with_adjusted_size(mr, addr, &value, size, memory_region_write_accessor);
}

unsigned int memory_region_dispatch_read(struct MemoryRegion *mr, uint64_t addr, uint64_t *value,
					 unsigned int size)
{
	unsigned int result;

	assert(bql_locked());
	mr = follow_alias(mr, &addr);
	if (!access_valid(mr, addr, size, false) || !mr->ops->read) {
		*value = mask_of(size);
		return MEMTX_DECODE_ERROR;
	}
	*value = 0;
	result = access_with_adjusted_size(mr, addr, value, size, memory_region_read_accessor);
	if (result & MEMTX_ACCESS_ERROR)
		*value = ~0ull;
	if (mr->ops->big_endian)
		*value = swap_bytes(*value & mask_of(size), size);
	*value &= mask_of(size);
	return result;
}
