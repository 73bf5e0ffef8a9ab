// SPDX-License-Identifier: BSD-2-Clause
/* Unix sockets: addresses and connections. Any thread. Neighbours: client.c, listener.c. */
#include "socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int qmp_socket_address(const char *path, struct sockaddr_un *address, struct error *err)
{
	size_t len = strlen(path);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!len || len >= sizeof(address->sun_path))
		return error_set(err, -ENAMETOOLONG, "a socket's path has 1 to %zu characters",
				 sizeof(address->sun_path) - 1);
	memcpy(address->sun_path, path, len);
	return 0;
}

int qmp_socket_connect(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), ret;

	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}
