// SPDX-License-Identifier: BSD-2-Clause
/* See folded.h: the life of the BPF object, which threads it follows, and records as lines. */
#include "folded.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <handoff/clock.h>
#include "fold.skel.h"
#include "kallsyms.h"
#include "libbpf_log.h"
#include "run_time.h"
#include "symbols_cache.h"
#include "tracer.h"

#define CPUS	1024
#define NAMED	(FOLD_THREADS + REPORT_VCPUS)
#define TAKE_NS 20000000 /* before the caller may look at what else there is, a Ctrl-C say */

/* Threads that have a name of their own. */
struct named_thread {
	uint32_t tid;
	char name[STATS_NAME_LEN];
};

struct folded {
	struct fold_bpf *skel;
	struct bpf_link *link[2 + CPUS];
	uint32_t n_links;
	struct ring_buffer *records;
	struct kallsyms *kallsyms; /* NULL: names are addresses */
	struct symbols_cache symbols;
	uint32_t n_threads;
	struct named_thread thread[NAMED];
	struct folded_lines *lines;
	uint64_t lost_ns;    /* no memory for their line */
	int64_t deadline_ns; /* of folded_take; INT64_MAX = none */
	struct folded_text text;
	char frame[FOLDED_FRAMES][REPORT_FRAME];
};

/* --- records as lines ------------------------------------------------------------------------- */

static void add_user(struct folded *f, const struct fold_record *r)
{
	const struct symbols_walk walk = { .regs = r->regs,
					   .regs_bytes = MAX(r->regs_bytes, 0),
					   .stack = r->stack,
					   .stack_bytes = MIN(r->stack_bytes, FOLD_STACK_BYTES) };
	struct symbols *symbols;
	char why[REPORT_TEXT];
	uint32_t n;

	if (r->regs_bytes <= 0)
		return;
	symbols = symbols_cache_of(&f->symbols, r->by_pid);
	n = symbols ? symbols_unwind(symbols, r->key.by, &walk, f->frame, FOLDED_FRAMES, why) : 0;
	if (!n || why[0])
		folded_text_add(&f->text, "[its callers are not known]");
	while (n)
		folded_text_add(&f->text, f->frame[--n]);
}

/* Our program, and what called it at the tracepoint. */
static bool is_tracing(const char *name)
{
	static const char *const prefix[] = { "bpf_prog_", "bpf_trampoline_", "bpf_trace_run",
					      "__bpf_trace_", "__traceiter_" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(prefix); i++)
		if (!strncmp(name, prefix[i], strlen(prefix[i])))
			return true;
	return false;
}

/* Frames of the kernel's end in _[k], as flame graphs colour them. */
static void add_kernel(struct folded *f, const struct fold_record *r)
{
	char name[STACK_FRAMES][REPORT_FRAME], frame[REPORT_FRAME + 8];
	int n, ours = 0, frames = r->kernel_bytes / (int)sizeof(r->kernel[0]);

	for (n = 0; n < frames && n < STACK_FRAMES; n++) {
		kallsyms_name(f->kallsyms, r->kernel[n], false, name[n], sizeof(name[n]));
		if (n == ours && is_tracing(name[n]))
			ours++;
	}
	while (n-- > ours) {
		snprintf(frame, sizeof(frame), "%s_[k]", name[n]);
		folded_text_add(&f->text, frame);
	}
}

static const char *name_of(const struct folded *f, uint32_t tid)
{
	uint32_t i;

	for (i = 0; i < f->n_threads; i++)
		if (f->thread[i].tid == tid)
			return f->thread[i].name;
	return NULL;
}

static void add_waker(struct folded *f, uint32_t by, const char *comm)
{
	const char *name = by ? name_of(f, by) : "an interrupt";
	char text[REPORT_FRAME];

	folded_text_add(&f->text, "asleep");
	snprintf(text, sizeof(text), "woken by %.*s", STATS_NAME_LEN, name ? name : comm);
	folded_text_add(&f->text, text);
}

static void add_line(struct folded *f, uint32_t tid, uint64_t ns)
{
	if (!folded_lines_add(f->lines, tid, f->text.text, ns))
		f->lost_ns += ns;
}

