/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to user/qmp: a session as session.c and command.c see it. */
#ifndef QMP_SESSION_H
#define QMP_SESSION_H

#include <handoff/qmp_server.h>
#include "framing.h"

struct qmp_session {
	const struct qmp_command *commands;
	void *opaque;
	struct qmp_framing framing;
	json_t *request; /* whole, not executed yet */
	bool negotiated;
	bool broken;
	char *out;
	size_t out_begin, out_end, out_size;
};

/* command.c: what the request asks for, in QEMU's order of complaints: a result or NULL. */
json_t *qmp_dispatch(struct qmp_session *s, const json_t *request, struct qmp_failure *failure);
/* {"qemu": {...}, "package": "..."} */
json_t *qmp_version(void);

#endif
