// SPDX-License-Identifier: BSD-2-Clause
/*
 * The QMP client: one command at a time, its answer found by id, events dropped. Whatever breaks
 * the order of things (silence, garbage, a foreign id) ends the connection: a late answer must not
 * be taken for the next command's. Neighbours: framing.c, socket.c.
 */
#include <handoff/qmp.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <handoff/clock.h>
#include "framing.h"
#include "socket.h"

struct qmp_client {
	int fd;
	uint64_t timeout_ns;
	uint64_t limit_ns; /* of all calls together, which ends at end_ns; 0 = none */
	int64_t end_ns;
	json_int_t id; /* of the last command */
	struct qmp_framing framing;
	char bytes[4096];
	size_t begin, end; /* of bytes[] that were received and not looked at yet */
	/* The connection is no longer of use, and why. */
	bool broken;
	struct error why;
};

#define BUSY_HINT                                                                                  \
	"busy: another client is connected; QEMU serves one at a time: give it a second -qmp "     \
	"socket"

/* 0, or -ETIMEDOUT at the deadline, whatever else has come by then, or -errno. */
static int client_wait(struct qmp_client *c, short events, int64_t deadline_ns)
{
	struct pollfd pfd = { .fd = c->fd, .events = events };
	struct timespec left;
	int64_t now;
	int ret;

	while ((now = clock_ns()) < deadline_ns) {
		left = clock_timespec(deadline_ns - now);
		ret = ppoll(&pfd, 1, &left, NULL);
		if (ret > 0)
			return 0;
		if (ret < 0 && errno != EINTR)
			return -errno;
	}
	return -ETIMEDOUT;
}

static int64_t client_deadline(const struct qmp_client *c)
{
	int64_t deadline_ns = clock_ns() + (int64_t)c->timeout_ns;

	return c->limit_ns ? MIN(deadline_ns, c->end_ns) : deadline_ns;
}

static int client_timed_out(struct qmp_client *c, struct error *err)
{
	char buf[16];

	if (c->limit_ns && clock_ns() >= c->end_ns)
		return error_set(err, -ETIMEDOUT, "its answers took longer than %s in all",
				 clock_format_ns(buf, (int64_t)c->limit_ns));
	return error_set(err, -ETIMEDOUT, "no answer within %s",
			 clock_format_ns(buf, (int64_t)c->timeout_ns));
}

static int client_write(struct qmp_client *c, const char *text, size_t n, int64_t deadline_ns,
			struct error *err)
{
	ssize_t sent;
	int ret;

	while (n) {
		sent = send(c->fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		ret = sent < 0 ? -errno : 0;
		if (ret == -EAGAIN)
			ret = client_wait(c, POLLOUT, deadline_ns);
		if (ret == -EINTR)
			ret = 0;
		if (ret == -ETIMEDOUT)
			return client_timed_out(c, err);
		if (ret == -EPIPE || ret == -ECONNRESET)
			return error_set(err, ret, "the other side has closed the connection");
		if (ret)
			return error_set(err, ret, "sending failed: %s", strerror(-ret));
		if (sent > 0) {
			text += sent;
			n -= (size_t)sent;
		}
	}
	return 0;
}

/* More bytes: 0, or -errno with err. */
static int client_fill(struct qmp_client *c, int64_t deadline_ns, struct error *err)
{
	ssize_t n;
	int ret;

	for (;;) {
		ret = client_wait(c, POLLIN, deadline_ns);
		if (ret == -ETIMEDOUT)
			return client_timed_out(c, err);
		n = ret ? -1 : recv(c->fd, c->bytes, sizeof(c->bytes), MSG_DONTWAIT);
		if (n > 0) {
			c->begin = 0;
			c->end = (size_t)n;
			return 0;
		}
		ret = ret ? ret : n < 0 ? -errno : -ECONNRESET;
		if (ret == -ECONNRESET)
			return error_set(err, ret, "the other side has closed the connection");
		if (ret != -EAGAIN && ret != -EINTR)
			return error_set(err, ret, "receiving failed: %s", strerror(-ret));
	}
}

/* The next message of any kind, the caller's reference. */
static json_t *client_next(struct qmp_client *c, int64_t deadline_ns, int *ret, struct error *err)
{
	json_t *message;
	size_t used;

	for (;;) {
		*ret = qmp_framing_feed(&c->framing, c->bytes + c->begin, c->end - c->begin, &used,
					err);
		c->begin += used;
		if (!*ret)
			*ret = client_fill(c, deadline_ns, err);
		else if (*ret > 0)
			break;
		if (*ret)
			return NULL;
	}
	message = qmp_framing_take(&c->framing, err);
	*ret = message ? 0 : -EPROTO;
	return message;
}

/* The next one that is no event. Events do not put the deadline off. */
static json_t *client_answer(struct qmp_client *c, int64_t deadline_ns, int *ret, struct error *err)
{
	json_t *message;

	while ((message = client_next(c, deadline_ns, ret, err))) {
		if (!json_object_get(message, "event"))
			return message;
		json_decref(message);
		if (clock_ns() < deadline_ns)
			continue;
		*ret = client_timed_out(c, err);
		return NULL;
	}
	return NULL;
}

/* With its newline in one piece: a server may end by the command, and so before a second one. */
static int client_send(struct qmp_client *c, const char *command, json_t *arguments,
		       int64_t deadline_ns, struct error *err)
{
	json_t *message = json_pack("{s:s, s:o*, s:I}", "execute", command, "arguments", arguments,
				    "id", ++c->id);
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	size_t n = text ? strlen(text) : 0;
	int ret;

	json_decref(message);
	if (!text)
		return error_set(err, -ENOMEM, "its arguments cannot be written as JSON");
	text[n] = '\n'; /* for the NUL, which nobody needs */
	ret = client_write(c, text, n + 1, deadline_ns, err);
	free(text);
	return ret;
}

/* What the answer says: "return", or NULL with err and, unless the connection is sound, *ret. */
static json_t *client_result(struct qmp_client *c, json_t *answer, int *ret, struct error *err)
{
	const json_t *error = json_object_get(answer, "error");
	const json_t *id = json_object_get(answer, "id");
	json_t *result = json_object_get(answer, "return");
	const char *desc;
	char text[300];

	*ret = 0;
	/* An error without an id is about a message that the server could not read. */
	if (id ? json_number_value(id) != (double)c->id : !error) {
		*ret = error_set(err, -EPROTO, "the answer is to another command");
	} else if (error) {
		desc = json_string_value(json_object_get(error, "desc"));
		if (!desc)
			desc = "an error without a description";
		qmp_printable(text, sizeof(text), desc, strlen(desc));
		error_set(err, -EREMOTEIO, "%s", text);
	} else if (!result) {
		*ret = error_set(err, -EPROTO, "the answer has neither \"return\" nor \"error\"");
	}
	return error || *ret ? NULL : json_incref(result);
}

json_t *qmp_client_call(struct qmp_client *c, const char *command, json_t *arguments,
			struct error *err)
{
	int64_t deadline_ns = client_deadline(c);
	json_t *answer, *result = NULL;
	struct error why = {};
	int ret;

