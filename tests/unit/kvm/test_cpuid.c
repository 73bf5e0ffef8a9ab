// SPDX-License-Identifier: BSD-2-Clause
/* What each vCPU is told of itself, from tables as KVM gives them on Intel and on AMD. No KVM. */
#include <lib/tap.h>

#include <handoff/compiler.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include "vcpu.h"

#define INDEXED KVM_CPUID_FLAG_SIGNIFCANT_INDEX

static const struct kvm_cpuid_entry2 intel[] = {
	{ .function = 0, .eax = 0x1f, .ebx = 0x756e6547 /* Genu */ },
	{ .function = 1, .ebx = 0x55aa0800, .ecx = 1u << 24, .edx = 1 },
	{ .function = 4,
	  .index = 0,
	  .flags = INDEXED,
	  .eax = 0xfc004121 /* 2 threads share L1d */ },
	{ .function = 4, .index = 1, .flags = INDEXED, .eax = 0xfc07c163 /* 32 share L3 */ },
	{ .function = 4, .index = 2, .flags = INDEXED, .eax = 0xfc004143 /* 2 share L2 */ },
	{ .function = 4, .index = 3, .flags = INDEXED, .eax = 0 },
	{ .function = 0xb, .flags = INDEXED, .edx = 77 },
	{ .function = 0x1f, .flags = INDEXED, .ebx = 9, .ecx = 0x100, .edx = 77 },
	{ .function = 0x80000001, .ecx = 1 },
	{ .function = 0x80000008, .eax = 0x3027 },
	{ .function = 0x40000000,
	  .eax = 0x40000001,
	  .ebx = 0x4b4d564b,
	  .ecx = 0x564b4d56,
	  .edx = 0x4d },
	{ .function = 0x40000001, .eax = 0x1007afb },
};

static const struct kvm_cpuid_entry2 amd[] = {
	{ .function = 0, .eax = 0xd, .ebx = 0x68747541 /* Auth */ },
	{ .function = 1, .ebx = 0x07100800, .edx = 1u << 28 },
	{ .function = 0x80000001, .ecx = 1u << 22 | 1u << 1 },
	{ .function = 0x80000008, .eax = 0x3030, .ebx = 0x1234, .ecx = 0x2f0ff },
	{ .function = 0x8000001d, .index = 0, .flags = INDEXED, .eax = 0x4121 },
	{ .function = 0x8000001d, .index = 3, .flags = INDEXED, .eax = 0x3c163 },
	{ .function = 0x8000001e, .eax = 99, .ebx = 0x199, .ecx = 0x703 },
	{ .function = 0x80000026, .flags = INDEXED, .ebx = 4, .ecx = 0x100 },
};

static struct kvm_cpuid2 *filled(const struct kvm_cpuid_entry2 *table, unsigned int n,
				 unsigned int id, unsigned int n_vcpus)
{
	const struct kvm_cpuid_config config = { id, n_vcpus, false };
	struct kvm_cpuid2 *cpuid =
		test_calloc(1, sizeof(*cpuid) + KVM_CPUID_ENTRIES * sizeof(cpuid->entries[0]));

	memcpy(cpuid->entries, table, n * sizeof(*table));
	cpuid->nent = n;
	kvm_cpuid_fill(cpuid, &config);
	return cpuid;
}

static const struct kvm_cpuid_entry2 *leaf(const struct kvm_cpuid2 *cpuid, uint32_t function,
					   uint32_t index)
{
	uint32_t i;

	for (i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == function && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	}
	return NULL;
}

/* Leaf 1 has the vCPU's own APIC id, how many there can be, and says that it is a guest. */
static void test_cpuid__leaf_1_is_the_vcpus_own(void **state)
{
	struct kvm_cpuid2 *cpuid = filled(intel, ARRAY_SIZE(intel), 2, 3);
	const struct kvm_cpuid_entry2 *e = leaf(cpuid, 1, 0);

	assert_int_equal(e->ebx, 0x02040800);
	assert_int_equal(e->edx, 1 | 1u << 28);
	assert_int_equal(e->ecx, 1u << 31);
	test_free(cpuid);
	cpuid = filled(amd, ARRAY_SIZE(amd), 0, 1);
	e = leaf(cpuid, 1, 0);
	assert_int_equal(e->ebx, 0x00010800);
	assert_int_equal(e->edx, 0);
	test_free(cpuid);
}

