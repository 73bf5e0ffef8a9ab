// SPDX-License-Identifier: BSD-2-Clause
/*
 * The tiny VMM: raw KVM, a guest that kicks, consumers of any style, faults on purpose, and at its
 * end the truth for a tracer's figures to be compared with. The main thread obeys standard input
 * (options.c says how); the others are in tests/lib: tiny_vm, tiny_consumer.
 */
#include <err.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "churn.h"
#include "options.h"
#include "truth.h"
#include "vmm.h"

static uint64_t eventfd_take(int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) != sizeof(n))
		err(1, "eventfd");
	return n;
}

static void on_write(void *opaque, uint64_t gpa, bool pio, uint32_t value)
{
	struct vmm *v = opaque;
	unsigned int i;

	for (i = 0; i < v->o.queues; i++) {
		struct tiny_queue *q = &v->queue[i];

		if (q->at.gpa != gpa || q->at.pio != pio ||
		    (q->at.datamatch && q->at.value != value))
			continue;
		q->user_kicks++;
		tiny_queue_serve(q, false);
		return;
	}
	__atomic_fetch_add(&v->vm.stray, 1, __ATOMIC_RELAXED);
}

/* --- queues and consumers ----------------------------------------------------------------------
 */

static struct tiny_consumer *consumer_of(struct vmm *v, unsigned int queue)
{
	return &v->consumer[queue % v->o.styles];
}

static void init_queue(struct vmm *v, unsigned int i)
{
	struct tiny_queue *q = &v->queue[i];
	const struct options *o = &v->o;
	uint64_t base = o->pio ? TINY_PORT : TINY_NOTIFY;

	q->index = i;
	q->vm = &v->vm;
	q->ring = tiny_vm_ring(&v->vm, i);
	q->at = (struct tiny_notify){ .gpa = base + (o->datamatch ? 0 : i * o->spacing),
				      .value = i,
				      .len = o->pio ? 2 : o->len,
				      .pio = o->pio,
				      .datamatch = o->datamatch };
	q->ring->gpa = q->at.gpa;
	q->ring->value = i;
	q->ring->how = o->pio ? TINY_PIO : o->len == 4 ? TINY_MMIO32 : TINY_MMIO16;
	q->ring->sync = o->sync;
	q->ioeventfd = !o->userspace;
	q->never_drain = (int)i == o->never_drain;
	q->irq_ioctl = o->irq == TINY_SIGNAL_MSI;
	q->kick = q->irq = -1;
	q->progress = v->progress;
}

/* To KVM, its vCPU, and its consumer, who must not be looking. */
static void register_queue(struct vmm *v, unsigned int i)
{
	struct tiny_orders *orders = v->vm.vcpu[i % v->o.vcpus].orders;
	struct tiny_consumer *c = consumer_of(v, i);
	struct tiny_queue *q = &v->queue[i];

	orders->ring[orders->rings++] = TINY_RINGS + i * sizeof(struct tiny_ring);
	q->registered = true;
	if (v->o.irq == TINY_IRQFD) {
		q->irq = eventfd(0, EFD_CLOEXEC);
		tiny_vm_irqfd(&v->vm, i, q->irq, true);
	}
	if (!q->ioeventfd)
		return;
	q->kick = tiny_kick_new(c->style);
	tiny_vm_ioeventfd(&v->vm, &q->at, q->kick, true);
	c->queue[c->n++] = q;
}

/* New eventfds at the old addresses. */
static void renew_queue(struct vmm *v, unsigned int i)
{
	struct tiny_queue *q = &v->queue[i];

	if (q->kick < 0)
		return;
	tiny_vm_ioeventfd(&v->vm, &q->at, q->kick, false);
	close(q->kick);
	q->kick = tiny_kick_new(consumer_of(v, i)->style);
	tiny_vm_ioeventfd(&v->vm, &q->at, q->kick, true);
}

/* A thread of its own, or in a child's. */
static bool has_thread(const struct vmm *v, const struct tiny_consumer *c)
{
	return c->style != TINY_NONE && !v->o.userspace && (c->style != TINY_READ || c->n);
}

static void order_all(struct vmm *v, enum tiny_command command)
{
	unsigned int i;

	for (i = 0; i < v->o.styles; i++) {
		if (v->consumer[i].tid)
			tiny_consumer_order(&v->consumer[i], command);
	}
}

static void go_on_all(struct vmm *v)
{
	unsigned int i;

	for (i = 0; i < v->o.styles; i++) {
		if (v->consumer[i].tid)
			tiny_consumer_go_on(&v->consumer[i]);
	}
}

static void start_consumers(struct vmm *v)
{
	unsigned int i;

	for (i = 0; i < v->o.styles; i++) {
		if (!v->consumer[i].tid && has_thread(v, &v->consumer[i]))
			tiny_consumer_start(&v->consumer[i]);
	}
}

static void join_consumers(struct vmm *v)
{
	unsigned int i;

	for (i = 0; i < v->o.styles; i++) {
		if (v->consumer[i].tid)
			tiny_consumer_join(&v->consumer[i]);
	}
}