/* What it answers but 0 ends the taking; the record is taken all the same. */
static int take_record(void *opaque, void *data, size_t size)
{
	const struct fold_record *r = data;
	struct folded *f = opaque;
	char comm[FOLD_COMM + 1] = "";

	if (size < sizeof(*r))
		return 0;
	f->text.used = 0;
	memcpy(comm, r->comm, FOLD_COMM);
	if (r->kind == FOLD_WOKEN)
		add_waker(f, r->key.by, comm);
	else
		folded_text_add(&f->text, "running");
	if (r->key.by)
		add_user(f, r);
	add_kernel(f, r);
	add_line(f, r->key.tid, r->ns);
	return clock_ns() < f->deadline_ns ? 0 : -EAGAIN;
}

/* Wakes since the last record of their waker: some milliseconds' worth. */
static void take_untold(struct folded *f)
{
	int map = bpf_map__fd(f->skel->maps.fold_wakes);
	struct fold_wake_key key, *last = NULL;
	struct fold_wake w;
	uint32_t n;

	for (n = 0; n < FOLD_WAKES && !bpf_map_get_next_key(map, last, &key); n++) {
		last = &key;
		if (bpf_map_lookup_elem(map, &key, &w) || !w.ns)
			continue;
		f->text.used = 0;
		add_waker(f, key.by, "somebody");
		folded_text_add(&f->text, "[since its last sample]");
		add_line(f, key.tid, w.ns);
	}
}

static void take_waited(struct folded *f)
{
	int map = bpf_map__fd(f->skel->maps.fold_threads);
	struct fold_thread t;
	uint32_t i;

	for (i = 0; i < f->n_threads; i++) {
		if (bpf_map_lookup_elem(map, &f->thread[i].tid, &t) || !t.waited_ns)
			continue;
		f->text.used = 0;
		folded_text_add(&f->text, "runnable");
		add_line(f, f->thread[i].tid, t.waited_ns);
	}
}

int folded_fd(const struct folded *f)
{
	return ring_buffer__epoll_fd(f->records);
}

static void take_until(struct folded *f, int64_t deadline_ns)
{
	f->deadline_ns = deadline_ns;
	(void)!ring_buffer__consume(f->records);
}

void folded_take(struct folded *f)
{
	take_until(f, clock_ns() + TAKE_NS);
}

void folded_run_ns(const struct folded *f, uint64_t run_clock_ns, uint64_t *kick_side_ns,
		   uint64_t *all_ns)
{
	const struct bpf_program *other[] = { f->skel->progs.ho_fold_switch,
					      f->skel->progs.ho_fold_sample };
	size_t i;

	*kick_side_ns = run_time_ns(bpf_program__fd(f->skel->progs.ho_fold_waking), run_clock_ns);
	*all_ns = *kick_side_ns;
	for (i = 0; i < ARRAY_SIZE(other); i++)
		*all_ns += run_time_ns(bpf_program__fd(other[i]), run_clock_ns);
}

/* --- whom it follows -------------------------------------------------------------------------- */

/* Names may become better; a thread that has ended keeps its own. */
static void name_thread(struct folded *f, uint32_t tid, const char *name)
{
	uint32_t i;

	for (i = 0; i < f->n_threads && f->thread[i].tid != tid; i++)
		;
	if (!tid || i == NAMED)
		return;
	f->thread[i].tid = tid;
	snprintf(f->thread[i].name, STATS_NAME_LEN, "%s", name);
	f->n_threads = MAX(f->n_threads, i + 1);
}

void folded_follow(struct folded *f, const struct stats_page *page, const struct vm_vcpu *vcpu,
		   uint32_t n_vcpus)
{
	int map = bpf_map__fd(f->skel->maps.fold_threads);
	const struct fold_thread awake = { 0 };
	char name[STATS_NAME_LEN];
	uint32_t i;

	for (i = 0; i < STATS_MAX_LOOPS; i++) {
		if (!page->loop[i].tid)
			continue;
		/* One that is there already stays as it is. */
		bpf_map_update_elem(map, &page->loop[i].tid, &awake, BPF_NOEXIST);
		name_thread(f, page->loop[i].tid, page->loop[i].id);
	}
	for (i = 0; i < n_vcpus; i++) {
		snprintf(name, sizeof(name), "vcpu%u", vcpu[i].id);
		name_thread(f, vcpu[i].tid, name);
	}
	symbols_cache_refresh(&f->symbols);
}

/* --- life ------------------------------------------------------------------------------------- */

static int attach(struct folded *f, struct bpf_program *program)
{
	struct bpf_link *link = bpf_program__attach(program);
	int ret = libbpf_get_error(link);

	if (!ret)
		f->link[f->n_links++] = link;
	return ret;
}

