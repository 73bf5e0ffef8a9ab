/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From what was measured of a loop to what its poll-max-ns should be: the what-if curve
 * (tuning.md), a choice by the user's goal, and why. Pure; no pointers, copy it freely. Its
 * renderings, and the QMP side, are below. One thread at a time.
 */
#ifndef HANDOFF_ADVISOR_H
#define HANDOFF_ADVISOR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <abi/model.h>
#include <abi/stats.h>
#include <handoff/error.h>

struct qmp_client;
struct report;
struct report_loop;

#define ADVICE_SCHEMA "handoff.tune/1"
#define ADVICE_POINTS 24
#define ADVICE_LOOPS  STATS_MAX_LOOPS
#define ADVICE_TEXT   240

/* Fewer gaps than these are no ground to stand on. */
#define ADVICE_MIN_GAPS 200

struct advice_goal {
	double latency_weight; /* CPU-ns that one ns of latency is worth */
	double budget;	       /* share of a core that spinning may take; 0 = by latency_weight */
	int64_t most_ns;       /* none above that is advised; 0 = no limit */
};

/* What one poll-max-ns would do. Times in ns, for each wait that was measured, on the mean. */
struct advice_point {
	int64_t max_ns;
	double hit_share; /* of the waits: found by a spin */
	/* The same if the kick's exit takes as long as it may (exit_most_ns), or in the better
	 * parts of the interval. */
	double hit_most;
	double spun_ns; /* of a CPU, hit or not */
	double late_ns; /* what wakes add to the latency */
	double cost_ns; /* spun, and what a sleep costs where it slept */
	double cpu;	/* the spins' share of a core */
	double kicks;	/* a second that it would still take: each sleep's */
	/* The same if the VMM lets the guest kick while it polls: each wait's. */
	double kicks_most;
};

/*
 * How work arrives. CLOSED: hardly ever while the loop is at work, though it is at work often
 * enough: each request waits for the one before, so faster service brings more of them.
 */
enum advice_arrivals { ARRIVALS_UNKNOWN, ARRIVALS_OPEN, ARRIVALS_CLOSED };

enum advice_action {
	ADVICE_NONE, /* nothing can be said, and `why` */
	ADVICE_KEEP, /* what is set today is as good */
	ADVICE_SET,  /* point[best].max_ns */
};

/* What a setting did, while it stood. */
struct advice_observed {
	bool known;
	char reason[ADVICE_TEXT]; /* why not; or the rule */
	int64_t max_ns;
	uint64_t waits;
	double hit_share;
	double late_ns;	   /* of one wait on the mean */
	double loop_cpu;   /* share of a core that the loop ran */
	double spun_cpu;   /* of that, its spins */
	double rate;	   /* waits a second */
	double cost_ns;	   /* of a wait: the loop's CPU, and late_ns weighted */
	double kicks;	   /* a second */
	double requests;   /* a second, by query-blockstats; < 0 = not known */
	double request_ns; /* of the loop's CPU, each; < 0 = not known */
};

/* What became of a setting that was tried. */
enum advice_trial { TRIAL_NONE, TRIAL_KEPT, TRIAL_ROLLED_BACK };

struct advice {
	char loop[STATS_NAME_LEN]; /* its id */
	uint32_t tid;
	char policy[24]; /* by which it spins */
	/* exact: poll-max-ns was told; absent: nobody told it */
	enum evidence today_evidence;
	int64_t today_ns;
	enum evidence gaps_evidence;
	bool gaps_hidden;
	char gaps_reason[ADVICE_TEXT];
	uint64_t gaps, wakes;
	double seconds, rate; /* waits a second */
	double gap_p50_ns, gap_p90_ns, wake_ns;
	/*
	 * A spin sees work that is in the queue, a kick tells of it later: by its exit until it is
	 * decoded. Measured (both the same), or not to be seen here: then 0, and at most the
	 * shortest waits that were seen.
	 */
	double exit_ns, exit_most_ns;
	double block_cost_ns; /* of a sleep: B of tuning.md */
	enum advice_arrivals arrivals;
	uint32_t n, today, knee, best; /* of point; today ADVICE_POINTS = not known */
	struct advice_point point[ADVICE_POINTS];
	enum advice_action action;
	char why[ADVICE_TEXT], sure[ADVICE_TEXT];
	/* --apply */
	enum advice_trial trial;
	char trial_why[ADVICE_TEXT];
	struct advice_observed before, after;
};

/* From an interval's report: of its loop. `policy`: the name of the rule by which it spins; NULL =
 * it was not asked for: what the loop tells is taken, else the VMM's default. */
