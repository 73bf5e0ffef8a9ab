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

#define QMP_TIMEOUT_NS (2 * (uint64_t)NS_PER_S)
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

static int ask_devices(struct qmp_client *qmp, struct vm_names *names, struct error *err)
{
	json_t *buses = qmp_client_call(qmp, "query-pci", NULL, err);
	struct pci_list *list = calloc(1, sizeof(*list));
	unsigned int i;
	int ret = 0;

	if (!buses) {
		ret = -EREMOTEIO;
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
		return -EREMOTEIO;
	json_array_foreach(iothreads, i, iothread)
	{
		weight = 0; /* of QEMU 11.1 and newer */
		if (names->n_loops == VM_NAMES_MAX ||
		    json_unpack(iothread, "{s:s, s:I}", "id", &id, "thread-id", &tid))
			continue;
		snprintf(names->loop[names->n_loops].id, VM_NAME, "%s", id);
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

/* The process of a thread, 0 if there is none of that number. */
static uint32_t process_of(json_int_t tid)
{
	char path[64], line[128];
	unsigned int pid = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%" JSON_INTEGER_FORMAT "/status", tid);
	status = fopen(path, "re");
	if (!status)
		return 0;
	while (!pid && fgets(line, sizeof(line), status))
		if (sscanf(line, "Tgid: %u", &pid) == 1)
			break;
	fclose(status);
	return pid;
}

/* QMP does not tell the main loop's thread; it is the process's first, and vCPUs are told. */
static void ask_main_loop(struct qmp_client *qmp, struct vm_names *names)
{
	json_t *cpus = qmp_client_call(qmp, "query-cpus-fast", NULL, NULL);
	uint32_t tid = process_of(
		json_integer_value(json_object_get(json_array_get(cpus, 0), "thread-id")));

	json_decref(cpus);
	if (!tid || names->n_loops == VM_NAMES_MAX)
		return;
	snprintf(names->loop[names->n_loops].id, VM_NAME, "main");
	names->loop[names->n_loops].tid = tid;
	names->loop[names->n_loops++].main = true;
}

int cmd_names_by_qmp(const char *path, struct vm_names *names, struct error *err)
{
	struct qmp_client *qmp = qmp_client_new(path, QMP_TIMEOUT_NS, err);
	int ret;

	memset(names, 0, sizeof(*names));
	if (!qmp)
		return -EREMOTEIO;
	ret = ask_devices(qmp, names, err);
	if (!ret)
		ret = ask_iothreads(qmp, names, err);
	if (!ret)
		ask_main_loop(qmp, names);
	qmp_client_free(qmp);
	if (ret)
		error_prefix(err, "QMP %.150s", path);
	return ret;
}
