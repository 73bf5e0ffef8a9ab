// SPDX-License-Identifier: BSD-2-Clause
/*
 * struct vm_names from a QMP socket: address ranges of PCI devices, and the loops' threads. What a
 * VM does not know (a vCPU's thread, iothreads) is left out; what it does not answer is an error.
 * Neighbours: names_pci.c, `ls`, `trace`.
 */
#include "names.h"

#include <inttypes.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/clock.h>
#include <handoff/discover.h>
#include <handoff/qmp.h>
#include "names_pci.h"
#include "names_threads.h"

/* Of an answer; of all answers once the connection is there. */
#define QMP_TIMEOUT_NS (2 * (uint64_t)NS_PER_S)
#define QMP_LIMIT_NS   (3 * (uint64_t)NS_PER_S)
#define VENDOR_VIRTIO  0x1af4

static void add_ranges(struct vm_names *names, const struct pci_found *found)
{
	unsigned int i;

	for (i = 0; i < found->n_bars && names->n_ranges < VM_NAMES_MAX; i++) {
		memcpy(names->range[names->n_ranges].device, found->name, VM_NAME);
		names->range[names->n_ranges].begin = found->bar[i].address;
		names->range[names->n_ranges].size = found->bar[i].size;
		names->range[names->n_ranges++].pio = found->bar[i].pio;
	}
}

/* It has no query-pci, and its devices' names need none. */
static bool is_ours(struct qmp_client *qmp)
{
	json_t *version = qmp_client_call(qmp, "query-version", NULL, NULL);
	const char *package = json_string_value(json_object_get(version, "package"));
	bool ours = package && !strncmp(package, "handoff ", 8);

	json_decref(version);
	return ours;
}

static int ask_devices(struct qmp_client *qmp, struct vm_names *names, struct error *err)
{
	json_t *buses = qmp_client_call(qmp, "query-pci", NULL, err);
	struct pci_list *list = calloc(1, sizeof(*list));
	unsigned int i;
	int ret = 0;

	if (!buses) {
		ret = is_ours(qmp) ? 0 : -EREMOTEIO;
		goto out;
	}
	if (!list) {
		ret = error_set(err, -ENOMEM, "out of memory");
		goto out;
	}
	pci_list_fill(list, buses);
	pci_list_name(list, qmp);
	for (i = 0; i < list->n; i++)
		if (list->found[i].vendor == VENDOR_VIRTIO)
			add_ranges(names, &list->found[i]);
	for (i = 0; i < list->n; i++)
		if (list->found[i].vendor != VENDOR_VIRTIO)
			add_ranges(names, &list->found[i]);
out:
	free(list);
	json_decref(buses);
	return ret;
}

static int ask_iothreads(struct qmp_client *qmp, struct vm_names *names, struct error *err)
{
	json_t *iothreads = qmp_client_call(qmp, "query-iothreads", NULL, err), *iothread;
	json_int_t tid, max, grow, shrink, weight;
	const char *id;
	size_t i;

	if (!iothreads)
		return qmp_client_is_broken(qmp) ? -EREMOTEIO : 0;
	json_array_foreach(iothreads, i, iothread)
	{
		weight = 0; /* of QEMU 11.1 and newer */
		if (names->n_loops == VM_NAMES_MAX ||
		    json_unpack(iothread, "{s:s, s:I}", "id", &id, "thread-id", &tid) || tid <= 0 ||
		    tid > UINT32_MAX)
			continue;
		pci_keep_name(names->loop[names->n_loops].id, id);
		names->loop[names->n_loops].tid = (uint32_t)tid;
		if (!json_unpack(iothread, "{s:I, s:I, s:I, s?I}", "poll-max-ns", &max, "poll-grow",
				 &grow, "poll-shrink", &shrink, "poll-weight", &weight)) {
			names->loop[names->n_loops].poll_known = true;
			names->loop[names->n_loops].poll_max_ns = (uint64_t)max;
			names->loop[names->n_loops].poll_grow = (uint64_t)grow;
			names->loop[names->n_loops].poll_shrink = (uint64_t)shrink;
			names->loop[names->n_loops].poll_weight = (uint64_t)weight;
		}
		names->n_loops++;
	}
	json_decref(iothreads);
	return 0;
}

