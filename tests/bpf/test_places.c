// SPDX-License-Identifier: BSD-2-Clause
/*
 * Whose an interrupt or a guest's write is: messages and notify registers that move while they are
 * used, interrupts that wait together, accesses that are no kicks (fake_vmm.h).
 */
#include "privileged.h"

#include <stdlib.h>

#include "fake_vmm.h"

#define MSI_ADDRESS 0xfee00000u

static void interrupt(struct fake_vmm *f, uint32_t data, uint32_t apicid)
{
	FAKE_TRACEPOINT(f, "ho_msi_set_irq", MSI_ADDRESS, data);
	FAKE_TRACEPOINT(f, "ho_accept_irq", apicid, 0, 0, data);
}

/* An MSI of the queue's vector, accepted, then the guest entered: one sample of each leg. */
static void test_places__interrupt(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;

	NEED_PRIVILEGE();
	FAKE_TRACEPOINT(f, "ho_kvm_entry", 0, 0);
	fake_place(f, FAKE_GPA, MSI_ADDRESS, 0x41);
	interrupt(f, 0x41, 0);
	FAKE_TRACEPOINT(f, "ho_accept_irq", 0, 0, 0, 0x41); /* an IPI: no message before it */
	FAKE_TRACEPOINT(f, "ho_kvm_entry", 0, 0);
	FAKE_TRACEPOINT(f, "ho_kvm_entry", 0, 0);
	interrupt(f, 0x42, 0); /* another's */
	r = fake_report(f);
	assert_int_equal(fake_count(r, STAGE_INJECT), 1);
	assert_int_equal(fake_count(r, STAGE_ENTER), 1);
	assert_int_equal(r->stage[STAGE_INJECT].hist.count, 1);
	assert_int_equal(r->queue[0].injected, 1);
	report_free(r);
}

/* The guest moves the vector from CPU to CPU: no interrupt is missed between two looks at the page,
 * and none of a message that is the queue's no more is taken for its own. */
static void test_places__moving_vector(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;
	uint32_t i;

	NEED_PRIVILEGE();
	FAKE_TRACEPOINT(f, "ho_kvm_entry", 0, 0);
	for (i = 0; i < 50; i++) {
		fake_place(f, FAKE_GPA, MSI_ADDRESS, 0x41 + i);
		interrupt(f, 0x41 + i, 0);
		interrupt(f, 0x40 + i, 0);
		FAKE_TRACEPOINT(f, "ho_kvm_entry", 0, 0);
	}
	fake_place(f, FAKE_GPA, 0, 0);
	interrupt(f, 0x41 + i - 1, 0);
	r = fake_report(f);
	assert_int_equal(r->queue[0].injected, 50);
	assert_int_equal(fake_count(r, STAGE_INJECT), 50);
	assert_int_equal(fake_count(r, STAGE_ENTER), 50);
	report_free(r);
}

/* Where kvm_entry never fires nothing waits for it, and nothing is lost. */
static void test_places__no_entries(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;
	unsigned int i;

	NEED_PRIVILEGE();
	fake_place(f, FAKE_GPA, MSI_ADDRESS, 0x41);
	for (i = 0; i < 100; i++)
		interrupt(f, 0x41, 0);
	r = fake_report(f);
	assert_int_equal(r->queue[0].injected, 100);
	report_free(r);
}

/* Several interrupts wait for one vCPU: each enters the guest. More than there is room for are
 * lost, and that is said. */
static void test_places__interrupts_wait_together(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;
	unsigned int i;

	NEED_PRIVILEGE();
	FAKE_TRACEPOINT(f, "ho_kvm_entry", 0, 0);
	fake_place(f, FAKE_GPA, MSI_ADDRESS, 0x41);
	for (i = 0; i < 10; i++)
		interrupt(f, 0x41, 0);
	FAKE_TRACEPOINT(f, "ho_kvm_entry", 0, 0);
	r = fake_report(f);
	assert_int_equal(fake_count(r, STAGE_INJECT), 10);
	assert_int_equal(fake_count(r, STAGE_ENTER), 10);
	report_free(r);
	for (i = 0; i < 20; i++)
		interrupt(f, 0x41, 0);
	FAKE_TRACEPOINT(f, "ho_kvm_entry", 0, 0);
	r = fake_report_lossy(f);
	assert_int_equal(r->loss[LOSS_RECORDS], 20 - (fake_count(r, STAGE_ENTER) - 10));
	assert_true(r->loss[LOSS_RECORDS] > 0);
	report_free(r);
}

/* Hardware delivers into the running guest: no entry is waited for. It does not while the vCPU is
 * outside. */
