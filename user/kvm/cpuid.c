// SPDX-License-Identifier: BSD-2-Clause
/*
 * CPUID of a guest: what KVM supports, with the leaves that differ per vCPU filled in. Main thread,
 * before the vCPU runs. Intel SDM volume 2A, CPUID; Linux Documentation/virt/kvm/x86/cpuid.rst.
 * Neighbours: vcpu.c.
 */
#include "vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include "vm.h"

#define ENTRIES_MAX 256 /* KVM_MAX_CPUID_ENTRIES */

#define LEAF1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF1_ECX_HYPERVISOR   (1u << 31)

#define TOPOLOGY_SMT  1
#define TOPOLOGY_CORE 2

/*
 * Leaf 0xb and 0x1f: one thread per core, all vCPUs in one package. x2APIC ids are the vCPU
 * numbers.
 */
static void set_topology(struct kvm_cpuid_entry2 *e, const struct kvm_vcpu *vcpu)
{
	e->edx = vcpu->id;
	e->ecx = e->index;
	e->eax = 0;
	e->ebx = 0;
	if (e->index == 0) {
		e->ebx = 1;
		e->ecx |= TOPOLOGY_SMT << 8;
	} else if (e->index == 1) {
		e->eax = 8; /* bits of the id below the package: APIC ids are 8 bits wide */
		e->ebx = 1;
		e->ecx |= TOPOLOGY_CORE << 8;
	}
}

static void set_leaf(struct kvm_cpuid_entry2 *e, const struct kvm_vcpu *vcpu)
{
	switch (e->function) {
	case 1:
		/* ebx: initial APIC id in bits 31-24, logical processors in 23-16, left at one. */
		e->ebx = (e->ebx & 0x0000ffff) | (1u << 16) | (vcpu->id << 24);
		e->ecx |= LEAF1_ECX_HYPERVISOR;
		if (kvm_vm_has_cap(vcpu->vm, KVM_CAP_TSC_DEADLINE_TIMER))
			e->ecx |= LEAF1_ECX_TSC_DEADLINE;
		else
			e->ecx &= ~LEAF1_ECX_TSC_DEADLINE;
		break;
	case 4:
		e->eax &= ~0xfc000000u; /* cores in this package minus one */
		break;
	case 0xb:
	case 0x1f:
		set_topology(e, vcpu);
		break;
	case 0x80000008:
		e->ecx &= ~0xffu; /* AMD: threads in this package minus one */
		break;
	case 0x8000001e:
		e->eax = vcpu->id; /* AMD: extended APIC id, then core and node */
		e->ebx = vcpu->id & 0xff;
		e->ecx = 0;
		break;
	}
}

int kvm_vcpu_set_cpuid(struct kvm_vcpu *vcpu, struct error *err)
{
	struct kvm_cpuid2 *cpuid;
	uint32_t i;
	int ret = 0;

	cpuid = calloc(1, sizeof(*cpuid) + ENTRIES_MAX * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return error_set(err, -ENOMEM, "out of memory");
	cpuid->nent = ENTRIES_MAX;
	if (ioctl(vcpu->vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0) {
		ret = error_set(err, -errno, "KVM_GET_SUPPORTED_CPUID: %m");
		goto free;
	}
	for (i = 0; i < cpuid->nent; i++)
		set_leaf(&cpuid->entries[i], vcpu);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		ret = error_set(err, -errno, "vCPU %u: KVM_SET_CPUID2: %m", vcpu->id);
free:
	free(cpuid);
	return ret;
}
