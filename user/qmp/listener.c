// SPDX-License-Identifier: BSD-2-Clause
/*
 * The server's socket. Its mode is set before it has a name, so that nobody gets in meanwhile; who
 * connects all the same is asked who he is. Neighbours: socket.c, and whoever watches the fd.
 */
#include <handoff/qmp_server.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "socket.h"

/* QEMU's: one client is served, one more may wait. */
#define BACKLOG 1

int qmp_listener_check(const char *path, struct error *err)
{
	struct sockaddr_un address;

	return qmp_socket_address(path, &address, err);
}

/* 0: there was one, and it is gone. -errno with err: it stays. */
static int remove_stale(const struct sockaddr_un *address, struct error *err)
{
	struct stat st;
	int fd;

	if (lstat(address->sun_path, &st))
		return errno == ENOENT ? 0 : error_set(err, -errno, "%s", strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, -EEXIST, "is there already, and is no socket");
	fd = qmp_socket_connect(address);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 || fd == -EAGAIN)
		return error_set(
			err, -EADDRINUSE,
			"address in use: another process listens there; give another path");
	if (fd != -ECONNREFUSED)
		return error_set(err, fd, "there is a socket already: %s", strerror(-fd));
	if (unlink(address->sun_path) && errno != ENOENT)
		return error_set(err, -errno, "a dead process's socket cannot be removed: %s",
				 strerror(errno));
	return 0;
}

static int bind_to(int fd, const struct sockaddr_un *address, struct error *err)
{
	const struct sockaddr *name = (const struct sockaddr *)address;
	int ret;

	/* Of the socket, which bind(2) gives to the file: there is no umask to change, and no time
	 * in which others may connect. */
	if (fchmod(fd, 0600))
		return error_set(err, -errno, "fchmod: %s", strerror(errno));
	if (!bind(fd, name, sizeof(*address)))
		return 0;
	ret = -errno;
	if (ret == -EADDRINUSE) {
		ret = remove_stale(address, err);
		if (ret)
			return ret;
		ret = bind(fd, name, sizeof(*address)) ? -errno : 0;
	}
	return ret ? error_set(err, ret, "cannot make the socket: %s", strerror(-ret)) : 0;
}

int qmp_listener_open(struct qmp_listener *l, const char *path, struct error *err)
{
	struct sockaddr_un address;
	struct stat st;
	int ret = qmp_socket_address(path, &address, err);

	if (ret)
		return ret;
	*l = (struct qmp_listener){ .path = path };
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return error_set(err, -errno, "socket: %s", strerror(errno));
	ret = bind_to(l->fd, &address, err);
	if (ret)
		goto close;
	if (stat(path, &st) || listen(l->fd, BACKLOG)) {
		ret = error_set(err, -errno, "cannot listen: %s", strerror(errno));
		unlink(path);
		goto close;
	}
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return 0;

close:
	close(l->fd);
	return ret;
}

int qmp_listener_accept(struct qmp_listener *l, struct error *err)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
	    (peer.uid == 0 || peer.uid == geteuid()))
		return fd;
	close(fd);
	return error_set(err, -EPERM, "user %u's process %d was refused: only root and user %u may",
			 peer.uid, peer.pid, geteuid());
}

void qmp_listener_close(struct qmp_listener *l)
{
	struct stat st;

	if (!lstat(l->path, &st) && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	close(l->fd);
}
