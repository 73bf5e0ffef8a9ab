// SPDX-License-Identifier: BSD-2-Clause
/* Where a uprobe is put in a function, on bytes that compilers made. */
#include <lib/tap.h>

#include "uprobe_place.h"

#define FIND(needs, place, ...)                                                                    \
	do {                                                                                       \
		static const uint8_t code_[] = { __VA_ARGS__ };                                    \
		uprobe_place_find(code_, sizeof(code_), needs, place);                             \
	} while (0)

#define SUB_RSP_8 0x48, 0x83, 0xec, 0x08

/* A push at the beginning, with and without REX.B, is the place. */
static void test_uprobe_place__push_is_cheap(void **state)
{
	struct uprobe_place place;

	FIND(UPROBE_RSI | UPROBE_RSP, &place, 0x41, 0x56, 0xb9, 0x21, 0, 0, 0);
	assert_true(place.cheap);
	assert_int_equal(place.offset, 0);
	FIND(UPROBE_RSI, &place, 0x55, 0x48, 0x89, 0xe5);
	assert_true(place.cheap);
	assert_int_equal(place.offset, 0);
}

/* endbr64 is single-stepped: the push after it is not, and the return address is still on top. */
static void test_uprobe_place__passes_endbr64(void **state)
{
	struct uprobe_place place;

	FIND(UPROBE_RSP | UPROBE_RDI, &place, 0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0x54, 0x55);
	assert_true(place.cheap);
	assert_int_equal(place.offset, 4);
}

/* blk_aio_preadv of Debian's QEMU 7.2: sub, load, test, and a jump that the kernel executes. */
static void test_uprobe_place__passes_a_prologue_without_effect(void **state)
{
	struct uprobe_place place;

	FIND(UPROBE_R9, &place, SUB_RSP_8, 0x48, 0x8b, 0x42, 0x20, 0x48, 0x85, 0xc0, 0x78, 0x1e,
	     0x41, 0x51, 0x41, 0x89, 0xc9, 0x48, 0x89, 0xd1);
	assert_true(place.cheap);
	assert_int_equal(place.offset, 0xb);
}

/* blk_aio_flush: xor and lea of registers that hold no argument of its own. */
static void test_uprobe_place__passes_other_registers(void **state)
{
	struct uprobe_place place;

	FIND(UPROBE_RDX, &place, SUB_RSP_8, 0x45, 0x31, 0xc9, 0x4c, 0x8d, 0x05, 0x72, 8, 0, 0, 0x31,
	     0xc9, 0x52, 0x31, 0xd2);
	assert_true(place.cheap);
	assert_int_equal(place.offset, 0x10);
	/* virtqueue_pop: movabs, load, and, jne */
	FIND(UPROBE_RDI, &place, 0x48, 0xb8, 0, 0, 0, 0xff, 0, 0xff, 0, 0, 0x48, 0x8b, 0x57, 0x60,
	     0x48, 0x23, 0x82, 0xb0, 1, 0, 0, 0x75, 0x19, 0xf6, 0x82, 0xb4);
	assert_true(place.cheap);
	assert_int_equal(place.offset, 0x15);
}

/* The canary: a load relative to fs, with a SIB byte and a displacement. */
static void test_uprobe_place__passes_the_stack_protector(void **state)
{
	struct uprobe_place place;

	FIND(UPROBE_RDI, &place, 0x48, 0x83, 0xec, 0x18, 0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0,
	     0, 0x48, 0x89, 0x44, 0x24, 0x08, 0x31, 0xc0, 0xe8, 0, 0, 0, 0);
	assert_true(place.cheap);
	assert_int_equal(place.offset, 20);
}

