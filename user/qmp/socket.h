/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of Unix sockets, which client and server read alike. */
#ifndef QMP_SOCKET_H
#define QMP_SOCKET_H

#include <sys/un.h>
#include <handoff/error.h>

/* -ENAMETOOLONG with err if no socket can have that name. */
int qmp_socket_address(const char *path, struct sockaddr_un *address, struct error *err) MUST_CHECK;

/* A socket connected to it, or -errno. Does not wait: a full backlog is -EAGAIN. */
int qmp_socket_connect(const struct sockaddr_un *address) MUST_CHECK;

#endif
