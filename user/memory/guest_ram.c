// SPDX-License-Identifier: BSD-2-Clause
/*
 * Guest RAM: one shared memfd, so that a debugger, a tracer or another process can map the same
 * pages. Shared by all threads without a lock: nothing of the struct changes after creation. The
 * guest writes the bytes whenever it likes.
 */
#include <handoff/guest_ram.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUEST_PAGE_BYTES 4096u
#define FOUR_GIB	 (1ull << 32)

/* On failure the caller frees what is there. */
static int map_ram(struct guest_ram *ram, struct error *err)
{
	void *hva;
	int ret;

	ram->fd = memfd_create("handoff-ram", MFD_CLOEXEC);
	if (ram->fd < 0) {
		ret = -errno;
		return error_set(err, ret, "guest RAM: memfd_create: %s", strerror(-ret));
	}
	if (ftruncate(ram->fd, (off_t)ram->size_bytes)) {
		ret = -errno;
		return error_set(err, ret, "guest RAM of %llu MiB: %s",
				 (unsigned long long)(ram->size_bytes >> 20), strerror(-ret));
	}
	/* NORESERVE: pages are committed on first touch, most guests never touch all. */
	hva = mmap(NULL, ram->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
		   ram->fd, 0);
	if (hva == MAP_FAILED) {
		ret = -errno;
		return error_set(err, ret,
				 "cannot map %llu MiB of guest RAM: %s; use a smaller one",
				 (unsigned long long)(ram->size_bytes >> 20), strerror(-ret));
	}
	ram->range[0].hva = hva;
	return 0;
}

static void lay_out(struct guest_ram *ram, uint64_t below_4g_bytes)
{
	uint64_t low = MIN(ram->size_bytes, below_4g_bytes);

	ram->range[0].size_bytes = low;
	ram->n_ranges = 1;
	if (low == ram->size_bytes)
		return;
	ram->range[1] = (struct guest_ram_range){
		.gpa = FOUR_GIB,
		.size_bytes = ram->size_bytes - low,
		.hva = (char *)ram->range[0].hva + low,
	};
	ram->n_ranges = 2;
}

struct guest_ram *guest_ram_new(uint64_t size_bytes, uint64_t below_4g_bytes, struct error *err)
{
	struct guest_ram *ram;

	if (!size_bytes || size_bytes % GUEST_PAGE_BYTES || size_bytes > INT64_MAX) {
		error_set(err, -EINVAL, "guest RAM of %llu bytes: must be a multiple of 4 KiB",
			  (unsigned long long)size_bytes);
		return NULL;
	}
	if (!below_4g_bytes || below_4g_bytes % GUEST_PAGE_BYTES || below_4g_bytes > FOUR_GIB) {
		error_set(err, -EINVAL,
			  "guest RAM below 4 GiB of %llu bytes: must be a multiple of"
			  " 4 KiB and at most 4 GiB",
			  (unsigned long long)below_4g_bytes);
		return NULL;
	}
	ram = calloc(1, sizeof(*ram));
	if (!ram) {
		error_set(err, -ENOMEM, "guest RAM: out of memory");
		return NULL;
	}
	ram->size_bytes = size_bytes;
	if (map_ram(ram, err)) {
		guest_ram_free(ram);
		return NULL;
	}
	lay_out(ram, below_4g_bytes);
	return ram;
}

void guest_ram_free(struct guest_ram *ram)
{
	if (!ram)
		return;
	if (ram->range[0].hva)
		munmap(ram->range[0].hva, ram->size_bytes);
	if (ram->fd >= 0)
		close(ram->fd);
	free(ram);
}

void *guest_ram_hva(const struct guest_ram *ram, uint64_t gpa, uint64_t len)
{
	unsigned int i;

	if (!len)
		return NULL;
	for (i = 0; i < ram->n_ranges; i++) {
		const struct guest_ram_range *range = &ram->range[i];
		uint64_t offset = gpa - range->gpa;

		/* Below the range, offset wraps to something huge; nothing here can overflow. */
		if (offset < range->size_bytes && len <= range->size_bytes - offset)
			return (char *)range->hva + offset;
	}
	return NULL;
}

bool guest_ram_read(const struct guest_ram *ram, uint64_t gpa, void *to, uint64_t len)
{
	const void *hva = guest_ram_hva(ram, gpa, len);

	if (!hva)
		return false;
	memcpy(to, hva, len);
	return true;
}

bool guest_ram_write(const struct guest_ram *ram, uint64_t gpa, const void *from, uint64_t len)
{
	void *hva = guest_ram_hva(ram, gpa, len);

	if (!hva)
		return false;
	memcpy(hva, from, len);
	return true;
}
