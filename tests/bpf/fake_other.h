/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VMM that tells nothing, in the test's own process, without KVM: two eventfds, a real thread
 * that reads them, and the calling thread as its vCPU (tracepoints by BPF_PROG_TEST_RUN, as in
 * fake_vmm.h). The tracer's kernel side alone, bound by hand.
 */
#ifndef TESTS_BPF_FAKE_OTHER_H
#define TESTS_BPF_FAKE_OTHER_H

#include <stdbool.h>
#include <stdint.h>
#include "../../user/trace/kernel.h"

#define OTHER_GPA    0xfe003000ull /* of row 0; row 1 is 4 above */
#define OTHER_QUEUES 2

enum other_style {
	OTHER_POLL,   /* poll(), then read() */
	OTHER_BLOCK,  /* read() of row 0's eventfd */
	OTHER_RING,   /* the same by io_uring */
	OTHER_WORKER, /* poll() alone, as a vhost worker: no eventfd is ever read */
};

/* Which hooks the tracer may use. */
enum other_hooks {
	OTHER_BEST,
	OTHER_TRACEPOINTS, /* functions cannot be hooked */
	OTHER_SYS_EXIT,	   /* nor single system calls */
};

struct fake_other;

/* Bound as other_queue tells. An arrival is lost after a minute. NULL without privilege. */
struct fake_other *other_new(enum other_style style, enum other_hooks hooks);
void other_free(struct fake_other *f);
struct kernel *other_kernel(struct fake_other *f);

/* How row i is bound at first: one way, its descriptor, its context if that can be learned. */
struct kernel_queue other_queue(const struct fake_other *f, uint32_t row);
void other_bind(struct fake_other *f, uint32_t row, const struct kernel_queue *queue);
uint32_t other_tid(const struct fake_other *f);

/* As the vCPU. */
void other_run(struct fake_other *f, const char *program, int n, const uint64_t *args);
#define OTHER_RUN(f, program, ...)                                                                 \
	other_run(f, program, sizeof((uint64_t[]){ __VA_ARGS__ }) / 8,                             \
		  (const uint64_t[]){ __VA_ARGS__ })
/* A write of `value`, which lies where KVM would have it. */
void other_write(struct fake_other *f, uint64_t gpa, uint32_t value);
void other_out(struct fake_other *f, uint16_t port, uint16_t value);
/* KVM signals the eventfd, and the guest goes on. */
void other_signal(struct fake_other *f, uint32_t row);
/* The guest goes on: what this thread does next is not the write's doing. */
void other_go_on(struct fake_other *f);
/* A write to the row's first way, and its signal. */
void other_kick(struct fake_other *f, uint32_t row);

/* The same by eventfd_signal(), which a write to the eventfd is not. The guest does not go on. */
void other_signal_in_kernel(struct fake_other *f, uint32_t row);

/* The consumer: awake, but not looking at its queues, from hold until release. */
void other_hold(struct fake_other *f);
void other_release(struct fake_other *f);
/* Until it has read its eventfds n times in all, and sleeps. */
void other_wait(struct fake_other *f, unsigned long n);
void other_wait_asleep(struct fake_other *f);
/* It sends a message; it reads row 0's eventfd that holds nothing. OTHER_POLL alone. */
void other_irq(struct fake_other *f, uint32_t address, uint32_t data);
/* So many without a sleep in between. */
void other_irqs(struct fake_other *f, uint32_t address, uint32_t data, unsigned int n);
void other_read_empty(struct fake_other *f);

/*
 * What the kernel has counted. Asserts that nothing was lost, and that each address's kicks are the
 * sum of what they met. Valid until the next call.
 */
const struct kernel_view *other_view(struct fake_other *f);
/* All of a row's addresses, past ones too. */
struct kick_state other_row(struct fake_other *f, uint32_t row);
const struct loop_state *other_loop(struct fake_other *f);

#endif
