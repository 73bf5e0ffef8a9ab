/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest RAM: one memfd mapped once, laid out in at most two guest-physical ranges (below 4 GiB and
 * above). Immutable after creation, so translation is lock-free from any thread. What the guest
 * writes there may change under our eyes at any time: copy out, judge the copy, use the copy.
 */
#ifndef HANDOFF_GUEST_RAM_H
#define HANDOFF_GUEST_RAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include <handoff/error.h>

struct guest_ram_range {
	uint64_t gpa, size_bytes;
	void *hva;
};

struct guest_ram {
	int fd;
	uint64_t size_bytes;
	unsigned int n_ranges;
	struct guest_ram_range range[2];
};

/*
 * size_bytes: multiple of 4 KiB. RAM above below_4g_bytes goes to 4 GiB and up. Memory is committed
 * on first touch.
 */
struct guest_ram *guest_ram_new(uint64_t size_bytes, uint64_t below_4g_bytes,
				struct error *err) MUST_CHECK;
void guest_ram_free(struct guest_ram *ram);

/*
 * Host address of [gpa, gpa + len), or NULL if not wholly inside one range. len 0 is NULL. Any
 * thread.
 */
void *guest_ram_hva(const struct guest_ram *ram, uint64_t gpa, uint64_t len);

/* Copies; false (nothing copied) if out of range. */
bool guest_ram_read(const struct guest_ram *ram, uint64_t gpa, void *to, uint64_t len);
bool guest_ram_write(const struct guest_ram *ram, uint64_t gpa, const void *from, uint64_t len);

#endif
