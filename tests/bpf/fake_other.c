// SPDX-License-Identifier: BSD-2-Clause
/* The VMM of fake_other.h. */
#include "fake_other.h"

#include <lib/tap.h>

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <handoff/clock.h>
#include <handoff/error.h>
#include "held_program.h"
#include "privileged.h"

enum command { COMMAND_NONE, COMMAND_STOP, COMMAND_IRQ, COMMAND_READ_EMPTY };

/* programs/foreign.bpf.c */
struct foreign_words {
	uint64_t word, address, ctx;
	int32_t tgid, fd;
};

struct fake_other {
	enum other_style style;
	struct kernel *kernel;
	struct kernel_view *view;
	struct bpf_object *object;
	struct foreign_words *words;
	int kick[OTHER_QUEUES], command_fd;
	uint64_t ctx[OTHER_QUEUES];
	pthread_t thread;
	sem_t done;
	atomic_int tid, command;
	atomic_bool hold, held;
	atomic_ulong reads;
	struct irq_key msi; /* of COMMAND_IRQ, and how often */
	unsigned int irqs;
	struct held_programs programs;
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

static bool obey(struct fake_other *f)
{
	enum command command = atomic_exchange(&f->command, COMMAND_NONE);
	unsigned int i;

	eventfd_take(f->command_fd);
	if (command == COMMAND_IRQ)
		for (i = 0; i < f->irqs; i++)
			HELD_RUN(&f->programs, "ho_msi_set_irq", f->msi.address, f->msi.data);
	else if (command == COMMAND_READ_EMPTY)
		eventfd_take(f->kick[0]);
	if (command != COMMAND_NONE)
		sem_post(&f->done);
	return command != COMMAND_STOP;
}

static void consume_polling(struct fake_other *f)
{
	struct pollfd fds[OTHER_QUEUES + 1] = { { f->kick[0], POLLIN, 0 },
						{ f->kick[1], POLLIN, 0 },
						{ f->command_fd, POLLIN, 0 } };
	unsigned int i;

	for (;;) {
		if (poll(fds, OTHER_QUEUES + 1, -1) < 0)
			continue;
		for (; atomic_load(&f->hold); sched_yield())
			atomic_store(&f->held, true);
		atomic_store(&f->held, false);
		for (i = 0; i < OTHER_QUEUES; i++)
			if (fds[i].revents && eventfd_take(f->kick[i]))
				atomic_fetch_add(&f->reads, 1);
		if (fds[OTHER_QUEUES].revents && !obey(f))
			return;
	}
}

static void consume_blocking(struct fake_other *f)
{
	while (atomic_load(&f->command) != COMMAND_STOP)
		if (eventfd_take(f->kick[0]))
			atomic_fetch_add(&f->reads, 1);
}

static void consume_by_ring(struct fake_other *f)
{
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	uint64_t n;

	assert_int_equal(io_uring_queue_init(4, &ring, 0), 0);
	while (atomic_load(&f->command) != COMMAND_STOP) {
		io_uring_prep_read(io_uring_get_sqe(&ring), f->kick[0], &n, sizeof(n), 0);
		io_uring_submit(&ring);
		while (io_uring_wait_cqe(&ring, &cqe))
			;
		atomic_fetch_add(&f->reads, cqe->res == sizeof(n));
		io_uring_cqe_seen(&ring, cqe);
	}
	io_uring_queue_exit(&ring);
}

/* Edge-triggered, so that nothing has to be read to sleep again. */
static void consume_as_worker(struct fake_other *f)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, f->kick[0], &event), 0);
	while (atomic_load(&f->command) != COMMAND_STOP)
		if (epoll_wait(epoll, &event, 1, -1) == 1)
			atomic_fetch_add(&f->reads, 1);
	close(epoll);
}

static void *consumer(void *opaque)
{
	static void (*const styles[])(struct fake_other *) = {
		[OTHER_POLL] = consume_polling,
		[OTHER_BLOCK] = consume_blocking,
		[OTHER_RING] = consume_by_ring,
		[OTHER_WORKER] = consume_as_worker,
	};
	struct fake_other *f = opaque;

	atomic_store(&f->tid, gettid());
	sem_post(&f->done);
	styles[f->style](f);
	return NULL;
}

static void wait_done(struct fake_other *f)
{
	while (sem_wait(&f->done) && errno == EINTR)
		;
}

static void order(struct fake_other *f, enum command command)
{
	atomic_store(&f->command, command);
	eventfd_put(f->style == OTHER_POLL ? f->command_fd : f->kick[0]);
	if (f->style == OTHER_POLL)
		wait_done(f);
}

