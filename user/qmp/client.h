/* SPDX-License-Identifier: BSD-2-Clause */
/* The client on a connection that is there already. */
#ifndef QMP_CLIENT_H
#define QMP_CLIENT_H

#include <handoff/qmp.h>

/* As qmp_client_new; takes fd, also when it fails. */
struct qmp_client *qmp_client_from_fd(int fd, uint64_t timeout_ns, struct error *err) MUST_CHECK;

#endif
