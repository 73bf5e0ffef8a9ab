// SPDX-License-Identifier: BSD-2-Clause
/* Runs of the built-in guest: see vm_run.h. */
#include "vm_run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <handoff/clock.h>

#define RUN_LIMIT_NS (60 * NS_PER_S)

static char folder[64];

int vm_run_group_setup(void **state)
{
	snprintf(folder, sizeof(folder), "/var/tmp/handoff-kvm.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

/* Flat: the tests make no folders in it. */
int vm_run_group_teardown(void **state)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	return rmdir(folder);
}

const char *vm_run_folder(void)
{
	return folder;
}

static void on_line(void *opaque, const char *line)
{
	struct vm_run *r = opaque;

	snprintf(r->last_line, sizeof(r->last_line), "%s", line);
	if (!strncmp(line, "handoff-guest: ready", strlen("handoff-guest: ready")))
		r->ready = true;
	else if (!strncmp(line, "handoff-guest: result", strlen("handoff-guest: result")))
		snprintf(r->result, sizeof(r->result), "%s", line);
	else
		print_message("# guest: %s\n", line);
}

void vm_run_add_iothread(struct vm_run *r, const char *id)
{
	r->config.iothread[r->config.n_iothreads++] =
		(struct machine_iothread){ .id = (char *)id, .cpu = -1 };
}

void vm_run_init(struct vm_run *r, const char *load, ...)
{
	va_list ap;

	if (access("/dev/kvm", R_OK | W_OK))
		skip_because("/dev/kvm: %s", strerror(errno));
	memset(r, 0, sizeof(*r));
	va_start(ap, load);
	vsnprintf(r->load, sizeof(r->load), load, ap);
	va_end(ap);
	r->config = (struct machine_config){
		.append = r->load,
		.memory_bytes = 128 * MIB,
		.cpus = 1,
		.duration_ns = RUN_LIMIT_NS,
		.ioeventfd_limit = -1,
		.console_line = on_line,
		.opaque = r,
		.stop_fd = -1,
		.n_disks = 1,
		.disk[0] = { .file = (char *)"null",
			     .size_bytes = 64 * MIB,
			     .iothread = (char *)"io0",
			     .ioeventfd = true },
	};
	vm_run_add_iothread(r, "io0");
}

void vm_run_use_file(struct vm_run *r, unsigned int disk, uint64_t bytes)
{
	static unsigned int n;
	char *path;

	assert_int_not_equal(asprintf(&path, "%s/disk%u.img", folder, n++), -1);
	r->config.disk[disk].file = path; /* lives as long as the process */
	r->config.disk[disk].size_bytes = bytes;
}

/* As a tracer does it: the machine unmaps its own view before all figures are final. */
static const struct stats_page *map_stats(void)
{
	const struct stats_page *page = MAP_FAILED;
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[64];
	ssize_t n;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		target[MAX(n, 0)] = '\0';
		if (strstr(target, "memfd:" STATS_MEMFD_NAME))
			page = mmap(NULL, sizeof(*page), PROT_READ, MAP_SHARED, fd, 0);
	}
	closedir(dir);
	assert_ptr_not_equal(page, MAP_FAILED);
	return page;
}

void vm_run(struct vm_run *r)
{
	struct error err;
	struct machine *m = machine_new(&r->config, &err);

	if (!m)
		fail_msg("%s", err.msg);
	r->stats = map_stats();
	r->status = machine_run(m);
	assert_int_equal(machine_free(m), 0);
}

void vm_run_release(struct vm_run *r)
{
	munmap((void *)r->stats, sizeof(*r->stats));
	r->stats = NULL;
}

uint64_t vm_run_word(const struct vm_run *r, const char *word)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), " %s=", word);
	at = strstr(r->result, key);
	if (!at)
		fail_msg("no %s= in the result '%s'; last line '%s'", word, r->result,
			 r->last_line);
	return strtoull(at + strlen(key), NULL, 10);
}

void vm_run_assert_clean(const struct vm_run *r)
{
	if (r->status != MACHINE_EXIT_OK || !r->result[0])
		fail_msg("status %d, last line: %s", r->status, r->last_line);
	assert_int_equal(vm_run_word(r, "errors"), 0);
	assert_int_equal(vm_run_word(r, "verify_errors"), 0);
	assert_int_equal(vm_run_word(r, "stalls"), 0);
	assert_int_not_equal(vm_run_word(r, "requests"), 0);
}

void vm_run_assert_exact(const struct vm_run *r)
{
	assert_int_equal(vm_run_word(r, "kicks"),
			 vm_run_sum(r, signals) + vm_run_sum(r, userspace_kicks));
	assert_int_equal(vm_run_word(r, "requests_made"), vm_run_sum(r, requests));
	assert_int_equal(vm_run_sum(r, requests), vm_run_sum(r, completions));
	assert_int_equal(vm_run_sum(r, arrivals), vm_run_sum(r, arrivals_polled) +
							  vm_run_sum(r, arrivals_notified) +
							  vm_run_sum(r, arrivals_recheck) +
							  vm_run_sum(r, arrivals_userspace));
}
