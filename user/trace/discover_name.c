// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which queue of which device: KVM knows addresses only, and a device's queues have theirs by rule
 * (virtio 1.2, 4.1.4.4: offset * multiplier; 4.2.2: one register, written with the number). Pure.
 */
#include "discover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/compiler.h>

#define PAGE 4096ull

/* virtio-mmio's QueueNotify; a device takes 512 bytes, of which some VMMs put several in a page. */
#define MMIO_NOTIFY 0x50
#define MMIO_SIZE   0x200

/* Where nothing else is known: what QEMU, crosvm and the rust-vmm family use. */
#define USUAL_SPACING 4

/* A device's queues are counted from the page's begin unless that gives a number beyond this. */
#define MAX_FIRST_QUEUE 16
#define MAX_QUEUE	1024

/* Queues first .. first+n-1 are one device's. */
struct group {
	struct vm_queue *queue;
	uint32_t n;
	const char *device; /* by names; NULL = by rule */
};

static uint32_t bus_of(const struct kick_key *way)
{
	return way->bus & ~BUS_BY_VALUE;
}

static bool by_value(const struct kick_key *way)
{
	return way->bus & BUS_BY_VALUE;
}

static bool same_page(const struct kick_key *a, const struct kick_key *b)
{
	return bus_of(a) == BUS_MMIO && bus_of(b) == BUS_MMIO && a->gpa / PAGE == b->gpa / PAGE;
}

/* One queue to a page, and no other's between (QEMU's page-per-vq). */
static bool next_page(const struct kick_key *a, const struct kick_key *b)
{
	return bus_of(a) == BUS_MMIO && bus_of(b) == BUS_MMIO && !by_value(a) && !by_value(b) &&
	       a->gpa % PAGE == 0 && b->gpa == a->gpa + PAGE;
}

/* Registers of their own, each written with its number (kvmtool): their spacing is the numbers'. */
static bool values_count_on(const struct kick_key *a, const struct kick_key *b)
{
	uint64_t step = b->value - a->value, bytes = b->gpa - a->gpa;

	return b->value > a->value && bytes % step == 0 && bytes / step < MMIO_SIZE / 2;
}

static bool same_device(const struct kick_key *a, const struct kick_key *b)
{
	if (bus_of(a) == bus_of(b) && a->gpa == b->gpa)
		return by_value(a) && by_value(b);
	if (same_page(a, b))
		return by_value(a) == by_value(b) && (!by_value(a) || values_count_on(a, b));
	return next_page(a, b);
}

static const char *named_device(const struct vm_queue *q, const struct vm_names *names)
{
	uint32_t i, r;

	for (i = 0; names && i < q->n_ways; i++)
		for (r = 0; r < names->n_ranges && r < VM_NAMES_MAX; r++)
			if (names->range[r].pio == (bus_of(&q->way[i]) == BUS_PIO) &&
			    q->way[i].gpa >= names->range[r].begin &&
			    q->way[i].gpa - names->range[r].begin < names->range[r].size)
				return names->range[r].device;
	return NULL;
}

/* The longest run from `first` that is one device's. Queues are in the order of their first ways.
 */
static void find_group(struct group *g, struct vm *vm, uint32_t first, const struct vm_names *names)
{
	struct vm_queue *q = &vm->queue[first];
	const char *device;
	bool stepped = false;
	uint32_t i;

	g->queue = q;
	g->device = named_device(q, names);
	for (i = 1; first + i < vm->n_queues; i++) {
		device = named_device(&q[i], names);
		if (g->device && device && !strcmp(g->device, device))
			continue;
		if (g->device || device || !q[i].n_ways || !q->n_ways)
			break;
		/* Two in one page: then the next page is another device's. */
		if (!same_device(&q[i - 1].way[0], &q[i].way[0]) ||
		    (i > 1 && stepped != next_page(&q[i - 1].way[0], &q[i].way[0])))
			break;
		stepped = next_page(&q[i - 1].way[0], &q[i].way[0]);
	}
	g->n = i;
}

static void name_device(struct group *g)
{
	const struct kick_key *way = &g->queue->way[0];
	unsigned long long gpa = way->gpa;
	char device[VM_NAME];
	uint32_t i;

	if (g->device)
		snprintf(device, sizeof(device), "%s", g->device);
	else if (!g->queue->n_ways)
		snprintf(device, sizeof(device), "unknown");
	else if (bus_of(way) == BUS_PIO)
		snprintf(device, sizeof(device), "pio-0x%llx", gpa);
	else if (by_value(way) && gpa % MMIO_SIZE == MMIO_NOTIFY)
		snprintf(device, sizeof(device), "0x%llx", gpa - MMIO_NOTIFY);
	else
		snprintf(device, sizeof(device), "0x%llx", gpa / PAGE * PAGE);
	make_printable(device, sizeof(device));
	for (i = 0; i < g->n; i++)
		memcpy(g->queue[i].device, device, sizeof(device));
}

/* The way whose value is the queue's number, if it has one. */
static const struct kick_key *value_way(const struct vm_queue *q)
{
	uint32_t i;

	for (i = 0; i < q->n_ways; i++)
		if (by_value(&q->way[i]) && q->way[i].value < MAX_QUEUE)
			return &q->way[i];
	return NULL;
}

