// SPDX-License-Identifier: BSD-2-Clause
/*
 * RAM: a heap that only grows, in the range of RAM the image itself lies in, below 4 GiB; and the
 * memory functions gcc emits calls to.
 */
#include "guest.h"

#include "boot.h"

#define HEAP_LIMIT (1ull << 32)

extern char _end[];

static struct {
	const struct boot_info *boot;
	uint64_t next;
	uint64_t end;
} heap;

void memory_init(const struct boot_info *boot)
{
	heap.boot = boot;
	heap.next = (uint64_t)_end;
	for (uint32_t i = 0; i < boot->nr_ram; i++) {
		uint64_t base = boot->ram[i].base, end = base + boot->ram[i].bytes;

		if (base <= heap.next && heap.next < end)
			heap.end = MIN(end, HEAP_LIMIT);
	}
	if (!heap.end)
		die(GUEST_EXIT_DEVICE, "the memory map has no RAM at 0x%lx", heap.next);
}

void *memory_alloc(uint64_t bytes, uint64_t align, const char *what)
{
	uint64_t start = (heap.next + align - 1) & ~(align - 1);

	if (start > heap.end || bytes > heap.end - start)
		die(GUEST_EXIT_USAGE,
		    "not enough memory: %s needs %lu KiB, %lu KiB left; give the guest more", what,
		    (bytes + 1023) >> 10, (heap.end - MIN(start, heap.end)) >> 10);
	heap.next = start + bytes;
	return memset((void *)start, 0, bytes);
}

bool memory_is_ram(uint64_t gpa, uint64_t bytes)
{
	for (uint32_t i = 0; i < heap.boot->nr_ram; i++) {
		uint64_t base = heap.boot->ram[i].base;

		if (gpa < base + heap.boot->ram[i].bytes && base < gpa + bytes)
			return true;
	}
	return false;
}

void *memset(void *to, int byte, size_t n)
{
	void *at = to;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(byte) : "memory");
	return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
	void *at = to;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (size_t i = 0; i < n; i++) {
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	}
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	/* volatile: gcc would turn this loop into a call of strlen. */
	while (((const volatile char *)s)[n])
		n++;
	return n;
}
