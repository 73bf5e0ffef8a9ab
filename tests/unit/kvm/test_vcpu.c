// SPDX-License-Identifier: BSD-2-Clause
/* vCPU threads on real KVM: exits reach the address spaces, a pause is whole, a dead guest is told.
 */
#include <lib/tap.h>

#include <handoff/bql.h>
#include <handoff/compiler.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "guest.h"

/* A device access by MMIO exits, reaches the region, and the value read reaches the guest. */
static void test_vcpu__mmio_reaches_the_device(void **state)
{
	struct fixture *f = fixture_get(state);
	const struct op ops[] = {
		{ OP_WRITE32, DEVICE_GPA, 0x12345678 },
		{ OP_READ32, DEVICE_GPA, GUEST_BUFFER_GPA },
		{ OP_OUT32, PORT_END, 0 },
		{ OP_IDLE, 0, 0 },
	};
	uint32_t got;

	fixture_load(f, ops, ARRAY_SIZE(ops));
	kvm_vcpu_resume(f->vcpu);
	fixture_wait(f, &f->ended, 1);
	assert_int_equal(f->device_writes, 1);
	assert_int_equal(f->device_value, 0x12345678);
	assert_int_equal(f->device_reads, 1);
	assert_true(guest_ram_read(f->ram, GUEST_BUFFER_GPA, &got, sizeof(got)));
	assert_int_equal(got, 1);
}

/* Port I/O in both directions; a string instruction delivers every byte, in order. */
static void test_vcpu__pio_reaches_the_ports(void **state)
{
	struct fixture *f = fixture_get(state);
	static const char text[] = "a string of bytes by rep outsb";
	const struct op ops[] = {
		{ OP_IN32, PORT_SPARE, GUEST_BUFFER_GPA + 0x100 },
		{ OP_OUTS8, GUEST_BUFFER_GPA, sizeof(text) },
		{ OP_OUT32, PORT_END, 0 },
		{ OP_IDLE, 0, 0 },
	};
	uint32_t got;

	f->in_value = 0xcafe0001;
	assert_true(guest_ram_write(f->ram, GUEST_BUFFER_GPA, text, sizeof(text)));
	fixture_load(f, ops, ARRAY_SIZE(ops));
	kvm_vcpu_resume(f->vcpu);
	fixture_wait(f, &f->ended, 1);
	assert_int_equal(f->n_bytes, sizeof(text));
	assert_string_equal(f->bytes, text);
	assert_true(guest_ram_read(f->ram, GUEST_BUFFER_GPA + 0x100, &got, sizeof(got)));
	assert_int_equal(got, 0xcafe0001);
}

/* Where nobody answers, reads give all ones, writes vanish, and the guest goes on. */
static void test_vcpu__unassigned_memory_is_harmless(void **state)
{
	struct fixture *f = fixture_get(state);
	const struct op ops[] = {
		{ OP_WRITE32, DEVICE_GPA + 0x5000, 1 },
		{ OP_READ32, 0xfffffffc, GUEST_BUFFER_GPA },
		{ OP_OUT32, 0xfffc, 7 },
		{ OP_IN32, 0x9990, GUEST_BUFFER_GPA + 4 },
		{ OP_OUT32, PORT_END, 0 },
		{ OP_IDLE, 0, 0 },
	};
	uint32_t got[2];

	fixture_load(f, ops, ARRAY_SIZE(ops));
	kvm_vcpu_resume(f->vcpu);
	fixture_wait(f, &f->ended, 1);
	assert_true(guest_ram_read(f->ram, GUEST_BUFFER_GPA, got, sizeof(got)));
	assert_int_equal(got[0], 0xffffffff);
	assert_int_equal(got[1], 0xffffffff);
	assert_int_equal(f->device_writes, 0);
}

/*
 * A pause hits the guest anywhere in a loop of MMIO reads and writes; the value read must never be
 * lost or read twice: the instruction is completed before the thread leaves.
 */
