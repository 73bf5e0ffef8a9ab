/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our USDT points (abi/probes.def) for use at their sites: HANDOFF_PROBE2(poll_begin, tid, max_ns).
 * Arguments are evaluated only while somebody listens. The semaphores live in user/base/probes.c.
 */
#ifndef HANDOFF_PROBES_H
#define HANDOFF_PROBES_H

#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

#define PROBE(name, nargs, args) extern volatile unsigned short handoff_##name##_semaphore;
#include <abi/probes.def>
#undef PROBE

#define HANDOFF_PROBE_ENABLED(name) __builtin_expect(handoff_##name##_semaphore != 0, 0)

#define HANDOFF_PROBE1(name, a)                                                                    \
	do {                                                                                       \
		if (HANDOFF_PROBE_ENABLED(name))                                                   \
			STAP_PROBE1(handoff, name, a);                                             \
	} while (0)
#define HANDOFF_PROBE2(name, a, b)                                                                 \
	do {                                                                                       \
		if (HANDOFF_PROBE_ENABLED(name))                                                   \
			STAP_PROBE2(handoff, name, a, b);                                          \
	} while (0)
#define HANDOFF_PROBE3(name, a, b, c)                                                              \
	do {                                                                                       \
		if (HANDOFF_PROBE_ENABLED(name))                                                   \
			STAP_PROBE3(handoff, name, a, b, c);                                       \
	} while (0)
#define HANDOFF_PROBE4(name, a, b, c, d)                                                           \
	do {                                                                                       \
		if (HANDOFF_PROBE_ENABLED(name))                                                   \
			STAP_PROBE4(handoff, name, a, b, c, d);                                    \
	} while (0)

#endif