/* The deadline timer is there if KVM has it, whatever its table says. */
static void test_cpuid__tells_the_deadline_timer(void **state)
{
	const struct kvm_cpuid_config config = { 0, 1, true };
	struct kvm_cpuid2 *cpuid = filled(amd, ARRAY_SIZE(amd), 0, 1);

	assert_false(leaf(cpuid, 1, 0)->ecx & 1u << 24);
	kvm_cpuid_fill(cpuid, &config);
	assert_true(leaf(cpuid, 1, 0)->ecx & 1u << 24);
	test_free(cpuid);
}

/* All vCPUs are cores of one package: the bits of the id that tell them apart are below it. */
static void test_cpuid__vcpus_are_cores_of_one_package(void **state)
{
	static const struct {
		unsigned int n_vcpus, bits;
	} cases[] = { { 1, 0 }, { 2, 1 }, { 3, 2 }, { 4, 2 }, { 5, 3 }, { 64, 6 } };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned int n = cases[i].n_vcpus;
		struct kvm_cpuid2 *cpuid = filled(intel, ARRAY_SIZE(intel), n - 1, n);
		const struct kvm_cpuid_entry2 *smt = leaf(cpuid, 0xb, 0);
		const struct kvm_cpuid_entry2 *core = leaf(cpuid, 0xb, 1);

		assert_int_equal(smt->eax, 0);
		assert_int_equal(smt->ebx, 1);
		assert_int_equal(smt->ecx, 0x100);
		assert_int_equal(smt->edx, n - 1);
		assert_int_equal(core->eax, cases[i].bits);
		assert_int_equal(core->ebx, n);
		assert_int_equal(core->ecx, 0x201);
		assert_int_equal(core->edx, n - 1);
		assert_true(smt->flags & core->flags & INDEXED);
		test_free(cpuid);
	}
}

/* What KVM says of the host's packages is gone: there would be two answers. */
static void test_cpuid__hides_the_hosts_topology(void **state)
{
	struct kvm_cpuid2 *cpuid = filled(intel, ARRAY_SIZE(intel), 0, 2);

	assert_null(leaf(cpuid, 0x1f, 0));
	assert_int_equal(leaf(cpuid, 0xb, 0)->edx, 0);
	assert_int_equal(cpuid->nent, ARRAY_SIZE(intel)); /* two gone, two came */
	test_free(cpuid);
	cpuid = filled(amd, ARRAY_SIZE(amd), 0, 2);
	assert_null(leaf(cpuid, 0x80000026, 0));
	test_free(cpuid);
}

/* A CPU without leaf 0xb gets none. */
static void test_cpuid__adds_no_leaf_the_cpu_lacks(void **state)
{
	const struct kvm_cpuid_entry2 old[] = { { .function = 0, .eax = 0xa }, { .function = 1 } };
	struct kvm_cpuid2 *cpuid = filled(old, ARRAY_SIZE(old), 0, 2);

	assert_int_equal(cpuid->nent, 2);
	test_free(cpuid);
}

/* A table without room for both subleaves is not overrun, and gets none. */
static void test_cpuid__full_table_is_left_alone(void **state)
{
	struct kvm_cpuid_entry2 full[KVM_CPUID_ENTRIES] = { { .function = 0, .eax = 0xd } };
	unsigned int i, n;

	for (i = 1; i < KVM_CPUID_ENTRIES; i++)
		full[i].function = 0x50000000 + i;
	for (n = KVM_CPUID_ENTRIES - 2; n <= KVM_CPUID_ENTRIES; n++) {
		struct kvm_cpuid2 *cpuid = filled(full, n, 0, 2);

		assert_int_equal(cpuid->nent, n > KVM_CPUID_ENTRIES - 2 ? n : n + 2);
		assert_true(!leaf(cpuid, 0xb, 0) == (n > KVM_CPUID_ENTRIES - 2));
		test_free(cpuid);
	}
}

