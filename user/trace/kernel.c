// SPDX-License-Identifier: BSD-2-Clause
/*
 * Loading and attaching the programs. All are optional in the object ("?"): those that the host
 * refuses are left out, and the stages that hang on them say so (evidence.c). Neighbours:
 * kernel_view.c reads the maps, kernel_trial.c finds out what the host takes.
 */
#include "kernel_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <handoff/error.h>
#include "libbpf_log.h"
#include "uprobe.h"

struct bpf_program *kernel_program_of(const struct kernel *k, enum program p)
{
	return bpf_object__find_program_by_name(k->skel->obj, programs[p].name);
}

/* Opens a fresh object with the wanted programs switched on: a failed load cannot be repeated. */
static int kernel_open(struct kernel *k, const bool wanted[PROGRAMS], struct error *err)
{
	int i;

	libbpf_log_begin();
	k->skel = handoff_bpf__open();
	if (!k->skel)
		return error_set(err, -errno, "cannot open our BPF object: %m");
	for (i = 0; i < PROGRAMS; i++)
		bpf_program__set_autoload(kernel_program_of(k, i), wanted[i]);
	k->skel->rodata->config = (struct trace_config){
		.tgid = k->config.pid,
		.switch_has_state = k->variants.switch_has_state,
		.exit_args = k->variants.exit_args,
		.entry_has_vcpu = k->variants.entry_has_vcpu,
		.lost_after_ns = k->config.lost_after_ns,
		.foreign = k->config.foreign,
		.ring_args = k->variants.ring_args,
		.uprobes = k->config.uprobes,
		.waits = k->config.waits,
	};
	return 0;
}

static void kernel_close(struct kernel *k)
{
	handoff_bpf__destroy(k->skel);
	k->skel = NULL;
}

/* One attempt. On failure `why` has the reason. */
static int kernel_try_load(struct kernel *k, const bool wanted[PROGRAMS], char *why, size_t size)
{
	struct error err = { 0 };
	int ret = kernel_open(k, wanted, &err);

	if (ret) {
		snprintf(why, size, "%.150s", err.msg);
		return ret;
	}
	ret = handoff_bpf__load(k->skel);
	if (!ret)
		return 0;
	libbpf_log_why(ret, why, size);
	kernel_close(k);
	return ret;
}

/* The set was refused: each alone, to find out which. */
static void kernel_sift(struct kernel *k, bool wanted[PROGRAMS])
{
	bool alone[PROGRAMS];
	int i;

	for (i = 0; i < PROGRAMS; i++) {
		if (!wanted[i])
			continue;
		memset(alone, 0, sizeof(alone));
		alone[i] = true;
		if (kernel_try_load(k, alone, k->program[i].why, sizeof(k->program[i].why)))
			wanted[i] = false;
		else
			kernel_close(k);
	}
}

/* The likeliest refusals cost a small program instead of a second load of all. */
static bool kernel_wants(struct kernel *k, enum program p, const bool wanted[PROGRAMS])
{
	char *why = k->program[p].why;
	size_t size = sizeof(k->program[p].why);

	if (k->config.skip[p])
		return false;
	if (programs[p].use == (k->config.foreign ? PROGRAM_OURS : PROGRAM_FOREIGN)) {
		snprintf(why, size, "not for this kind of VMM");
		return false;
	}
	if (programs[p].kind == PROGRAM_UPROBE && !k->config.uprobes) {
		snprintf(why, size, "not asked for: --uprobes");
		return false;
	}
	if (p == PROGRAM_READ_MSR || p == PROGRAM_WRITE_MSR) {
		if (!k->config.waits)
			snprintf(why, size, "not asked for: only `handoff tune` needs it");
		else if (access("/sys/module/kvm_pvm", F_OK))
			snprintf(why, size, "not needed: only PVM tells of exits by MSRs");
		else
			return true;
		return false;
	}
	if (p == PROGRAM_RING_READ && k->variants.ring_args == RING_ARGS_NONE) {
		snprintf(why, size, "this kernel does not say whose request is completed");
		return false;
	}
	if (!program_hooks_function(p))
		return true;
	if (!k->variants.has[p]) {
		snprintf(why, size, "this kernel has no function %s", programs[p].target);
		return false;
	}
	if (programs[p].kind == PROGRAM_FENTRY || programs[p].kind == PROGRAM_FEXIT)
		return !kernel_try_fentry(programs[p].target, why, size);
	if (wanted[p - 1])
		snprintf(why, size, "not needed: fentry hooks %s", programs[p].target);
	else if (!kernel_has_kprobes())
		snprintf(why, size, "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)");
	else
		return true;
	return false;
}

