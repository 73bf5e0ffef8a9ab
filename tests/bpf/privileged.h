/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of BPF need leave to load programs; without it they say so and are skipped. */
#ifndef TESTS_BPF_PRIVILEGED_H
#define TESTS_BPF_PRIVILEGED_H

#include <stdbool.h>
#include <lib/tap.h>

/* May this process load BPF programs? If not, `why` says what is missing. Silences libbpf. */
bool privileged(char why[400]);

#define NEED_PRIVILEGE()                                                                           \
	do {                                                                                       \
		char why_[400];                                                                    \
		if (!privileged(why_))                                                             \
			skip_because("%s", why_);                                                  \
	} while (0)

/* A file of the build folder: $HANDOFF_BUILD, or where this very program lies, four levels up. */
const char *built(const char *name, char path[4096]);

#endif
