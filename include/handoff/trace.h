/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tracer: attaches to a VMM by pid, joins kernel events in BPF maps, reads the VMM's stats
 * page, gives reports. One thread at a time. Everything it made in the kernel hangs on its file
 * descriptors: it vanishes with the process, however that ends.
 */
#ifndef HANDOFF_TRACE_H
#define HANDOFF_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <abi/model.h>
#include <handoff/error.h>

struct report;
struct vm_names;
struct tracer;

struct tracer_config {
	pid_t pid;
	bool use_bpf; /* false: the stats page alone; kernel stages are absent, with `no_bpf_reason`
		       */
	const char *no_bpf_reason;
	/* report.tracer_cpu and tracer_kick_ns: measured from snapshot to snapshot until there were
	 * kicks, then one time in eight; adds some 60 ns to each event while it does. */
	bool measure_cost;
	uint64_t lost_after_ns; /* an arrival not served within this time is lost; 0 = 100 ms */
	bool folded;		/* collect stacks for tracer_write_folded */
	bool waits;		/* keep each wait of a loop (report.wait), with its kick's exit */
	/* Of a VMM that is not ours (no stats page): */
	uint64_t stuck_ns; /* alarm when a kick waits longer; 0 = 1 s */
	bool uprobes;	   /* service, io, irq and each arrival by uprobes, where the VMM exports
			      symbols */
	bool uprobes_slow; /* even those that are single-stepped */
	const struct vm_names *names; /* may be NULL; copied */
	uint32_t n_given;	      /* notify addresses given by hand */
	const struct kick_key *given;
};

/*
 * Can BPF be used at all? 0, or -EPERM and the like with err: which capability is missing and how
 * to get it ("needs CAP_BPF and CAP_PERFMON: run it as root, or `sudo setcap ...`"). Loads a tiny
 * program for real. Leaves nothing behind.
 */
int tracer_check_privilege(struct error *err) MUST_CHECK;

/*
 * Attaches to our VMM by its stats page, to any other by what the kernel tells of it; when it
 * returns every event counts. NULL with err (no such process, no VM in it, no privilege, ...).
 */
struct tracer *tracer_new(const struct tracer_config *config, struct error *err) MUST_CHECK;
void tracer_free(struct tracer *t);

/*
 * Cumulative since tracer_new. Also after the VMM has ended: then the last state. 0 or -errno with
 * err.
 */
int tracer_snapshot(struct tracer *t, struct report *r, struct error *err) MUST_CHECK;

/*
 * Readable when the VM has registered or dropped an eventfd: call tracer_refresh (which a snapshot
 * does too). -1: nothing to wait for (our own VMM).
 */
int tracer_refresh_fd(const struct tracer *t);
/* 0 or -errno with err; the process having ended is 0. */
int tracer_refresh(struct tracer *t, struct error *err) MUST_CHECK;
/*
 * Readable when it is time to look for alarms: call tracer_check_alarms, and the next snapshot has
 * what it found. Snapshots look too, as often as they are made. -1: nothing to wait for.
 */
int tracer_alarm_fd(const struct tracer *t);
void tracer_check_alarms(struct tracer *t);
/* Did the last walk find the VM that it traces? Of our own VMM: while it lives. */
bool tracer_vm_is_there(const struct tracer *t);
/* Names from now on. */
void tracer_set_names(struct tracer *t, const struct vm_names *names);
/*
 * With config.folded: readable when so many stacks have come that tracer_take_stacks is to be
 * called (which a snapshot does too). -1: nothing to wait for.
 */
int tracer_stacks_fd(const struct tracer *t);
void tracer_take_stacks(struct tracer *t);
/* Ends collecting. Folded stacks, a line each: "frame;frame;frame ns". 0 or -errno with err. Needs
 * config.folded. */
int tracer_write_folded(struct tracer *t, FILE *to, struct error *err) MUST_CHECK;

/* --- doctor: each BPF program tried for real -------------------------------------------------- */

struct tracer_program_probe {
	char name[48];	 /* BPF program */
	char hook[64];	 /* "tp_btf/kvm_mmio" */
	char stages[64]; /* "exit,signal": what it carries */
	bool loaded, attached, optional;
	char why[200]; /* what the kernel said, if not */
};

struct tracer_probe {
	size_t n;
	struct tracer_program_probe program[48];
	/* What this host can give a `run --trace`; same words as in a report. */
	enum evidence evidence[STAGES];
	char reason[STAGES][160];
};

/*
 * Loads and attaches each program alone, then all that work together. 0 or -errno with err (no BPF
 * at all).
 */
int tracer_probe_host(struct tracer_probe *probe, struct error *err) MUST_CHECK;

#endif