static int kernel_load(struct kernel *k, struct error *err)
{
	bool wanted[PROGRAMS];
	char why[200] = "";
	int i, ret;

	for (i = 0; i < PROGRAMS; i++)
		wanted[i] = kernel_wants(k, i, wanted);
	ret = kernel_try_load(k, wanted, why, sizeof(why));
	if (ret) {
		kernel_sift(k, wanted);
		ret = kernel_try_load(k, wanted, why, sizeof(why));
	}
	if (ret)
		return error_set(err, ret, "the kernel takes none of our BPF programs: %s", why);
	for (i = 0; i < PROGRAMS; i++)
		k->program[i].loaded = wanted[i];
	return 0;
}

/* Lists the threads that are there already: reading the iterator runs ho_threads on every task. */
static int run_iterator(struct bpf_link *link)
{
	char buf[64];
	ssize_t n;
	int fd;

	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return -errno;
	do {
		n = read(fd, buf, sizeof(buf));
	} while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	n = n < 0 ? -errno : 0;
	close(fd);
	return n;
}

static struct bpf_link *attach_usdt(struct kernel *k, enum program p)
{
	char path[64];

	/* /proc/PID/exe is the running file even if it was replaced or deleted since. */
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)k->config.pid);
	return bpf_program__attach_usdt(kernel_program_of(k, p), k->config.pid, path, "handoff",
					programs[p].target, NULL);
}

void kernel_attach(struct kernel *k, enum program p)
{
	struct kernel_program *state = &k->program[p];
	struct bpf_link *link;
	int ret;

	if (programs[p].kind == PROGRAM_RUN) {
		state->attached = true;
		return;
	}
	if (programs[p].kind == PROGRAM_UPROBE) {
		k->link[p] = uprobe_attach(kernel_program_of(k, p), p, &k->config, state->why,
					   sizeof(state->why));
		state->attached = k->link[p];
		return;
	}
	if (programs[p].use == PROGRAM_FOREIGN &&
	    !kernel_needs(k, p, state->why, sizeof(state->why)))
		return;
	libbpf_log_begin();
	if (programs[p].kind == PROGRAM_USDT)
		link = attach_usdt(k, p);
	else if (programs[p].kind == PROGRAM_TRACEPOINT)
		link = kernel_attach_tracepoint(kernel_program_of(k, p), programs[p].target);
	else
		link = bpf_program__attach(kernel_program_of(k, p));
	ret = libbpf_get_error(link);
	if (!ret && programs[p].kind == PROGRAM_ITER) {
		ret = run_iterator(link);
		if (ret)
			bpf_link__destroy(link);
	}
	if (!ret) {
		k->link[p] = link;
		state->attached = true;
		return;
	}
	if (ret == -ENOENT && programs[p].kind == PROGRAM_RAW_TP)
		snprintf(state->why, sizeof(state->why),
			 "this kernel has no tracepoint %s (is its module loaded?)",
			 programs[p].target);
	else if (ret == -ENOENT && programs[p].kind == PROGRAM_USDT)
		snprintf(state->why, sizeof(state->why),
			 "the program of process %d has no probe handoff:%s", (int)k->config.pid,
			 programs[p].target);
	else if (ret == -EACCES && programs[p].kind == PROGRAM_USDT)
		snprintf(state->why, sizeof(state->why),
			 "this kernel asks for CAP_SYS_ADMIN to attach it");
	else
		libbpf_log_why(ret, state->why, sizeof(state->why));
}

