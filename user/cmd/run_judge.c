// SPDX-License-Identifier: BSD-2-Clause
/* Contradictions among the options: see run_judge.h. What a folder below would refuse as well is
 * judged here when it is the user's mistake, so that it ends with the status of bad options. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <abi/stats.h>
#include <handoff/compiler.h>
#include <handoff/id.h>

#include "run_judge.h"

#define SERIAL_BYTES 20 /* virtio 1.2, 5.2.6: VIRTIO_BLK_T_GET_ID */

/* Of threads, rows of the stats page and reports. */
static int judge_name(const char *option, const char *id, struct error *err)
{
	if (id_wellformed(id) && strlen(id) < STATS_NAME_LEN)
		return 0;
	return error_set(err, -EINVAL,
			 "%s: bad id: 1 to %d letters, digits, '-', '_' or '.' are needed", option,
			 STATS_NAME_LEN - 1);
}

static bool known_loop(const struct machine_config *m, const char *id, size_t len)
{
	for (unsigned int i = 0; i < m->n_iothreads; i++)
		if (strlen(m->iothread[i].id) == len && !strncmp(m->iothread[i].id, id, len))
			return true;
	return false;
}

static bool is_policy(const char *name)
{
	const char *p = RUN_POLL_POLICIES;

	for (;;) {
		size_t n = strcspn(p, "|");

		if (n == strlen(name) && !strncmp(p, name, n))
			return true;
		if (!p[n])
			return false;
		p += n + 1;
	}
}

static int judge_iothread(const struct machine_config *m, unsigned int index, struct error *err)
{
	const struct machine_iothread *t = &m->iothread[index];

	if (!t->id)
		return error_set(err, -EINVAL, "--iothread: no id; write --iothread io0");
	if (judge_name("--iothread", t->id, err))
		return -EINVAL;
	if (!strcmp(t->id, "main"))
		return error_set(err, -EINVAL, "--iothread %s: that name is the main loop's",
				 t->id);
	if (t->policy && !is_policy(t->policy))
		return error_set(err, -EINVAL,
				 "--iothread %s: policy=%s: must be one of " RUN_POLL_POLICIES,
				 t->id, t->policy);
	for (unsigned int j = 0; j < index; j++)
		if (!strcmp(m->iothread[j].id, t->id))
			return error_set(err, -EINVAL, "--iothread %s: given twice", t->id);
	return 0;
}

static int judge_guest(const struct run_options *o, struct error *err)
{
	if (o->machine.kernel && o->load)
		return error_set(
			err, -EINVAL,
			"--load is for the built-in guest, --kernel replaces it: give one of them");
	if (!o->machine.kernel && o->append)
		return error_set(err, -EINVAL,
				 "--append goes with --kernel; the built-in guest takes --load");
	if (!o->machine.kernel && o->machine.initrd)
		return error_set(err, -EINVAL,
				 "--initrd goes with --kernel; the built-in guest needs none");
	return 0;
}

/* What would be without effect is most likely a mistake. */
static int judge_output(const struct run_options *o, struct error *err)
{
	if (!o->trace && (o->interval_ns || o->lost_after_ns))
		return error_set(err, -EINVAL,
				 "--%s goes with --trace: without it nothing is watched",
				 o->interval_ns ? "interval" : "lost-after");
	if (o->console == RUN_CONSOLE_STDIO && o->json && !strcmp(o->json, "-"))
		return error_set(err, -EINVAL,
				 "--console stdio and --json - both want standard output: write "
				 "--json FILE");
	return 0;
}

int run_judge_early(const struct run_options *o, struct error *err)
{
	int ret = judge_guest(o, err);

	if (!ret)
		ret = judge_output(o, err);
	for (unsigned int i = 0; !ret && i < o->machine.n_iothreads; i++)
		ret = judge_iothread(&o->machine, i, err);
	return ret;
}

/* Does the image fit what is said about it? Whether it can be opened is seen when it is. */
static int judge_image(const struct machine_config *m, unsigned int index, struct error *err)
{
	const struct machine_disk *d = &m->disk[index];
	struct stat st, other;

	if (stat(d->file, &st)) {
		if (d->read_only && d->size_bytes && errno == ENOENT)
			return error_set(err, -EINVAL,
					 "--blk %s: read-only=on, but it does not exist", d->file);
		return 0;
	}
	if (d->size_bytes && S_ISREG(st.st_mode) && (uint64_t)st.st_size != d->size_bytes)
		return error_set(err, -EINVAL,
				 "--blk %s: size=%llu, but it exists with %llu bytes; leave size= "
				 "away, or resize it with truncate",
				 d->file, (unsigned long long)d->size_bytes,
				 (unsigned long long)st.st_size);
	for (unsigned int j = 0; j < index; j++)
		if (!(d->read_only && m->disk[j].read_only) && !stat(m->disk[j].file, &other) &&
		    other.st_dev == st.st_dev && other.st_ino == st.st_ino)
			return error_set(err, -EINVAL,
					 "--blk %s: is %s already; two disks can share an image "
					 "only when both are read-only=on",
					 d->file, m->disk[j].id);
	return 0;
}

