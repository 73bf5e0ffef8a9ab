// SPDX-License-Identifier: BSD-2-Clause
/* Defaults of `handoff run`: see run_defaults.h. Main thread. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <handoff/clock.h>

#include "run_defaults.h"

/* An image without a name: it goes when the last process that has it open goes, however that ends.
 */
static int nameless_image(char **path, struct error *err)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	if (!tmp || !*tmp)
		tmp = "/var/tmp";
	fd = open(tmp, O_TMPFILE | O_RDWR, 0600);
	if (fd < 0)
		return error_set(err, -errno,
				 "no default disk: a file without a name in %s: %s; set TMPDIR, or "
				 "give a --blk",
				 tmp, strerror(errno));
	/* fd stays open until the process ends: the VMM is a fork of ours and opens it by this
	 * path. */
	if (asprintf(path, "/proc/self/fd/%d", fd) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	if (ftruncate(fd, RUN_DEFAULT_DISK_BYTES))
		return error_set(err, -errno, "no default disk: %s: %s", tmp, strerror(errno));
	return 0;
}

/* Can it be made, or used as it is: whole, writable, and not another run's? */
static bool image_is_free(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;
	bool is_free;

	if (fd < 0)
		return errno == ENOENT;
	is_free = !fstat(fd, &st) && S_ISREG(st.st_mode) &&
		  st.st_size == (off_t)RUN_DEFAULT_DISK_BYTES &&
		  (fcntl(fd, F_OFD_GETLK, &lock) || lock.l_type == F_UNLCK);
	close(fd);
	return is_free;
}

/* disk0.img in the build folder when the program runs from there, so that one can look at it; else
 * nameless. */
static int default_image(char **path, struct error *err)
{
	char dir[PATH_MAX], mark[PATH_MAX + 16], *slash;
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);

	dir[n > 0 ? n : 0] = '\0';
	slash = strrchr(dir, '/');
	if (!slash)
		return nameless_image(path, err);
	*slash = '\0';
	snprintf(mark, sizeof(mark), "%s/guest/load.elf", dir);
	if (access(mark, F_OK) || access(dir, W_OK))
		return nameless_image(path, err);
	snprintf(mark, sizeof(mark), "%s/disk0.img", dir);
	if (!image_is_free(mark))
		return nameless_image(path, err);
	*path = strdup(mark);
	return *path ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static int add_default_disk(struct run_options *o, struct error *err)
{
	struct machine_config *m = &o->machine;
	struct machine_disk *d = &o->disk[0].disk;

	if (!m->n_iothreads) {
		m->iothread[m->n_iothreads++] = (struct machine_iothread){
			.id = strdup("io0"),
			.poll_max_ns = RUN_DEFAULT_POLL_MAX_NS,
			.poll_max_ns_seen = true,
			.cpu = -1,
		};
	}
	m->n_disks = 1;
	*d = (struct machine_disk){
		.size_bytes = RUN_DEFAULT_DISK_BYTES,
		.queues = 1,
		.ioeventfd = true,
	};
	if (!m->iothread[0].id || !(d->iothread = strdup(m->iothread[0].id)))
		return error_set(err, -ENOMEM, "out of memory");
	return default_image(&d->file, err);
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

static void apply_output(struct run_options *o)
{
	bool stdout_is_free = !o->trace && !(o->json && !strcmp(o->json, "-"));

	if (o->console == RUN_CONSOLE_DEFAULT)
		o->console =
			o->machine.kernel && stdout_is_free ? RUN_CONSOLE_STDIO : RUN_CONSOLE_LINES;
	/* Beside the guest's bytes no line is welcome that was not asked for. */
	if (!o->interval_ns && o->console != RUN_CONSOLE_STDIO)
		o->interval_ns = RUN_DEFAULT_INTERVAL_NS;
}

static int name_disks(struct run_options *o)
{
	for (unsigned int i = 0; i < o->machine.n_disks; i++) {
		struct machine_disk *d = &o->disk[i].disk;

		if (!d->id && asprintf(&d->id, "disk%u", i) < 0) {
			d->id = NULL;
			return -ENOMEM;
		}
		o->machine.disk[i] = *d; /* borrowed: o->disk owns the strings */
	}
	return 0;
}

int run_defaults_apply(struct run_options *o, struct error *err)
{
	int ret = 0;

	if (!o->machine.memory_bytes)
		o->machine.memory_bytes =
			o->machine.kernel ? RUN_KERNEL_MEMORY_BYTES : RUN_DEFAULT_MEMORY_BYTES;
	apply_output(o);
	if (!o->machine.n_disks && !o->machine.kernel)
		ret = add_default_disk(o, err);
	if (ret)
		return ret;
	if (name_disks(o) || apply_time(o))
		return error_set(err, -ENOMEM, "out of memory");
	return 0;
}