int kernel_place(struct kernel *k, uint32_t row, const struct queue_place *place)
{
	uint64_t args[] = { row, place->gpa, place->msi.address, place->msi.data };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));

	if (!k->program[PROGRAM_PLACE].loaded)
		return -ENOSYS;
	return bpf_prog_test_run_opts(bpf_program__fd(kernel_program_of(k, PROGRAM_PLACE)), &opts);
}

/* Arrays are read where they lie. */
static const void *map_array(const struct bpf_map *map, size_t size, size_t *mapped,
			     struct error *err)
{
	void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, bpf_map__fd(map), 0);

	if (p == MAP_FAILED) {
		error_set(err, -errno, "cannot map our BPF %s: %m", bpf_map__name(map));
		return NULL;
	}
	*mapped = size;
	return p;
}

static int kernel_map(struct kernel *k, struct error *err)
{
	k->hists = map_array(k->skel->maps.stage_hists,
			     MODEL_MAX_QUEUES * KICK_STAGES * sizeof(struct hist), &k->hists_size,
			     err);
	k->loop_hists = map_array(k->skel->maps.loop_hists,
				  MODEL_MAX_LOOPS * LOOP_HISTS * sizeof(struct hist),
				  &k->loop_hists_size, err);
	k->queues = map_array(k->skel->maps.queue_states,
			      MODEL_MAX_QUEUES * sizeof(struct queue_state), &k->queues_size, err);
	return k->hists && k->loop_hists && k->queues ? 0 : -ENOMEM;
}

/* The iterator sees the pids of the initial namespace; so do we, unless we sit in a container. */
static bool kernel_knows_nobody(const struct kernel *k)
{
	__u32 tid;

	return k->program[PROGRAM_THREADS].attached &&
	       bpf_map_get_next_key(bpf_map__fd(k->skel->maps.thread_states), NULL, &tid);
}

struct kernel *kernel_new(const struct kernel_config *config, struct error *err)
{
	struct kernel *k = calloc(1, sizeof(*k));
	int i;

	if (!k) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	k->config = *config;
	k->cost_fd = -1;
	if (kernel_ask(k, err) || kernel_load(k, err) || kernel_map(k, err) ||
	    kernel_open_changes(k, err))
		goto fail;
	for (i = 0; i < PROGRAMS; i++) {
		if (k->program[i].loaded)
			kernel_attach(k, i);
		if (i == (config->foreign ? PROGRAM_BIND : PROGRAM_PLACE) && config->place)
			config->place(k, config->opaque);
	}
	if (k->program[PROGRAM_THREADS].attached && kernel_knows_nobody(k)) {
		error_set(err, -ESRCH,
			  "the kernel knows no process %d by this number: in a container, "
			  "share the host's pid namespace",
			  (int)config->pid);
		goto fail;
	}
	return k;
fail:
	kernel_free(k);
	return NULL;
}

void kernel_free(struct kernel *k)
{
	int i;

	if (!k)
		return;
	/* Back to front: disarm first, forget threads last. */
	for (i = PROGRAMS - 1; i >= 0; i--)
		bpf_link__destroy(k->link[i]);
	kernel_close_changes(k);
	if (k->hists)
		munmap((void *)k->hists, k->hists_size);
	if (k->loop_hists)
		munmap((void *)k->loop_hists, k->loop_hists_size);
	if (k->queues)
		munmap((void *)k->queues, k->queues_size);
	if (k->cost_fd >= 0)
		close(k->cost_fd);
	handoff_bpf__destroy(k->skel);
	free(k);
}

void kernel_stop(struct kernel *k)
{
	__atomic_store_n(&k->skel->bss->gone, 1, __ATOMIC_RELAXED);
}

bool kernel_switch_has_state(const struct kernel *k)
{
	return k->variants.switch_has_state;
}

const struct kernel_program *kernel_program(const struct kernel *k, enum program p)
{
	return &k->program[p];
}
