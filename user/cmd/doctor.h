/* SPDX-License-Identifier: BSD-2-Clause */
/* `handoff doctor`: findings gathered by checks, judged, printed as text or JSON. Main thread. */
#ifndef HANDOFF_CMD_DOCTOR_H
#define HANDOFF_CMD_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <handoff/error.h>
#include <handoff/trace.h>

enum finding_state { FINDING_OK, FINDING_NOTE, FINDING_BAD };

struct finding {
	enum finding_state state; /* BAD: the main job cannot run */
	char subject[48];
	char text[240];
};

struct doctor {
	size_t n;
	struct finding finding[160];
	bool have_probe;
	struct tracer_probe probe;
};

void doctor_add(struct doctor *d, enum finding_state state, const char *subject, const char *fmt,
		...) PRINTF_LIKE(4, 5);

/* /dev/kvm, capabilities, lockdown, tracefs, BTF, io_uring, limits (doctor_checks.c). */
void doctor_check_host(struct doctor *d);
/* Kbuild.note against the running kernel's configuration (kbuild_note.c). */
void doctor_check_config(struct doctor *d);
/* Every BPF program tried for real; fills d->probe. */
void doctor_check_programs(struct doctor *d);

#endif
