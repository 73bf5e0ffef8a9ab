// SPDX-License-Identifier: BSD-2-Clause
/*
 * vCPU threads: made, resumed, paused, ended. A pause is a wish under the lock, immediate_exit, and
 * a signal: whichever side of the door of KVM_RUN the thread is on, one of them gets it out.
 * Neighbours: exec.c runs the guest, vm.c owns us.
 */
#include "vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <handoff/bql.h>
#include <handoff/thread.h>
#include "vm.h"

/* Only ends KVM_RUN's sleep. Blocked in no vCPU thread; the process must not use it otherwise. */
#define VCPU_KICK_SIGNAL SIGUSR1

static void on_kick_signal(int sig)
{
	/* Its arrival is all that is needed: immediate_exit was set before. */
}

/* Every other signal is the business of threads that expect it. */
static void vcpu_thread_signals(void)
{
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, VCPU_KICK_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
}

/* lock held. */
static void vcpu_set_state_locked(struct kvm_vcpu *vcpu, enum vcpu_state state)
{
	vcpu->state = state;
	pthread_cond_broadcast(&vcpu->changed);
}

/* Lock held on entry and return, dropped meanwhile. */
static void vcpu_run_locked(struct kvm_vcpu *vcpu)
{
	enum kvm_stop_reason reason;

	__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_RELAXED);
	vcpu_set_state_locked(vcpu, VCPU_RUNNING);
	pthread_mutex_unlock(&vcpu->lock);
	reason = kvm_cpu_exec(vcpu);
	if (reason != KVM_STOP_NONE && vcpu->stopped) {
		bql_lock();
		vcpu->stopped(vcpu->opaque, reason);
		bql_unlock();
	}
	pthread_mutex_lock(&vcpu->lock);
	/*
	 * After the callback: who sees another state than RUNNING knows that we have left all
	 * device code.
	 */
	vcpu_set_state_locked(vcpu, reason == KVM_STOP_NONE ? VCPU_PAUSED : VCPU_STOPPED);
}

static void *kvm_vcpu_thread_fn(void *opaque)
{
	struct kvm_vcpu *vcpu = opaque;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", vcpu->id);
	pthread_setname_np(pthread_self(), name);
	vcpu_thread_signals();
	pthread_mutex_lock(&vcpu->lock);
	vcpu->tid = gettid();
	pthread_cond_broadcast(&vcpu->changed);
	while (vcpu->want != VCPU_WANT_END) {
		if (vcpu->want == VCPU_WANT_RUN && vcpu->state == VCPU_PAUSED)
			vcpu_run_locked(vcpu);
		else
			pthread_cond_wait(&vcpu->changed, &vcpu->lock);
	}
	pthread_mutex_unlock(&vcpu->lock);
	return NULL;
}

/* Returns when the thread has told its tid. */
static int vcpu_start_thread(struct kvm_vcpu *vcpu, struct error *err)
{
	struct sigaction action = { .sa_handler = on_kick_signal, .sa_flags = SA_RESTART };
	int ret;

	sigaction(VCPU_KICK_SIGNAL, &action, NULL);
	ret = thread_start(&vcpu->thread, kvm_vcpu_thread_fn, vcpu);
	if (ret)
		return error_set(err, ret, "vCPU %u: cannot create its thread: %s", vcpu->id,
				 strerror(-ret));
	pthread_mutex_lock(&vcpu->lock);
	while (!vcpu->tid)
		pthread_cond_wait(&vcpu->changed, &vcpu->lock);
	pthread_mutex_unlock(&vcpu->lock);
	return 0;
}

