// SPDX-License-Identifier: BSD-2-Clause
/* Sockets by path: what can be wrong with one is told in one line that says what to do. */
#include <lib/tap.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <handoff/clock.h>
#include <handoff/qmp.h>

#define SHORT_NS (20 * (uint64_t)NS_PER_MS)
#define CLIENTS	 64 /* more than the kernel keeps waiting for a backlog of one */

static char folder[] = "/tmp/handoff-qmp.XXXXXX";
static char path[64];

static int make_folder(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/sock", folder);
	return 0;
}

static int remove_folder(void **state)
{
	return rmdir(folder);
}

static int listen_at(const char *at, int backlog)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", at);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void assert_refused(const char *at, const char *why)
{
	struct error err = {};

	assert_null(qmp_client_new(at, SHORT_NS, &err));
	if (!strstr(err.msg, why) || strncmp(err.msg, "QMP ", 4) || strchr(err.msg, '\n'))
		fail_msg("\"%s\" expected in \"%s\"", why, err.msg);
}

/* No such file: how to get one. */
static void test_qmp_connect__tells_how_to_have_a_socket(void **state)
{
	char option[160];

	snprintf(option, sizeof(option),
		 "no such socket; QEMU makes it when started with -qmp "
		 "unix:%s,server=on,wait=off",
		 path);
	assert_refused(path, option);
}

/* A file of another kind, and a socket whose server has ended. */
static void test_qmp_connect__tells_what_is_no_server(void **state)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
	assert_refused(path, "this is no socket");
	unlink(path);

	close(listen_at(path, 1));
	assert_refused(path, "its QEMU has ended");
	unlink(path);
}

/* No path is cut short in silence. */
static void test_qmp_connect__refuses_a_path_too_long(void **state)
{
	char longer[200];

	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_refused(longer, "1 to 107 characters");
	assert_refused("", "1 to 107 characters");
	assert_refused("unix:", "1 to 107 characters");
}

/* QEMU accepts nobody while it has a client: the next waits in vain, one more is not let in. */
static void test_qmp_connect__knows_a_busy_server(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int server = listen_at(path, 1), client[CLIENTS], n = 0, ret = 0;

	assert_refused(path, "no greeting within 20.0ms: busy: another client is connected; QEMU "
			     "serves one at a time: give it a second -qmp socket");
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	while (!ret && n < CLIENTS) {
		client[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		ret = connect(client[n++], (struct sockaddr *)&address, sizeof(address));
	}
	assert_int_not_equal(ret, 0);
	assert_refused(path, "sock: busy: another client is connected");
	while (n)
		close(client[--n]);
	close(server);
	unlink(path);
}

/* QEMU's own spelling of a path is understood: it was connected to. */
static void test_qmp_connect__takes_a_path_as_qemu_does(void **state)
{
	char spelt[80];
	struct error err = {};
	int server = listen_at(path, 1);

	snprintf(spelt, sizeof(spelt), "unix:%s", path);
	assert_null(qmp_client_new(spelt, SHORT_NS, &err));
	assert_non_null(strstr(err.msg, "busy"));
	close(server);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qmp_connect__tells_how_to_have_a_socket),
		cmocka_unit_test(test_qmp_connect__tells_what_is_no_server),
		cmocka_unit_test(test_qmp_connect__refuses_a_path_too_long),
		cmocka_unit_test(test_qmp_connect__knows_a_busy_server),
		cmocka_unit_test(test_qmp_connect__takes_a_path_as_qemu_does),
	};

	return cmocka_run_group_tests_name("qmp_connect", tests, make_folder, remove_folder);
}
