// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The scheduler's side: who woke whom, and how long it took to run. sched_waking runs in the
 * waker's context: if that is an armed vCPU, its kick woke the loop. sched_wakeup may run on
 * another CPU and 10-20 us later: then the thread is on a run queue.
 *
 *   vCPU  kvm_mmio --- sched_waking (= eventfd signalled)
 *   loop                   `------ wake ------ sched_wakeup -- runq -- sched_switch -- dispatch --
 * handler
 *
 * Also the life of threads: their states are made by fork and by an iterator, never here under a
 * run queue's lock.
 */
#include "account.h"
#include "drift.bpf.h"
#include "served.h"
#include <bpf/bpf_tracing.h>

static __always_inline bool ours_task(const struct task_struct *p)
{
	return (p->tgid == (int)config.tgid || is_consumer(p->pid)) && !gone;
}

/*
 * Is the wake that `t` (the current thread) does right now due to a guest's write? An interrupt may
 * borrow a vCPU's thread and wake a loop too, and where kvm_entry never fires the vCPU stays armed
 * while the guest runs. But only a queue's write wakes, and a loop does not sleep while the eventfd
 * is readable: so the write must be still waiting (it began the window that is open, or came into
 * it), and whoever serves the queue must be the one that was woken (woke_tid). The wake follows the
 * write within 0.7 us unless the vCPU is preempted between; after lost_after_ns it does not matter
 * any more. Where the signal itself is seen, it comes before any wake it causes.
 */
static __always_inline bool kick_wakes(const struct thread_state *t, const struct kick_state *state,
				       __u64 now)
{
	if (seen.signal && !t->kick_signal_ns)
		return false;
	if (!t->armed)
		return t->in_exit;
	return state && state->row && state->pending && state->first_ns <= t->kick_ns &&
	       now - t->kick_ns < config.lost_after_ns;
}

static __always_inline void kick_woke(struct thread_state *t, struct kick_state *state,
				      const struct task_struct *p, __u64 now)
{
	if (!t->armed) {
		t->early_woke_ns = t->kick_signal_ns ?: now;
		t->early_tid = p->pid;
		return;
	}
	t->armed = 0;
	if (!state)
		return;
	if (!t->kick_signal_ns) {
		kick_add(state, STAGE_SIGNAL, since(t->kick_ns, now));
		if (seen.signals_inferred < 2)
			ADD(seen.signals_inferred, 1);
		t->inferred_ns = now;
	}
	ADD(state->woke, 1);
	state->woke_ns = t->kick_signal_ns ?: now;
	state->woke_tid = p->pid;
}

SEC("?tp_btf/sched_waking")
int BPF_PROG(ho_waking, struct task_struct *p)
{
	__u64 id = bpf_get_current_pid_tgid(), now;
	struct kick_state *state;
	struct thread_state *t;

	if (!ours_task(p) || !is_ours(id) || p->pid == (int)id)
		return 0;
	t = thread_find((__u32)id);
	if (!t || (!t->armed && !t->in_exit))
		return 0;
	now = bpf_ktime_get_ns();
	state = t->armed ? bpf_map_lookup_elem(&kicks, &t->key) : NULL;
	if (kick_wakes(t, state, now))
		kick_woke(t, state, p, now);
	return 0;
}

SEC("?tp_btf/sched_wakeup")
int BPF_PROG(ho_wakeup, struct task_struct *p)
{
	struct thread_state *t;
	__u64 now;

	if (!ours_task(p))
		return 0;
	t = thread_find(p->pid);
	if (!t) {
		if (!drift_may_be_unknown(p))
			lost(LOSS_LOOKUPS);
		return 0;
	}
	now = bpf_ktime_get_ns();
	t->runnable_ns = now;
	t->preempted = 0;
	t->wake_before_ns = t->wake_runnable_ns;
	t->wake_runnable_ns = now;
	t->wake_oncpu_ns = 0;
	t->row.loop.wakes++;
	return 0;
}

static __always_inline void switched_out(struct task_struct *prev, bool runnable, __u64 now)
{
	struct thread_state *t = thread_find(prev->pid);

	if (!t) {
		if (!drift_may_be_unknown(prev))
			lost(LOSS_LOOKUPS);
		return;
	}
	if (t->oncpu_ns)
		t->row.loop.run_ns += since(t->oncpu_ns, now);
	t->oncpu_ns = 0;
	t->runnable_ns = 0;
	if (config.foreign)
		account_out(t, runnable, now);
	if (!runnable) {
		gap_dry(t, now);
		return;
	}
	t->runnable_ns = now;
	t->preempted = 1;
	t->row.loop.preemptions++;
}

static __always_inline void switched_in(struct task_struct *next, __u64 now)
{
	struct thread_state *t = thread_find(next->pid);
	__u64 waited;

	if (!t) {
		if (!drift_may_be_unknown(next))
			lost(LOSS_LOOKUPS);
		return;
	}
	t->oncpu_ns = now;
	if (!t->wake_oncpu_ns)
		t->wake_oncpu_ns = now;
	t->row.loop.cpu = bpf_get_smp_processor_id();
	if (config.foreign)
		account_in(t, now);
	if (t->runnable_ns && !t->preempted)
		gap_woken(t);
	if (!t->reads && is_consumer(next->pid))
		queues_looked_at(t);
	if (!t->runnable_ns)
		return;
	waited = since(t->runnable_ns, now);
	t->runnable_ns = 0;
	if (t->preempted)
		t->row.loop.runq_preempt_ns += waited;
	else
		t->row.loop.runq_wake_ns += waited;
}

static __always_inline int switched(bool preempt, struct task_struct *prev,
				    struct task_struct *next, bool has_state,
				    unsigned int prev_state)
{
	bool out = ours_task(prev), in = ours_task(next);
	__u64 now;

	if (!out && !in)
		return 0;
	now = bpf_ktime_get_ns();
	if (out)
		switched_out(prev,
			     drift_switched_out_runnable(preempt, prev, has_state, prev_state),
			     now);
	if (in)
		switched_in(next, now);
	return 0;
}

SEC("?tp_btf/sched_switch")
int ho_switch(__u64 *ctx)
{
	bool preempt = ctx[0];
	struct task_struct *prev = (void *)ctx[1], *next = (void *)ctx[2];

	/* A read of an argument the kernel does not have is refused; the verifier never sees the
	 * dead one. */
	if (config.switch_has_state)
		return switched(preempt, prev, next, true, ctx[3]);
	return switched(preempt, prev, next, false, 0);
}

SEC("?tp_btf/sched_process_fork")
int BPF_PROG(ho_fork, struct task_struct *parent, struct task_struct *child)
{
	if (ours_task(child))
		thread_new(child->pid);
	return 0;
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(ho_exit, struct task_struct *p)
{
	struct thread_state *t;

	if (!ours_task(p))
		return 0;
	t = thread_find(p->pid);
	if (t)
		thread_end(t, p->pid);
	if (p->tgid == (int)config.tgid && !p->signal->live.counter)
		gone = 1;
	return 0;
}

/* Threads that are there already. Run once, after ho_fork is attached: no thread is missed between
 * the two. */
SEC("?iter/task")
int ho_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task || !ours_task(task) || drift_may_be_unknown(task))
		return 0;
	if (!thread_find(task->pid))
		thread_new(task->pid);
	return 0;
}
