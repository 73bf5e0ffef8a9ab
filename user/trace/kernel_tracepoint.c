// SPDX-License-Identifier: BSD-2-Clause
/*
 * Classic tracepoints without a mounted tracefs: a mount that hangs on a descriptor alone tells a
 * tracepoint's number, a perf event carries the program. libbpf looks for /sys/kernel/tracing only.
 */
#include "kernel_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A descriptor of the root of a tracefs nobody else sees; -errno. */
static int open_tracefs(void)
{
	int fs, root = -1, ret;

	fs = syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return -errno;
	ret = syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) ? -errno : 0;
	if (!ret) {
		root = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
		ret = root < 0 ? -errno : root;
	}
	close(fs);
	return ret;
}

/* Its number; -errno. */
static int tracepoint_id(const char *name)
{
	char path[128], text[16];
	int root = open_tracefs(), fd, id = -ENOENT;
	ssize_t n;

	if (root < 0)
		return root;
	snprintf(path, sizeof(path), "events/%s/id", name);
	fd = openat(root, path, O_RDONLY | O_CLOEXEC);
	close(root);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	if (sscanf(text, "%d", &id) != 1)
		id = -ENOENT;
	close(fd);
	return id;
}

static struct bpf_link *failed(int ret)
{
	errno = -ret;
	return NULL;
}

struct bpf_link *kernel_attach_tracepoint(struct bpf_program *program, const char *name)
{
	/* Of one CPU: a tracepoint's programs run on all of them, whoever holds the event. */
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	struct bpf_link *link;
	int id = tracepoint_id(name), fd;

	if (id < 0)
		return failed(id);
	attr.config = id;
	fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return failed(-errno);
	link = bpf_program__attach_perf_event(program, fd);
	if (libbpf_get_error(link))
		close(fd);
	return link;
}
