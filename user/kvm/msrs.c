// SPDX-License-Identifier: BSD-2-Clause
/*
 * MSRs as firmware would leave them, which KVM leaves at zero. Main thread, before the vCPU runs.
 * Intel SDM volume 4. Neighbours: vcpu.c.
 */
#include "vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <handoff/log.h>

/*
 * fast strings: without them Linux takes `rep movsb` for slow on Intel. MTRRs on, all memory
 * write-back: with MTRRs off Linux 6.1 does without PAT. KVM maps what is no RAM uncached anyway.
 */
static const struct {
	uint32_t index;
	uint64_t value;
} boot_msrs[] = {
	{ 0x1a0 /* IA32_MISC_ENABLE */, 0x1 },
	{ 0x2ff /* IA32_MTRR_DEF_TYPE */, 0x806 },
};

void kvm_vcpu_set_boot_msrs(struct kvm_vcpu *vcpu)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(boot_msrs); i++) {
		msrs.entry = (struct kvm_msr_entry){ .index = boot_msrs[i].index,
						     .data = boot_msrs[i].value };
		/* A guest works without; one by one, since KVM stops at the first it refuses. */
		if (ioctl(vcpu->fd, KVM_SET_MSRS, &msrs) != 1)
			log_debug("vCPU %u: KVM does not set MSR 0x%x", vcpu->id,
				  boot_msrs[i].index);
	}
}