static void test_places__posted_interrupt(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;

	NEED_PRIVILEGE();
	fake_place(f, FAKE_GPA, MSI_ADDRESS, 0x41);
	FAKE_TRACEPOINT(f, "ho_kvm_entry", 0, 0);
	interrupt(f, 0x41, 0);
	FAKE_TRACEPOINT(f, "ho_posted_irq", 0, 0, 0, 0x41);
	FAKE_TRACEPOINT(f, "ho_kvm_exit", 0, 0);
	interrupt(f, 0x41, 0);
	FAKE_TRACEPOINT(f, "ho_posted_irq", 0, 0, 0, 0x41);
	FAKE_TRACEPOINT(f, "ho_kvm_entry", 0, 0);
	r = fake_report(f);
	assert_int_equal(r->queue[0].injected, 2);
	assert_int_equal(r->queue[0].posted, 1);
	assert_int_equal(fake_count(r, STAGE_ENTER), 1);
	report_free(r);
}

/* The guest moves the notify register while it works: every kick is the queue's, at either place.
 */
static void test_places__moving_queue(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;
	unsigned int i;

	NEED_PRIVILEGE();
	fake_mmio_write(f, FAKE_GPA + 0x1000); /* of something else that is there now */
	for (i = 1; i <= 20; i++) {
		fake_place(f, FAKE_GPA + i * 0x1000, 0, 0);
		fake_mmio_write(f, FAKE_GPA + i * 0x1000);
		fake_signal(f);
		fake_wait_handled(f, i);
	}
	r = fake_report(f);
	assert_int_equal(r->queue[0].kicks, 20);
	assert_int_equal(r->queue[0].kicks_vmm, 20);
	assert_int_equal(r->queue[0].outcome[OUTCOME_NOTIFIED], 20);
	assert_int_equal(r->io.mmio_writes, 21);
	assert_int_equal(r->io.kicks, 20);
	assert_int_equal(r->io.n_address, 1);
	assert_int_equal(r->io.address[0].gpa, FAKE_GPA + 0x1000);
	assert_int_equal(r->io.address[0].count, 1);
	report_free(r);
}

/* Reads, ports and writes that are no kicks are told by address, and of which left to user space.
 */
static void test_places__other_accesses(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;
	unsigned int i;

	NEED_PRIVILEGE();
	for (i = 0; i < 3; i++) {
		fake_mmio_write(f, 0xb0000010);
		FAKE_TRACEPOINT(f, "ho_user_exit", 6, 0);
	}
	fake_mmio_write(f, 0xb0000010);
	FAKE_TRACEPOINT(f, "ho_kvm_mmio", 0, 4, 0xb0000010, 0); /* has to wait, and comes again */
	FAKE_TRACEPOINT(f, "ho_kvm_mmio", 1, 4, 0xb0000010, 0);
	FAKE_TRACEPOINT(f, "ho_kvm_pio", 1, 0x3f8, 1, 1, 0);
	FAKE_TRACEPOINT(f, "ho_kvm_pio", 0, 0x3fd, 1, 1, 0);
	FAKE_TRACEPOINT(f, "ho_kvm_pio", 0, 0x3fd, 1, 1, 0);
	r = fake_report(f);
	assert_int_equal(r->io.mmio_evidence, EVIDENCE_EXACT);
	assert_int_equal(r->io.mmio_writes, 4);
	assert_int_equal(r->io.mmio_reads, 1);
	assert_int_equal(r->io.pio_writes, 1);
	assert_int_equal(r->io.pio_reads, 2);
	assert_int_equal(r->io.addresses, 4);
	assert_int_equal(r->io.address[0].gpa, 0xb0000010);
	assert_int_equal(r->io.address[0].count, 4);
	assert_int_equal(r->io.address[0].left, 3);
	assert_int_equal(r->io.address[1].gpa, 0x3fd);
	assert_true(r->io.address[1].pio && !r->io.address[1].write);
	assert_int_equal(r->queue[0].kicks, 0);
	report_free(r);
}

/* A guest that writes all over the place takes no queue's room, and what is not kept is counted. */
static void test_places__full_table(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;
	unsigned int i;

	NEED_PRIVILEGE();
	for (i = 0; i < MODEL_MAX_KICK_KEYS; i++)
		fake_mmio_write(f, 0x100000000ull + i * 8);
	FAKE_TRACEPOINT(f, "ho_user_exit", 6, 0);
	fake_place(f, FAKE_GPA + 0x100, 0, 0);
	fake_mmio_write(f, FAKE_GPA + 0x100);
	fake_signal(f);
	fake_wait_handled(f, 1);
	r = fake_report(f);
	assert_int_equal(r->queue[0].kicks, 1);
	assert_int_equal(r->io.mmio_writes, MODEL_MAX_KICK_KEYS + 1);
	assert_in_range(r->io.untracked, 1, MODEL_KICK_RESERVE + 1);
	assert_int_equal(r->io.addresses + r->io.untracked, MODEL_MAX_KICK_KEYS);
	report_free(r);
}

int main(void)
{
#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(test_places__##name, fake_setup_long, fake_teardown)
	const struct CMUnitTest tests[] = {
		TEST(interrupt),	TEST(moving_vector),
		TEST(no_entries),	TEST(interrupts_wait_together),
		TEST(posted_interrupt), TEST(moving_queue),
		TEST(other_accesses),	TEST(full_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