/* The kernel's address of our word, and of the eventfds' contexts. */
static void learn(struct fake_other *f)
{
	struct bpf_program *iterator;
	struct bpf_link *link;
	char path[4096], buf[16];
	unsigned int i;
	struct bpf_map *bss;
	int fd;

	f->object = bpf_object__open_file(built("tests/bpf/programs/foreign.bpf.o", path), NULL);
	if (libbpf_get_error(f->object) || bpf_object__load(f->object))
		fail_msg("%s does not load", path);
	bss = bpf_object__find_map_by_name(f->object, ".bss");
	f->words = mmap(NULL, bpf_map__value_size(bss), PROT_READ | PROT_WRITE, MAP_SHARED,
			bpf_map__fd(bss), 0);
	assert_true(f->words != MAP_FAILED);
	OTHER_RUN(f, "foreign_address", 0);
	assert_true(f->words->address);
	iterator = bpf_object__find_program_by_name(f->object, "foreign_ctx");
	f->words->tgid = getpid();
	for (i = 0; i < OTHER_QUEUES; i++) {
		f->words->fd = f->kick[i];
		link = bpf_program__attach(iterator);
		assert_int_equal(libbpf_get_error(link), 0);
		fd = bpf_iter_create(bpf_link__fd(link));
		assert_true(fd >= 0);
		while (read(fd, buf, sizeof(buf)) > 0)
			;
		close(fd);
		bpf_link__destroy(link);
		f->ctx[i] = f->words->ctx;
		assert_true(f->ctx[i]);
	}
}

static void place(struct kernel *k, void *opaque)
{
	struct fake_other *f = opaque;
	struct kernel_queue queue;
	uint32_t i;

	f->kernel = k;
	for (i = 0; i < OTHER_QUEUES; i++) {
		queue = other_queue(f, i);
		assert_int_equal(kernel_bind(k, i, &queue), 0);
	}
}

struct fake_other *other_new(enum other_style style, enum other_hooks hooks)
{
	struct kernel_config config = { .pid = getpid(),
					.lost_after_ns = 60 * NS_PER_S,
					.foreign = true,
					.rings = style == OTHER_RING,
					.place = place };
	struct fake_other *f;
	struct error err;
	char why[400];
	unsigned int i;

	if (!privileged(why))
		return NULL;
	config.skip[PROGRAM_READ] = hooks >= OTHER_TRACEPOINTS;
	config.skip[PROGRAM_SYS_READ] = hooks == OTHER_SYS_EXIT;
	config.skip[PROGRAM_SYS_IOCTL] = hooks == OTHER_SYS_EXIT;
	f = calloc(1, sizeof(*f));
	f->style = style;
	f->view = calloc(1, sizeof(*f->view));
	for (i = 0; i < OTHER_QUEUES; i++)
		f->kick[i] = eventfd(0, EFD_CLOEXEC | (style == OTHER_POLL ? EFD_NONBLOCK : 0));
	f->command_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	sem_init(&f->done, 0, 0);
	learn(f);
	config.opaque = f;
	f->kernel = kernel_new(&config, &err);
	if (!f->kernel)
		fail_msg("%s", err.msg);
	assert_int_equal(pthread_create(&f->thread, NULL, consumer, f), 0);
	wait_done(f);
	other_wait_asleep(f);
	return f;
}

void other_free(struct fake_other *f)
{
	unsigned int i;

	if (!f)
		return;
	atomic_store(&f->hold, false);
	order(f, COMMAND_STOP);
	pthread_join(f->thread, NULL);
	kernel_free(f->kernel);
	kernel_view_release(f->view);
	free(f->view);
	munmap(f->words, sizeof(*f->words));
	bpf_object__close(f->object);
	held_release(&f->programs);
	for (i = 0; i < OTHER_QUEUES; i++)
		close(f->kick[i]);
	close(f->command_fd);
	sem_destroy(&f->done);
	free(f);
}

struct kernel *other_kernel(struct fake_other *f)
{
	return f->kernel;
}

struct kernel_queue other_queue(const struct fake_other *f, uint32_t row)
{
	return (struct kernel_queue){
		.ways = { .n = 1, .way = { { .gpa = OTHER_GPA + 4 * row, .bus = BUS_MMIO } } },
		.ctx = f->ctx[row],
		.n_fds = 1,
		.fd = { f->kick[row] },
	};
}

void other_bind(struct fake_other *f, uint32_t row, const struct kernel_queue *queue)
{
	assert_int_equal(kernel_bind(f->kernel, row, queue), 0);
}

uint32_t other_tid(const struct fake_other *f)
{
	return atomic_load(&f->tid);
}

void other_run(struct fake_other *f, const char *program, int n, const uint64_t *args)
{
	held_run(&f->programs, program, n, args);
}

void other_write(struct fake_other *f, uint64_t gpa, uint32_t value)
{
	f->words->word = value;
	OTHER_RUN(f, "ho_kvm_mmio", 2, 4, gpa, f->words->address);
}

