/* SPDX-License-Identifier: BSD-2-Clause */
/* What contradicts what in the options of `handoff run`, found before a VM exists. Main thread. */
#ifndef HANDOFF_CMD_RUN_JUDGE_H
#define HANDOFF_CMD_RUN_JUDGE_H

#include "run.h"

/* The guest's own options, the output's and the iothreads: before the defaults are applied. 0, or
 * -EINVAL with err. */
int run_judge_early(const struct run_options *o, struct error *err) MUST_CHECK;

/* Disks and moves, once every disk has its id. 0, or -EINVAL with err. */
int run_judge_disks(const struct run_options *o, struct error *err) MUST_CHECK;

#endif
