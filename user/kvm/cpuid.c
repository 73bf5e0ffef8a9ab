// SPDX-License-Identifier: BSD-2-Clause
/*
 * CPUID of a guest: what KVM supports, with the leaves that differ per vCPU filled in: one thread
 * per core, all vCPUs in one package that shares its last cache, APIC ids are vCPU numbers. Main
 * thread, before the vCPU runs. Intel SDM volume 2A and AMD APM volume 3, CPUID; Linux
 * Documentation/virt/kvm/x86/cpuid.rst. Neighbours: vcpu.c.
 */
#include "vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include "vm.h"

#define LEAF1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF1_ECX_HYPERVISOR   (1u << 31)
#define LEAF1_EDX_HTT	       (1u << 28)

#define AMD_ECX_CMP_LEGACY (1u << 1)
#define AMD_ECX_TOPOEXT	   (1u << 22)

#define LEVEL_SMT      1
#define LEVEL_CORE     2
#define TOPOLOGY_INDEX KVM_CPUID_FLAG_SIGNIFCANT_INDEX

/* Bits of an APIC id that tell the vCPUs apart. */
static unsigned int id_bits(const struct kvm_cpuid_config *config)
{
	unsigned int bits = 0;

	while (1u << bits < config->n_vcpus)
		bits++;
	return bits;
}

static void set_field(uint32_t *reg, unsigned int shift, unsigned int bits, uint32_t value)
{
	uint32_t mask = ((1u << bits) - 1) << shift;

	*reg = (*reg & ~mask) | (value << shift & mask);
}

static void set_flag(uint32_t *reg, uint32_t flag, bool on)
{
	*reg = on ? *reg | flag : *reg & ~flag;
}

static const struct kvm_cpuid_entry2 *find_leaf(const struct kvm_cpuid2 *cpuid, uint32_t function)
{
	uint32_t i;

	for (i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == function)
			return &cpuid->entries[i];
	}
	return NULL;
}

static bool is_amd(const struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *e = find_leaf(cpuid, 0);

	/* "Auth"enticAMD, "Hygo"nGenuine */
	return e && (e->ebx == 0x68747541 || e->ebx == 0x6f677948);
}

static bool has_topoext(const struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *e = find_leaf(cpuid, 0x80000001);

	return e && e->ecx & AMD_ECX_TOPOEXT;
}

/* Leaves that describe the host's packages: KVM leaves them empty or as they are on the host. */
static bool is_topology(uint32_t function)
{
	return function == 0xb || function == 0x1f || function == 0x80000026;
}

static void remove_topology(struct kvm_cpuid2 *cpuid)
{
	uint32_t i, n = 0;

	for (i = 0; i < cpuid->nent; i++) {
		if (!is_topology(cpuid->entries[i].function))
			cpuid->entries[n++] = cpuid->entries[i];
	}
	cpuid->nent = n;
}

/* KVM answers for subleaves behind the last as the CPU would: no level, same id. */
static void add_topology(struct kvm_cpuid2 *cpuid, const struct kvm_cpuid_config *config)
{
	const struct kvm_cpuid_entry2 *max = find_leaf(cpuid, 0);

	if (!max || max->eax < 0xb || cpuid->nent > KVM_CPUID_ENTRIES - 2)
		return;
	cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
		.function = 0xb,
		.index = 0,
		.flags = TOPOLOGY_INDEX,
		.ebx = 1,
		.ecx = LEVEL_SMT << 8,
		.edx = config->id,
	};
	cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
		.function = 0xb,
		.index = 1,
		.flags = TOPOLOGY_INDEX,
		.eax = id_bits(config),
		.ebx = config->n_vcpus,
		.ecx = 1 | LEVEL_CORE << 8,
		.edx = config->id,
	};
}

/* eax of leaf 4 and 0x8000001d: the vCPUs share the third level. */
static void set_cache(struct kvm_cpuid_entry2 *e, const struct kvm_cpuid_config *config)
{
	unsigned int type = e->eax & 0x1f, level = e->eax >> 5 & 7;

	if (type)
		set_field(&e->eax, 14, 12, level >= 3 ? (1u << id_bits(config)) - 1 : 0);
}

static void set_leaf(struct kvm_cpuid_entry2 *e, const struct kvm_cpuid_config *config)
{
	unsigned int n = 1u << id_bits(config); /* ids there can be */

	switch (e->function) {
	case 1:
		set_field(&e->ebx, 16, 8, n);
		set_field(&e->ebx, 24, 8, config->id);
		set_flag(&e->edx, LEAF1_EDX_HTT, n > 1);
		set_flag(&e->ecx, LEAF1_ECX_HYPERVISOR, true);
		set_flag(&e->ecx, LEAF1_ECX_TSC_DEADLINE, config->tsc_deadline);
		break;
	case 4:
		set_cache(e, config);
		if (e->eax & 0x1f)
			set_field(&e->eax, 26, 6, n - 1);
		break;
	}
}

static void set_amd_leaf(struct kvm_cpuid_entry2 *e, const struct kvm_cpuid_config *config,
			 bool topoext)
{
	switch (e->function) {
	case 0x80000001:
		set_flag(&e->ecx, AMD_ECX_CMP_LEGACY, config->n_vcpus > 1);
		break;
	case 0x80000008:
		set_field(&e->ecx, 0, 8, config->n_vcpus - 1);
		set_field(&e->ecx, 12, 4, id_bits(config));
		break;
	case 0x8000001d:
		set_cache(e, config);
		break;
	case 0x8000001e:
		/* extended APIC id; core, one thread in it; node 0 of one */
		e->eax = topoext ? config->id : 0;
		e->ebx = topoext ? config->id & 0xff : 0;
		e->ecx = 0;
		break;
	}
}

void kvm_cpuid_fill(struct kvm_cpuid2 *cpuid, const struct kvm_cpuid_config *config)
{
	bool amd = is_amd(cpuid), topoext = has_topoext(cpuid);
	uint32_t i;

	remove_topology(cpuid);
	add_topology(cpuid, config);
	for (i = 0; i < cpuid->nent; i++) {
		set_leaf(&cpuid->entries[i], config);
		if (amd)
			set_amd_leaf(&cpuid->entries[i], config, topoext);
	}
}

int kvm_vcpu_set_cpuid(struct kvm_vcpu *vcpu, unsigned int n_vcpus, struct error *err)
{
	const struct kvm_cpuid_config config = {
		.id = vcpu->id,
		.n_vcpus = MAX(n_vcpus, vcpu->id + 1),
		.tsc_deadline = kvm_vm_has_cap(vcpu->vm, KVM_CAP_TSC_DEADLINE_TIMER),
	};
	struct kvm_cpuid2 *cpuid;
	int ret = 0;

	cpuid = calloc(1, sizeof(*cpuid) + KVM_CPUID_ENTRIES * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return error_set(err, -ENOMEM, "out of memory");
	cpuid->nent = KVM_CPUID_ENTRIES;
	if (ioctl(vcpu->vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0) {
		ret = error_set(err, -errno, "KVM_GET_SUPPORTED_CPUID: %m");
		goto free;
	}
	kvm_cpuid_fill(cpuid, &config);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		ret = error_set(err, -errno, "vCPU %u: KVM_SET_CPUID2: %m", vcpu->id);
free:
	free(cpuid);
	return ret;
}