void other_out(struct fake_other *f, uint16_t port, uint16_t value)
{
	f->words->word = value;
	OTHER_RUN(f, "ho_kvm_pio", 1, port, 2, 1, f->words->address);
}

void other_go_on(struct fake_other *f)
{
	OTHER_RUN(f, "ho_kvm_mmio", 1, 4, OTHER_GPA, 0);
}

void other_signal(struct fake_other *f, uint32_t row)
{
	eventfd_put(f->kick[row]);
	other_go_on(f);
}

/* An asynchronous read of a plain file is complete, and says so, when it has been submitted. */
void other_signal_in_kernel(struct fake_other *f, uint32_t row)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char byte;
	struct iocb read = { .aio_lio_opcode = IOCB_CMD_PREAD,
			     .aio_fildes = fd,
			     .aio_buf = (uintptr_t)&byte,
			     .aio_nbytes = 1,
			     .aio_flags = IOCB_FLAG_RESFD,
			     .aio_resfd = f->kick[row] };
	struct iocb *list = &read;
	aio_context_t context = 0;

	assert_true(fd >= 0);
	assert_int_equal(syscall(SYS_io_setup, 1, &context), 0);
	assert_int_equal(syscall(SYS_io_submit, context, 1, &list), 1);
	assert_int_equal(syscall(SYS_io_destroy, context), 0);
	close(fd);
}

void other_kick(struct fake_other *f, uint32_t row)
{
	other_write(f, OTHER_GPA + 4 * row, row);
	other_signal(f, row);
}

void other_hold(struct fake_other *f)
{
	atomic_store(&f->hold, true);
	eventfd_put(f->command_fd);
	while (!atomic_load(&f->held))
		sched_yield();
}

void other_release(struct fake_other *f)
{
	atomic_store(&f->hold, false);
}

/* Asked of the scheduler, since nothing else knows it: state S, and nothing left to read. */
void other_wait_asleep(struct fake_other *f)
{
	struct pollfd fds[] = { { f->kick[0], POLLIN, 0 }, { f->kick[1], POLLIN, 0 } };
	char path[64], text[256], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", atomic_load(&f->tid));
	while (state != 'S' || (f->style != OTHER_WORKER && poll(fds, 2, 0) > 0)) {
		sched_yield();
		file = fopen(path, "re");
		assert_non_null(file);
		if (fgets(text, sizeof(text), file))
			sscanf(strrchr(text, ')') + 1, " %c", &state);
		fclose(file);
	}
}

void other_wait(struct fake_other *f, unsigned long n)
{
	while (atomic_load(&f->reads) < n)
		sched_yield();
	other_wait_asleep(f);
}

void other_irq(struct fake_other *f, uint32_t address, uint32_t data)
{
	other_irqs(f, address, data, 1);
}

void other_irqs(struct fake_other *f, uint32_t address, uint32_t data, unsigned int n)
{
	f->msi = (struct irq_key){ address, data };
	f->irqs = n;
	order(f, COMMAND_IRQ);
	other_wait_asleep(f);
}

void other_read_empty(struct fake_other *f)
{
	order(f, COMMAND_READ_EMPTY);
	other_wait_asleep(f);
}

const struct kernel_view *other_view(struct fake_other *f)
{
	unsigned int i;

	assert_int_equal(kernel_read(f->kernel, f->view), 0);
	for (i = 0; i < LOSSES; i++)
		assert_int_equal(f->view->loss[i], 0);
	for (i = 0; i < f->view->n_kicks; i++) {
		const struct kick_state *s = &f->view->kick[i].state;

		if (f->view->kick[i].key.bus < BUS_MMIO_READ ||
		    f->view->kick[i].key.bus & BUS_BY_VALUE)
			assert_int_equal(s->kicks, s->coalesced + s->met_asleep + s->met_awake +
							   s->user_exits + !!s->pending);
	}
	return f->view;
}

struct kick_state other_row(struct fake_other *f, uint32_t row)
{
	const struct kernel_view *v = other_view(f);
	struct kick_state sum = { .row = row + 1 };
	unsigned int i;

	for (i = 0; i < v->n_kicks; i++) {
		const struct kick_state *s = &v->kick[i].state;

		if (s->row != row + 1)
			continue;
		sum.kicks += s->kicks;
		sum.user_exits += s->user_exits;
		sum.woke += s->woke;
		sum.pending += s->pending;
		sum.notified += s->notified;
		sum.busy += s->busy;
		sum.lost += s->lost;
		sum.spurious += s->spurious;
		sum.coalesced += s->coalesced;
		sum.met_asleep += s->met_asleep;
		sum.met_awake += s->met_awake;
		sum.served_tid = s->served_tid ?: sum.served_tid;
	}
	return sum;
}

const struct loop_state *other_loop(struct fake_other *f)
{
	const struct thread_row *row = kernel_view_thread(other_view(f), other_tid(f));

	assert_non_null(row);
	return &row->loop;
}
