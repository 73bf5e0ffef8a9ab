/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a loop spins before it sleeps. Pure functions without a clock: the loop tells a policy
 * how each wait went and asks how long to spin next, so the same code serves the live loop, the
 * what-if arithmetic and a test that replays a list of waits. Nothing here locks or allocates; the
 * state belongs to one loop. Rules: semantics.md 1.6, tuning.md.
 */
#ifndef HANDOFF_POLL_POLICY_H
#define HANDOFF_POLL_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/error.h>

struct poll_params {
	int64_t max_ns;	 /* no spin is longer; 0 = never spin */
	uint32_t grow;	 /* factor */
	uint32_t shrink; /* divisor; 0 = straight to 0 (policy "qemu") */
	uint32_t weight; /* a new sample counts 1 / 2^weight; 1..63 */
	/* What a ns of latency is worth, in percent of a CPU-ns; policy "break-even". */
	uint32_t latency_percent;
	/* What one sleep costs, CPU-ns: system calls and switch, the kick's exit, and the wake
	 * latency times what a ns of it is worth (B of tuning.md). Measured by the caller
	 * (poll_cost.h); 0 = not known, POLL_BLOCK_COST_NS stands in. Policy "break-even". */
	int64_t block_cost_ns;
	int64_t wake_ns; /* how late a loop that sleeps sees a kick's work (poll_cost_late_ns); 0 =
			    not known */
};

#define POLL_USUAL_MAX_NS	 32768 /* QEMU's, from NVMe measurements of 2016 */
#define POLL_BLOCK_COST_NS	 10000
#define POLL_LATENCY_PERCENT_MAX 100000
#define POLL_LATE_MAX_NS	 10000000 /* no kick takes longer, but on a machine that hangs */
#define POLL_EXPERTS		 14	  /* of "break-even" */

/* What is known about one handler that may be polled. Zeroed = nothing yet. */
struct poll_handler_state {
	int64_t ns; /* estimate of the wait for its next event */
};

/* What a loop has learned. Zeroed = nothing yet. */
struct poll_state {
	int64_t poll_ns;       /* the next spin's length */
	int64_t active_max_ns; /* longest estimate among the handlers that ran in the wait being
				  judged */
	bool active;	       /* there was one */
	/* "break-even": what each expert would have paid more than whoever spun until the work was
	 * there, in units of `unit` that grows as the past is forgotten; and the spin of the last
	 * one, the rule of "qemu". */
	double loss[POLL_EXPERTS], unit;
	int64_t shadow_ns;
	uint32_t leader; /* which of them has paid least */
	int64_t late_ns; /* how late it takes itself to see work that ends a sleep */
	double expected; /* share of waits of late that a look, a spin of block_cost_ns, would hit
			  */
	double surprise; /* hits of looks over that, of late */
	double hits;	 /* share of looks of late that hit */
	double slept_ns; /* mean length of late of waits of which nobody saw the arrival */
	uint32_t unseen; /* sleeps since the last look, of which nobody saw the arrival */
	uint32_t look_every;
	bool looking; /* poll_ns is a look's */
	bool napped;  /* the loop has taken naps (poll_wait.nap) */
};

/* One wait, as the loop saw it. All in ns. */
struct poll_wait {
	/* From the first look to the moment work was seen, spin and sleep together; the running
	 * time of handlers that had any work is not in it. */
	int64_t block_ns;
	/*
	 * From the first look to the arrival itself, when the signalling side left a stamp; -1 =
	 * unknown. After a sleep block_ns is longer than this by the wake latency: a policy that
	 * scores thresholds has to deduce it then (tuning.md, the trap; break_even.c).
	 */
	int64_t arrival_ns;
	int64_t spun_ns; /* in vain, or from the first look to the end of the last spin, after which
			    it slept */
	bool slept;	 /* the loop went to sleep in it */
	bool nap;	 /* without the spin that was due, to see what that costs: wake_ns is of
			    this guest's kicks now */
};

/*
 * After each wait: handler_waited() for every pollable handler, `ran` if its event was among those
 * the wait ended with; then loop_waited() once. poll_ns of the state is the answer, within
 * 0..max_ns.
 */
struct poll_policy {
	const char *name;
	struct poll_params defaults; /* stand in for settings given as 0; max_ns unused */
	int64_t usual_max_ns;	     /* for a loop of which nobody says how long it may spin */
	/* It lives by what a sleep costs and when work came: the loop measures both for it, and
	 * does not spin where others wait for its CPU, which such a measure does not see. */
	bool measured;
	void (*handler_waited)(struct poll_state *state, struct poll_handler_state *handler,
			       const struct poll_params *params, const struct poll_wait *wait,
			       bool ran); /* NULL: the policy does not look at single handlers */
	void (*loop_waited)(struct poll_state *state, const struct poll_params *params,
			    const struct poll_wait *wait);
};

#define POLL_POLICY_DEFAULT "qemu-weighted"

/* NULL name = POLL_POLICY_DEFAULT. NULL, with err naming the known ones, if there is no such
 * policy. Never freed. */
const struct poll_policy *poll_policy_find(const char *name, struct error *err);

/* The one after it in the order they are listed in, round; NULL if there is no such policy. */
const struct poll_policy *poll_policy_next(const char *name);

/* Puts the policy's defaults where params has 0. -EINVAL with err for what is out of range. */
int poll_params_complete(const struct poll_policy *policy, struct poll_params *params,
			 struct error *err) MUST_CHECK;

/* The rule of QEMU 7.2 to 11.0, per loop: 0, 4000, 8000 ... while waits end soon enough, down after
 * one that was too long. */
extern const struct poll_policy poll_policy_qemu;
/* The rule of QEMU 11.1: a weighted mean of the waits per handler, the loop follows the longest of
 * those that ran. */
extern const struct poll_policy poll_policy_qemu_weighted;
/* poll-max-ns each time: for measuring, the yardstick of the others. */
extern const struct poll_policy poll_policy_fixed;
/*
 * Ours: the spin that would have cost least in the waits of late, of 13 lengths up to 64 us and the
 * one of "qemu"; at most four times what a sleep costs. Where nobody
 * stamps arrivals it deduces them, and checks that by a longer spin now and then. latency_percent
 * is 100 by default: whoever waits is a CPU too, or a spinning guest, so their ns and ours are
 * worth the same.
 */
extern const struct poll_policy poll_policy_break_even;

#endif