/* An argument that is changed on the way is gone. */
static void test_uprobe_place__refuses_a_changed_argument(void **state)
{
	struct uprobe_place place;

	FIND(UPROBE_R9, &place, SUB_RSP_8, 0x45, 0x31, 0xc9, 0x41, 0x51);
	assert_false(place.cheap);
	assert_int_equal(place.offset, 0);
	assert_string_equal(place.why, "its instruction at +0x4 (45 31 c9) is single-stepped, and "
				       "changes an argument");
	/* The same is fine for whom it is none. */
	FIND(UPROBE_R8, &place, SUB_RSP_8, 0x45, 0x31, 0xc9, 0x41, 0x51);
	assert_true(place.cheap);
	/* dh is a part of rdx. */
	FIND(UPROBE_RDX, &place, 0x8a, 0x37, 0x55);
	assert_false(place.cheap);
}

/* Behind a `sub rsp` the return address is not where a uretprobe looks for it. */
static void test_uprobe_place__refuses_a_moved_stack(void **state)
{
	struct uprobe_place place;

	FIND(UPROBE_RSP, &place, SUB_RSP_8, 0x41, 0x51);
	assert_false(place.cheap);
	FIND(0, &place, SUB_RSP_8, 0x41, 0x51);
	assert_true(place.cheap);
}

/* What is not on the list stops the walk, ret and a push with REX.W too; so does the end. */
static void test_uprobe_place__refuses_what_it_does_not_know(void **state)
{
	struct uprobe_place place;

	FIND(0, &place, 0xc3);
	assert_false(place.cheap);
	FIND(0, &place, 0x0f, 0x05, 0x55);
	assert_false(place.cheap);
	FIND(0, &place, 0x49, 0x57, 0xc3);
	assert_false(place.cheap);
	FIND(0, &place, 0x48, 0x83, 0xec);
	assert_false(place.cheap);
	assert_string_equal(place.why,
			    "its instruction at +0x0 (48 83 ec) is none we can pass over");
	FIND(0, &place, 0x48, 0x8b, 0x84);
	assert_false(place.cheap);
	uprobe_place_find(NULL, 0, 0, &place);
	assert_false(place.cheap);
}

/* A place inside a loop is hit more than once a call. */
static void test_uprobe_place__refuses_a_loop(void **state)
{
	struct uprobe_place place;

	/* mov (%rdi),%rax; 3: test %rax,%rax; je; nop...; jmp 3b */
	FIND(UPROBE_RDI, &place, 0x48, 0x8b, 0x07, 0x48, 0x85, 0xc0, 0x74, 0x10, 0xeb, 0xf9);
	assert_false(place.cheap);
	FIND(UPROBE_RDI, &place, 0x48, 0x8b, 0x07, 0x48, 0x85, 0xc0, 0x74, 0x10, 0xe9, 0xf6, 0xff,
	     0xff, 0xff);
	assert_false(place.cheap);
	/* The jump is to behind it. */
	FIND(UPROBE_RDI, &place, 0x48, 0x8b, 0x07, 0x48, 0x85, 0xc0, 0x74, 0x10, 0x90, 0xeb, 0xfd);
	assert_true(place.cheap);
	assert_int_equal(place.offset, 6);
}

/* A far beginning is none of a prologue. */
static void test_uprobe_place__does_not_walk_far(void **state)
{
	static uint8_t code[64];
	struct uprobe_place place;
	unsigned int i;

	for (i = 0; i + 3 <= sizeof(code); i += 3) {
		code[i] = 0x48;
		code[i + 1] = 0x85;
		code[i + 2] = 0xc0;
	}
	code[60] = 0x55;
	uprobe_place_find(code, sizeof(code), 0, &place);
	assert_false(place.cheap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uprobe_place__push_is_cheap),
		cmocka_unit_test(test_uprobe_place__passes_endbr64),
		cmocka_unit_test(test_uprobe_place__passes_a_prologue_without_effect),
		cmocka_unit_test(test_uprobe_place__passes_other_registers),
		cmocka_unit_test(test_uprobe_place__passes_the_stack_protector),
		cmocka_unit_test(test_uprobe_place__refuses_a_changed_argument),
		cmocka_unit_test(test_uprobe_place__refuses_a_moved_stack),
		cmocka_unit_test(test_uprobe_place__refuses_what_it_does_not_know),
		cmocka_unit_test(test_uprobe_place__refuses_a_loop),
		cmocka_unit_test(test_uprobe_place__does_not_walk_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
