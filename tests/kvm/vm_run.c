// SPDX-License-Identifier: BSD-2-Clause
/* Runs of the built-in guest: see vm_run.h. */
#include "vm_run.h"

#include <dirent.h>
#include <elf.h>
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

static void guest_ready(struct vm_run *r, const char *line)
{
	r->packed = strstr(line, " ring=packed ");
	r->ready = true;
	if (r->on_ready)
		r->on_ready(r);
}

static void on_line(void *opaque, const char *line)
{
	struct vm_run *r = opaque;

	snprintf(r->last_line, sizeof(r->last_line), "%s", line);
	if (!strncmp(line, "handoff-guest: ready", strlen("handoff-guest: ready")))
		guest_ready(r, line);
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
		.qmp_fd = -1,
		.n_disks = 1,
		.disk[0] = { .file = (char *)"null",
			     .size_bytes = 64 * MIB,
			     .iothread = (char *)"io0",
			     .ioeventfd = true },
	};
	vm_run_add_iothread(r, "io0");
}

void vm_run_use_layout(struct vm_run *r, void **state)
{
	r->config.disk[0].packed = *state != NULL;
}

void vm_run_use_file(struct vm_run *r, unsigned int disk, uint64_t bytes)
{
	static unsigned int n;

	snprintf(r->path[disk], sizeof(r->path[disk]), "%s/disk%u.img", folder, n++);
	r->config.disk[disk].file = r->path[disk];
	r->config.disk[disk].size_bytes = bytes;
}

void vm_run_need_direct_io(void)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/direct", folder);
	fd = open(path, O_CREAT | O_RDWR | O_DIRECT, 0600);
	if (fd < 0)
		skip_because("O_DIRECT in %s: %s", folder, strerror(errno));
	close(fd);
}

#define CODE_GPA (1 * MIB)

void vm_run_use_code(struct vm_run *r, const char *start, const char *end)
{
	struct {
		Elf64_Ehdr ehdr;
		Elf64_Phdr phdr[2];
		Elf64_Nhdr note;
		char name[4];
		uint32_t entry;
	} elf = {
		.ehdr = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_EXEC,
			  .e_machine = EM_X86_64,
			  .e_phoff = sizeof(Elf64_Ehdr),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = 2 },
		.phdr = { { .p_type = PT_LOAD,
			    .p_offset = sizeof(elf),
			    .p_paddr = CODE_GPA,
			    .p_filesz = (uint64_t)(end - start),
			    .p_memsz = (uint64_t)(end - start) },
			  { .p_type = PT_NOTE,
			    .p_offset = offsetof(__typeof__(elf), note),
			    .p_filesz = sizeof(elf) - offsetof(__typeof__(elf), note) } },
		.note = { .n_namesz = 4, .n_descsz = 4, .n_type = 18 },
		.name = "Xen",
		.entry = CODE_GPA,
	};
	static char path[128]; /* of the last one: config borrows it */
	int fd;

	snprintf(path, sizeof(path), "%s/code.elf", folder);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, &elf, sizeof(elf)), sizeof(elf));
	assert_int_equal(write(fd, start, (size_t)(end - start)), end - start);
	close(fd);
	r->config.kernel = path;
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
		int fd = (int)strtol(entry->d_name, NULL, 10);

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
	assert_int_equal(r->packed, r->config.disk[0].packed);
	assert_int_equal(vm_run_word(r, "kicks"),
			 vm_run_sum(r, signals) + vm_run_sum(r, userspace_kicks));
	/* A reset takes back what the device had not seen yet, and what it had not answered yet. */
	assert_in_range(vm_run_sum(r, requests),
			vm_run_word(r, "requests_made") - vm_run_word(r, "dropped"),
			vm_run_word(r, "requests_made"));
	assert_in_range(vm_run_sum(r, completions),
			vm_run_word(r, "requests_made") - vm_run_word(r, "dropped"),
			vm_run_sum(r, requests));
	assert_int_equal(vm_run_sum(r, arrivals), vm_run_sum(r, arrivals_polled) +
							  vm_run_sum(r, arrivals_notified) +
							  vm_run_sum(r, arrivals_recheck) +
							  vm_run_sum(r, arrivals_userspace));
}

void vm_run_well(struct vm_run *r)
{
	vm_run(r);
	vm_run_assert_clean(r);
	vm_run_assert_exact(r);
}
