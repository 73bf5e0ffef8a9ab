/* SPDX-License-Identifier: BSD-2-Clause */
/* What `handoff run` does when it is not told: the default disk, iothread, load, duration and
 * console. */
#ifndef HANDOFF_CMD_RUN_DEFAULTS_H
#define HANDOFF_CMD_RUN_DEFAULTS_H

#include "run.h"

#define RUN_DEFAULT_DISK_BYTES	 (64ull << 20)
#define RUN_DEFAULT_MEMORY_BYTES (256ull << 20)
/* A distribution's kernel with its initial RAM disk does not fit in less than 512M; pages never
 * touched cost nothing. */
#define RUN_KERNEL_MEMORY_BYTES	 (1ull << 30)
#define RUN_DEFAULT_INTERVAL_NS	 NS_PER_S
/*
 * Of the default iothread only; one that is asked for has QEMU's 32768. Where the host is itself a
 * guest a wake-up can take longer than that: no spin would ever begin, and the first screen would
 * show one outcome of two. The default load pauses for 300 us, so it still sleeps.
 */
#define RUN_DEFAULT_POLL_MAX_NS	 100000
#define RUN_DEFAULT_DURATION_S	 20
/* What the built-in guest gets on top of its own time to boot and to verify, before the VMM ends
 * it. */
#define RUN_GRACE_S		 10

/* Fills what was not given: console, interval, and in o->machine memory, disks, their ids, the
 * default iothread, the command line. A kernel of the user's gets the disks that were asked for.
 * -errno with err: never -EINVAL, it is not the user's fault. */
int run_defaults_apply(struct run_options *o, struct error *err);

#endif
