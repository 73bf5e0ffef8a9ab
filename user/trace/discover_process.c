// SPDX-License-Identifier: BSD-2-Clause
/*
 * Whose process a VM is: what it runs, by name. Its owner chose every byte of these texts, so what
 * is not printable is replaced. What cannot be read stays empty.
 */
#include "discover.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <abi/stats.h>
#include <handoff/compiler.h>

/* The first size-1 bytes of /proc/PID/<name>. */
static size_t read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	size_t n = 0;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && n < size - 1 && (got = read(fd, text + n, size - 1 - n)) > 0)
		n += got;
	if (fd >= 0)
		close(fd);
	text[n] = '\0';
	return n;
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* Our stats page tells of itself wherever it is, in a test's process too. */
static bool has_stats_page(pid_t pid)
{
	char path[64], target[64];
	struct dirent *entry;
	bool found = false;
	ssize_t n;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	fds = opendir(path);
	while (fds && !found && (entry = readdir(fds))) {
		n = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		found = begins(target, "/memfd:" STATS_MEMFD_NAME);
	}
	if (fds)
		closedir(fds);
	return found;
}

static void read_kind(struct vm *vm)
{
	/* By how the program's name begins. */
	static const struct {
		const char *begins, *kind;
	} kinds[] = {
		{ "qemu", "qemu" },
		{ "kvm", "qemu" }, /* Debian's old name of it, and Proxmox's */
		{ "firecracker", "firecracker" },
		{ "cloud-hypervisor", "cloud-hypervisor" },
		{ "crosvm", "crosvm" },
		{ "lkvm", "kvmtool" },
		{ "kvmtool", "kvmtool" },
	};
	char path[64], exe[PATH_MAX] = "";
	const char *name;
	ssize_t n;
	size_t i;

	snprintf(vm->kind, sizeof(vm->kind), "unknown");
	if (has_stats_page(vm->pid)) {
		snprintf(vm->kind, sizeof(vm->kind), "handoff");
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)vm->pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n < 0)
		return;
	exe[n] = '\0';
	name = strrchr(exe, '/') ? strrchr(exe, '/') + 1 : exe;
	/* kvmtool's begins with "kvm" as well: the longest match. */
	for (i = ARRAY_SIZE(kinds); i-- > 0;)
		if (begins(name, kinds[i].begins)) {
			snprintf(vm->kind, sizeof(vm->kind), "%s", kinds[i].kind);
			return;
		}
}

void vm_read_process(struct vm *vm)
{
	char *end = vm->command + sizeof(vm->command) - 4;
	size_t n, i;

	n = read_proc(vm->pid, "comm", vm->comm, sizeof(vm->comm));
	if (n && vm->comm[n - 1] == '\n')
		vm->comm[n - 1] = '\0';
	make_printable(vm->comm, sizeof(vm->comm));
	n = read_proc(vm->pid, "cmdline", vm->command, sizeof(vm->command));
	for (i = 0; i + 1 < n; i++)
		if (!vm->command[i])
			vm->command[i] = ' ';
	make_printable(vm->command, sizeof(vm->command));
	if (n == sizeof(vm->command) - 1)
		memcpy(end, "...", 4);
	read_kind(vm);
}

static bool is_called(const char *path, const char *name)
{
	char comm[VM_NAME] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, comm, sizeof(comm) - 1);

	if (fd >= 0)
		close(fd);
	if (n > 0 && comm[n - 1] == '\n')
		comm[n - 1] = '\0';
	return n > 0 && !strcmp(comm, name);
}

/* How many there are among the threads of a process (`below` "/proc/PID/task"), or among all
 * processes ("/proc"), and one of them. */
static uint32_t count_called(const char *below, const char *name, uint32_t *found)
{
	DIR *dir = opendir(below);
	struct dirent *entry;
	char path[300];
	uint32_t n = 0;

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s/comm", below, entry->d_name);
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !is_called(path, name))
			continue;
		*found = strtoul(entry->d_name, NULL, 10);
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

uint32_t find_vhost_worker(pid_t pid)
{
	char below[64], name[VM_NAME];
	uint32_t tid = 0, n;

	snprintf(below, sizeof(below), "/proc/%d/task", (int)pid);
	snprintf(name, sizeof(name), "vhost-%d", (int)pid);
	n = count_called(below, name, &tid);
	if (!n)
		n = count_called("/proc", name, &tid);
	return n == 1 ? tid : 0;
}

bool is_vhost_worker(pid_t pid, uint32_t tid)
{
	char path[64], name[VM_NAME];

	snprintf(path, sizeof(path), "/proc/%u/comm", tid);
	snprintf(name, sizeof(name), "vhost-%d", (int)pid);
	return is_called(path, name);
}
