// SPDX-License-Identifier: BSD-2-Clause
/*
 * The stats page's life: a sealed memfd that stays open, so that a tracer finds it under
 * /proc/PID/fd. Rows are handed out by the main context; after that each has one writer
 * (handoff/stats.h). Neighbours: aio and virtio write, trace reads.
 */
#include <handoff/stats.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <handoff/clock.h>
#include <handoff/compiler.h>
#include <handoff/probes.h>

/* What we keep about the page without showing it: the caller only knows the page. */
struct stats_page_owner {
	int fd;
};

/* The owner's record lies in a private page right before the shared one. */
static size_t stats_page_offset(void)
{
	return ROUND_UP(sizeof(struct stats_page_owner), (size_t)sysconf(_SC_PAGESIZE));
}

static struct stats_page_owner *stats_page_owner(struct stats_page *page)
{
	return (struct stats_page_owner *)((char *)page - stats_page_offset());
}

static int stats_page_create_fd(struct error *err)
{
	int fd, errnum;

	fd = memfd_create(STATS_MEMFD_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return error_set(err, -errno, "stats page: cannot create a memfd: %m");
	if (ftruncate(fd, sizeof(struct stats_page)) < 0) {
		errnum = error_set(err, -errno, "stats page: cannot size the memfd: %m");
		close(fd);
		return errnum;
	}
	return fd;
}

/* Reserves private page and shared mapping side by side, then lays the memfd over the second part.
 */
static int stats_page_map(int fd, struct stats_page **page, struct error *err)
{
	size_t offset = stats_page_offset();
	char *base;

	base = mmap(NULL, offset + sizeof(struct stats_page), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return error_set(err, -errno, "stats page: cannot map %zu bytes: %m",
				 sizeof(struct stats_page));
	if (mmap(base + offset, sizeof(struct stats_page), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
		int errnum = error_set(err, -errno, "stats page: cannot map the memfd: %m");

		munmap(base, offset + sizeof(struct stats_page));
		return errnum;
	}
	*page = (struct stats_page *)(base + offset);
	return 0;
}

int stats_page_new(struct stats_page **page, struct error *err)
{
	struct stats_page *p = NULL;
	int fd, ret;

	fd = stats_page_create_fd(err);
	if (fd < 0)
		return fd;
	ret = stats_page_map(fd, &p, err);
	if (ret)
		goto close;
	/*
	 * After our own writable mapping: FUTURE_WRITE forbids any further one, by us or by who
	 * finds it in /proc.
	 */
	if (fcntl(fd, F_ADD_SEALS,
		  F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0) {
		ret = error_set(err, -errno, "stats page: cannot seal the memfd: %m");
		goto unmap;
	}
	stats_page_owner(p)->fd = fd;
	p->version = STATS_VERSION;
	p->size = sizeof(*p);
	p->pid = getpid();
	p->start_ns = clock_ns();
	/* Last: a reader takes a page without magic for one that is being made. */
	__atomic_store_n(&p->magic, STATS_MAGIC, __ATOMIC_RELEASE);
	HANDOFF_PROBE1(stats_armed, p->pid);
	*page = p;
	return 0;

unmap:
	munmap(stats_page_owner(p), stats_page_offset() + sizeof(*p));
close:
	close(fd);
	return ret;
}

void stats_page_free(struct stats_page *page)
{
	int fd;

	if (!page)
		return;
	fd = stats_page_owner(page)->fd;
	munmap(stats_page_owner(page), stats_page_offset() + sizeof(*page));
	close(fd);
}

static void stats_name_set(char name[STATS_NAME_LEN], const char *value)
{
	memset(name, 0, STATS_NAME_LEN);
	memcpy(name, value, strnlen(value, STATS_NAME_LEN - 1));
}

/*
 * Empties a row but for its seq, which only ever grows: a reader of the old row must see that it
 * changed.
 */
#define stats_row_clear(row)                                                                       \
	memset((char *)(row) + sizeof((row)->seq), 0, sizeof(*(row)) - sizeof((row)->seq))

struct stats_loop *stats_loop_get(struct stats_page *page, enum stats_loop_kind kind,
				  const char *id)
{
	unsigned int i;

	for (i = 0; page && i < STATS_MAX_LOOPS; i++) {
		struct stats_loop *row = &page->loop[i];

		if (row->kind != STATS_LOOP_UNUSED)
			continue;
		stats_write_begin(&row->seq);
		stats_row_clear(row);
		row->kind = kind;
		stats_name_set(row->id, id);
		stats_write_end(&row->seq);
		return row;
	}
	return NULL;
}

struct stats_queue *stats_queue_get(struct stats_page *page, const char *device, uint32_t queue)
{
	unsigned int i;

	for (i = 0; page && i < STATS_MAX_QUEUES; i++) {
		struct stats_queue *row = &page->queue[i];

		if (row->used)
			continue;
		stats_write_begin(&row->seq);
		stats_row_clear(row);
		row->used = 1;
		row->queue = queue;
		stats_name_set(row->device, device);
		stats_write_end(&row->seq);
		return row;
	}
	return NULL;
}

/*
 * A row given back keeps its figures until it is handed out again: a tracer that comes after the
 * VMM's last words still reads them.
 */
void stats_loop_put(struct stats_loop *row)
{
	stats_write_begin(&row->seq);
	row->kind = STATS_LOOP_UNUSED;
	stats_write_end(&row->seq);
}

void stats_queue_put(struct stats_queue *row)
{
	stats_write_begin(&row->seq);
	row->used = 0;
	stats_write_end(&row->seq);
}

uint32_t stats_loop_index(const struct stats_page *page, const struct stats_loop *row)
{
	if (!page || row < page->loop || row >= page->loop + STATS_MAX_LOOPS)
		return ~0u;
	return row - page->loop;
}

uint32_t stats_queue_index(const struct stats_page *page, const struct stats_queue *row)
{
	if (!page || row < page->queue || row >= page->queue + STATS_MAX_QUEUES)
		return ~0u;
	return row - page->queue;
}

void stats_handover_add(struct stats_page *page, const struct stats_handover *handover)
{
	if (!page)
		return;
	page->handover[page->n_handovers % STATS_MAX_HANDOVERS] = *handover;
	/* Pairs with the reader's acquire: an entry counted is an entry written. */
	__atomic_store_n(&page->n_handovers, page->n_handovers + 1, __ATOMIC_RELEASE);
}
