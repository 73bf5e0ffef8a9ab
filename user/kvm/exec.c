// SPDX-License-Identifier: BSD-2-Clause
/*
 * The run loop of a vCPU thread: path C of design.md begins here, so MMIO goes from kvm_cpu_exec
 * straight to the address space. vCPU threads, BQL not held: each access takes it for itself.
 * Neighbours: vcpu.c calls, user/memory is called.
 */
#include "vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <handoff/log.h>
#include "vm.h"

/*
 * A pause is seen only where KVM_RUN says EINTR: KVM finishes the instruction whose MMIO or PIO we
 * emulated before it looks at immediate_exit, so the registers are whole then. An access in pieces
 * comes back as further exits, handled as usual.
 */
FRAME int kvm_cpu_exec(struct kvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	for (;;) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) < 0) {
			int errnum = errno;

			/* EAGAIN: a vCPU that waits for its SIPI was woken. */
			if (errnum != EINTR && errnum != EAGAIN)
				return kvm_handle_run_error(vcpu, errnum);
			if (__atomic_load_n(&run->immediate_exit, __ATOMIC_RELAXED))
				return KVM_STOP_NONE;
			continue;
		}
		switch (run->exit_reason) {
		case KVM_EXIT_MMIO:
			if (run->mmio.is_write)
				address_space_write(vcpu->vm->memory, run->mmio.phys_addr,
						    run->mmio.data, run->mmio.len);
			else
				address_space_read(vcpu->vm->memory, run->mmio.phys_addr,
						   run->mmio.data, run->mmio.len);
			break;
		case KVM_EXIT_IO:
			kvm_handle_io(vcpu);
			break;
		case KVM_EXIT_INTR:
			break;
		default:
			return kvm_handle_end(vcpu);
		}
	}
}

/* `rep outsb` and friends come as one exit with `count` items, one page of them at most. */
void kvm_handle_io(struct kvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	char *data = (char *)run + run->io.data_offset;
	uint32_t i;

	for (i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			address_space_write(vcpu->vm->io, run->io.port, data, run->io.size);
		else
			address_space_read(vcpu->vm->io, run->io.port, data, run->io.size);
	}
}

static enum kvm_stop_reason system_event(struct kvm_vcpu *vcpu)
{
	static const struct {
		const char *name;
		enum kvm_stop_reason reason;
	} events[] = {
		[KVM_SYSTEM_EVENT_SHUTDOWN] = { "shutdown", KVM_STOP_POWEROFF },
		[KVM_SYSTEM_EVENT_RESET] = { "reset", KVM_STOP_RESET },
		[KVM_SYSTEM_EVENT_CRASH] = { "crash", KVM_STOP_CRASH },
	};
	uint32_t type = vcpu->run->system_event.type;
	char why[64];

	if (type < ARRAY_SIZE(events) && events[type].name) {
		log_info("vCPU %u: system event: %s", vcpu->id, events[type].name);
		return events[type].reason;
	}
	snprintf(why, sizeof(why), "system event %u, which this VMM does not know", type);
	kvm_vcpu_dump(vcpu, why);
	return KVM_STOP_INTERNAL_ERROR;
}

enum kvm_stop_reason kvm_handle_end(struct kvm_vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	char why[128];

	switch (run->exit_reason) {
	case KVM_EXIT_SHUTDOWN:
		kvm_vcpu_dump(vcpu, "triple fault");
		return KVM_STOP_SHUTDOWN;
	case KVM_EXIT_SYSTEM_EVENT:
		return system_event(vcpu);
	case KVM_EXIT_FAIL_ENTRY:
		snprintf(why, sizeof(why), "the CPU refused to enter the guest (reason 0x%llx)",
			 run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		snprintf(why, sizeof(why), "KVM gave up: %s (suberror %u)",
			 run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
				 ? "an instruction it cannot emulate"
				 : "internal error",
			 run->internal.suberror);
		break;
	default:
		/*
		 * HLT is KVM's own business with its irqchip; everything else is off unless asked
		 * for.
		 */
		snprintf(why, sizeof(why), "exit %u, which this VMM does not know",
			 run->exit_reason);
		break;
	}
	kvm_vcpu_dump(vcpu, why);
	return KVM_STOP_INTERNAL_ERROR;
}

enum kvm_stop_reason kvm_handle_run_error(struct kvm_vcpu *vcpu, int errnum)
{
	char why[128];

	snprintf(why, sizeof(why), "KVM_RUN failed: %s", strerror(errnum));
	kvm_vcpu_dump(vcpu, why);
	return KVM_STOP_INTERNAL_ERROR;
}
