/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VMM without KVM, in the test's own process, for tests of what BPF makes of its events: a stats
 * page, a real loop thread that sleeps on a real eventfd and hits the real USDT points, and a
 * "vCPU" (the calling thread) whose tracepoints are run by BPF_PROG_TEST_RUN. So every order of
 * events can be had on purpose, kvm_exit and kvm_fast_mmio too, on a KVM that never fires them.
 */
#ifndef TESTS_BPF_FAKE_VMM_H
#define TESTS_BPF_FAKE_VMM_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/report.h>
#include <handoff/trace.h>

#define FAKE_GPA 0xfe003000ull

struct fake_vmm;

/* Starts the loop; then a tracer attached to this process with all that loads. NULL: cannot. */
struct fake_vmm *fake_vmm_new(uint64_t lost_after_ns);
void fake_vmm_free(struct fake_vmm *f);

/* Events of the calling thread as a vCPU. args as the tracepoint has them. */
void fake_tracepoint(struct fake_vmm *f, const char *program, int n, const uint64_t *args);
#define FAKE_TRACEPOINT(f, program, ...)                                                           \
	fake_tracepoint(f, program, sizeof((uint64_t[]){ __VA_ARGS__ }) / 8,                       \
			(const uint64_t[]){ __VA_ARGS__ })
void fake_mmio_write(struct fake_vmm *f, uint64_t gpa);
/* What KVM does with a kick that an ioeventfd takes. */
void fake_signal(struct fake_vmm *f);
/* kvm_mmio, then the signal. */
void fake_kick(struct fake_vmm *f);

/* Until the loop sleeps on its eventfd. */
void fake_wait_asleep(struct fake_vmm *f);
/* Next time the loop wakes it stays awake, but does not look at its queue until it is released. */
void fake_hold(struct fake_vmm *f);
void fake_wait_held(struct fake_vmm *f);
void fake_release(struct fake_vmm *f);
/* Wakes the loop by another eventfd than the queue's. */
void fake_poke(struct fake_vmm *f);
/* The three together: the loop is awake with something else until it is released. */
void fake_keep_busy(struct fake_vmm *f);
/* Until the loop has entered its handler n times in all, and sleeps again. */
void fake_wait_handled(struct fake_vmm *f, unsigned long n);
/* Whether the next handler finds work: an arrival; default true. */
void fake_set_work(struct fake_vmm *f, bool work);
/* The loop enters or leaves poll mode. Done when it returns. */
void fake_poll_mode(struct fake_vmm *f, bool on);

/* The guest moves the queue's notify register or its vector's message. */
void fake_place(struct fake_vmm *f, uint64_t gpa, uint32_t msi_address, uint32_t msi_data);

struct stats_queue *fake_queue_row(struct fake_vmm *f);
struct tracer *fake_tracer(struct fake_vmm *f);
/* A snapshot; asserts that nothing was lost. The caller frees. */
struct report *fake_report(struct fake_vmm *f);
struct report *fake_report_lossy(struct fake_vmm *f);
/* Samples of a stage of the queue's. */
uint64_t fake_count(const struct report *r, enum stage s);

/* For cmocka: *state becomes a fake VMM whose arrivals are lost after a minute, or after
 * FAKE_SHORT_NS; NULL without privilege. */
#define FAKE_SHORT_NS (20 * NS_PER_MS)
int fake_setup_long(void **state);
int fake_setup_short(void **state);
int fake_teardown(void **state);

#endif
