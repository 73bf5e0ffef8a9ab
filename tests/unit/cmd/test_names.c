// SPDX-License-Identifier: BSD-2-Clause
/*
 * Names of devices and loops out of a QMP server's answers: a thread here that knows its answers by
 * the command's text, as QEMU 7.2 gave them.
 */
#include <lib/tap.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <jansson.h>
#include <handoff/compiler.h>
#include <handoff/discover.h>
#include "names.h"

/* An answer to the command whose text has `asked` in it; the first that fits. "refuse" is none, and
 * @ the number of this process's first thread. */
struct answer {
	const char *asked, *value;
};

#define OBJECT(n) "\"path\":\"/machine/peripheral-anon/device[" #n "]\",\"property\":"

/*
 * vblk0 and a nameless disk on the root bus; behind root port rp0 a nameless disk at the slot of
 * vblk0; behind a nameless port a nameless network card, at the same slot again.
 */
static const struct answer qemu[] = {
	{ "\"query-pci\"",
	  "[{\"bus\": 0, \"devices\": ["
	  "{\"bus\":0,\"slot\":1,\"function\":0,\"qdev_id\":\"vblk0\",\"id\":{\"vendor\":6900},"
	  "\"regions\":[{\"bar\":1,\"size\":4096,\"address\":4267704320,\"type\":\"memory\"},"
	  "{\"bar\":4,\"size\":16384,\"address\":1099511627776,\"type\":\"memory\"}]},"
	  "{\"bus\":0,\"slot\":2,\"function\":0,\"qdev_id\":\"\",\"id\":{\"vendor\":6900},"
	  "\"regions\":[{\"bar\":0,\"size\":128,\"address\":49152,\"type\":\"io\"},"
	  "{\"bar\":4,\"size\":16384,\"address\":-1,\"type\":\"memory\"}]},"
	  "{\"bus\":0,\"slot\":3,\"function\":0,\"qdev_id\":\"rp0\",\"id\":{\"vendor\":6966},"
	  "\"regions\":[],\"pci_bridge\":{\"bus\":{},\"devices\":["
	  "{\"bus\":1,\"slot\":1,\"function\":0,\"qdev_id\":\"\",\"id\":{\"vendor\":6900},"
	  "\"regions\":[{\"bar\":4,\"size\":16384,\"address\":4265607168,\"type\":\"memory\"}]}]}},"
	  "{\"bus\":0,\"slot\":4,\"function\":0,\"qdev_id\":\"\",\"id\":{\"vendor\":6966},"
	  "\"regions\":[],\"pci_bridge\":{\"bus\":{},\"devices\":["
	  "{\"bus\":2,\"slot\":1,\"function\":0,\"qdev_id\":\"\",\"id\":{\"vendor\":6900},"
	  "\"regions\":[{\"bar\":4,\"size\":16384,\"address\":4265811968,\"type\":\"memory\"}]}]}},"
	  "{\"bus\":0,\"slot\":31,\"function\":2,\"qdev_id\":\"\",\"id\":{\"vendor\":32902},"
	  "\"regions\":[{\"bar\":5,\"size\":4096,\"address\":4267716608,\"type\":\"memory\"}]}"
	  "]}]" },
	{ "\"qom-list\"", "[{\"name\":\"type\",\"type\":\"string\"},"
			  "{\"name\":\"device[0]\",\"type\":\"child<virtio-blk-pci>\"},"
			  "{\"name\":\"device[1]\",\"type\":\"child<virtio-blk-pci>\"},"
			  "{\"name\":\"device[2]\",\"type\":\"child<pcie-root-port>\"},"
			  "{\"name\":\"device[3]\",\"type\":\"child<virtio-net-pci>\"},"
			  "{\"name\":\"device[4]\",\"type\":\"child<isa-debug-exit>\"}]" },
	{ OBJECT(0) "\"addr\"", "16" },
	{ OBJECT(0) "\"parent_bus\"", "\"/machine/q35/pcie.0\"" },
	{ OBJECT(0) "\"drive\"", "\"d1\"" },
	{ OBJECT(1) "\"addr\"", "8" },
	{ OBJECT(1) "\"parent_bus\"", "\"/machine/peripheral/rp0/rp0\"" },
	{ OBJECT(1) "\"drive\"", "\"d\\u001b2\"" },
	{ OBJECT(2) "\"addr\"", "32" },
	{ OBJECT(2) "\"parent_bus\"", "\"/machine/q35/pcie.0\"" },
	{ OBJECT(3) "\"addr\"", "8" },
	{ OBJECT(3) "\"parent_bus\"", "\"/machine/peripheral-anon/device[2]/pci.1\"" },
	{ OBJECT(3) "\"netdev\"", "\"net0\"" },
	{ "\"query-iothreads\"",
	  "[{\"id\":\"io1\",\"thread-id\":@,\"poll-max-ns\":32768,\"poll-grow\":2,"
	  "\"poll-shrink\":3,\"poll-weight\":4,\"aio-max-batch\":0},"
	  "{\"id\":\"io\\u001b\",\"thread-id\":@,\"poll-max-ns\":0,"
	  "\"poll-grow\":0,\"poll-shrink\":0},"
	  "{\"id\":\"gone\",\"thread-id\":999999999},"
	  "{\"id\":\"bare\",\"thread-id\":@}]" },
	{},
};