static int vcpu_open(struct kvm_vcpu *vcpu, unsigned int n_vcpus, struct error *err)
{
	int khz, ret;

	vcpu->fd = ioctl(vcpu->vm->fd, KVM_CREATE_VCPU, (unsigned long)vcpu->id);
	if (vcpu->fd < 0)
		return error_set(err, -errno, "KVM cannot create vCPU %u: %m", vcpu->id);
	vcpu->run =
		mmap(NULL, vcpu->vm->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		ret = error_set(err, -errno, "vCPU %u: cannot map its run area: %m", vcpu->id);
		goto close;
	}
	ret = kvm_vcpu_set_cpuid(vcpu, n_vcpus, err);
	if (ret)
		goto unmap;
	kvm_vcpu_set_boot_msrs(vcpu);
	khz = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);
	if (khz > 0)
		vcpu->vm->tsc_khz = khz;
	return 0;

unmap:
	munmap(vcpu->run, vcpu->vm->run_bytes);
close:
	close(vcpu->fd);
	return ret;
}

static void vcpu_close(struct kvm_vcpu *vcpu)
{
	munmap(vcpu->run, vcpu->vm->run_bytes);
	close(vcpu->fd);
}

struct kvm_vcpu *kvm_vcpu_new(struct kvm_vm *vm, const struct kvm_vcpu_config *config,
			      struct error *err)
{
	struct kvm_vcpu *vcpu = calloc(1, sizeof(*vcpu));

	if (!vcpu) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	vcpu->vm = vm;
	vcpu->id = config->id;
	vcpu->stopped = config->stopped;
	vcpu->opaque = config->opaque;
	if (vcpu_open(vcpu, config->n_vcpus, err))
		goto free;
	pthread_mutex_init(&vcpu->lock, NULL);
	pthread_cond_init(&vcpu->changed, NULL);
	if (vcpu_start_thread(vcpu, err))
		goto close;
	return vcpu;

close:
	pthread_cond_destroy(&vcpu->changed);
	pthread_mutex_destroy(&vcpu->lock);
	vcpu_close(vcpu);
free:
	free(vcpu);
	return NULL;
}

/*
 * Lock held. The thread may be in KVM_RUN or on its way there; device code it is in ends by itself.
 */
static void vcpu_ask_locked(struct kvm_vcpu *vcpu, enum vcpu_want want)
{
	vcpu->want = want;
	pthread_cond_broadcast(&vcpu->changed);
	if (want == VCPU_WANT_RUN)
		return;
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_RELAXED);
	pthread_kill(vcpu->thread, VCPU_KICK_SIGNAL);
}

/* The BQL is dropped: the thread may need it to get out of a device. */
static void vcpu_ask_and_wait(struct kvm_vcpu *vcpu, enum vcpu_want want)
{
	bool locked = bql_locked();

	if (locked)
		bql_unlock();
	pthread_mutex_lock(&vcpu->lock);
	vcpu_ask_locked(vcpu, want);
	while (vcpu->state == VCPU_RUNNING)
		pthread_cond_wait(&vcpu->changed, &vcpu->lock);
	pthread_mutex_unlock(&vcpu->lock);
	if (want == VCPU_WANT_END)
		pthread_join(vcpu->thread, NULL);
	if (locked)
		bql_lock();
}

void kvm_vcpu_resume(struct kvm_vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	vcpu_ask_locked(vcpu, VCPU_WANT_RUN);
	pthread_mutex_unlock(&vcpu->lock);
}

/* -EINVAL without kvmclock in the guest: then there is nobody to tell. */
void kvm_vcpu_tell_paused(struct kvm_vcpu *vcpu)
{
	ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0);
}

void kvm_vcpu_pause(struct kvm_vcpu *vcpu)
{
	vcpu_ask_and_wait(vcpu, VCPU_WANT_PAUSE);
}

void kvm_vcpu_free(struct kvm_vcpu *vcpu)
{
	if (!vcpu)
		return;
	vcpu_ask_and_wait(vcpu, VCPU_WANT_END);
	pthread_cond_destroy(&vcpu->changed);
	pthread_mutex_destroy(&vcpu->lock);
	vcpu_close(vcpu);
	free(vcpu);
}

pid_t kvm_vcpu_tid(const struct kvm_vcpu *vcpu)
{
	return vcpu->tid;
}
