// SPDX-License-Identifier: BSD-2-Clause
/* The threads of tiny_consumer.h, and what all styles do with a queue. Styles are in
 * tiny_monitor*.c. */
#include "tiny_consumer.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "tiny_monitor.h"

#define AGAIN_MS 10

static const struct {
	const char *name;
	const struct tiny_monitor *monitor;
} styles[TINY_STYLES] = {
	[TINY_EPOLL] = { "epoll", &tiny_epoll },
	[TINY_PPOLL] = { "ppoll", &tiny_ppoll },
	[TINY_URING_POLL] = { "uring-poll", &tiny_uring_poll },
	[TINY_URING_READ] = { "uring-read", &tiny_uring_read },
	[TINY_READ] = { "read", &tiny_read },
	[TINY_BUSY] = { "busy", &tiny_busy },
	[TINY_SPIN] = { "spin", &tiny_spin },
	[TINY_ADAPTIVE] = { "adaptive", &tiny_adaptive },
	[TINY_NONE] = { "none", NULL },
};

const char *tiny_style_name(enum tiny_style style)
{
	return styles[style].name;
}

static int eventfd_new(int flags)
{
	int fd = eventfd(0, EFD_CLOEXEC | flags);

	if (fd < 0)
		err(1, "eventfd");
	return fd;
}

static void eventfd_put(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		err(1, "eventfd");
}

int tiny_kick_new(enum tiny_style style)
{
	/* Of a nonblocking file io_uring waits for nothing but POLL_ADD. */
	return eventfd_new(style == TINY_READ || style == TINY_URING_READ ? 0 : EFD_NONBLOCK);
}

/* The main thread looks by itself (tiny_queue_drained); it only has to be woken. */
static void tell_progress(const struct tiny_queue *q)
{
	if (q->ring->served == __atomic_load_n(&q->target, __ATOMIC_ACQUIRE))
		eventfd_put(q->progress);
}

bool tiny_queue_drained(const struct tiny_queue *q, const struct tiny_consumer *c)
{
	if (__atomic_load_n(&q->ring->served, __ATOMIC_ACQUIRE) != q->ring->posted)
		return false;
	return !q->ioeventfd || c->style == TINY_SPIN ||
	       __atomic_load_n(&q->sum, __ATOMIC_ACQUIRE) == q->ring->kicked;
}

void tiny_queue_serve(struct tiny_queue *q, bool spin)
{
	uint64_t posted = __atomic_load_n(&q->ring->posted, __ATOMIC_ACQUIRE);

	if (posted == q->ring->served) {
		q->spurious++;
		return;
	}
	q->serves++;
	q->spin_hits += spin;
	__atomic_store_n(&q->ring->served, posted, __ATOMIC_RELEASE);
	if (q->irq_ioctl)
		tiny_vm_signal_msi(q->vm, q->index);
	else if (q->irq >= 0)
		eventfd_put(q->irq);
	q->irqs += q->irq_ioctl || q->irq >= 0;
	tell_progress(q);
}

void tiny_queue_took(struct tiny_queue *q, ssize_t n, uint64_t value)
{
	if (n == sizeof(value)) {
		q->reads++;
		__atomic_store_n(&q->sum, q->sum + value, __ATOMIC_RELEASE);
		tiny_queue_serve(q, false);
		tell_progress(q);
	} else {
		q->reads_empty++;
	}
}

void tiny_queue_handle(struct tiny_queue *q)
{
	uint64_t value;
	ssize_t n = read(q->kick, &value, sizeof(value));

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		err(1, "read of a kick");
	tiny_queue_took(q, n, value);
}

void tiny_poke_take(struct tiny_consumer *c)
{
	uint64_t value;

	if (read(c->poke, &value, sizeof(value)) < 0 && errno != EAGAIN)
		err(1, "eventfd");
}

/* False: to end. */
static bool obey(struct tiny_consumer *c)
{
	const struct tiny_monitor *m = styles[c->style].monitor;
	int command = __atomic_load_n(&c->command, __ATOMIC_ACQUIRE);

	if (command == TINY_RUN)
		return true;
	if (command != TINY_FREEZE)
		m->disarm(c);
	__atomic_store_n(&c->command, TINY_RUN, __ATOMIC_RELAXED);
	eventfd_put(c->ack);
	if (command == TINY_END_LOOP)
		return false;
	while (sem_wait(&c->thaw) < 0)
		;
	if (command == TINY_HOLD)
		m->arm(c);
	return true;
}

static void on_signal(int sig)
{
	/* That a system call ends is all that is wanted. */
}

static void *consumer_thread(void *opaque)
{
	struct tiny_consumer *c = opaque;
	const struct tiny_monitor *m = styles[c->style].monitor;
	struct sigaction action = { .sa_handler = on_signal };
	char name[16];

	snprintf(name, sizeof(name), "tiny-loop%u", c->id);
	pthread_setname_np(pthread_self(), name);
	c->process = getpid();
	c->tid = gettid();
	sigaction(SIGUSR1, &action, NULL);
	m->arm(c);
	eventfd_put(c->ack);
	while (obey(c)) {
		m->turn(c);
		c->turns++;
	}
	return NULL;
}

void tiny_consumer_init(struct tiny_consumer *c, unsigned int id, enum tiny_style style)
{
	memset(c, 0, sizeof(*c));
	c->id = id;
	c->style = style;
	c->poke = eventfd_new(EFD_NONBLOCK);
	c->ack = eventfd_new(0);
	sem_init(&c->thaw, 1, 0);
}

/* Ends its read(), in whichever process it is. One that comes before the read is lost. */
static void interrupt_reader(const struct tiny_consumer *c)
{
	syscall(SYS_tgkill, c->process, c->tid, SIGUSR1);
}

static void wait_for_ack(struct tiny_consumer *c, void (*again)(const struct tiny_consumer *c))
{
	struct pollfd acked = { .fd = c->ack, .events = POLLIN };
	uint64_t value;

	while (again && poll(&acked, 1, AGAIN_MS) == 0)
		again(c);
	if (read(c->ack, &value, sizeof(value)) != sizeof(value))
		err(1, "eventfd");
}

void tiny_consumer_start(struct tiny_consumer *c)
{
	if (pthread_create(&c->thread, NULL, consumer_thread, c))
		errx(1, "cannot create a thread");
	wait_for_ack(c, NULL);
}

void tiny_consumer_join(struct tiny_consumer *c)
{
	pthread_join(c->thread, NULL);
}

void tiny_consumer_order(struct tiny_consumer *c, enum tiny_command command)
{
	__atomic_store_n(&c->command, command, __ATOMIC_RELEASE);
	if (c->style == TINY_READ)
		interrupt_reader(c);
	else
		eventfd_put(c->poke);
	wait_for_ack(c, c->style == TINY_READ ? interrupt_reader : NULL);
}

void tiny_consumer_go_on(struct tiny_consumer *c)
{
	sem_post(&c->thaw);
}