	if (c->broken) {
		json_decref(arguments);
		error_set(err, -ENOTCONN, "%s", c->why.msg);
		return NULL;
	}
	ret = client_send(c, command, arguments, deadline_ns, &why);
	answer = ret ? NULL : client_answer(c, deadline_ns, &ret, &why);
	if (answer)
		result = client_result(c, answer, &ret, &why);
	json_decref(answer);
	if (result)
		return result;
	error_prefix(&why, "%s", command);
	if (ret) {
		c->broken = true;
		c->why = why;
	}
	error_set(err, -EREMOTEIO, "%s", why.msg);
	return NULL;
}

void qmp_client_limit(struct qmp_client *c, uint64_t limit_ns)
{
	c->limit_ns = MIN(limit_ns, (uint64_t)INT64_MAX / 2);
	c->end_ns = clock_ns() + (int64_t)c->limit_ns;
}

bool qmp_client_is_broken(const struct qmp_client *c)
{
	return c->broken;
}

static int client_greet(struct qmp_client *c, struct error *err)
{
	int64_t deadline_ns = clock_ns() + (int64_t)c->timeout_ns;
	json_t *greeting, *result;
	char buf[16];
	int ret;

	greeting = client_answer(c, deadline_ns, &ret, err);
	if (ret == -ETIMEDOUT)
		return error_set(err, ret, "no greeting within %s: " BUSY_HINT,
				 clock_format_ns(buf, (int64_t)c->timeout_ns));
	if (!greeting)
		return ret;
	if (!json_is_object(json_object_get(greeting, "QMP")))
		ret = error_set(err, -EPROTO, "it does not greet as QMP does");
	json_decref(greeting);
	if (ret)
		return ret;
	result = qmp_client_call(c, "qmp_capabilities", NULL, err);
	json_decref(result);
	return result ? 0 : -EPROTO;
}

struct qmp_client *qmp_client_from_fd(int fd, uint64_t timeout_ns, struct error *err)
{
	struct qmp_client *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	c->fd = fd;
	c->timeout_ns = MIN(timeout_ns, (uint64_t)INT64_MAX / 2);
	if (!client_greet(c, err))
		return c;
	qmp_client_free(c);
	return NULL;
}

/* What to do about a socket that cannot be connected to. */
static void connect_failed(const char *path, int errnum, struct error *err)
{
	struct stat st;

	if (errnum == -EAGAIN)
		error_set(err, errnum, "%s", BUSY_HINT);
	else if (errnum == -ENOENT)
		error_set(err, errnum,
			  "no such socket; QEMU makes it when started with -qmp "
			  "unix:%.100s,server=on,wait=off",
			  path);
	else if (errnum == -ECONNREFUSED && !stat(path, &st) && !S_ISSOCK(st.st_mode))
		error_set(err, errnum, "this is no socket; give the one of QEMU's -qmp option");
	else if (errnum == -ECONNREFUSED)
		error_set(err, errnum, "nobody listens there: its QEMU has ended");
	else
		error_set(err, errnum, "cannot connect: %s", strerror(-errnum));
}

static int connect_to(const char *path, struct error *err)
{
	struct sockaddr_un address;
	int fd = qmp_socket_address(path, &address, err);

	if (fd < 0)
		return fd;
	fd = qmp_socket_connect(&address);
	if (fd < 0)
		connect_failed(path, fd, err);
	return fd;
}

struct qmp_client *qmp_client_new(const char *path, uint64_t timeout_ns, struct error *err)
{
	struct qmp_client *c = NULL;
	int fd;

	if (!strncmp(path, "unix:", 5))
		path += 5;
	fd = connect_to(path, err);
	if (fd >= 0)
		c = qmp_client_from_fd(fd, timeout_ns, err);
	if (!c)
		error_prefix(err, "QMP %.150s", path);
	return c;
}

void qmp_client_free(struct qmp_client *c)
{
	if (!c)
		return;
	close(c->fd);
	qmp_framing_release(&c->framing);
	free(c);
}
