// SPDX-License-Identifier: BSD-2-Clause
/*
 * The object of bpf/discover.bpf.c and its walks. Reading the iterator runs it; what it found lies
 * in its array. KVM's lists may change under a walk, so what two walks tell alike is believed.
 * Neighbours: discover.h.
 */
#include "discover.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <handoff/compiler.h>
#include <handoff/trace.h>
#include "discover.skel.h"
#include "host.h"
#include "libbpf_log.h"

/* A VM whose guest resets registers some eventfds, each in its own time: a few walks, 40 us each,
 * are enough; a VM that never stops is taken as it is. */
#define MAX_WALKS 8

/* A loop that wakes for each request of 100 us is asleep at some of twenty looks over 100 ms. */
#define SAMPLE_INTERVAL_MS 5

struct discover {
	struct discover_bpf *skel;
	const struct discover_record *records; /* the array, mapped */
	size_t records_size;
	struct bpf_link *link; /* for link_pid: making one is dear */
	pid_t link_pid;
	bool by_link; /* the kernel restricts the iterator to a process (6.1) */
	struct walk last, now;
};

static const char *const how_names[CONSUMERS] = {
	[CONSUMER_UNKNOWN] = "unknown",	  [CONSUMER_EPOLL] = "epoll", [CONSUMER_PPOLL] = "ppoll",
	[CONSUMER_IO_URING] = "io_uring", [CONSUMER_READ] = "read",   [CONSUMER_VHOST] = "vhost",
	[CONSUMER_IRQFD] = "irqfd",
};

const char *consumer_how_name(enum consumer_how how)
{
	return how < CONSUMERS ? how_names[how] : "unknown";
}

/* `btf`: the types to go by; NULL = the kernel's and its modules'. */
static int discover_try(struct discover *d, const char *btf)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = btf);
	int ret;

	libbpf_log_begin();
	d->skel = discover_bpf__open_opts(&opts);
	if (!d->skel)
		return -errno;
	ret = discover_bpf__load(d->skel);
	if (ret) {
		discover_bpf__destroy(d->skel);
		d->skel = NULL;
	}
	return ret;
}

/* Modules' types ask for CAP_SYS_ADMIN: without them KVM's lists are not known (judge_vm), but its
 * VMs, their vCPUs and who waits for which eventfd are. */
static int discover_load(struct discover *d, struct error *err)
{
	char why[200];
	int ret = discover_try(d, NULL);

	if (ret == -EPERM)
		ret = discover_try(d, "/sys/kernel/btf/vmlinux");
	if (ret)
		return error_set(err, ret, "the kernel takes no BPF iterator of ours: %s",
				 libbpf_log_why(ret, why, sizeof(why)));
	return 0;
}

static int discover_map(struct discover *d, struct error *err)
{
	void *p;

	d->records_size = ROUND_UP(DISCOVER_MAX_RECORDS * sizeof(struct discover_record),
				   (size_t)sysconf(_SC_PAGESIZE));
	p = mmap(NULL, d->records_size, PROT_READ, MAP_SHARED, bpf_map__fd(d->skel->maps.records),
		 0);
	if (p == MAP_FAILED)
		return error_set(err, -errno, "cannot map what our BPF object found: %m");
	d->records = p;
	return 0;
}

struct discover *discover_new(struct error *err)
{
	struct discover *d;

	if (tracer_check_privilege(err))
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	d->link_pid = -1;
	if (discover_load(d, err) || discover_map(d, err)) {
		discover_free(d);
		return NULL;
	}
	return d;
}

void discover_free(struct discover *d)
{
	if (!d)
		return;
	bpf_link__destroy(d->link);
	if (d->records)
		munmap((void *)d->records, d->records_size);
	discover_bpf__destroy(d->skel);
	walk_release(&d->last);
	walk_release(&d->now);
	free(d);
}

/* The iterator over the descriptors of one process, or of all. An older kernel cannot be told
 * which: then the program looks at each file's owner. */