/* Every queue has a value, and no two the same. */
static bool number_by_value(struct group *g)
{
	const struct kick_key *way;
	uint32_t i, j;

	for (i = 0; i < g->n; i++) {
		way = value_way(&g->queue[i]);
		if (!way)
			return false;
		for (j = 0; j < i; j++)
			if (value_way(&g->queue[j])->value == way->value)
				return false;
	}
	for (i = 0; i < g->n; i++) {
		way = value_way(&g->queue[i]);
		g->queue[i].queue = way->value;
		snprintf(g->queue[i].name_reason, VM_TEXT, "number: the value written to %s 0x%llx",
			 bus_of(way) == BUS_PIO ? "port" : "address", (unsigned long long)way->gpa);
	}
	return true;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	uint64_t rest;

	while (b) {
		rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

/* Notify addresses are evenly spaced. */
static bool number_by_spacing(struct group *g)
{
	uint64_t first, base, spacing = 0;
	uint32_t i;

	for (i = 0; i < g->n; i++)
		if (!g->queue[i].n_ways || bus_of(&g->queue[i].way[0]) != BUS_MMIO)
			return false;
	first = g->queue[0].way[0].gpa;
	for (i = 1; i < g->n; i++)
		spacing = common_divisor(spacing, g->queue[i].way[0].gpa - first);
	if (g->n == 1)
		spacing = USUAL_SPACING;
	if (spacing < 2 || (g->queue[g->n - 1].way[0].gpa - first) / spacing >= MAX_QUEUE)
		return false;
	base = first / PAGE * PAGE;
	if ((first - base) % spacing || (first - base) / spacing > MAX_FIRST_QUEUE)
		base = first;
	for (i = 0; i < g->n; i++) {
		g->queue[i].queue = (g->queue[i].way[0].gpa - base) / spacing;
		snprintf(g->queue[i].name_reason, VM_TEXT,
			 "number: %s 0x%llx, %llu bytes to a queue%s",
			 "its notify address counted from", (unsigned long long)base,
			 (unsigned long long)spacing, g->n == 1 ? " as usual" : "");
	}
	return true;
}

static void name_group(struct group *g)
{
	enum evidence evidence = EVIDENCE_INFERRED;
	char number[VM_TEXT];
	uint32_t i;

	name_device(g);
	if (!number_by_value(g) && !number_by_spacing(g)) {
		evidence = EVIDENCE_ABSENT;
		for (i = 0; i < g->n; i++) {
			g->queue[i].queue = i;
			snprintf(g->queue[i].name_reason, VM_TEXT,
				 "number: its place only, the addresses follow no rule");
		}
	}
	for (i = 0; i < g->n; i++) {
		memcpy(number, g->queue[i].name_reason, sizeof(number));
		g->queue[i].name_evidence = g->device ? EVIDENCE_EXACT : evidence;
		snprintf(g->queue[i].name_reason, VM_TEXT, "device: %s; %.110s",
			 g->device ? "by QMP" : "its notify address", number);
	}
}

static int compare_queues(const void *a, const void *b)
{
	const struct vm_queue *x = a, *y = b;

	if (!x->n_ways || !y->n_ways)
		return !x->n_ways - !y->n_ways;
	return compare_ways(&x->way[0], &y->way[0]);
}

void vm_name_queues(struct vm *vm, const struct vm_names *names)
{
	struct group group;
	uint32_t i;

	if (vm->n_queues)
		qsort(vm->queue, vm->n_queues, sizeof(vm->queue[0]), compare_queues);
	for (i = 0; i < vm->n_queues; i += group.n) {
		find_group(&group, vm, i, names);
		name_group(&group);
	}
}

static bool has_way(const struct vm *vm, const struct kick_key *way)
{
	uint32_t i, j;

	for (i = 0; i < vm->n_queues; i++)
		for (j = 0; j < vm->queue[i].n_ways; j++)
			if (!compare_ways(&vm->queue[i].way[j], way))
				return true;
	return false;
}

int vm_add_given(struct vm *vm, const struct kick_key *way, uint32_t n, struct error *err)
{
	struct vm_queue *larger, *q;
	uint32_t i;

	if (!n || n > QUEUE_WAYS)
		return error_set(err, -EINVAL, "a queue has 1 to %d addresses, not %u", QUEUE_WAYS,
				 n);
	for (i = 0; i < n; i++)
		if (has_way(vm, &way[i]))
			return error_set(err, -EEXIST, "address 0x%llx is a queue's already",
					 (unsigned long long)way[i].gpa);
	larger = realloc(vm->queue, (vm->n_queues + 1) * sizeof(*q));
	if (!larger)
		return error_set(err, -ENOMEM, "out of memory");
	vm->queue = larger;
	q = &vm->queue[vm->n_queues++];
	memset(q, 0, sizeof(*q));
	q->n_ways = n;
	memcpy(q->way, way, n * sizeof(*way));
	if (vm->evidence == EVIDENCE_ABSENT)
		vm->evidence = EVIDENCE_INFERRED;
	vm_name_queues(vm, NULL);
	return 0;
}