/* As a vhost-user back end: it has the eventfds and the guest's memory, and not the VM. */
static void fork_consumers(struct vmm *v)
{
	int started = eventfd(0, EFD_CLOEXEC);
	uint64_t one = 1;
	pid_t child = fork();

	if (child < 0 || started < 0)
		err(1, "fork");
	if (child) {
		v->child = child;
		eventfd_take(started);
		close(started);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(v->o.limit_s);
	tiny_vm_close(&v->vm);
	start_consumers(v);
	(void)!write(started, &one, sizeof(one));
	join_consumers(v);
	_exit(0);
}

/* --- commands ----------------------------------------------------------------------------------
 */

/* Is it, or will it be, served? */
static bool is_served(struct vmm *v, const struct tiny_queue *q)
{
	if (!q->registered || q->never_drain)
		return false;
	return !q->ioeventfd || (consumer_of(v, q->index)->tid && !v->frozen);
}

static bool drained(struct vmm *v)
{
	unsigned int i;

	for (i = 0; i < v->o.queues; i++) {
		const struct tiny_queue *q = &v->queue[i];

		if (is_served(v, q) && !tiny_queue_drained(q, consumer_of(v, i)))
			return false;
	}
	return true;
}

/* Who serves the last post of a `kick`, or reads its signal, says so to `progress`. */
static void command_drain(struct vmm *v)
{
	while (!drained(v))
		eventfd_take(v->progress);
}

/* Without a round, its vCPUs take the interrupts that have not reached them. */
static void run_guest(struct vmm *v, uint64_t rounds)
{
	uint64_t ended = 0;
	unsigned int i;

	for (i = 0; i < v->o.vcpus; i++)
		tiny_vcpu_go(&v->vm.vcpu[i], rounds, v->o.pause);
	while (ended < v->o.vcpus)
		ended += eventfd_take(v->vm.ended);
}

static void command_kick(struct vmm *v, uint64_t n)
{
	unsigned int i;

	for (i = 0; i < v->o.queues; i++) {
		struct tiny_queue *q = &v->queue[i];

		if (q->registered)
			__atomic_store_n(&q->target, q->target + n, __ATOMIC_RELEASE);
	}
	run_guest(v, n);
}

static void command_add(struct vmm *v)
{
	order_all(v, TINY_HOLD);
	for (; v->registered < v->o.queues; v->registered++)
		register_queue(v, v->registered);
	go_on_all(v);
	start_consumers(v);
}

static void command_reset(struct vmm *v)
{
	unsigned int i;

	if (v->child)
		errx(2, "reset: the child cannot get new eventfds");
	order_all(v, TINY_HOLD);
	for (i = 0; i < v->o.queues; i++)
		renew_queue(v, i);
	go_on_all(v);
}

static void command_freeze(struct vmm *v, bool freeze)
{
	if (freeze == v->frozen)
		return;
	v->frozen = freeze;
	if (freeze)
		order_all(v, TINY_FREEZE);
	else
		go_on_all(v);
}

/* What all threads of the VMM have run, ns: neither sleep nor other load counts. */
static uint64_t cpu_ns(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t))
		err(1, "clock");
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* False: the end. */
static bool obey(struct vmm *v, const char *line)
{
	char word[16];
	unsigned long long n = v->o.kicks;
	uint64_t begin_ns = cpu_ns(), in_kicks_ns = truth_in_kicks_ns(v);

	if (sscanf(line, "%15s %llu", word, &n) < 1)
		return true;
	if (!strcmp(word, "end"))
		return false;
	if (!strcmp(word, "go") || !strcmp(word, "kick"))
		command_kick(v, n);
	else if (!strcmp(word, "add"))
		command_add(v);
	else if (!strcmp(word, "reset"))
		command_reset(v);
	else if (!strcmp(word, "freeze") || !strcmp(word, "cont"))
		command_freeze(v, word[0] == 'f');
	else if (strcmp(word, "drain"))
		errx(2, "%s: no such command (--help)", word);
	if (!strcmp(word, "go") || !strcmp(word, "drain"))
		command_drain(v);
	truth_print_done(v, word, cpu_ns() - begin_ns, truth_in_kicks_ns(v) - in_kicks_ns);
	return true;
}

/* --- begin and end -----------------------------------------------------------------------------
 */

static struct vmm *vmm_new(int argc, char **argv)
{
	struct vmm *v =
		mmap(NULL, sizeof(*v), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int i;

	if (v == MAP_FAILED)
		err(1, "memory");
	options_parse(&v->o, argc, argv);
	alarm(v->o.limit_s);
	tiny_vm_init(&v->vm, v->o.vcpus, v->o.first_vcpu);
	v->vm.on_write = on_write;
	v->vm.opaque = v;
	tiny_vm_route(&v->vm);
	v->progress = eventfd(0, EFD_CLOEXEC);
	for (i = 0; i < v->o.styles; i++)
		tiny_consumer_init(&v->consumer[i], i, v->o.style[i]);
	for (i = 0; i < v->o.queues; i++)
		init_queue(v, i);
	for (; v->registered < v->o.queues - v->o.late; v->registered++)
		register_queue(v, v->registered);
	if (v->o.process)
		fork_consumers(v);
	else
		start_consumers(v);
	tiny_vm_start(&v->vm);
	if (v->o.churn)
		churn_start(v);
	return v;
}

static void vmm_end(struct vmm *v)
{
	if (v->o.churn)
		churn_stop(v);
	command_freeze(v, false);
	order_all(v, TINY_END_LOOP);
	if (v->child)
		waitpid(v->child, NULL, 0);
	else
		join_consumers(v);
	run_guest(v, 0);
	tiny_vm_release(&v->vm);
}

int main(int argc, char **argv)
{
	struct vmm *v = vmm_new(argc, argv);
	char line[128];

	printf("ready pid=%d consumer=%d\n", (int)getpid(), (int)v->child);
	fflush(stdout);
	if (v->o.run) {
		command_kick(v, v->o.kicks);
		command_drain(v);
	} else {
		while (fgets(line, sizeof(line), stdin) && obey(v, line))
			;
	}
	vmm_end(v);
	truth_print(v);
	return 0;
}
