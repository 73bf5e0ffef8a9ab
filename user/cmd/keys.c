// SPDX-License-Identifier: BSD-2-Clause
/*
 * Keys go to a thread and what came of them comes back by a pair of sockets, a packet each, so
 * that nothing is shared and nothing locked. See keys.h; keys_set.c is the work.
 *
 *   keys_press > [job] > thread: keys_set > QMP
 *   keys_take  < [done] <--------'
 */
#include "keys.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <handoff/clock.h>
#include <handoff/qmp.h>
#include <handoff/report.h>

#include "keys_set.h"

/* Keys that may wait for an answer, which the end waits for as well. */
#define MAX_PENDING 8

/* A loop that was changed: first and last settings. */
struct change {
	uint32_t tid;
	char id[STATS_NAME_LEN];
	int64_t was_ns, max_ns; /* max_ns -1 = not known */
	char was_policy[STATS_POLICY_LEN], policy[STATS_POLICY_LEN];
};

struct keys {
	struct keys_config config;
	/* Main thread's. ours -1: there is no thread. */
	int ours;
	uint32_t n_changes;
	struct change change[STATS_MAX_LOOPS];
	bool more; /* than there is room for */
	unsigned int n_pending;
	/* The thread's, while it runs. */
	pthread_t thread;
	int theirs;
	struct qmp_client *qmp; /* on config.fd; NULL with no_qmp */
	struct error no_qmp;
};

/* --- the thread ------------------------------------------------------------------------------ */

/* Of an answer, and of all answers to one key; of a VMM that takes its connection along. */
#define PATH_TIMEOUT_NS (2 * (uint64_t)NS_PER_S)
#define FD_TIMEOUT_NS	(60 * (uint64_t)NS_PER_S)

/* QEMU serves one client at a time, and others want to. */
static struct qmp_client *connect_qmp(struct keys *k, struct error *err)
{
	struct qmp_client *qmp;

	if (!k->config.path) {
		*err = k->no_qmp;
		return k->qmp;
	}
	qmp = qmp_client_new(k->config.path, PATH_TIMEOUT_NS, err);
	if (qmp)
		qmp_client_limit(qmp, PATH_TIMEOUT_NS);
	return qmp;
}

/* False: the VM cannot be asked, and for the keys after this one it would be the same wait. */
static bool do_job(struct keys *k, const struct keys_job *job, struct keys_done *done)
{
	struct error err;
	struct qmp_client *qmp = connect_qmp(k, &err);
	bool is_sound;

	if (!qmp) {
		keys_set_not(job, &err, done);
		return false;
	}
	keys_set(job, k->config.pid, qmp, done);
	is_sound = !qmp_client_is_broken(qmp);
	if (k->config.path)
		qmp_client_free(qmp);
	return is_sound;
}