void advise(const struct report *interval, const struct report_loop *loop, const char *policy,
	    const struct advice_goal *goal, struct advice *a);

/* What is observed of a loop in an interval; `requests`: those of its disks in it, < 0 = not known.
 */
void advice_observe(const struct report *interval, const struct report_loop *loop,
		    const struct advice_goal *goal, double requests, struct advice_observed *o);

/* Was it worth it, by the goal? False with `why`. */
bool advice_is_better(const struct advice_observed *before, const struct advice_observed *after,
		      const struct advice_goal *goal, char why[ADVICE_TEXT]);

/* All that is told of a VM. */
struct advice_report {
	pid_t pid;
	char comm[STATS_NAME_LEN], vmm_kind[16];
	char domain[64];	      /* libvirt's name; "" = not known */
	char qmp_reason[ADVICE_TEXT]; /* why nothing could be asked or set; "" = --qmp */
	double seconds;
	struct advice_goal goal;
	bool applied, kept; /* --apply, --keep */
	uint32_t n;
	struct advice loop[ADVICE_LOOPS];
};

/* A main loop has no setting: its disk needs an iothread first. Nor is there a command for an id
 * that none can have. */
bool advice_can_be_set(const struct advice *a);
/* The commands that would set it. Return buf. */
char *advice_qmp_command(const struct advice *a, char *buf, size_t size);
char *advice_virsh_monitor(const struct advice_report *r, const struct advice *a, char *buf,
			   size_t size);
/* By libvirt's own number of the iothread; "" if its id is none of libvirt's. */
char *advice_virsh_iothread(const struct advice_report *r, const struct advice *a, char *buf,
			    size_t size);

/* At most `width` columns, 0 = the terminal's; utf8: bars of blocks. */
void advice_text(const struct advice_report *r, unsigned int width, bool utf8, FILE *to);
/* The document, with a newline. 0 or -errno with err. */
int advice_json(const struct advice_report *r, FILE *to, struct error *err) MUST_CHECK;
/* The curves as an SVG file of its own. 0 or -errno with err. */
int advice_svg(const struct advice_report *r, FILE *to, struct error *err) MUST_CHECK;

/* --- a loop's settings by QMP ----------------------------------------------------------------- */

struct tune_setting {
	char id[STATS_NAME_LEN];
	int64_t tid;	  /* as the VMM counts threads */
	int64_t max_ns;	  /* now; -1 = not known: setting it has failed */
	int64_t found_ns; /* it is put back to: as it was asked for first, or kept since */
	/* "poll-policy" if it tells one; else by what QEMU has; "" = not known: setting it has
	 * failed */
	char policy[24];
	bool policy_told; /* it does, and it can be set */
};

struct tune_settings {
	uint32_t n;
	struct tune_setting loop[ADVICE_LOOPS];
};

/* Asks for all iothreads. 0 or -errno with err. */
int tune_settings_ask(struct tune_settings *s, struct qmp_client *qmp,
		      struct error *err) MUST_CHECK;
/* NULL: there is no such iothread. */
struct tune_setting *tune_settings_find(struct tune_settings *s, const char *id);
/* Sets it, and asks whether it is so. 0 or -errno with err. */
int tune_set(struct tune_setting *s, struct qmp_client *qmp, int64_t max_ns,
	     struct error *err) MUST_CHECK;
/* Likewise the next of the poll policies in turn, where they can be set. */
int tune_next_policy(struct tune_setting *s, struct qmp_client *qmp, struct error *err) MUST_CHECK;
/*
 * The poll-max-ns a step longer or shorter: the double, the half, or between 0 and TUNE_STEP_NS,
 * the shortest that QEMU's rule spins for at all. The same if it is as long, or as short, as it may
 * be.
 */
#define TUNE_STEP_NS 4096
#define TUNE_MOST_NS 1000000000
int64_t tune_step(int64_t max_ns, bool longer);
/* Is it as we found or have set it, still? What somebody else has set is his: it counts as found
 * from then on. 0 or -errno with err. */
int tune_check_ours(struct tune_setting *s, struct qmp_client *qmp, struct error *err) MUST_CHECK;
/* All that are not as they were found, but what somebody else has set meanwhile: that is his. 0, or
 * -errno with err, which names the first that failed. */
int tune_settings_restore(struct tune_settings *s, struct qmp_client *qmp,
			  struct error *err) MUST_CHECK;
/* Requests of all disks so far, by query-blockstats; < 0 = it cannot be had. */
double tune_requests(struct qmp_client *qmp);

#endif
