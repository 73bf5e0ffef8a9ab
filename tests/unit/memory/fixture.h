/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An address space with what tests hang into it: devices that write down their calls, a listener
 * that writes down what it is told. Text, so that an assertion shows the whole story. BQL.
 */
#ifndef TESTS_MEMORY_FIXTURE_H
#define TESTS_MEMORY_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/memory.h>

#define LOG_BYTES 4096

/* Each entry ends in a blank: "w4@8=1234 " is a write of 4 bytes at 8, "r2@0 " a read. */
struct device {
	struct MemoryRegion mr;
	struct MemoryRegionOps ops;
	uint8_t byte[64]; /* what reads give, from the offset read, in the device's byte order */
	unsigned int calls;
	char log[LOG_BYTES];
	/* Called in the middle of a write, if set. */
	void (*during_write)(struct device *dev);
	void *opaque;
	unsigned int nested_result;
};

/* ops may be NULL: any access, 1 to 4 bytes, little endian. */
void device_init(struct device *dev, const char *name, uint64_t size,
		 const struct MemoryRegionOps *limits);

/* "begin ", "+name@gpa-end ", "-name@...", "fd+gpa ", "fd-gpa ", "commit ". */
struct recorder {
	struct MemoryListener listener;
	unsigned int events, refused;
	int refuse; /* what eventfd_add says */
	char log[LOG_BYTES];
};

/* claims: takes ioeventfds. */
void recorder_init(struct recorder *r, bool claims);
void recorder_clear(struct recorder *r);

struct world {
	struct MemoryRegion root;
	struct AddressSpace as;
};

void world_init(struct world *w);
void world_release(struct world *w);
/* "name@gpa-end+offset " for each visible range; end is the last byte, "ro" follows if read-only.
 */
const char *world_show(struct world *w);

#endif