struct server {
	pthread_t thread;
	const struct answer *answers;
	int fd;
	char folder[32], path[64];
	unsigned int unknown; /* commands that no answer was written for */
	unsigned int asked;   /* commands */
};

static void put_value(int fd, const char *value)
{
	size_t n;

	for (; *value; value += n + (value[n] == '@')) {
		n = strcspn(value, "@");
		dprintf(fd, "%.*s", (int)n, value);
		if (value[n])
			dprintf(fd, "%d", (int)getpid());
	}
}

static void *serve(void *opaque)
{
	struct server *s = opaque;
	int fd = accept(s->fd, NULL, NULL);
	FILE *in = fdopen(fd, "r");
	const struct answer *a;
	char line[512], value[64];

	dprintf(fd, "{\"QMP\": {}}\r\n");
	while (fgets(line, sizeof(line), in)) {
		json_t *command = json_loads(line, 0, NULL);
		long long id = json_integer_value(json_object_get(command, "id"));

		json_decref(command);
		s->asked++;
		snprintf(value, sizeof(value), "[{\"thread-id\": %d}]", getpid());
		for (a = s->answers; a->asked && !strstr(line, a->asked); a++)
			;
		if (a->asked && strcmp(a->value, "refuse")) {
			dprintf(fd, "{\"return\": ");
			put_value(fd, a->value);
			dprintf(fd, ", \"id\": %lld}\r\n", id);
		} else if (strstr(line, "qmp_capabilities"))
			dprintf(fd, "{\"return\": {}, \"id\": %lld}\r\n", id);
		else if (!a->asked && strstr(line, "query-cpus-fast"))
			dprintf(fd, "{\"return\": %s, \"id\": %lld}\r\n", value, id);
		else if (++s->unknown)
			dprintf(fd,
				"{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, "
				"\"id\": %lld}\r\n",
				id);
	}
	fclose(in);
	return NULL;
}

static void server_start(struct server *s, const struct answer *answers)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*s = (struct server){ .answers = answers, .folder = "/tmp/handoff-names.XXXXXX" };
	assert_non_null(mkdtemp(s->folder));
	snprintf(s->path, sizeof(s->path), "%s/sock", s->folder);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", s->path);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(s->fd, 1), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	close(s->fd);
	unlink(s->path);
	rmdir(s->folder);
}

static struct server asked;

static struct vm_names ask(const struct answer *answers)
{
	struct server *s = &asked;
	struct vm_names names;
	struct error err = {};

	server_start(s, answers);
	if (cmd_names_by_qmp(s->path, getpid(), &names, &err))
		fail_msg("%s", err.msg);
	server_stop(s);
	return names;
}

static const char *device_at(const struct vm_names *names, uint64_t address, bool pio)
{
	unsigned int i;

	for (i = 0; i < names->n_ranges; i++)
		if (names->range[i].pio == pio &&
		    address - names->range[i].begin < names->range[i].size)
			return names->range[i].device;
	return "";
}

/* By the user's id; else by drive or netdev; else by QOM; else by place. */
static void test_names__finds_a_name_for_every_device(void **state)
{
	struct vm_names names = ask(qemu);

	assert_int_equal(names.n_ranges, 6);
	assert_string_equal(device_at(&names, 4267704320, false), "vblk0");
	assert_string_equal(device_at(&names, 1099511627776 + 16383, false), "vblk0");
	assert_string_equal(device_at(&names, 49152, true), "d1");
	assert_string_equal(device_at(&names, 4265607168, false), "d?2");
	assert_string_equal(device_at(&names, 4265811968, false), "net0");
	assert_string_equal(device_at(&names, 4267716608, false), "00:1f.2");
}