static void *work(void *opaque)
{
	struct keys *k = opaque;
	struct keys_job job;
	struct keys_done done;

	if (!k->config.path)
		k->qmp = qmp_client_from_fd(k->config.fd, FD_TIMEOUT_NS, &k->no_qmp);
	while (recv(k->theirs, &job, sizeof(job), 0) == sizeof(job)) {
		bool is_sound = do_job(k, &job, &done);

		while (!is_sound && recv(k->theirs, &job, sizeof(job), MSG_DONTWAIT) > 0)
			done.n_keys++;
		if (send(k->theirs, &done, sizeof(done), MSG_NOSIGNAL) < 0)
			break;
	}
	return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

static int start(struct keys *k, struct error *err)
{
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return error_set(err, -errno, "keys: socketpair: %s", strerror(errno));
	k->ours = pair[0];
	k->theirs = pair[1];
	ret = pthread_create(&k->thread, NULL, work, k);
	if (!ret)
		return 0;
	close(k->ours);
	close(k->theirs);
	k->ours = -1;
	return error_set(err, -ret, "keys: no thread for them: %s", strerror(ret));
}

struct keys *keys_new(const struct keys_config *config, struct error *err)
{
	struct keys *k = calloc(1, sizeof(*k));

	if (!k) {
		if (config->fd >= 0)
			close(config->fd);
		error_set(err, -ENOMEM, "keys: out of memory");
		return NULL;
	}
	k->config = *config;
	k->ours = -1;
	if (config->why_not || !start(k, err))
		return k;
	if (config->fd >= 0)
		close(config->fd);
	free(k);
	return NULL;
}

void keys_end(struct keys *k)
{
	struct keys_done done;

	if (!k || k->ours < 0)
		return;
	shutdown(k->ours, SHUT_WR);
	pthread_join(k->thread, NULL);
	close(k->theirs);
	while (keys_take(k, &done))
		;
	close(k->ours);
	k->ours = -1;
}

void keys_free(struct keys *k)
{
	if (!k)
		return;
	keys_end(k);
	qmp_client_free(k->qmp);
	free(k);
}

int keys_fd(const struct keys *k)
{
	return k ? k->ours : -1;
}

/* --- keys ------------------------------------------------------------------------------------ */

/* Why there is no use in asking; NULL: there is. */
static const char *refusal(const struct keys *k, const struct report_loop *loop)
{
	if (!k)
		return "keys that change a setting cannot be had";
	if (k->ours < 0)
		return k->config.why_not;
	if (!loop)
		return "there is no loop to change yet";
	if (loop->kind == STATS_LOOP_MAIN)
		return "the main loop has no poll settings: its disks need an iothread";
	if (k->n_pending == MAX_PENDING)
		return "the VM has not answered earlier keys yet: this one is dropped";
	return NULL;
}

void keys_press(struct keys *k, enum view_event event, const struct report_loop *loop,
		char line[KEYS_LINE])
{
	struct keys_job job = { .event = event };
	const char *why_not = refusal(k, loop);

	if (why_not) {
		snprintf(line, KEYS_LINE, "%s", why_not);
		return;
	}
	job.tid = loop->tid;
	snprintf(job.id, sizeof(job.id), "%s", loop->id);
	if (send(k->ours, &job, sizeof(job), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		snprintf(line, KEYS_LINE, "keys: %s", strerror(errno));
		return;
	}
	k->n_pending++;
	snprintf(line, KEYS_LINE, "iothread %s: asking the VM ...", loop->id);
}

static void keep(char to[STATS_POLICY_LEN], const char from[STATS_POLICY_LEN])
{
	memcpy(to, from, STATS_POLICY_LEN);
}

static void note_change(struct keys *k, const struct keys_done *done)
{
	struct change *c = k->change;

	while (c < k->change + k->n_changes && c->tid != done->tid)
		c++;
	if (c == k->change + STATS_MAX_LOOPS) {
		k->more = true;
		return;
	}
	if (c == k->change + k->n_changes) {
		k->n_changes++;
		c->tid = done->tid;
		memcpy(c->id, done->id, sizeof(c->id));
		c->was_ns = done->was_ns;
		keep(c->was_policy, done->was_policy);
	}
	c->max_ns = done->max_ns;
	keep(c->policy, done->policy);
}

bool keys_take(struct keys *k, struct keys_done *done)
{
	if (k->ours < 0 || recv(k->ours, done, sizeof(*done), MSG_DONTWAIT) != sizeof(*done))
		return false;
	k->n_pending -= done->n_keys;
	if (done->found)
		note_change(k, done);
	return true;
}

/* --- the end --------------------------------------------------------------------------------- */

static void tell_change(const struct change *c, bool kept, FILE *to)
{
	char max_ns[24] = "not known";
	bool policy = strcmp(c->policy, c->was_policy) != 0;

	if (c->max_ns == c->was_ns && !policy)
		return;
	fprintf(to, "Changed by keys meanwhile: %s", c->id);
	if (c->max_ns >= 0)
		snprintf(max_ns, sizeof(max_ns), "%lld", (long long)c->max_ns);
	if (c->max_ns != c->was_ns)
		fprintf(to, " poll-max-ns %lld -> %s%s", (long long)c->was_ns, max_ns,
			policy ? "," : "");
	if (policy)
		fprintf(to, " poll-policy %s -> %s", c->was_policy,
			c->policy[0] ? c->policy : "not known");
	fprintf(to, "%s\n", kept ? ", kept" : "");
}

void keys_summary(const struct keys *k, bool kept, FILE *to)
{
	if (!k)
		return;
	for (uint32_t i = 0; i < k->n_changes; i++)
		tell_change(&k->change[i], kept, to);
	if (k->more)
		fprintf(to,
			"Changed by keys meanwhile: more loops than there is room to tell of\n");
}
