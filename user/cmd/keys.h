/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys of the live screen that change a loop's poll settings, by QMP, for `handoff run` and
 * `handoff trace`. A thread of their own asks, sets and asks again, one key after another, and
 * waits where a socket does not answer: no screen does. What a key sets stays set: it is the user's
 * wish. Main thread.
 */
#ifndef HANDOFF_CMD_KEYS_H
#define HANDOFF_CMD_KEYS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <abi/stats.h>
#include <handoff/compiler.h>
#include <handoff/error.h>
#include <handoff/view.h>

struct keys;
struct report_loop;

#define KEYS_LINE 400

struct keys_config {
	pid_t pid; /* of the VMM */
	/* Its QMP socket, which others want as well: connected to for each key. NULL: fd is a
	 * connection, taken, which ends with the VMM. */
	const char *path;
	int fd;
	const char *why_not; /* there is neither: said to each key */
};

/* What came of one key. */
struct keys_done {
	char line[KEYS_LINE]; /* for the user */
	char id[STATS_NAME_LEN];
	uint32_t tid;
	unsigned int n_keys; /* that are done with it: one, and those that were dropped */
	bool found;	     /* the VM has the loop: what follows is known */
	int64_t was_ns;	     /* poll-max-ns */
	int64_t max_ns;	     /* -1: it is not known whether it was set */
	/* policy "": likewise. */
	char was_policy[STATS_POLICY_LEN], policy[STATS_POLICY_LEN];
};

/* Signals that the caller waits for are blocked by now. NULL with err. */
struct keys *keys_new(const struct keys_config *config, struct error *err) MUST_CHECK;
/* Keys that were pressed are done first: takes some seconds if the VM does not answer. NULL is
 * fine.
 */
void keys_end(struct keys *k);
void keys_free(struct keys *k);

/* VIEW_LONGER, VIEW_SHORTER, VIEW_POLICY, of this loop, NULL: there is none; with a line for the
 * user. */
void keys_press(struct keys *k, enum view_event event, const struct report_loop *loop,
		char line[KEYS_LINE]);
/* Readable when a key is done: keys_take. -1: none ever will be. */
int keys_fd(const struct keys *k);
bool keys_take(struct keys *k, struct keys_done *done);

/* After keys_end: a line for each loop that was changed. kept: the VM runs on. */
void keys_summary(const struct keys *k, bool kept, FILE *to);

#endif
