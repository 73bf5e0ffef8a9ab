// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VMM of fake_vmm.h. The loop sleeps in poll() on three eventfds: the queue's, a poke, and
 * commands.
 */
#include "fake_vmm.h"
#include "held_program.h"

#include <lib/tap.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <handoff/clock.h>
#include <handoff/compiler.h>
#include <handoff/probes.h>
#include <handoff/stats.h>
#include "privileged.h"

enum command { COMMAND_NONE, COMMAND_STOP, COMMAND_POLL_ON, COMMAND_POLL_OFF };

struct fake_vmm {
	struct stats_page *page;
	struct stats_queue *queue;
	struct stats_loop *loop;
	struct tracer *tracer;
	int kick, poke, command_fd;
	pthread_t thread;
	sem_t done;
	atomic_int tid, command;
	atomic_bool work, hold, held;
	atomic_ulong handled;
	struct held_programs programs; /* those run by hand */
};

static uint64_t eventfd_take(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void eventfd_put(int fd)
{
	uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

/* As virtio_queue_host_notifier_aio_read does it. */
static void handle_queue(struct fake_vmm *f)
{
	uint64_t signals = eventfd_take(f->kick);
	bool work = atomic_load(&f->work);

	HANDOFF_PROBE4(queue_notified, stats_queue_index(f->page, f->queue), f->queue->gpa, signals,
		       work);
	stats_add(&f->queue->signals, signals);
	if (work) {
		stats_inc(&f->queue->arrivals);
		stats_inc(&f->queue->arrivals_notified);
	}
	atomic_fetch_add(&f->handled, 1);
}

static bool obey(struct fake_vmm *f)
{
	enum command command = atomic_exchange(&f->command, COMMAND_NONE);
	uint32_t tid = f->loop->tid;

	eventfd_take(f->command_fd);
	if (command == COMMAND_POLL_ON)
		HANDOFF_PROBE2(poll_begin, tid, 1000);
	else if (command == COMMAND_POLL_OFF)
		HANDOFF_PROBE2(poll_end, tid, 1000);
	if (command != COMMAND_NONE)
		sem_post(&f->done);
	return command != COMMAND_STOP;
}

static void *loop_thread(void *opaque)
{
	struct fake_vmm *f = opaque;
	struct pollfd fds[3] = { { f->kick, POLLIN, 0 },
				 { f->poke, POLLIN, 0 },
				 { f->command_fd, POLLIN, 0 } };

	f->loop->tid = gettid();
	atomic_store(&f->tid, gettid());
	sem_post(&f->done);
	for (;;) {
		if (poll(fds, 3, -1) < 0)
			continue;
		for (; atomic_load(&f->hold); sched_yield())
			atomic_store(&f->held, true);
		atomic_store(&f->held, false);
		if (fds[1].revents)
			eventfd_take(f->poke);
		if (fds[0].revents)
			handle_queue(f);
		if (fds[2].revents && !obey(f))
			return NULL;
	}
}

static void order(struct fake_vmm *f, enum command command)
{
	atomic_store(&f->command, command);
	eventfd_put(f->command_fd);
	while (sem_wait(&f->done) && errno == EINTR)
		;
}

struct fake_vmm *fake_vmm_new(uint64_t lost_after_ns)
{
	struct tracer_config config = { .pid = getpid(),
					.use_bpf = true,
					.lost_after_ns = lost_after_ns };
	struct fake_vmm *f = calloc(1, sizeof(*f));
	struct error err;

	if (stats_page_new(&f->page, &err))
		fail_msg("%s", err.msg);
	f->loop = stats_loop_get(f->page, STATS_LOOP_IOTHREAD, "io0");
	f->queue = stats_queue_get(f->page, "disk0", 0);
	f->queue->gpa = FAKE_GPA;
	f->queue->ioeventfd = 1;
	f->queue->loop = stats_loop_index(f->page, f->loop);
	f->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f->poke = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f->command_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	sem_init(&f->done, 0, 0);
	atomic_store(&f->work, true);
	/* The tracer first: the loop's thread is one that comes later. */
	f->tracer = tracer_new(&config, &err);
	if (!f->tracer)
		fail_msg("%s", err.msg);
	assert_int_equal(pthread_create(&f->thread, NULL, loop_thread, f), 0);
	while (sem_wait(&f->done) && errno == EINTR)
		;
	fake_wait_asleep(f);
	return f;
}

/* Also after a test that failed half way. */
void fake_vmm_free(struct fake_vmm *f)
{
	if (!f)
		return;
	fake_release(f);
	order(f, COMMAND_STOP);
	pthread_join(f->thread, NULL);
	tracer_free(f->tracer);
	stats_page_free(f->page);
	close(f->kick);
	close(f->poke);
	close(f->command_fd);
	sem_destroy(&f->done);
	held_release(&f->programs);
	free(f);
}

void fake_tracepoint(struct fake_vmm *f, const char *program, int n, const uint64_t *args)
{
	held_run(&f->programs, program, n, args);
}

void fake_mmio_write(struct fake_vmm *f, uint64_t gpa)
{
	FAKE_TRACEPOINT(f, "ho_kvm_mmio", 2, 4, gpa, 0);
}

void fake_signal(struct fake_vmm *f)
{
	eventfd_put(f->kick);
}

void fake_kick(struct fake_vmm *f)
{
	fake_mmio_write(f, FAKE_GPA);
	fake_signal(f);
	/* The guest goes on: what this thread does next is not KVM's doing. */
	FAKE_TRACEPOINT(f, "ho_kvm_mmio", 1, 4, FAKE_GPA, 0);
}

/* Asked of the scheduler, since nothing else knows it: state S, and nothing left to read. */
void fake_wait_asleep(struct fake_vmm *f)
{
	struct pollfd fds[2] = { { f->kick, POLLIN, 0 }, { f->poke, POLLIN, 0 } };
	char path[64], text[256], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", atomic_load(&f->tid));
	while (state != 'S' || poll(fds, 2, 0) > 0) {
		sched_yield();
		file = fopen(path, "re");
		assert_non_null(file);
		if (fgets(text, sizeof(text), file))
			sscanf(strrchr(text, ')') + 1, " %c", &state);
		fclose(file);
	}
}

void fake_hold(struct fake_vmm *f)
{
	atomic_store(&f->hold, true);
}

void fake_wait_held(struct fake_vmm *f)
{
	while (!atomic_load(&f->held))
		sched_yield();
}

void fake_release(struct fake_vmm *f)
{
	atomic_store(&f->hold, false);
}

void fake_poke(struct fake_vmm *f)
{
	eventfd_put(f->poke);
}

void fake_keep_busy(struct fake_vmm *f)
{
	fake_hold(f);
	fake_poke(f);
	fake_wait_held(f);
}

void fake_wait_handled(struct fake_vmm *f, unsigned long n)
{
	while (atomic_load(&f->handled) < n)
		sched_yield();
	fake_wait_asleep(f);
}

void fake_place(struct fake_vmm *f, uint64_t gpa, uint32_t msi_address, uint32_t msi_data)
{
	f->queue->gpa = gpa;
	f->queue->msi_addr = msi_address;
	f->queue->msi_data = msi_data;
	HANDOFF_PROBE4(queue_placed, stats_queue_index(f->page, f->queue), gpa, msi_address,
		       msi_data);
}

void fake_set_work(struct fake_vmm *f, bool work)
{
	atomic_store(&f->work, work);
}

void fake_poll_mode(struct fake_vmm *f, bool on)
{
	order(f, on ? COMMAND_POLL_ON : COMMAND_POLL_OFF);
	fake_wait_asleep(f);
}

struct stats_queue *fake_queue_row(struct fake_vmm *f)
{
	return f->queue;
}

struct tracer *fake_tracer(struct fake_vmm *f)
{
	return f->tracer;
}

struct report *fake_report_lossy(struct fake_vmm *f)
{
	struct report *r = report_new();
	struct error err;

	if (tracer_snapshot(f->tracer, r, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(r->n_queues, 1);
	return r;
}

struct report *fake_report(struct fake_vmm *f)
{
	struct report *r = fake_report_lossy(f);
	unsigned int i;

	for (i = 0; i < LOSSES; i++)
		assert_int_equal(r->loss[i], 0);
	return r;
}

uint64_t fake_count(const struct report *r, enum stage s)
{
	return r->queue[0].stage[s].hist.count;
}

static int setup(void **state, uint64_t lost_after_ns)
{
	char why[400];

	*state = privileged(why) ? fake_vmm_new(lost_after_ns) : NULL;
	return 0;
}

int fake_setup_long(void **state)
{
	return setup(state, 60 * NS_PER_S);
}

int fake_setup_short(void **state)
{
	return setup(state, FAKE_SHORT_NS);
}

int fake_teardown(void **state)
{
	fake_vmm_free(*state);
	return 0;
}
