// SPDX-License-Identifier: BSD-2-Clause
/* See stack.h. The program is bpf/stack.bpf.c's ho_stack; names are symbols.c's and kallsyms.c's.
 */
#include "stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "kallsyms.h"
#include "libbpf_log.h"
#include "stack.skel.h"
#include "stack_regs.h"
#include "symbols.h"

/* A thread that wakes and sleeps again while its stack is read is looked at again so often. */
#define TRIES 4

/* Linux' task_struct.__state and .flags */
#define STATE_INTERRUPTIBLE   0x1
#define STATE_UNINTERRUPTIBLE 0x2
#define STATE_STOPPED	      0x4
#define STATE_TRACED	      0x8
#define STATE_NOLOAD	      0x400

struct stacks {
	struct stack_bpf *skel;
	struct kallsyms *kallsyms; /* NULL: not asked yet, or why */
	char kallsyms_why[REPORT_TEXT];
};

struct stacks *stacks_new(struct error *err)
{
	struct stacks *s = calloc(1, sizeof(*s));
	char why[200];
	int ret = -ENOMEM;

	libbpf_log_begin();
	if (s)
		s->skel = stack_bpf__open();
	if (!s || !s->skel)
		goto fail;
	bpf_program__set_autoload(s->skel->progs.ho_stack, true);
	ret = stack_bpf__load(s->skel);
	if (!ret)
		return s;
fail:
	error_set(err, ret, "stacks cannot be taken: %s", libbpf_log_why(ret, why, sizeof(why)));
	stacks_free(s);
	return NULL;
}

void stacks_free(struct stacks *s)
{
	if (!s)
		return;
	stack_bpf__destroy(s->skel);
	kallsyms_free(s->kallsyms);
	free(s);
}

/* Up to 6.0 an iterator cannot be told which thread: it goes over all, and the program picks. */
static struct bpf_link *attach(struct stacks *s, pid_t tid)
{
	union bpf_iter_link_info info = { .task.tid = tid };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link = bpf_program__attach_iter(s->skel->progs.ho_stack, &opts);

	if (libbpf_get_error(link) == -ESRCH)
		return link;
	return libbpf_get_error(link) ? bpf_program__attach_iter(s->skel->progs.ho_stack, NULL)
				      : link;
}

int stacks_look(struct stacks *s, pid_t tid, struct stack_record *record)
{
	struct stack_record *shared = &s->skel->bss->record;
	struct bpf_link *link;
	char buf[16];
	int fd, ret;

	libbpf_log_begin();
	shared->tid = 0;
	s->skel->bss->want_tid = tid;
	link = attach(s, tid);
	ret = libbpf_get_error(link);
	if (ret)
		return ret;
	fd = bpf_iter_create(bpf_link__fd(link));
	ret = fd < 0 ? -errno : 0;
	while (!ret && read(fd, buf, sizeof(buf)) < 0)
		if (errno != EINTR && errno != EAGAIN)
			ret = -errno;
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	if (ret)
		return ret;
	if (shared->tid != (uint32_t)tid)
		return -ESRCH;
	memcpy(record, shared, sizeof(*record));
	return 0;
}

char stack_state(const struct stack_record *r)
{
	/* One that is about to sleep has that state already, for as long as it takes to leave. */
	if (!r->state || r->on_cpu)
		return 'R';
	if (r->state & STATE_INTERRUPTIBLE)
		return 'S';
	if (r->state & STATE_UNINTERRUPTIBLE)
		return r->state & STATE_NOLOAD ? 'I' : 'D';
	if (r->state & STATE_STOPPED)
		return 'T';
	return r->state & STATE_TRACED ? 't' : '?';
}

static void name_kernel(struct stacks *s, const struct stack_record *r, struct thread_stack *out)
{
	uint32_t n = r->kernel_bytes > 0 ? r->kernel_bytes / sizeof(r->kernel[0]) : 0, i;

	if (!s->kallsyms && !s->kallsyms_why[0])
		s->kallsyms = kallsyms_new(s->kallsyms_why);
	out->n_kernel = MIN(n, REPORT_FRAMES);
	for (i = 0; i < out->n_kernel; i++)
		kallsyms_name(s->kallsyms, r->kernel[i], true, out->kernel[i], REPORT_FRAME);
	if (!n && r->on_cpu)
		snprintf(out->kernel_why, REPORT_TEXT, "it was running");
	else if (!n)
		snprintf(out->kernel_why, REPORT_TEXT, "the kernel did not tell: %s",
			 strerror(r->kernel_bytes < 0 ? -r->kernel_bytes : ENODATA));
	else if (!s->kallsyms)
		memcpy(out->kernel_why, s->kallsyms_why, REPORT_TEXT);
}

static bool moved(const struct stack_record *a, const struct stack_record *b)
{
	return stack_regs_pc(a->regs) != stack_regs_pc(b->regs) ||
	       stack_regs_sp(a->regs) != stack_regs_sp(b->regs);
}

/* Its memory may change while it is read, unless it was asleep in one place all the time. */
static int name_user(struct stacks *s, struct symbols *symbols, struct stack_record *r,
		     struct thread_stack *out)
{
	struct symbols_walk walk = { .regs = r->regs, .with_offset = true };
	struct stack_record after;
	int i, ret;

	for (i = 0; i < TRIES; i++) {
		walk.regs_bytes = r->regs_bytes;
		out->n_user = symbols_unwind(symbols, r->tid, &walk, out->user, REPORT_FRAMES,
					     out->user_why);
		ret = stacks_look(s, r->tid, &after);
		if (ret)
			return ret;
		if (!moved(r, &after))
			break;
		*r = after;
	}
	if (r->on_cpu)
		snprintf(out->user_why, REPORT_TEXT,
			 "it was running: this is where it last entered the kernel");
	else if (i == TRIES)
		snprintf(out->user_why, REPORT_TEXT, "it moved while its stack was read");
	return 0;
}

int stacks_take(struct stacks *s, pid_t tid, struct thread_stack *out)
{
	struct stack_record r;
	struct symbols *symbols;
	unsigned int i;
	int ret = stacks_look(s, tid, &r);

	if (ret)
		return ret;
	memset(out, 0, sizeof(*out));
	if (r.regs_bytes <= 0) {
		snprintf(out->user_why, REPORT_TEXT, "a thread of the kernel's");
	} else {
		symbols = symbols_new(r.tgid, out->user_why);
		ret = symbols ? name_user(s, symbols, &r, out) : 0;
		symbols_free(symbols);
		if (ret)
			return ret;
	}
	out->tid = r.tid;
	out->tgid = r.tgid;
	out->state = stack_state(&r);
	out->on_cpu = r.on_cpu;
	out->syscall = r.regs_bytes > 0 ? stack_regs_syscall(r.regs) : -1;
	for (i = 0; i < ARRAY_SIZE(out->arg) && r.regs_bytes > 0; i++)
		out->arg[i] = stack_regs_arg(r.regs, i);
	name_kernel(s, &r, out);
	return 0;
}
