// SPDX-License-Identifier: BSD-2-Clause
/* The truth of truth.h: the guest's own counts, and those of the threads that served it. */
#include "truth.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "vmm.h"

typedef unsigned long long ull;

static uint64_t vcpu_ns(const struct vmm *v)
{
	uint64_t ns = 0;
	unsigned int i;

	for (i = 0; i < v->o.vcpus; i++)
		ns += v->vm.vcpu[i].ns;
	return ns;
}

static uint64_t kicks(const struct vmm *v)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < v->o.queues; i++)
		n += v->queue[i].ring->kicked;
	return n;
}

static double kick_ns(const struct vmm *v)
{
	return kicks(v) ? (double)vcpu_ns(v) / kicks(v) : 0;
}

uint64_t truth_in_kicks_ns(const struct vmm *v)
{
	int khz = ioctl(v->vm.vcpu[0].fd, KVM_GET_TSC_KHZ, 0);
	uint64_t tsc = 0;
	unsigned int i;

	for (i = 0; i < v->o.queues; i++)
		tsc += v->queue[i].ring->kick_tsc;
	return khz > 0 ? (uint64_t)((double)tsc / khz * 1e6) : 0;
}

void truth_print_done(const struct vmm *v, const char *word, uint64_t cpu_ns, uint64_t in_kicks_ns)
{
	printf("done %s kicks=%llu kick_ns=%.0f in_kicks_ns=%llu cpu_ns=%llu\n", word,
	       (ull)kicks(v), kick_ns(v), (ull)in_kicks_ns, (ull)cpu_ns);
	fflush(stdout);
}

static void print_queue(const struct vmm *v, const struct tiny_queue *q)
{
	const struct tiny_consumer *c = &v->consumer[q->index % v->o.styles];

	printf("%s{\"queue\":%u,\"gpa\":\"0x%llx\",\"address\":%llu,\"bus\":\"%s\",",
	       q->index ? "," : "", q->index, (ull)q->at.gpa, (ull)q->at.gpa,
	       q->at.pio ? "pio" : "mmio");
	printf("\"kicks\":%llu,\"posts\":%llu,\"served\":%llu,", (ull)q->ring->kicked,
	       (ull)q->ring->posted, (ull)q->ring->served);
	printf("\"reads\":%llu,\"reads_empty\":%llu,\"sum\":%llu,\"serves\":%llu,"
	       "\"spurious\":%llu,\"spin_hits\":%llu,\"user_kicks\":%llu,",
	       (ull)q->reads, (ull)q->reads_empty, (ull)q->sum, (ull)q->serves, (ull)q->spurious,
	       (ull)q->spin_hits, (ull)q->user_kicks);
	printf("\"irqs\":%llu,\"irqs_taken\":%llu,\"vector\":%u,\"kick_fd\":%d,\"irq_fd\":%d,"
	       "\"tid\":%d,\"style\":\"%s\",\"vcpu_tid\":%d}",
	       (ull)q->irqs, (ull)tiny_vm_irqs_taken(&v->vm, q->index), TINY_VECTOR + q->index,
	       q->kick, q->irq, (int)c->tid, q->ioeventfd ? tiny_style_name(c->style) : "vcpu",
	       (int)v->vm.vcpu[q->index % v->o.vcpus].tid);
}

void truth_print(const struct vmm *v)
{
	unsigned int i;

	printf("{\"pid\":%d,\"consumer_pid\":%d,\"queues\":[", (int)getpid(), (int)v->child);
	for (i = 0; i < v->o.queues; i++)
		print_queue(v, &v->queue[i]);
	printf("],\"consumers\":[");
	for (i = 0; i < v->o.styles; i++)
		printf("%s{\"tid\":%d,\"style\":\"%s\",\"turns\":%llu}", i ? "," : "",
		       (int)v->consumer[i].tid, tiny_style_name(v->consumer[i].style),
		       (ull)v->consumer[i].turns);
	printf("],\"vcpus\":[");
	for (i = 0; i < v->o.vcpus; i++)
		printf("%s{\"id\":%u,\"tid\":%d,\"ns\":%llu,\"kicks\":%llu}", i ? "," : "",
		       v->vm.vcpu[i].id, (int)v->vm.vcpu[i].tid, (ull)v->vm.vcpu[i].ns,
		       (ull)v->vm.vcpu[i].kicks);
	printf("],\"kicks\":%llu,\"kick_ns\":%.1f,\"churns\":%llu,\"stray\":%llu}\n", (ull)kicks(v),
	       kick_ns(v), (ull)v->churns, (ull)v->vm.stray);
}
