// SPDX-License-Identifier: BSD-2-Clause
/* The tables of `handoff ls`: as wide as what is in them, the last column open. */
#include "ls.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <handoff/compiler.h>

#define COLUMNS	    9
#define CELL	    48
#define LAST	    256 /* the last column's */
#define LINE_LENGTH 100

struct row {
	char cell[COLUMNS - 1][CELL];
	char last[LAST];
};

struct table {
	uint32_t n, room;
	bool failed; /* no memory: the rows from then on are missing */
	int n_columns;
	struct row *row;
};

static struct row *table_row(struct table *t)
{
	uint32_t room = t->room ? t->room * 2 : 32;
	struct row *larger;

	if (t->n == t->room) {
		larger = realloc(t->row, room * sizeof(*larger));
		if (!larger) {
			t->failed = true;
			return NULL;
		}
		t->row = larger;
		t->room = room;
	}
	memset(&t->row[t->n], 0, sizeof(t->row[0]));
	return &t->row[t->n++];
}

static void PRINTF_LIKE(3, 4) cell(struct row *r, int column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->cell[column], CELL, fmt, ap);
	va_end(ap);
}

/* Adds to the last column, after ", " if there is something. */
static void PRINTF_LIKE(2, 3) add_last(struct row *r, const char *fmt, ...)
{
	size_t n = strlen(r->last);
	va_list ap;

	if (n && n + 3 < LAST) {
		memcpy(r->last + n, ", ", 3);
		n += 2;
	}
	va_start(ap, fmt);
	vsnprintf(r->last + n, LAST - n, fmt, ap);
	va_end(ap);
}

/* Columns that are empty all the way down are left out, and so is space at the end. */
static void row_print(const struct row *r, const int *width, int n, FILE *to)
{
	int c, blank = 1;

	fputc(' ', to);
	for (c = 0; c < n; c++) {
		if (r->cell[c][0]) {
			fprintf(to, "%*s%s", blank, "", r->cell[c]);
			blank = 0;
		}
		if (width[c])
			blank += 1 + width[c] - (int)strlen(r->cell[c]);
	}
	if (r->last[0])
		fprintf(to, "%*s%s", blank, "", r->last);
	fputc('\n', to);
}

static void table_print(const struct table *t, FILE *to)
{
	int width[COLUMNS - 1] = { 0 }, c;
	uint32_t i;

	for (i = 0; i < t->n; i++)
		for (c = 0; c < t->n_columns - 1; c++)
			width[c] = MAX(width[c], (int)strlen(t->row[i].cell[c]));
	for (i = 0; i < t->n; i++)
		row_print(&t->row[i], width, t->n_columns - 1, to);
	if (t->failed)
		fputs("  (no memory for the rest)\n", to);
}

static void put_fds(struct row *r, int column, const struct vm_eventfd *e)
{
	char text[CELL] = "";
	size_t n = 0;
	uint32_t i;

	for (i = 0; i < e->n_fds && i < VM_FDS; i++)
		n += snprintf(text + n, sizeof(text) - n, "%s%d", i ? "," : "", e->fd[i]);
	cell(r, column, "%s", e->n_fds ? text : "closed");
}

static void put_consumers(struct row *r, const struct vm_eventfd *e, const struct vm_names *names)
{
	const struct vm_consumer *c;
	const char *loop;
	uint32_t i, n = 0;

	for (i = 0; i < e->n_consumers && i < VM_CONSUMERS; i++) {
		c = &e->consumer[i];
		if (c->how == CONSUMER_IRQFD)
			continue;
		n++;
		loop = ls_loop(names, c->tid);
		if (c->tid)
			add_last(r, "%u %s (%s)", c->tid, loop ? loop : c->comm,
				 consumer_how_name(c->how));
		else
			add_last(r, "%s", consumer_how_name(c->how));
	}
	if (!n)
		add_last(r, "nobody seen");
}

static void head(struct table *t, const char *const *names, int n)
{
	struct row *r = table_row(t);
	int i;

	t->n_columns = n;
	for (i = 0; r && i < n - 1; i++)
		cell(r, i, "%s", names[i]);
	if (r)
		add_last(r, "%s", names[n - 1]);
}

static void put_way(struct row *r, const struct vm_queue *q, uint32_t way)
{
	const struct kick_key *key = &q->way[way];

	cell(r, 1, "%s", ls_bus_name(key));
	cell(r, 2, "0x%" PRIx64, (uint64_t)key->gpa);
	if (q->len[way])
		cell(r, 3, "%u", q->len[way]);
	else
		cell(r, 3, "any");
	if (key->bus & BUS_BY_VALUE)
		cell(r, 4, "%" PRIu64, (uint64_t)key->value);
	else
		cell(r, 4, "any");
}

static const char *mark(enum evidence evidence)
{
	return evidence == EVIDENCE_EXACT ? "" : evidence == EVIDENCE_INFERRED ? "~" : "?";
}