/* The last level of cache is everybody's, the others are each vCPU's own. */
static void test_cpuid__only_the_last_cache_is_shared(void **state)
{
	struct kvm_cpuid2 *cpuid = filled(intel, ARRAY_SIZE(intel), 1, 4);

	assert_int_equal(leaf(cpuid, 4, 0)->eax, 3u << 26 | 0x121);
	assert_int_equal(leaf(cpuid, 4, 1)->eax, 3u << 26 | 3u << 14 | 0x163);
	assert_int_equal(leaf(cpuid, 4, 2)->eax, 3u << 26 | 0x143);
	assert_int_equal(leaf(cpuid, 4, 3)->eax, 0);
	test_free(cpuid);
	cpuid = filled(amd, ARRAY_SIZE(amd), 1, 2);
	assert_int_equal(leaf(cpuid, 0x8000001d, 0)->eax, 0x121);
	assert_int_equal(leaf(cpuid, 0x8000001d, 3)->eax, 1u << 14 | 0x163);
	test_free(cpuid);
}

/* AMD tells cores and ids a second time; other bits of those leaves stay. */
static void test_cpuid__amd_leaves_agree(void **state)
{
	struct kvm_cpuid2 *cpuid = filled(amd, ARRAY_SIZE(amd), 2, 3);

	assert_int_equal(leaf(cpuid, 0x80000001, 0)->ecx, 1u << 22 | 1u << 1);
	assert_int_equal(leaf(cpuid, 0x80000008, 0)->ecx, 0x22002);
	assert_int_equal(leaf(cpuid, 0x80000008, 0)->ebx, 0x1234);
	assert_int_equal(leaf(cpuid, 0x8000001e, 0)->eax, 2);
	assert_int_equal(leaf(cpuid, 0x8000001e, 0)->ebx, 2);
	assert_int_equal(leaf(cpuid, 0x8000001e, 0)->ecx, 0);
	test_free(cpuid);
	cpuid = filled(amd, ARRAY_SIZE(amd), 0, 1);
	assert_int_equal(leaf(cpuid, 0x80000001, 0)->ecx, 1u << 22);
	assert_int_equal(leaf(cpuid, 0x80000008, 0)->ecx, 0x20000);
	test_free(cpuid);
}

/* On Intel those bits are reserved; KVM's own leaves (clock and all) pass on any CPU. */
static void test_cpuid__leaves_the_rest_alone(void **state)
{
	struct kvm_cpuid2 *cpuid = filled(intel, ARRAY_SIZE(intel), 2, 3);

	assert_int_equal(leaf(cpuid, 0x80000001, 0)->ecx, 1);
	assert_int_equal(leaf(cpuid, 0x80000008, 0)->ecx, 0);
	assert_int_equal(leaf(cpuid, 0x40000000, 0)->ebx, 0x4b4d564b);
	assert_int_equal(leaf(cpuid, 0x40000001, 0)->eax, 0x1007afb);
	test_free(cpuid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpuid__leaf_1_is_the_vcpus_own),
		cmocka_unit_test(test_cpuid__tells_the_deadline_timer),
		cmocka_unit_test(test_cpuid__vcpus_are_cores_of_one_package),
		cmocka_unit_test(test_cpuid__hides_the_hosts_topology),
		cmocka_unit_test(test_cpuid__adds_no_leaf_the_cpu_lacks),
		cmocka_unit_test(test_cpuid__full_table_is_left_alone),
		cmocka_unit_test(test_cpuid__only_the_last_cache_is_shared),
		cmocka_unit_test(test_cpuid__amd_leaves_agree),
		cmocka_unit_test(test_cpuid__leaves_the_rest_alone),
	};

	return cmocka_run_group_tests_name("cpuid", tests, NULL, NULL);
}