/* Of one CPU; one that is not there is no failure. */
static int attach_clock(struct folded *f, int cpu)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(attr),
					.config = PERF_COUNT_SW_CPU_CLOCK,
					.sample_period = FOLD_SAMPLE_NS };
	int fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	struct bpf_link *link;
	int ret;

	if (fd < 0)
		return errno == ENODEV ? 0 : -errno;
	link = bpf_program__attach_perf_event(f->skel->progs.ho_fold_sample, fd);
	ret = libbpf_get_error(link);
	if (ret) {
		close(fd);
		return ret;
	}
	f->link[f->n_links++] = link;
	return 0;
}

static int attach_all(struct folded *f)
{
	int ret = attach(f, f->skel->progs.ho_fold_switch), cpu, cpus;

	if (!ret)
		ret = attach(f, f->skel->progs.ho_fold_waking);
	cpus = libbpf_num_possible_cpus();
	for (cpu = 0; !ret && cpu < MIN(cpus, CPUS); cpu++)
		ret = attach_clock(f, cpu);
	return ret;
}

static int load(struct folded *f, bool switch_has_state)
{
	struct bpf_program *p;
	int ret;

	f->lines = folded_lines_new();
	f->skel = fold_bpf__open();
	if (!f->lines || !f->skel)
		return -ENOMEM;
	bpf_object__for_each_program(p, f->skel->obj) bpf_program__set_autoload(p, true);
	f->skel->rodata->fold_switch_has_state = switch_has_state;
	ret = fold_bpf__load(f->skel);
	if (ret)
		return ret;
	f->records =
		ring_buffer__new(bpf_map__fd(f->skel->maps.fold_records), take_record, f, NULL);
	ret = libbpf_get_error(f->records);
	if (ret)
		f->records = NULL;
	return ret ? ret : attach_all(f);
}

struct folded *folded_new(bool switch_has_state, struct error *err)
{
	struct folded *f = calloc(1, sizeof(*f));
	char why[200];
	int ret;

	libbpf_log_begin();
	ret = f ? load(f, switch_has_state) : -ENOMEM;
	if (ret) {
		error_set(err, ret, "--folded: stacks cannot be collected: %s",
			  libbpf_log_why(ret, why, sizeof(why)));
		folded_free(f);
		return NULL;
	}
	f->kallsyms = kallsyms_new(why);
	return f;
}

static void detach(struct folded *f)
{
	while (f->n_links)
		bpf_link__destroy(f->link[--f->n_links]);
}

void folded_free(struct folded *f)
{
	if (!f)
		return;
	detach(f);
	ring_buffer__free(f->records);
	fold_bpf__destroy(f->skel);
	symbols_cache_release(&f->symbols);
	kallsyms_free(f->kallsyms);
	folded_lines_free(f->lines);
	free(f);
}

/* --- the file --------------------------------------------------------------------------------- */

struct writing {
	const struct folded *f;
	FILE *to;
	const char *vmm;
	pid_t pid;
};

static void write_line(void *opaque, uint32_t tid, const char *text, uint64_t ns)
{
	const struct writing *w = opaque;
	const char *loop = name_of(w->f, tid);

	fprintf(w->to, "%s %d;%s;%s %llu\n", w->vmm, (int)w->pid, loop ? loop : "?", text,
		(unsigned long long)ns);
}

static void write_loss(const struct writing *w, const char *text, uint64_t ns)
{
	if (ns)
		fprintf(w->to, "%s %d;%s %llu\n", w->vmm, (int)w->pid, text,
			(unsigned long long)ns);
}

int folded_write(struct folded *f, const char *vmm, pid_t pid, FILE *to, struct error *err)
{
	struct folded_text name = { 0 };
	struct writing w = { .f = f, .to = to, .vmm = name.text, .pid = pid };

	folded_text_add(&name, vmm);
	detach(f);
	take_until(f, INT64_MAX); /* no more come */
	take_untold(f);
	take_waited(f);
	folded_lines_each(f->lines, write_line, &w);
	write_loss(&w, "asleep;[more wakers than there is room for]",
		   f->skel->bss->fold_losses[FOLD_LOSS_WAKES]);
	write_loss(&w, "running;[samples that found no room]",
		   f->skel->bss->fold_losses[FOLD_LOSS_SAMPLES]);
	write_loss(&w, "[no memory for their stacks]", f->lost_ns);
	return ferror(to) ? error_set(err, -EIO, "folded stacks cannot be written") : 0;
}
