// SPDX-License-Identifier: BSD-2-Clause
/*
 * TSC frequency and conversion. Sources, best first: tsc_khz= from a VMM that knows, KVM's pvclock
 * page, CPUID 0x15, 0x16 and 0x40000010. The clock is written once at start and read by everybody.
 */
#include "guest.h"

#define LEAF_CRYSTAL	     0x15
#define LEAF_BASE_MHZ	     0x16
#define LEAF_HYPERVISOR	     0x40000000
#define LEAF_TIMING	     0x40000010
#define LEAF_STEP	     0x100 /* Hyper-V's leaves push KVM's up by this much */
#define ECX_HYPERVISOR	     (1u << 31)
#define KVM_FEATURE_CLOCK2   (1u << 3)
#define MSR_KVM_SYSTEM_TIME  0x4b564d01
#define PVCLOCK_ENABLE	     1
#define NSEC_PER_SEC_SHIFTED (1000000ull << 32)

/* Linux Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW. */
struct pvclock_page {
	uint32_t version;
	uint32_t pad;
	uint64_t tsc_timestamp;
	uint64_t system_time;
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags;
	uint8_t reserved[2];
};

/* By CPL 0: at CPL 3 a software KVM shows the host's leaves. */
void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	svc(SVC_CPUID, leaf, subleaf, (uint64_t)out);
}

static uint32_t kvm_leaf(void)
{
	uint32_t regs[4];

	cpuid(1, 0, regs);
	if (!(regs[2] & ECX_HYPERVISOR))
		return 0;
	for (uint32_t leaf = LEAF_HYPERVISOR; leaf <= LEAF_HYPERVISOR + LEAF_STEP;
	     leaf += LEAF_STEP) {
		cpuid(leaf, 0, regs);
		if (!memcmp(&regs[1], "KVMKVMKVM\0\0\0", 12))
			return leaf;
	}
	return 0;
}

static uint64_t khz_from_pvclock(void)
{
	static volatile struct pvclock_page page __attribute__((aligned(64)));
	uint32_t leaf = kvm_leaf(), regs[4], mul;
	uint64_t khz;
	int shift;

	if (!leaf)
		return 0;
	cpuid(leaf + 1, 0, regs);
	if (!(regs[0] & KVM_FEATURE_CLOCK2))
		return 0;
	/* KVM fills the page before it enters us again; the frequency in it does not change. */
	svc(SVC_WRMSR, MSR_KVM_SYSTEM_TIME, (uint64_t)&page | PVCLOCK_ENABLE, 0);
	svc(SVC_RDMSR, MSR_KVM_SYSTEM_TIME, 0, 0);
	mul = page.tsc_to_system_mul;
	shift = page.tsc_shift;
	svc(SVC_WRMSR, MSR_KVM_SYSTEM_TIME, 0, 0);
	if (!mul)
		return 0;
	khz = NSEC_PER_SEC_SHIFTED / mul;
	return shift < 0 ? khz << -shift : khz >> shift;
}

static uint64_t khz_from_cpuid(void)
{
	uint32_t regs[4], max;

	cpuid(0, 0, regs);
	max = regs[0];
	if (max >= LEAF_CRYSTAL) {
		cpuid(LEAF_CRYSTAL, 0, regs);
		if (regs[0] && regs[1] && regs[2])
			return (uint64_t)regs[2] * regs[1] / regs[0] / 1000;
	}
	if (max >= LEAF_BASE_MHZ) {
		cpuid(LEAF_BASE_MHZ, 0, regs);
		if (regs[0] & 0xffff)
			return (regs[0] & 0xffff) * 1000ull;
	}
	if (!kvm_leaf())
		return 0;
	cpuid(LEAF_HYPERVISOR, 0, regs);
	if (regs[0] < LEAF_TIMING)
		return 0;
	cpuid(LEAF_TIMING, 0, regs);
	return regs[0];
}

void clock_init(struct clock *clock, uint64_t khz)
{
	if (!khz)
		khz = khz_from_pvclock();
	if (!khz)
		khz = khz_from_cpuid();
	clock->khz = khz;
	if (!khz)
		return;
	clock->ns_mult = NSEC_PER_SEC_SHIFTED / khz;
	clock->cycles_mult = (khz << 32) / 1000000;
}

uint64_t clock_ns(const struct clock *clock, uint64_t cycles)
{
	return (uint64_t)((unsigned __int128)cycles * clock->ns_mult >> 32);
}

uint64_t clock_cycles(const struct clock *clock, uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * clock->cycles_mult >> 32);
}