/* A line for the queue, and one for each further way to kick it. */
static void put_queue(struct table *t, const struct vm_queue *q, const struct vm_names *names)
{
	struct row *r = table_row(t);
	uint32_t i;

	if (!r)
		return;
	cell(r, 0, "%s%s.%u", mark(q->name_evidence), q->device, q->queue);
	if (q->n_ways)
		put_way(r, q, 0);
	cell(r, 5, "%u", q->eventfd.id);
	put_fds(r, 6, &q->eventfd);
	cell(r, 7, "%" PRIu64, q->eventfd.count);
	if (q->eventfd.ctx)
		put_consumers(r, &q->eventfd, names);
	else
		add_last(r, "not known");
	for (i = 1; i < q->n_ways && i < QUEUE_WAYS; i++) {
		r = table_row(t);
		if (r)
			put_way(r, q, i);
	}
}

static void print_queues(const struct vm *vm, const struct vm_names *names, FILE *to)
{
	static const char *const titles[] = { "QUEUE",	 "BUS", "ADDRESS", "LEN",    "VALUE",
					      "EVENTFD", "FD",	"COUNT",   "WAITING" };
	struct table t = { 0 };
	bool guess = false;
	uint32_t i;

	_Static_assert(ARRAY_SIZE(titles) == COLUMNS, "a title each");
	head(&t, titles, ARRAY_SIZE(titles));
	for (i = 0; i < vm->n_queues; i++) {
		put_queue(&t, &vm->queue[i], names);
		guess |= vm->queue[i].name_evidence != EVIDENCE_EXACT;
	}
	table_print(&t, to);
	free(t.row);
	if (guess)
		fputs("  ~ a guess by the address and its spacing, or the value; ? by nothing: see "
		      "--json, --qmp\n",
		      to);
}

static void print_irqfds(const struct vm *vm, const struct vm_names *names, FILE *to)
{
	static const char *const titles[] = { "INTERRUPT", "KIND",  "MESSAGE",	   "EVENTFD",
					      "FD",	   "COUNT", "ALSO WAITING" };
	struct table t = { 0 };
	struct row *r;
	uint32_t i;

	head(&t, titles, ARRAY_SIZE(titles));
	for (i = 0; i < vm->n_irqfds; i++) {
		const struct vm_irqfd *irqfd = &vm->irqfd[i];

		r = table_row(&t);
		if (!r)
			break;
		cell(r, 0, "gsi %u", irqfd->gsi);
		cell(r, 1, "%s", irqfd->is_msi ? "msi" : "pin");
		if (irqfd->is_msi)
			cell(r, 2, "0x%x 0x%x", irqfd->message.address, irqfd->message.data);
		cell(r, 3, "%u", irqfd->eventfd.id);
		put_fds(r, 4, &irqfd->eventfd);
		cell(r, 5, "%" PRIu64, irqfd->eventfd.count);
		put_consumers(r, &irqfd->eventfd, names);
		if (!strcmp(r->last, "nobody seen"))
			r->last[0] = '\0';
	}
	table_print(&t, to);
	free(t.row);
}

static void print_vcpus(const struct vm *vm, FILE *to)
{
	char text[32];
	int at = fprintf(to, "  vCPU threads:");
	uint32_t i;

	for (i = 0; i < vm->n_vcpus; i++) {
		if (vm->vcpu[i].tid)
			snprintf(text, sizeof(text), " %u=%u", vm->vcpu[i].id, vm->vcpu[i].tid);
		else
			snprintf(text, sizeof(text), " %u=not-yet", vm->vcpu[i].id);
		if (at + (int)strlen(text) > LINE_LENGTH)
			at = fprintf(to, "\n               ") - 1;
		at += fprintf(to, "%s", text);
	}
	fputs(vm->n_vcpus ? "\n" : " none\n", to);
}

static void print_vm(const struct vm *vm, const char *kvm, const struct vm_names *names, FILE *to)
{
	fprintf(to, "VM %d  %s  %u vCPU%s, %u queue%s, %u irqfd%s  %s\n", (int)vm->pid, vm->kind,
		vm->n_vcpus, vm->n_vcpus == 1 ? "" : "s", vm->n_queues,
		vm->n_queues == 1 ? "" : "s", vm->n_irqfds, vm->n_irqfds == 1 ? "" : "s", kvm);
	fprintf(to, "  %.*s\n", LINE_LENGTH - 2, vm->command[0] ? vm->command : vm->comm);
	print_vcpus(vm, to);
	if (vm->reason[0])
		fprintf(to, "  %s: %s\n", vm->evidence == EVIDENCE_ABSENT ? "no queues" : "note",
			vm->reason);
	if (vm->garbage)
		fprintf(to, "  note: %u entries made no sense and are left out\n", vm->garbage);
	if (vm->n_queues)
		print_queues(vm, names, to);
	if (vm->n_irqfds)
		print_irqfds(vm, names, to);
}

void ls_print_text(const struct vm_list *list, const struct vm_names *names, FILE *to)
{
	uint32_t i;

	if (!list->n)
		fprintf(to, "no VM runs here (KVM: %s)\n", list->kvm);
	for (i = 0; i < list->n; i++) {
		if (i)
			fputc('\n', to);
		print_vm(&list->vm[i], list->kvm, names, to);
	}
}
