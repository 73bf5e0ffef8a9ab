/* SPDX-License-Identifier: BSD-2-Clause */
/* One key's work, as the thread of keys.c does it: it waits for the VM's answers. */
#ifndef HANDOFF_CMD_KEYS_SET_H
#define HANDOFF_CMD_KEYS_SET_H

#include "keys.h"

struct qmp_client;

struct keys_job {
	enum view_event event;
	uint32_t tid;
	char id[STATS_NAME_LEN]; /* to call the loop by */
};

/* Fills done, whatever comes of it. */
void keys_set(const struct keys_job *job, pid_t pid, struct qmp_client *qmp,
	      struct keys_done *done);
/* Nobody can be asked, and why. */
void keys_set_not(const struct keys_job *job, const struct error *why, struct keys_done *done);

#endif
