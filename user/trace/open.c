// SPDX-License-Identifier: BSD-2-Clause
/* The tracer's life. The files it calls: stats_map (the page of a VMM that is ours), foreign (what
 * stands for it with any other), kernel (BPF). snapshot.c makes its reports. */
#include "tracer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <handoff/clock.h>
#include <handoff/compiler.h>

#define LOST_AFTER_NS (100 * NS_PER_MS)

static int64_t realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

void look_if_alive(struct tracer *t)
{
	struct pollfd p = { .fd = t->pidfd, .events = POLLIN };

	if (t->died_ns || poll(&p, 1, 0) <= 0)
		return;
	t->died_ns = clock_ns();
	if (t->kernel)
		kernel_stop(t->kernel);
}

void place_queues(struct kernel *k, const struct stats_page *page)
{
	uint32_t i;

	for (i = 0; i < STATS_MAX_QUEUES; i++) {
		const struct stats_queue *q = &page->queue[i];
		const struct queue_place place = {
			.gpa = q->gpa, .msi = { .address = q->msi_addr, .data = q->msi_data }
		};

		/* What fails is a queue without figures, which does not go unseen: its kicks by BPF
		 * are not the VMM's. */
		if (q->device[0])
			(void)!kernel_place(k, i, &place);
	}
}

static void place_at_start(struct kernel *k, void *opaque)
{
	struct tracer *t = opaque;

	if (t->foreign) {
		foreign_tell(t->foreign, k);
		return;
	}
	stats_map_copy(t->stats, t->now);
	place_queues(k, t->now);
}

/* Our VMM has a page; any other is looked at from outside, which takes BPF. A page that is damaged,
 * or of another version, is no reason to look elsewhere. */
static int find_vmm(struct tracer *t, struct error *err)
{
	int fd = stats_map_find(t->config.pid, err);

	if (fd >= 0) {
		t->stats = stats_map_open(fd, err);
		return t->stats ? 0 : -EINVAL;
	}
	if (fd != -ENOENT || !t->config.use_bpf)
		return fd;
	t->foreign = foreign_new(&t->config, err);
	return t->foreign ? 0 : -ENOENT;
}

/* Without memory for the copies there is no tracer; without BPF there is one that says so. */
static int tracer_init(struct tracer *t, const struct tracer_config *config, struct error *err)
{
	struct kernel_config kernel = { .pid = config->pid, .place = place_at_start, .opaque = t };

	t->config = *config;
	if (!t->config.lost_after_ns)
		t->config.lost_after_ns = LOST_AFTER_NS;
	kernel.lost_after_ns = t->config.lost_after_ns;
	snprintf(t->no_bpf_reason, sizeof(t->no_bpf_reason), "%s",
		 config->no_bpf_reason ? config->no_bpf_reason : "BPF was not asked for");
	t->before = calloc(1, sizeof(*t->before));
	t->now = calloc(1, sizeof(*t->now));
	if (!t->before || !t->now)
		return error_set(err, -ENOMEM, "out of memory");
	t->pidfd = syscall(SYS_pidfd_open, config->pid, 0);
	if (t->pidfd < 0)
		return error_set(err, -errno, "process %d: %m", (int)config->pid);
	if (find_vmm(t, err))
		return -ENOENT;
	kernel.foreign = t->foreign;
	kernel.waits = config->waits;
	kernel.uprobes = t->foreign && config->uprobes;
	kernel.uprobes_slow = config->uprobes_slow;
	kernel.rings = t->foreign && t->foreign->rings;
	/* Alive still: so it was its page, or VM, and no successor's of its number. */
	look_if_alive(t);
	if (t->died_ns)
		return error_set(err, -ESRCH, "process %d has ended", (int)config->pid);
	host_read(&t->host);
	if (!config->use_bpf)
		return 0;
	t->kernel = kernel_new(&kernel, err);
	if (!t->kernel)
		return -EPERM;
	look_if_alive(t);
	if (!config->folded)
		return 0;
	t->folded = folded_new(kernel_switch_has_state(t->kernel), err);
	return t->folded ? 0 : -ENOTSUP;
}

/* Has anything come by any queue before the tracer was there? */
static bool has_begun(const struct stats_page *page)
{
	uint32_t i;

	for (i = 0; i < STATS_MAX_QUEUES; i++)
		if (page->queue[i].signals || page->queue[i].userspace_kicks ||
		    page->queue[i].requests)
			return true;
	return false;
}

struct tracer *tracer_new(const struct tracer_config *config, struct error *err)
{
	struct tracer *t = calloc(1, sizeof(*t));

	if (!t) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	t->pidfd = -1;
	cost_init(&t->cost, config->measure_cost);
	if (tracer_init(t, config, err)) {
		tracer_free(t);
		return NULL;
	}
	t->start_ns = clock_ns();
	t->start_realtime_ns = realtime_ns();
	/* The names are the caller's; foreign has its copy. */
	t->config.names = NULL;
	t->config.given = NULL;
	if (t->foreign) {
		t->late = true;
		foreign_fill(t->foreign, t->now);
		remember_names(t, t->now);
		t->alarms = alarms_new(t);
	} else {
		stats_map_copy(t->stats, t->before);
		t->late = has_begun(t->before);
		remember_names(t, t->before);
	}
	take_vcpus(t, t->foreign ? t->now : t->before);
	if (t->folded)
		folded_follow(t->folded, t->foreign ? t->now : t->before, t->vcpu, t->n_vcpus);
	return t;
}

void tracer_free(struct tracer *t)
{
	if (!t)
		return;
	alarms_free(t->alarms);
	folded_free(t->folded);
	kernel_free(t->kernel);
	kernel_view_release(&t->view);
	stats_map_free(t->stats);
	foreign_free(t->foreign);
	if (t->pidfd >= 0)
		close(t->pidfd);
	free(t->before);
	free(t->now);
	free(t);
}

int tracer_refresh_fd(const struct tracer *t)
{
	return t->foreign && t->kernel ? kernel_changes_fd(t->kernel) : -1;
}

int tracer_refresh(struct tracer *t, struct error *err)
{
	look_if_alive(t);
	if (!t->foreign || t->died_ns)
		return 0;
	return foreign_refresh(t->foreign, t->kernel, err);
}

bool tracer_vm_is_there(const struct tracer *t)
{
	return !t->died_ns && (!t->foreign || t->foreign->is_there);
}

void tracer_set_names(struct tracer *t, const struct vm_names *names)
{
	if (!t->foreign)
		return;
	foreign_set_names(t->foreign, names);
	foreign_tell(t->foreign, t->kernel);
}

int tracer_stacks_fd(const struct tracer *t)
{
	return t->folded ? folded_fd(t->folded) : -1;
}

void tracer_take_stacks(struct tracer *t)
{
	if (t->folded)
		folded_take(t->folded);
}

int tracer_write_folded(struct tracer *t, FILE *to, struct error *err)
{
	if (!t->folded)
		return error_set(err, -ENOTSUP, "no stacks were collected");
	return folded_write(t->folded, t->comm, t->config.pid, to, err);
}