static int judge_null(const struct machine_disk *d, struct error *err)
{
	if (!d->size_bytes)
		return error_set(err, -EINVAL, "--blk null: no size; write --blk null,size=64M");
	if (d->cache == MACHINE_CACHE_DIRECT)
		return error_set(err, -EINVAL, "--blk null: cache=direct needs a file");
	return 0;
}

static int judge_service(const struct machine_config *m, const struct machine_disk *d,
			 struct error *err)
{
	if (!d->iothread)
		return 0;
	if (!strcmp(d->iothread, "main"))
		return error_set(err, -EINVAL,
				 "--blk %s: iothread=main: leave it away; without an iothread the "
				 "main loop serves it",
				 d->file);
	if (!known_loop(m, d->iothread, strlen(d->iothread)))
		return error_set(err, -EINVAL,
				 "--blk %s: iothread=%s: no such iothread; add --iothread %s",
				 d->file, d->iothread, d->iothread);
	if (!d->ioeventfd)
		return error_set(
			err, -EINVAL,
			"--blk %s: ioeventfd=off and iothread=%s contradict: without an ioeventfd "
			"the vCPU thread serves the queue",
			d->file, d->iothread);
	return 0;
}

static int judge_disk(const struct machine_config *m, unsigned int index, struct error *err)
{
	const struct machine_disk *d = &m->disk[index];
	int ret;

	if (!d->file)
		return error_set(
			err, -EINVAL,
			"--blk: no file; write --blk file=disk.img or --blk null,size=64M");
	if (judge_name("--blk", d->id, err))
		return -EINVAL;
	ret = strcmp(d->file, "null") ? judge_image(m, index, err) : judge_null(d, err);
	if (ret)
		return ret;
	if (d->size_bytes % 512)
		return error_set(err, -EINVAL, "--blk %s: size=%llu: not a multiple of 512",
				 d->file, (unsigned long long)d->size_bytes);
	if (d->queue_size & (d->queue_size - 1))
		return error_set(err, -EINVAL, "--blk %s: queue-size=%u: not a power of two",
				 d->file, d->queue_size);
	if (d->serial && strlen(d->serial) > SERIAL_BYTES)
		return error_set(err, -EINVAL, "--blk %s: serial=%s: at most %d characters",
				 d->file, d->serial, SERIAL_BYTES);
	for (unsigned int j = 0; j < index; j++)
		if (!strcmp(m->disk[j].id, d->id))
			return error_set(err, -EINVAL, "--blk %s: id %s is taken", d->file, d->id);
	return judge_service(m, d, err);
}

static int judge_move_loops(const struct machine_config *m, const struct machine_move *move,
			    struct error *err)
{
	if (!move->loops)
		return error_set(err, -EINVAL, "--move %s: no loops; write loops=io0:io1:main",
				 move->disk);
	for (const char *p = move->loops;; p++) {
		size_t len = strcspn(p, ":");

		if (!len)
			return error_set(err, -EINVAL,
					 "--move %s: loops=%s: an empty name; write "
					 "loops=io0:io1:main",
					 move->disk, move->loops);
		if ((len != 4 || strncmp(p, "main", 4)) && !known_loop(m, p, len))
			return error_set(err, -EINVAL, "--move %s: loops: %.*s: no such iothread",
					 move->disk, (int)MIN(len, 64), p);
		p += len;
		if (!*p)
			return 0;
	}
}

static int judge_move(const struct machine_config *m, const struct machine_move *move,
		      struct error *err)
{
	const struct machine_disk *disk = NULL;

	if (!m->n_disks)
		return error_set(err, -EINVAL,
				 "--move: there is no disk; add --blk null,size=64M, for one");
	if (!move->disk)
		return error_set(err, -EINVAL, "--move: no disk; write --move %s,loops=io0:main",
				 m->disk[0].id);
	for (unsigned int j = 0; j < m->n_disks; j++)
		if (!strcmp(m->disk[j].id, move->disk))
			disk = &m->disk[j];
	if (!disk)
		return error_set(err, -EINVAL, "--move %s: no such disk; the first is called %s",
				 move->disk, m->disk[0].id);
	if (!disk->ioeventfd)
		return error_set(err, -EINVAL,
				 "--move %s: contradicts its ioeventfd=off: the vCPU thread serves "
				 "it, no loop",
				 move->disk);
	return judge_move_loops(m, move, err);
}

int run_judge_disks(const struct run_options *o, struct error *err)
{
	const struct machine_config *m = &o->machine;
	unsigned int queues = 0;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < m->n_disks; i++) {
		ret = judge_disk(m, i, err);
		queues += m->disk[i].queues;
	}
	if (!ret && queues > STATS_MAX_QUEUES)
		return error_set(err, -EINVAL,
				 "--blk: %u queues, but a report has room for %d; give fewer "
				 "disks or queues=",
				 queues, STATS_MAX_QUEUES);
	for (unsigned int i = 0; !ret && i < m->n_moves; i++)
		ret = judge_move(m, &m->move[i], err);
	return ret;
}
