// SPDX-License-Identifier: BSD-2-Clause
/* The server's socket: whose it is, who gets in, and when its path is taken. */
#include <lib/tap.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <handoff/qmp_server.h>
#include "socket.h"

#define NOBODY 65534

struct scene {
	char folder[64], path[96];
};

static int scene_new(void **state)
{
	struct scene *s = test_calloc(1, sizeof(*s));

	snprintf(s->folder, sizeof(s->folder), "/tmp/handoff-listener.XXXXXX");
	if (!mkdtemp(s->folder))
		return -1;
	snprintf(s->path, sizeof(s->path), "%s/qmp", s->folder);
	*state = s;
	return 0;
}

static int scene_free(void **state)
{
	struct scene *s = *state;

	unlink(s->path);
	rmdir(s->folder);
	test_free(s);
	return 0;
}

static void open_well(struct qmp_listener *l, const char *path)
{
	struct error err;

	if (qmp_listener_open(l, path, &err))
		fail_msg("%s", err.msg);
}

static void assert_refused(const char *path, int errnum, const char *why)
{
	struct qmp_listener l;
	struct error err;

	assert_int_equal(qmp_listener_open(&l, path, &err), errnum);
	if (!strstr(err.msg, why))
		fail_msg("\"%s\" expected in \"%s\"", why, err.msg);
	assert_null(strchr(err.msg, '\n'));
}

static int connect_to(const char *path)
{
	struct sockaddr_un address;

	assert_int_equal(qmp_socket_address(path, &address, NULL), 0);
	return qmp_socket_connect(&address);
}

/* Whatever the umask: the owner's alone. It is gone after the close. */
static void test_qmp_listener__is_the_owners(void **state)
{
	struct scene *s = *state;
	mode_t masks[] = { 0, 077 }, old;
	struct qmp_listener l;
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		old = umask(masks[i]);
		open_well(&l, s->path);
		umask(old);
		assert_int_equal(stat(s->path, &st), 0);
		assert_int_equal(st.st_mode, S_IFSOCK | 0600);
		qmp_listener_close(&l);
		assert_int_equal(access(s->path, F_OK), -1);
	}
}

/* Clients of the same user are taken, one after the other; without one it is EAGAIN. */
static void test_qmp_listener__takes_clients(void **state)
{
	struct scene *s = *state;
	struct qmp_listener l;
	struct error err;
	int client, fd;

	open_well(&l, s->path);
	assert_int_equal(qmp_listener_accept(&l, &err), -EAGAIN);
	client = connect_to(s->path);
	assert_true(client >= 0);
	fd = qmp_listener_accept(&l, &err);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(qmp_listener_accept(&l, &err), -EAGAIN);
	close(client);
	close(fd);
	qmp_listener_close(&l);
}

/* A socket whose process has died is replaced. */
static void test_qmp_listener__replaces_a_stale_socket(void **state)
{
	struct scene *s = *state;
	struct qmp_listener dead, l;
	int client;

	open_well(&dead, s->path);
	close(dead.fd);
	open_well(&l, s->path);
	client = connect_to(s->path);
	assert_true(client >= 0);
	close(client);
	qmp_listener_close(&l);
}

/* One that is listened to is left alone, also when its backlog is full. */
static void test_qmp_listener__leaves_a_live_socket(void **state)
{
	struct scene *s = *state;
	struct qmp_listener l;
	int client[8], n = 0;

	open_well(&l, s->path);
	assert_refused(s->path, -EADDRINUSE, "another process listens there");
	while (n < 8 && (client[n] = connect_to(s->path)) >= 0)
		n++;
	assert_true(n < 8);
	assert_int_equal(client[n], -EAGAIN);
	assert_refused(s->path, -EADDRINUSE, "another process listens there");
	assert_int_equal(access(s->path, F_OK), 0);
	while (n--)
		close(client[n]);
	qmp_listener_close(&l);
}

/* A file is no socket, and stays. */
static void test_qmp_listener__leaves_a_file(void **state)
{
	struct scene *s = *state;
	int fd = open(s->path, O_CREAT | O_WRONLY, 0600);

	assert_true(fd >= 0);
	close(fd);
	assert_refused(s->path, -EEXIST, "is no socket");
	assert_int_equal(access(s->path, F_OK), 0);
}

/* Paths no socket can have, and folders that are not there, are told. */
static void test_qmp_listener__refuses_bad_paths(void **state)
{
	char path[200];

	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_refused(path, -ENAMETOOLONG, "1 to 107 characters");
	assert_refused("", -ENAMETOOLONG, "1 to 107 characters");
	assert_refused("/nonexistent/qmp", -ENOENT, "No such file");
}

/* What has taken the path meanwhile is not ours to remove. */
static void test_qmp_listener__removes_only_its_own(void **state)
{
	struct scene *s = *state;
	struct qmp_listener first, second;

	open_well(&first, s->path);
	assert_int_equal(unlink(s->path), 0);
	open_well(&second, s->path);
	qmp_listener_close(&first);
	assert_int_equal(access(s->path, F_OK), 0);
	qmp_listener_close(&second);
	assert_int_equal(access(s->path, F_OK), -1);
}

/* Another user's client is sent away, even where the socket's mode has been widened. */
static void test_qmp_listener__refuses_another_user(void **state)
{
	struct scene *s = *state;
	struct qmp_listener l;
	struct error err;
	int status, fd;
	pid_t pid;

	if (geteuid())
		skip_because("only root can be another user");
	open_well(&l, s->path);
	assert_int_equal(chmod(s->path, 0666), 0);
	assert_int_equal(chmod(s->folder, 0755), 0);
	pid = fork();
	if (!pid) {
		char byte;

		/* End of file is what it gets. */
		fd = setuid(NOBODY) ? -1 : connect_to(s->path);
		_exit(fd >= 0 && poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, -1) == 1 &&
				      !read(fd, &byte, 1)
			      ? 0
			      : 1);
	}
	assert_int_equal(poll(&(struct pollfd){ l.fd, POLLIN, 0 }, 1, -1), 1);
	assert_int_equal(qmp_listener_accept(&l, &err), -EPERM);
	assert_non_null(strstr(err.msg, "user 65534"));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	qmp_listener_close(&l);
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, scene_new, scene_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(test_qmp_listener__is_the_owners),
		SCENE_TEST(test_qmp_listener__takes_clients),
		SCENE_TEST(test_qmp_listener__replaces_a_stale_socket),
		SCENE_TEST(test_qmp_listener__leaves_a_live_socket),
		SCENE_TEST(test_qmp_listener__leaves_a_file),
		SCENE_TEST(test_qmp_listener__refuses_bad_paths),
		SCENE_TEST(test_qmp_listener__removes_only_its_own),
		SCENE_TEST(test_qmp_listener__refuses_another_user),
	};

	return cmocka_run_group_tests_name("qmp_listener", tests, NULL, NULL);
}