static int discover_link(struct discover *d, pid_t pid, struct error *err)
{
	union bpf_iter_link_info info = { .task = { .pid = pid } };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link;
	char why[200];
	int ret;

	if (d->link && d->link_pid == pid)
		return 0;
	bpf_link__destroy(d->link);
	d->link = NULL;
	libbpf_log_begin();
	link = bpf_program__attach_iter(d->skel->progs.ho_files, pid ? &opts : NULL);
	d->by_link = pid && !libbpf_get_error(link);
	if (pid && libbpf_get_error(link))
		link = bpf_program__attach_iter(d->skel->progs.ho_files, NULL);
	ret = libbpf_get_error(link);
	if (ret)
		return error_set(err, ret, "our BPF iterator cannot be attached: %s",
				 libbpf_log_why(ret, why, sizeof(why)));
	d->link = link;
	d->link_pid = pid;
	return 0;
}

/* Reading it runs it; it writes nothing to its reader. */
static int discover_iterate(struct discover *d)
{
	int fd = bpf_iter_create(bpf_link__fd(d->link));
	char buf[8];
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, buf, sizeof(buf));
	} while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	n = n < 0 ? -errno : 0;
	close(fd);
	return n;
}

static int discover_walk(struct discover *d, pid_t pid, bool vms_only, struct walk *w,
			 struct error *err)
{
	struct discover_record *larger;
	uint32_t n;
	int ret;

	w->n = 0;
	ret = discover_link(d, pid, err);
	if (ret)
		return ret;
	d->skel->bss->in.tgid = d->by_link ? 0 : pid;
	d->skel->bss->in.vms_only = vms_only;
	memset(&d->skel->bss->out, 0, sizeof(d->skel->bss->out));
	ret = discover_iterate(d);
	if (ret)
		return error_set(err, ret, "our BPF iterator fails: %s", strerror(-ret));
	w->out = d->skel->bss->out;
	n = MIN(w->out.n, DISCOVER_MAX_RECORDS);
	if (n > w->room) {
		larger = realloc(w->record, n * sizeof(*larger));
		if (!larger)
			return error_set(err, -ENOMEM, "out of memory");
		w->record = larger;
		w->room = n;
	}
	if (n)
		memcpy(w->record, d->records, n * sizeof(*w->record));
	w->n = n;
	walk_sort(w);
	return 0;
}

/* Walks a process until two walks in a row are alike: d->now is the second of them, d->last the
 * first. How often they were not: `unequal`. */
static int discover_settle(struct discover *d, pid_t pid, uint32_t *unequal, struct error *err)
{
	struct walk other;
	int i, ret;

	*unequal = 0;
	ret = discover_walk(d, pid, false, &d->now, err);
	for (i = 1; !ret && i < MAX_WALKS; i++) {
		other = d->last;
		d->last = d->now;
		d->now = other;
		ret = discover_walk(d, pid, false, &d->now, err);
		if (ret || walk_same(&d->last, &d->now))
			return ret;
		(*unequal)++;
	}
	/* Both at the end: no memory that was freed under one walk is. */
	walk_intersect(&d->now, &d->last);
	return ret;
}

static void judge_vm(struct vm *vm, const struct walk *w, uint32_t unequal)
{
	const struct discover_out *out = &w->out;

	vm->unequal = unequal;
	if (!out->ioeventfds && !out->irqfds) {
		snprintf(vm->reason, sizeof(vm->reason),
			 "this kernel's BTF does not tell of KVM's lists (is "
			 "/sys/kernel/btf/kvm there, and CAP_SYS_ADMIN?)");
		return;
	}
	vm->evidence = out->full || out->endless ? EVIDENCE_INFERRED : EVIDENCE_EXACT;
	if (out->full || out->endless)
		snprintf(vm->reason, sizeof(vm->reason),
			 "more than there is room for: %u left out, %u lists cut at %d", out->full,
			 out->endless, DISCOVER_MAX_ENTRIES);
	else if (!out->ioeventfds || !out->irqfds)
		snprintf(vm->reason, sizeof(vm->reason), "this kernel's BTF does not tell of %s",
			 out->irqfds ? "ioeventfds" : "irqfds");
	else if (unequal >= MAX_WALKS - 1)
		snprintf(vm->reason, sizeof(vm->reason),
			 "changing all the time: what two looks had in common");
}

