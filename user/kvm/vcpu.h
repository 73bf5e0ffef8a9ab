/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to user/kvm: a vCPU as its thread, its run loop and its register code see it. */
#ifndef KVM_VCPU_H
#define KVM_VCPU_H

#include <pthread.h>
#include <handoff/kvm.h>

struct kvm_cpuid2;
struct kvm_run;
struct kvm_sregs;

enum vcpu_state { VCPU_PAUSED, VCPU_RUNNING, VCPU_STOPPED /* by itself: never runs again */ };
enum vcpu_want { VCPU_WANT_PAUSE, VCPU_WANT_RUN, VCPU_WANT_END };

struct kvm_vcpu {
	struct kvm_vm *vm;
	unsigned int id;
	int fd;
	struct kvm_run *run; /* shared with KVM; the thread's while it is outside KVM_RUN, but for
				immediate_exit */
	void (*stopped)(void *opaque, enum kvm_stop_reason reason);
	void *opaque;

	pthread_t thread;
	pid_t tid;	      /* set before kvm_vcpu_new returns */
	pthread_mutex_t lock; /* want, state, and writes to run->immediate_exit */
	pthread_cond_t changed;
	enum vcpu_want want;
	enum vcpu_state state;
};

/* cpuid.c: what the guest sees of the CPU. Before the first run. */
int kvm_vcpu_set_cpuid(struct kvm_vcpu *vcpu, unsigned int n_vcpus, struct error *err) MUST_CHECK;

#define KVM_CPUID_ENTRIES 256 /* KVM_MAX_CPUID_ENTRIES */

struct kvm_cpuid_config {
	unsigned int id, n_vcpus; /* 1 or more, id below it */
	bool tsc_deadline;
};

/* Turns what KVM supports into what this vCPU is; there is room for KVM_CPUID_ENTRIES. */
void kvm_cpuid_fill(struct kvm_cpuid2 *cpuid, const struct kvm_cpuid_config *config);

/* msrs.c: before the first run. */
void kvm_vcpu_set_boot_msrs(struct kvm_vcpu *vcpu);

/* regs.c: flat segments with these selectors, no IDT, paging on; the caller sets cr3 and the GDT.
 */
void kvm_sregs_set_long_mode(struct kvm_sregs *sregs, uint16_t code, uint16_t data, uint16_t tss);

#define KVM_RFLAGS_ONE 0x2 /* hard-wired */

/* regs.c: prints why a vCPU cannot go on, with its registers. vCPU thread. */
void kvm_vcpu_dump(struct kvm_vcpu *vcpu, const char *why);

/* exec.c: exits that are no memory access. vCPU thread, BQL not held. */
void kvm_handle_io(struct kvm_vcpu *vcpu);
enum kvm_stop_reason kvm_handle_end(struct kvm_vcpu *vcpu);
enum kvm_stop_reason kvm_handle_run_error(struct kvm_vcpu *vcpu, int errnum);

#endif