static void test_vcpu__pause_completes_the_access(void **state)
{
	struct fixture *f = fixture_get(state);
	const struct op ops[] = {
		{ OP_READ32, DEVICE_GPA, GUEST_OPS_GPA + 20 },
		{ OP_WRITE32, DEVICE_GPA, 0 /* the value read */ },
		{ OP_GOTO, GUEST_OPS_GPA, 0 },
	};
	unsigned int i;

	fixture_load(f, ops, ARRAY_SIZE(ops));
	for (i = 0; i < 300; i++) {
		uint32_t seen, writes = f->device_writes;

		kvm_vcpu_resume(f->vcpu);
		fixture_wait(f, &f->device_writes, writes + 1);
		kvm_vcpu_pause(f->vcpu);
		/* Out of the guest and out of the device: nothing moves any more. */
		seen = f->device_reads;
		bql_unlock();
		bql_lock();
		assert_int_equal(f->device_reads, seen);
	}
	assert_int_equal(f->broken_echoes, 0);
	assert_in_range(f->device_writes, 300, UINT32_MAX);
}

/* A resume that follows a pause that follows a resume, before the thread had a chance to run, loses
 * nothing. */
static void test_vcpu__quick_pauses_do_not_hang(void **state)
{
	struct fixture *f = fixture_get(state);
	const struct op ops[] = { { OP_OUT32, PORT_END, 0 }, { OP_IDLE, 0, 0 } };
	unsigned int i;

	fixture_load(f, ops, ARRAY_SIZE(ops));
	for (i = 0; i < 1000; i++) {
		kvm_vcpu_resume(f->vcpu);
		kvm_vcpu_pause(f->vcpu);
	}
	kvm_vcpu_resume(f->vcpu);
	fixture_wait(f, &f->ended, 1);
	assert_int_equal(f->ended, 1);
}

/* A guest that halts with nothing to wake it can still be paused. */
static void test_vcpu__halted_guest_can_be_paused(void **state)
{
	struct fixture *f = fixture_get(state);
	const struct op ops[] = { { OP_OUT32, PORT_END, 0 }, { OP_IDLE, 0, 0 } };

	fixture_load(f, ops, ARRAY_SIZE(ops));
	kvm_vcpu_resume(f->vcpu);
	fixture_wait(f, &f->ended, 1);
	kvm_vcpu_pause(f->vcpu);
	assert_int_equal(f->stopped, KVM_STOP_NONE);
}

/* A triple fault ends the vCPU, not the process, and is told once. */
static void test_vcpu__triple_fault_is_a_shutdown(void **state)
{
	struct fixture *f = fixture_get(state);
	const struct op ops[] = { { OP_FAULT, 0, 0 } };

	fixture_load(f, ops, ARRAY_SIZE(ops));
	kvm_vcpu_resume(f->vcpu);
	fixture_wait(f, &f->stopped, KVM_STOP_SHUTDOWN);
	assert_int_equal(f->stopped, KVM_STOP_SHUTDOWN);
	/* It stays dead. */
	f->stopped = KVM_STOP_NONE;
	kvm_vcpu_resume(f->vcpu);
	kvm_vcpu_pause(f->vcpu);
	assert_int_equal(f->stopped, KVM_STOP_NONE);
}

/* A vCPU thread is found by its name, and by the tid we tell. */
static void test_vcpu__thread_is_named(void **state)
{
	struct fixture *f = fixture_get(state);
	char path[64], name[32] = "";
	FILE *comm;

	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", kvm_vcpu_tid(f->vcpu));
	comm = fopen(path, "r");
	assert_non_null(comm);
	assert_non_null(fgets(name, sizeof(name), comm));
	fclose(comm);
	assert_string_equal(name, "vcpu0\n");
	assert_int_not_equal(kvm_vm_tsc_khz(f->vm), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_vcpu__mmio_reaches_the_device),
		TEST(test_vcpu__pio_reaches_the_ports),
		TEST(test_vcpu__unassigned_memory_is_harmless),
		TEST(test_vcpu__pause_completes_the_access),
		TEST(test_vcpu__quick_pauses_do_not_hang),
		TEST(test_vcpu__halted_guest_can_be_paused),
		TEST(test_vcpu__triple_fault_is_a_shutdown),
		TEST(test_vcpu__thread_is_named),
	};

	return cmocka_run_group_tests_name("vcpu", tests, NULL, NULL);
}
