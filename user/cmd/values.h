/* SPDX-License-Identifier: BSD-2-Clause */
/* Values as a user writes them after --duration, --interval, --pid and the like. Any thread. */
#ifndef HANDOFF_CMD_VALUES_H
#define HANDOFF_CMD_VALUES_H

#include <stdint.h>
#include <sys/types.h>
#include <handoff/error.h>

/*
 * Seconds when no unit is given, which is what --duration 5 means everywhere else. From min_ns to
 * about 30 years, far from overflowing ns. 0, or -EINVAL with err.
 */
int seconds_parse(const char *arg, uint64_t min_ns, uint64_t *ns, struct error *err) MUST_CHECK;

/* A process number, which need not run. 0, or -EINVAL with err. */
int pid_parse(const char *arg, pid_t *pid, struct error *err) MUST_CHECK;

#endif
