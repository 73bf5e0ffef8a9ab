// SPDX-License-Identifier: BSD-2-Clause
/*
 * The BQL, a ticket lock on a futex: first come, first served. A pthread mutex would let a busy
 * main loop, which drops it for the length of a ppoll that returns at once, take it again and again
 * before the vCPU thread it has woken gets there. One for the process, by definition, so it is
 * file-scope state: the exception that bql.h is about.
 */
#include <handoff/bql.h>

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <handoff/log.h>

/* Longer than the usual critical section, an MMIO access; shorter than going to sleep and back. */
#define BQL_SPINS 200

static _Atomic uint32_t next_ticket, serving;
/* Initial-exec: asked on hot paths, and we are never dlopened. */
static _Thread_local bool bql_held __attribute__((tls_model("initial-exec")));

static uint32_t ticket_bit(uint32_t ticket)
{
	return 1u << (ticket % 32);
}

static void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

/* Sleeps as long as `now` is being served; unlock wakes those with the bit of the next ticket only.
 */
static void wait_for_turn(uint32_t ticket)
{
	uint32_t now;
	int i;

	for (i = 0; i < BQL_SPINS; i++) {
		if (atomic_load(&serving) == ticket)
			return;
		cpu_relax();
	}
	while ((now = atomic_load(&serving)) != ticket)
		syscall(__NR_futex, &serving, FUTEX_WAIT_BITSET_PRIVATE, now, NULL, NULL,
			ticket_bit(ticket));
}

void bql_lock(void)
{
	if (bql_held) {
		log_error("BQL taken twice by one thread: a bug");
		abort();
	}
	wait_for_turn(atomic_fetch_add(&next_ticket, 1));
	bql_held = true;
}

void bql_unlock(void)
{
	uint32_t next = atomic_load_explicit(&serving, memory_order_relaxed) + 1;

	if (!bql_held) {
		log_error("BQL released by a thread that does not hold it: a bug");
		abort();
	}
	bql_held = false;
	/*
	 * Store of serving, then load of next_ticket; a waiter adds to next_ticket, then loads
	 * serving. All seq_cst, so one of the two sees the other: we wake, or it does not sleep.
	 */
	atomic_store(&serving, next);
	if (atomic_load(&next_ticket) != next)
		syscall(__NR_futex, &serving, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL,
			ticket_bit(next));
}

bool bql_locked(void)
{
	return bql_held;
}