/* What was read of the process the last time still holds; asking /proc costs more than a walk. */
static void vm_identify(struct vm *vm, const struct vm_list *before)
{
	uint32_t i;

	for (i = 0; i < before->n; i++)
		if (before->vm[i].kvm == vm->kvm && before->vm[i].pid == vm->pid &&
		    before->vm[i].kind[0]) {
			memcpy(vm->comm, before->vm[i].comm, sizeof(vm->comm));
			memcpy(vm->command, before->vm[i].command, sizeof(vm->command));
			memcpy(vm->kind, before->vm[i].kind, sizeof(vm->kind));
			return;
		}
	vm_read_process(vm);
}

static int discover_process(struct discover *d, pid_t pid, const struct vm_list *before,
			    struct vm_list *list, struct error *err)
{
	uint32_t i, unequal, first = list->n;
	int ret = discover_settle(d, pid, &unequal, err);

	if (ret)
		return ret;
	ret = vm_list_add(list, &d->now);
	if (ret)
		return error_set(err, ret, "out of memory");
	for (i = first; i < list->n; i++) {
		judge_vm(&list->vm[i], &d->now, unequal);
		vm_identify(&list->vm[i], before);
		vm_name_queues(&list->vm[i], NULL);
	}
	vm_list_look(list, &d->last);
	vm_list_look(list, &d->now);
	return 0;
}

/* Those of all processes: first who has one, then each by itself. */
static int discover_all(struct discover *d, const struct vm_list *before, struct vm_list *list,
			struct error *err)
{
	int ret = discover_walk(d, 0, true, &d->now, err);
	uint32_t i, n = d->now.n;
	pid_t *pid;

	if (ret || !n)
		return ret;
	pid = calloc(n, sizeof(*pid));
	if (!pid)
		return error_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < n; i++)
		pid[i] = d->now.record[i].tgid;
	for (i = 0; i < n && !ret; i++)
		if (!i || pid[i] != pid[i - 1])
			ret = discover_process(d, pid[i], before, list, err);
	free(pid);
	return ret;
}

static int discover_sample(struct discover *d, struct vm_list *list, struct error *err)
{
	uint32_t i;
	int ret;

	for (i = 0; i < list->n; i++) {
		if (i && list->vm[i].pid == list->vm[i - 1].pid)
			continue;
		ret = discover_walk(d, list->vm[i].pid, false, &d->now, err);
		if (ret)
			return ret;
		vm_list_look(list, &d->now);
	}
	return 0;
}

int discover_run(struct discover *d, pid_t pid, unsigned int samples, struct vm_list *list,
		 struct error *err)
{
	struct vm_list before = *list;
	struct host host;
	int ret;

	memset(list, 0, sizeof(*list));
	memcpy(list->kvm, before.kvm, sizeof(list->kvm));
	if (!list->kvm[0]) {
		host_read(&host);
		snprintf(list->kvm, sizeof(list->kvm), "%s", host.kvm);
	}
	ret = pid ? discover_process(d, pid, &before, list, err)
		  : discover_all(d, &before, list, err);
	while (!ret && list->n && samples-- > 1) {
		/* Sampling: the looks are to be apart in time. */
		(void)!poll(NULL, 0, SAMPLE_INTERVAL_MS);
		ret = discover_sample(d, list, err);
	}
	vm_list_release(&before);
	return ret;
}

void vm_list_release(struct vm_list *list)
{
	uint32_t i;

	for (i = 0; i < list->n; i++) {
		free(list->vm[i].vcpu);
		free(list->vm[i].queue);
		free(list->vm[i].irqfd);
		free(list->vm[i].other);
	}
	free(list->vm);
	memset(list, 0, sizeof(*list));
}