/* The same slot on two buses is two devices: without the buses' names neither gets the other's. */
static void test_names__keeps_buses_apart(void **state)
{
	static const struct answer two_roots[] = {
		{ "\"query-pci\"",
		  "[{\"bus\":0,\"devices\":[{\"bus\":0,\"slot\":1,\"function\":0,\"qdev_id\":\"\","
		  "\"regions\":[{\"size\":16,\"address\":4096,\"type\":\"memory\"}]}]},"
		  "{\"bus\":5,\"devices\":[{\"bus\":5,\"slot\":1,\"function\":0,\"qdev_id\":\"\","
		  "\"regions\":[{\"size\":16,\"address\":8192,\"type\":\"memory\"}]}]}]" },
		{ "\"qom-list\"", "[{\"name\":\"device[0]\",\"type\":\"child<virtio-blk-pci>\"}]" },
		{ "\"addr\"", "8" },
		{ "\"parent_bus\"", "\"/machine/q35/pcie.0\"" },
		{ "\"drive\"", "\"d0\"" },
		{ "\"query-iothreads\"", "[]" },
		{},
	};
	struct vm_names names = ask(two_roots);

	assert_string_equal(device_at(&names, 4096, false), "00:01.0");
	assert_string_equal(device_at(&names, 8192, false), "05:01.0");
}

/* Iothreads with their settings, where they are told, but none that is no thread; the main loop is
 * the process's thread. What ends up on terminals is printable. */
static void test_names__tells_the_loops(void **state)
{
	struct vm_names names = ask(qemu);

	assert_int_equal(names.n_loops, 4);
	assert_string_equal(names.loop[0].id, "io1");
	assert_int_equal(names.loop[0].tid, getpid());
	assert_true(names.loop[0].poll_known && !names.loop[0].main);
	assert_int_equal(names.loop[0].poll_max_ns, 32768);
	assert_int_equal(names.loop[0].poll_grow, 2);
	assert_int_equal(names.loop[0].poll_shrink, 3);
	assert_int_equal(names.loop[0].poll_weight, 4);
	assert_string_equal(names.loop[1].id, "io?");
	assert_true(names.loop[1].poll_known);
	assert_int_equal(names.loop[1].poll_weight, 0);
	assert_string_equal(names.loop[2].id, "bare");
	assert_false(names.loop[2].poll_known);
	assert_true(names.loop[3].main);
	assert_int_equal(names.loop[3].tid, getpid());
}

/* A hundred devices: the table is full, and what it keeps is virtio's. */
static void test_names__prefers_virtio_where_there_is_no_room(void **state)
{
	static char pci[65536];
	struct answer many[] = { { "\"query-pci\"", pci }, { "\"query-iothreads\"", "[]" }, {} };
	struct vm_names names;
	size_t len;
	int i;

	len = (size_t)snprintf(pci, sizeof(pci), "[{\"devices\":[");
	for (i = 0; i < 100; i++)
		len += (size_t)snprintf(
			pci + len, sizeof(pci) - len,
			"%s{\"qdev_id\":\"n%d\",\"id\":{\"vendor\":%d},\"regions\":[{\"size\":16,"
			"\"address\":%d,\"type\":\"memory\"}]}",
			i ? "," : "", i, i < 40 ? 0x8086 : 0x1af4, (i + 1) * 4096);
	snprintf(pci + len, sizeof(pci) - len, "]}]");
	names = ask(many);
	assert_int_equal(names.n_ranges, VM_NAMES_MAX);
	assert_string_equal(device_at(&names, 100 * 4096, false), "n99");
	assert_string_equal(device_at(&names, 4096, false), "n0");
	assert_string_equal(device_at(&names, 40 * 4096, false), "");
}

/* Answers of the wrong shape are no devices and no loops. */
static void test_names__survives_nonsense(void **state)
{
	static const struct answer odd[] = {
		{ "\"query-pci\"",
		  "[5, {\"devices\": 7}, {\"devices\": [null, {\"regions\": [3, {\"address\": "
		  "\"x\"}]}, {\"slot\": -1, \"function\": 1e300, \"pci_bridge\": []}]}]" },
		{ "\"qom-list\"", "[{\"name\":5,\"type\":\"child<x>\"}, 7]" },
		{ "\"query-iothreads\"", "[{\"id\":\"x\"}, 3, {\"id\":5,\"thread-id\":\"y\"}]" },
		{},
	};
	struct vm_names names = ask(odd);

	assert_int_equal(names.n_ranges, 0);
	assert_int_equal(names.n_loops, 1);
}

