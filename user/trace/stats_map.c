// SPDX-License-Identifier: BSD-2-Clause
/*
 * The reader's side of the stats page. The VMM is not trusted to be alive, nor to be honest: the
 * page is sealed against shrinking (a page that goes away is a SIGBUS), counts are bounded at each
 * use, names are ended and made printable by us, and no loop waits for it.
 */
#include "stats_map.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>
#include <handoff/compiler.h>

/* A writer's section lasts some ns unless it is preempted inside; so a few tries, then the CPU is
 * given away between them. */
#define COPY_TRIES	200
#define COPY_TRIES_BUSY 100

struct stats_map {
	const struct stats_page *page;
	size_t size;
};

int stats_map_find(pid_t pid, struct error *err)
{
	char dir[64], path[352], target[128];
	struct dirent *entry;
	int fd = -ENOENT;
	ssize_t n;
	DIR *fds;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)pid);
	fds = opendir(dir);
	if (!fds && errno == ENOENT)
		return error_set(err, -ESRCH, "there is no process %d", (int)pid);
	if (!fds)
		return error_set(
			err, -errno,
			"cannot look into process %d: %m (needs its user or CAP_SYS_PTRACE)",
			(int)pid);
	while (fd < 0 && (entry = readdir(fds))) {
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		if (!strcmp(target, "/memfd:" STATS_MEMFD_NAME " (deleted)") ||
		    !strcmp(target, "/memfd:" STATS_MEMFD_NAME))
			fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	closedir(fds);
	if (fd < 0)
		return error_set(err, -ENOENT,
				 "process %d has no stats page: it is not a VMM of handoff",
				 (int)pid);
	return fd;
}

/*
 * A name under /proc proves nothing: any file may be called so. Only a memfd has seals, and only
 * one of ordinary pages is always there when it is read.
 */
static int judge_file(int fd, struct error *err)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) || fstatfs(fd, &fs))
		return error_set(err, -errno, "stats page: %m");
	if ((size_t)st.st_size < sizeof(struct stats_page))
		return error_set(err, -EINVAL,
				 "stats page: %lld bytes, expected %zu: another version of handoff",
				 (long long)st.st_size, sizeof(struct stats_page));
	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fs.f_type != TMPFS_MAGIC)
		return error_set(err, -EINVAL,
				 "stats page: not a sealed memfd: it may vanish while it is read");
	return 0;
}

struct stats_map *stats_map_open(int fd, struct error *err)
{
	struct stats_map *m = calloc(1, sizeof(*m));
	void *p = MAP_FAILED;

	if (!m) {
		error_set(err, -ENOMEM, "out of memory");
		goto fail;
	}
	if (judge_file(fd, err))
		goto fail;
	p = mmap(NULL, sizeof(struct stats_page), PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		error_set(err, -errno, "stats page: cannot map it: %m");
		goto fail;
	}
	m->page = p;
	m->size = sizeof(struct stats_page);
	/* Pairs with the release in stats_page_new: what is magic is filled in. */
	if (__atomic_load_n(&m->page->magic, __ATOMIC_ACQUIRE) != STATS_MAGIC) {
		error_set(err, -EINVAL, "stats page: no magic: it is being made, or is none");
		goto fail;
	}
	if (m->page->version != STATS_VERSION || m->page->size < sizeof(struct stats_page)) {
		error_set(err, -EINVAL, "stats page: version %u, this handoff knows %u",
			  m->page->version, STATS_VERSION);
		goto fail;
	}
	close(fd);
	return m;
fail:
	close(fd);
	stats_map_free(m);
	return NULL;
}

struct stats_map *stats_map_new(pid_t pid, struct error *err)
{
	int fd = stats_map_find(pid, err);

	return fd < 0 ? NULL : stats_map_open(fd, err);
}

void stats_map_free(struct stats_map *m)
{
	if (!m)
		return;
	if (m->page)
		munmap((void *)m->page, m->size);
	free(m);
}

/* Word by word: each 64-bit counter is read whole, whatever the writer does meanwhile. */
static void copy_words(void *to, const void *from, size_t size)
{
	const uint64_t *src = from;
	uint64_t *dst = to;
	size_t i;

	for (i = 0; i < size / sizeof(*dst); i++)
		dst[i] = __atomic_load_n(&src[i], __ATOMIC_RELAXED);
}

/* Pairs with stats_write_begin/end. Rows begin with their sequence count. */
static void copy_row(void *to, const void *from, size_t size)
{
	const uint32_t *seq = from;
	uint32_t before;
	int i;

	for (i = 0; i < COPY_TRIES; i++) {
		before = __atomic_load_n(seq, __ATOMIC_ACQUIRE);
		copy_words(to, from, size);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(before & 1) && __atomic_load_n(seq, __ATOMIC_RELAXED) == before)
			return;
		if (i >= COPY_TRIES_BUSY)
			sched_yield();
	}
}

/* A name goes to terminals: what is not printable becomes '?'. */
static void tame_name(char name[STATS_NAME_LEN])
{
	char *c;

	name[STATS_NAME_LEN - 1] = '\0';
	for (c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

void stats_map_copy(const struct stats_map *m, struct stats_page *to)
{
	const struct stats_page *from = m->page;
	size_t i;

	_Static_assert(offsetof(struct stats_page, loop) % 8 == 0, "copied by words");
	_Static_assert(sizeof(struct stats_handover) % 8 == 0, "copied by words");
	copy_words(to, from, offsetof(struct stats_page, loop));
	to->n_handovers = __atomic_load_n(&from->n_handovers, __ATOMIC_ACQUIRE);
	to->n_vcpus = MIN(to->n_vcpus, STATS_MAX_VCPUS);
	for (i = 0; i < STATS_MAX_LOOPS; i++) {
		if (!from->loop[i].id[0])
			continue;
		copy_row(&to->loop[i], &from->loop[i], sizeof(to->loop[i]));
		tame_name(to->loop[i].id);
	}
	for (i = 0; i < STATS_MAX_QUEUES; i++) {
		if (!from->queue[i].device[0])
			continue;
		copy_row(&to->queue[i], &from->queue[i], sizeof(to->queue[i]));
		tame_name(to->queue[i].device);
	}
	/* Counted is written (stats_handover_add), but the ring may turn while we read: the oldest
	 * entry may be a newer one. */
	copy_words(to->handover, from->handover, sizeof(to->handover));
	for (i = 0; i < STATS_MAX_HANDOVERS; i++)
		tame_name(to->handover[i].device);
}