/* The vCPUs' threads, an array of numbers: what is not told is not there. *ret: of the connection.
 */
static json_t *ask_vcpus(struct qmp_client *qmp, int *ret, struct error *err)
{
	json_t *cpus = qmp_client_call(qmp, "query-cpus-fast", NULL, err), *tids = json_array();
	const json_t *cpu, *tid;
	size_t i;

	json_array_foreach(cpus, i, cpu)
	{
		tid = json_object_get(cpu, "thread-id");
		if (json_is_integer(tid))
			json_array_append_new(tids, json_integer(json_integer_value(tid)));
	}
	*ret = !cpus && qmp_client_is_broken(qmp) ? -EREMOTEIO : 0;
	json_decref(cpus);
	return tids;
}

/* Loops by our numbers; those that are no threads (any more) are left out. */
static void translate_loops(struct vm_names *names, const struct names_threads *threads)
{
	uint32_t i, n = 0, tid;

	for (i = 0; i < names->n_loops; i++) {
		tid = names_threads_find(threads, names->loop[i].tid);
		if (!tid)
			continue;
		names->loop[n] = names->loop[i];
		names->loop[n++].tid = tid;
	}
	names->n_loops = n;
}

/* QMP does not tell the main loop's thread; it is the process's first. */
static void add_main_loop(struct vm_names *names, pid_t pid)
{
	if (names->n_loops == VM_NAMES_MAX)
		return;
	memset(&names->loop[names->n_loops], 0, sizeof(names->loop[0]));
	snprintf(names->loop[names->n_loops].id, VM_NAME, "main");
	names->loop[names->n_loops].tid = (uint32_t)pid;
	names->loop[names->n_loops++].main = true;
}

static int is_of_another(pid_t pid, json_int_t tid, struct error *err)
{
	return error_set(err, -EINVAL,
			 "this is another VM's socket: thread %" JSON_INTEGER_FORMAT
			 " is none of process %d; give the socket of its own -qmp",
			 tid, (int)pid);
}

/* Whose threads they are shows whose socket it is: those of all vCPUs, else of any iothread. */
static int fit_to_process(struct vm_names *names, pid_t pid, const json_t *vcpus, struct error *err)
{
	uint32_t told = names->n_loops, first = names->loop[0].tid;
	struct names_threads threads;
	const json_t *vcpu;
	int ret = names_threads_read(&threads, pid, err);
	size_t i;

	if (ret)
		return ret;
	json_array_foreach(vcpus, i, vcpu)
	{
		if (!ret && !names_threads_find(&threads, json_integer_value(vcpu)))
			ret = is_of_another(pid, json_integer_value(vcpu), err);
	}
	translate_loops(names, &threads);
	names_threads_release(&threads);
	if (!ret && !json_array_size(vcpus) && told && !names->n_loops)
		ret = is_of_another(pid, first, err);
	if (!ret && json_array_size(vcpus))
		add_main_loop(names, pid);
	return ret;
}

int cmd_names_by_qmp(const char *path, pid_t pid, struct vm_names *names, struct error *err)
{
	struct qmp_client *qmp = qmp_client_new(path, QMP_TIMEOUT_NS, err);
	json_t *vcpus = NULL;
	int ret;

	memset(names, 0, sizeof(*names));
	if (!qmp)
		return -EREMOTEIO;
	qmp_client_limit(qmp, QMP_LIMIT_NS);
	ret = ask_devices(qmp, names, err);
	if (!ret)
		ret = ask_iothreads(qmp, names, err);
	if (!ret)
		vcpus = ask_vcpus(qmp, &ret, err);
	qmp_client_free(qmp);
	if (!ret)
		ret = fit_to_process(names, pid, vcpus, err);
	json_decref(vcpus);
	if (ret)
		error_prefix(err, "QMP %.150s", path);
	return ret;
}
