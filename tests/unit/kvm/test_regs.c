// SPDX-License-Identifier: BSD-2-Clause
/* The state kernels are entered in, seen from inside by a few instructions on real KVM; and what
 * each end of a vCPU is called. */
#include <lib/tap.h>

#include <handoff/compiler.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include "guest.h"
#include "vcpu.h"

#define PML4_GPA 0x20000
#define PDPT_GPA 0x21000
#define PD_GPA	 0x22000
#define RESULT	 0x10000

_Static_assert(RESULT == GUEST_BUFFER_GPA && GUEST_CODE_GPA == 0x9000 && PORT_END == 0x540 &&
		       GUEST_STACK_GPA == 0x8000,
	       "the numbers in the code below");

/* Writes down what it finds, then takes both segments from the GDT, which faults if it is wrong. */
__asm__(".pushsection .rodata\n"
	"linux64_code:\n"
	".code64\n"
	"	movq %rsi, 0x10000\n"
	"	movw %cs, 0x10008\n"
	"	movw %ds, 0x1000a\n"
	"	movw %es, 0x1000c\n"
	"	movw %ss, 0x1000e\n"
	"	movq %cr0, %rax\n"
	"	movq %rax, 0x10010\n"
	"	movq %cr4, %rax\n"
	"	movq %rax, 0x10018\n"
	"	movl $0xc0000080, %ecx\n"
	"	rdmsr\n"
	"	movl %eax, 0x10020\n"
	"	movl $0x8000, %esp\n"
	"	pushfq\n"
	"	popq 0x10028\n"
	"	movl $0x18, %eax\n"
	"	movl %eax, %ds\n"
	"	pushq $0x10\n"
	"	pushq $0x9000 + 1f - linux64_code\n"
	"	lretq\n"
	"1:	movw $0x540, %dx\n"
	"	outl %eax, %dx\n"
	"2:	hlt\n"
	"	jmp 2b\n"
	"linux64_code_end:\n"
	".popsection\n");

extern const char linux64_code[], linux64_code_end[];

struct result {
	uint64_t rsi;
	uint16_t cs, ds, es, ss;
	uint64_t cr0, cr4;
	uint32_t efer, unused;
	uint64_t rflags;
};

static void put64(struct fixture *f, uint64_t gpa, uint64_t value)
{
	assert_true(guest_ram_write(f->ram, gpa, &value, sizeof(value)));
}

/* Linux's 64-bit boot protocol: long mode, the GDT in place, interrupts off, rsi = zero page. */
static void test_regs__linux64_enters_long_mode(void **state)
{
	static const uint64_t gdt[] = { 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff };
	const struct kvm_vcpu_regs_linux64 regs = { GUEST_CODE_GPA, 0x123456, PML4_GPA,
						    GUEST_GDT_GPA };
	struct fixture *f = fixture_get(state);
	struct result r;
	struct error err;

	put64(f, PML4_GPA, PDPT_GPA | 3);
	put64(f, PDPT_GPA, PD_GPA | 3);
	put64(f, PD_GPA, 0x83);
	assert_true(guest_ram_write(f->ram, GUEST_GDT_GPA, gdt, sizeof(gdt)));
	assert_true(guest_ram_write(f->ram, GUEST_CODE_GPA, linux64_code,
				    linux64_code_end - linux64_code));
	assert_int_equal(kvm_vcpu_set_linux64(f->vcpu, &regs, &err), 0);
	kvm_vcpu_resume(f->vcpu);
	fixture_wait(f, &f->ended, 1);
	assert_true(guest_ram_read(f->ram, GUEST_BUFFER_GPA, &r, sizeof(r)));
	assert_int_equal(r.rsi, 0x123456);
	assert_int_equal(r.cs, 0x10);
	assert_int_equal(r.ds, 0x18);
	assert_int_equal(r.es, 0x18);
	assert_int_equal(r.ss, 0x18);
	assert_int_equal(r.cr0, 0x80000011);
	assert_int_equal(r.cr4, 0x20);
	assert_int_equal(r.efer & 0x500, 0x500);
	assert_int_equal(r.rflags & 0x200, 0);
}

static enum kvm_stop_reason end_of(uint32_t exit_reason, uint32_t event)
{
	struct kvm_run *run = test_calloc(1, sizeof(*run));
	struct kvm_vcpu vcpu = { .fd = -1, .run = run };
	enum kvm_stop_reason reason;

	run->exit_reason = exit_reason;
	run->system_event.type = event;
	reason = kvm_handle_end(&vcpu);
	test_free(run);
	return reason;
}

/* System events are told apart; one that nobody knows is no clean end. */
static void test_regs__system_events_have_their_reasons(void **state)
{
	assert_int_equal(end_of(KVM_EXIT_SYSTEM_EVENT, KVM_SYSTEM_EVENT_SHUTDOWN),
			 KVM_STOP_POWEROFF);
	assert_int_equal(end_of(KVM_EXIT_SYSTEM_EVENT, KVM_SYSTEM_EVENT_RESET), KVM_STOP_RESET);
	assert_int_equal(end_of(KVM_EXIT_SYSTEM_EVENT, KVM_SYSTEM_EVENT_CRASH), KVM_STOP_CRASH);
	assert_int_equal(end_of(KVM_EXIT_SYSTEM_EVENT, 0), KVM_STOP_INTERNAL_ERROR);
	assert_int_equal(end_of(KVM_EXIT_SYSTEM_EVENT, 77), KVM_STOP_INTERNAL_ERROR);
	assert_int_equal(end_of(KVM_EXIT_SYSTEM_EVENT, UINT32_MAX), KVM_STOP_INTERNAL_ERROR);
}

/* A triple fault is the guest's doing; an exit nobody knows is not. */
static void test_regs__other_ends_have_their_reasons(void **state)
{
	assert_int_equal(end_of(KVM_EXIT_SHUTDOWN, 0), KVM_STOP_SHUTDOWN);
	assert_int_equal(end_of(KVM_EXIT_FAIL_ENTRY, 0), KVM_STOP_INTERNAL_ERROR);
	assert_int_equal(end_of(KVM_EXIT_HYPERV, 0), KVM_STOP_INTERNAL_ERROR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_regs__linux64_enters_long_mode, fixture_setup,
						fixture_teardown),
		cmocka_unit_test(test_regs__system_events_have_their_reasons),
		cmocka_unit_test(test_regs__other_ends_have_their_reasons),
	};

	return cmocka_run_group_tests_name("regs", tests, NULL, NULL);
}
