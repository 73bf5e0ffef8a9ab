// SPDX-License-Identifier: BSD-2-Clause
/* Defaults of `handoff run`: see run_defaults.h. Main thread. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <handoff/clock.h>

#include "run_defaults.h"

/* An image without a name: it goes when the last process that has it open goes, however that ends.
 */
static char *nameless_image(void)
{
	const char *tmp = getenv("TMPDIR");
	int fd = open(tmp && *tmp ? tmp : "/var/tmp", O_TMPFILE | O_RDWR, 0600);
	char *path;

	if (fd < 0)
		return NULL;
	/* fd stays open until the process ends: the VMM is a fork of ours and opens it by this
	 * path. */
	if (ftruncate(fd, RUN_DEFAULT_DISK_BYTES) || asprintf(&path, "/proc/self/fd/%d", fd) < 0) {
		close(fd);
		return NULL;
	}
	return path;
}

/* disk0.img in the build folder when the program runs from there, so that one can look at it; else
 * nameless. */
static char *default_image(void)
{
	char dir[PATH_MAX], mark[PATH_MAX + 16], *path, *slash;
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);

	dir[n > 0 ? n : 0] = '\0';
	slash = strrchr(dir, '/');
	if (!slash)
		return nameless_image();
	*slash = '\0';
	snprintf(mark, sizeof(mark), "%s/guest/load.elf", dir);
	if (access(mark, F_OK) || access(dir, W_OK))
		return nameless_image();
	return asprintf(&path, "%s/disk0.img", dir) < 0 ? NULL : path;
}

static int add_default_disk(struct run_options *o)
{
	struct machine_config *m = &o->machine;

	if (!m->n_iothreads) {
		m->iothread[m->n_iothreads++] = (struct machine_iothread){
			.id = strdup("io0"),
			.poll_max_ns = RUN_DEFAULT_POLL_MAX_NS,
			.poll_max_ns_seen = true,
			.cpu = -1,
		};
		if (!m->iothread[0].id)
			return -ENOMEM;
	}
	o->default_disk = true;
	o->disk[m->n_disks++] = (struct run_disk){ .disk = {
							   .file = default_image(),
							   .size_bytes = RUN_DEFAULT_DISK_BYTES,
							   .iothread = strdup(m->iothread[0].id),
							   .queues = 1,
							   .ioeventfd = true,
						   } };
	return o->disk[0].disk.file && o->disk[0].disk.iothread ? 0 : -ENOMEM;
}

static bool load_says_when_to_end(const char *load)
{
	return load && (strstr(load, "runtime=") || strstr(load, "requests="));
}

/*
 * The guest ends by itself when its time is over, so that it can verify and report; the VMM's own
 * timer comes later and only for a guest that does not.
 */
static int apply_time(struct run_options *o)
{
	struct machine_config *m = &o->machine;
	const char *load = o->load ? o->load : "";
	char *line;

	if (m->kernel) {
		m->duration_ns = (int64_t)o->duration_ns;
		m->append = strdup(o->append ? o->append : "");
		return m->append ? 0 : -ENOMEM;
	}
	if (load_says_when_to_end(load)) {
		m->duration_ns = (int64_t)o->duration_ns;
		m->append = strdup(load);
		return m->append ? 0 : -ENOMEM;
	}
	if (!o->duration_given)
		o->duration_ns = RUN_DEFAULT_DURATION_S * NS_PER_S;
	m->duration_ns = (int64_t)o->duration_ns + RUN_GRACE_S * NS_PER_S;
	if (asprintf(&line, "%s%sruntime=%llums", load, *load ? " " : "",
		     (unsigned long long)(o->duration_ns / NS_PER_MS)) < 0)
		return -ENOMEM;
	m->append = line;
	return 0;
}

int run_defaults_apply(struct run_options *o, struct error *err)
{
	struct machine_config *m = &o->machine;
	int ret = m->n_disks ? 0 : add_default_disk(o);

	for (unsigned int i = 0; !ret && i < m->n_disks; i++) {
		struct machine_disk *d = &o->disk[i].disk;

		if (!d->id && asprintf(&d->id, "disk%u", i) < 0) {
			d->id = NULL;
			ret = -ENOMEM;
		}
		m->disk[i] = *d; /* borrowed: o->disk owns the strings */
	}
	if (!ret)
		ret = apply_time(o);
	return ret ? error_set(err, ret, "out of memory") : 0;
}
