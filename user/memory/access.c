// SPDX-License-Identifier: BSD-2-Clause
/*
 * Accesses by address: RAM is copied, devices are dispatched to under the BQL. Any thread. Frames
 * of path C are here.
 *
 * A reader that had to wait for the BQL may hold a view that was replaced meanwhile, and whose
 * regions are freed. Regions change only under the BQL, so it looks, once it has it, whether its
 * view is still the published one; if not, it translates again. A view cannot be freed and its
 * address reused while we hold a reference, so comparing pointers is enough.
 */
#include <handoff/memory.h>

#include <string.h>
#include <handoff/bql.h>
#include "dispatch.h"
#include "flatview.h"
#include "space.h"

/* What is looked at now: [addr, addr + len) of one range, or of the hole if range is NULL. */
struct access_part {
	struct AddressSpace *as;
	struct FlatView *view;
	const struct FlatRange *range;
	uint64_t addr, len;
};

static void part_get(struct access_part *part, struct AddressSpace *as, uint64_t addr, uint64_t len)
{
	uint64_t left;

	part->as = as;
	part->view = space_get_view(as);
	part->range = flatview_find(part->view, addr, &left);
	part->addr = addr;
	part->len = MIN(len, left);
}

static void part_put(struct access_part *part)
{
	flatview_put(part->view);
}

/* An access that runs over the end of the address space does not come round at its start. */
static bool wraps(uint64_t addr, uint64_t len)
{
	return len && len - 1 > UINT64_MAX - addr;
}

/* Under the BQL: may part->range->mr be touched? */
static bool part_current(const struct access_part *part)
{
	return atomic_load_explicit(&part->as->view, memory_order_relaxed) == part->view;
}

/* True: the caller has to drop the BQL again. */
static bool prepare_mmio_access(void)
{
	if (bql_locked())
		return false;
	bql_lock();
	return true;
}

/* The guest's byte order is little, whatever ours is. */
static uint64_t load_value(const uint8_t *buf, unsigned int size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | buf[size];
	return value;
}

static void store_value(uint8_t *buf, uint64_t value, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < size; i++)
		buf[i] = (uint8_t)(value >> (8 * i));
}

/*
 * Writes the part, or, when the device changes the map under way, its beginning. Returns the bytes
 * written.
 */
FRAME static uint64_t flatview_write_continue(const struct access_part *part, const uint8_t *buf,
					      unsigned int *result)
{
	const struct FlatRange *range = part->range;
	uint64_t offset = part->addr - range->gpa, done = 0;
	bool release_lock;

	if (range->ram) {
		if (range->readonly)
			*result |= MEMTX_DECODE_ERROR;
		else
			memcpy(range->ram + offset, buf, part->len);
		return part->len;
	}
	offset += range->offset_in_region;
	release_lock = prepare_mmio_access();
	while (done < part->len && part_current(part)) {
		unsigned int size = memory_access_size(range->mr, part->len - done, offset + done);

		*result |= memory_region_dispatch_write(range->mr, offset + done,
							load_value(buf + done, size), size);
		done += size;
	}
	if (release_lock)
		bql_unlock();
	return done;
}

static uint64_t flatview_read_continue(const struct access_part *part, uint8_t *buf,
				       unsigned int *result)
{
	const struct FlatRange *range = part->range;
	uint64_t offset = part->addr - range->gpa, done = 0;
	bool release_lock;

	if (range->ram) {
		memcpy(buf, range->ram + offset, part->len);
		return part->len;
	}
	offset += range->offset_in_region;
	release_lock = prepare_mmio_access();
	while (done < part->len && part_current(part)) {
		unsigned int size = memory_access_size(range->mr, part->len - done, offset + done);
		uint64_t value;

		*result |= memory_region_dispatch_read(range->mr, offset + done, &value, size);
		store_value(buf + done, value, size);
		done += size;
	}
	if (release_lock)
		bql_unlock();
	return done;
}

FRAME static unsigned int flatview_write(struct AddressSpace *as, uint64_t addr, const uint8_t *buf,
					 uint64_t len)
{
	unsigned int result = MEMTX_OK;
	struct access_part part;
	uint64_t done;

	if (wraps(addr, len))
		return MEMTX_DECODE_ERROR;
	/* Each turn moves on, or finds its view replaced: as often as the map changes, no more. */
	while (len) {
		part_get(&part, as, addr, len);
		if (part.range) {
			done = flatview_write_continue(&part, buf, &result);
		} else {
			result |= MEMTX_DECODE_ERROR;
			done = part.len;
		}
		part_put(&part);
		addr += done;
		buf += done;
		len -= done;
	}
	return result;
}

FRAME unsigned int address_space_write(struct AddressSpace *as, uint64_t addr, const void *buf,
				       uint64_t len)
{
	return flatview_write(as, addr, buf, len);
}

unsigned int address_space_read(struct AddressSpace *as, uint64_t addr, void *buf, uint64_t len)
{
	unsigned int result = MEMTX_OK;
	struct access_part part;
	uint8_t *to = buf;
	uint64_t done;

	if (wraps(addr, len)) {
		memset(to, 0xff, len);
		return MEMTX_DECODE_ERROR;
	}
	while (len) {
		part_get(&part, as, addr, len);
		if (part.range) {
			done = flatview_read_continue(&part, to, &result);
		} else {
			memset(to, 0xff, part.len);
			result |= MEMTX_DECODE_ERROR;
			done = part.len;
		}
		part_put(&part);
		addr += done;
		to += done;
		len -= done;
	}
	return result;
}