/* Our own VMM knows no query-pci, and needs none. */
static void test_names__takes_our_own_vmm(void **state)
{
	static const struct answer ours[] = {
		{ "\"query-pci\"", "refuse" },
		{ "\"query-version\"", "{\"package\": \"handoff 0.1.0\"}" },
		{ "\"query-iothreads\"", "[{\"id\":\"io0\",\"thread-id\":@}]" },
		{ "\"query-cpus-fast\"", "refuse" },
		{},
	};
	struct vm_names names = ask(ours);

	assert_int_equal(names.n_ranges, 0);
	assert_int_equal(names.n_loops, 1);
	assert_string_equal(names.loop[0].id, "io0");
}

/* A server that refuses what is needed: its words, and which command. */
static void test_names__tells_what_was_refused(void **state)
{
	static const struct answer nothing[] = { {} };
	struct vm_names names;
	struct error err = {};
	struct server s;

	server_start(&s, nothing);
	assert_true(cmd_names_by_qmp(s.path, getpid(), &names, &err) < 0);
	server_stop(&s);
	assert_int_equal(s.unknown, 2); /* it is asked as well whether it is ours */
	assert_non_null(strstr(err.msg, ": query-pci: no"));
	assert_non_null(strstr(err.msg, s.path));
}

/* A VM that has no such command as query-iothreads has names for the rest. */
static void test_names__does_without_iothreads(void **state)
{
	static const struct answer old[] = { { "\"query-pci\"", "[]" },
					     { "\"query-iothreads\"", "refuse" },
					     {} };
	struct vm_names names = ask(old);

	assert_int_equal(names.n_loops, 1);
	assert_true(names.loop[0].main);
}

/* Thousands of nameless objects: no more are asked for than there may be devices. */
static void test_names__asks_for_a_bounded_number_of_objects(void **state)
{
	static char objects[1 << 18];
	struct answer many[] = { { "\"query-pci\"", "[]" }, { "\"qom-list\"", objects }, {} };
	size_t len = (size_t)snprintf(objects, sizeof(objects), "[");
	int i;

	for (i = 0; i < 3000; i++)
		len += (size_t)snprintf(objects + len, sizeof(objects) - len,
					"%s{\"name\":\"device(%d)\",\"type\":\"child<x>\"}",
					i ? "," : "", i);
	snprintf(objects + len, sizeof(objects) - len, "]");
	ask(many);
	assert_in_range(asked.asked, 256, 300);
}

/* Threads that are not the process's: the socket is another VM's, and no name is believed. */
static void assert_another(const char *cpus, const char *iothreads)
{
	const struct answer other[] = { { "\"query-pci\"", "[]" },
					{ "\"query-cpus-fast\"", cpus },
					{ "\"query-iothreads\"", iothreads },
					{} };
	struct vm_names names;
	struct error err = {};
	struct server s;

	server_start(&s, other);
	assert_int_equal(cmd_names_by_qmp(s.path, getpid(), &names, &err), -EINVAL);
	server_stop(&s);
	assert_non_null(strstr(err.msg, "another VM's socket"));
}

static void test_names__refuses_the_socket_of_another(void **state)
{
	assert_another("[{\"thread-id\": @}, {\"thread-id\": 999999999}]", "[]");
	assert_another("refuse", "[{\"id\": \"io0\", \"thread-id\": 999999999}]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names__finds_a_name_for_every_device),
		cmocka_unit_test(test_names__keeps_buses_apart),
		cmocka_unit_test(test_names__tells_the_loops),
		cmocka_unit_test(test_names__prefers_virtio_where_there_is_no_room),
		cmocka_unit_test(test_names__survives_nonsense),
		cmocka_unit_test(test_names__takes_our_own_vmm),
		cmocka_unit_test(test_names__tells_what_was_refused),
		cmocka_unit_test(test_names__does_without_iothreads),
		cmocka_unit_test(test_names__asks_for_a_bounded_number_of_objects),
		cmocka_unit_test(test_names__refuses_the_socket_of_another),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
