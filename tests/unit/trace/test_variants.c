// SPDX-License-Identifier: BSD-2-Clause
/* What the tracer reads from a kernel's BTF, on BTF made here: no such kernels are packaged. */
#include <lib/tap.h>

#include <stdio.h>
#include <bpf/btf.h>

#include "variants.h"

/* Types that prototypes are made of. */
enum { VOID, INT, POINTER };

static struct btf *kernel_new(void)
{
	struct btf *btf = btf__new_empty();

	assert_non_null(btf);
	assert_int_equal(btf__add_int(btf, "u32", 4, 0), INT);
	assert_int_equal(btf__add_ptr(btf, VOID), POINTER);
	return btf;
}

/* A module's BTF goes on where the kernel's ends. */
static struct btf *module_new(struct btf *kernel)
{
	struct btf *btf = btf__new_empty_split(kernel);

	assert_non_null(btf);
	return btf;
}

static int prototype(struct btf *btf, const int *argument, size_t n)
{
	int proto = btf__add_func_proto(btf, INT);
	size_t i;

	for (i = 0; i < n; i++)
		assert_int_equal(btf__add_func_param(btf, "", argument[i]), 0);
	return proto;
}

/* typedef void (*btf_trace_NAME)(void *, ...), as the kernel's TRACE_EVENT leaves it. */
static void tracepoint(struct btf *btf, const char *name, const int *argument, size_t n)
{
	char type_name[64];
	int id;

	snprintf(type_name, sizeof(type_name), "btf_trace_%s", name);
	id = btf__add_ptr(btf, prototype(btf, argument, n));
	assert_true(btf__add_typedef(btf, type_name, id) > 0);
}

/* The first of a tracepoint's arguments is the implicit context. */
#define TRACEPOINT(btf, name, ...)                                                                 \
	tracepoint(btf, name, (const int[]){ POINTER, __VA_ARGS__ },                               \
		   sizeof((const int[]){ POINTER, __VA_ARGS__ }) / sizeof(int))

#define FUNCTION(btf, name, ...)                                                                   \
	assert_true(btf__add_func(btf, name, BTF_FUNC_GLOBAL,                                      \
				  prototype(btf, (const int[]){ __VA_ARGS__ },                     \
					    sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))) > \
		    0)

static struct variants decide(struct btf *kernel, struct btf *module)
{
	struct btf *both[] = { kernel, module };
	struct variants v;

	variants_decide(both, 2, &v);
	btf__free(module);
	btf__free(kernel);
	return v;
}

/* 5.15: sched_switch without the state, kvm_exit with the reason first, one eventfd_signal with two
 * arguments. */
static void test_variants__linux_5_15(void **state)
{
	struct btf *kernel = kernel_new(), *module = module_new(kernel);
	struct variants v;

	TRACEPOINT(kernel, "sched_switch", INT, POINTER, POINTER);
	FUNCTION(kernel, "eventfd_signal", POINTER, INT);
	TRACEPOINT(module, "kvm_exit", INT, POINTER, INT);
	TRACEPOINT(module, "kvm_entry", POINTER);
	FUNCTION(module, "ioeventfd_write", POINTER, POINTER, INT, INT, POINTER);
	FUNCTION(module, "kvm_arch_set_irq_inatomic", POINTER, POINTER, INT, INT, INT);
	v = decide(kernel, module);
	assert_false(v.switch_has_state);
	assert_int_equal(v.exit_args, EXIT_ARGS_REASON);
	assert_true(v.entry_has_vcpu);
	assert_false(v.has[PROGRAM_SIGNAL_MASK] || v.has[PROGRAM_SIGNAL_MASK_KP]);
	assert_true(v.has[PROGRAM_SIGNAL] && v.has[PROGRAM_SIGNAL_KP]);
	assert_true(v.has[PROGRAM_IOEVENTFD] && v.has[PROGRAM_IRQFD]);
}

/* 6.1: kvm_exit has lost its reason, sched_switch gained the state, both signal functions exist. */
static void test_variants__linux_6_1(void **state)
{
	struct btf *kernel = kernel_new(), *module = module_new(kernel);
	struct variants v;

	TRACEPOINT(kernel, "sched_switch", INT, POINTER, POINTER, INT);
	FUNCTION(kernel, "eventfd_signal", POINTER, INT);
	FUNCTION(kernel, "eventfd_signal_mask", POINTER, INT, INT);
	TRACEPOINT(module, "kvm_exit", POINTER, INT);
	TRACEPOINT(module, "kvm_entry", POINTER, INT);
	v = decide(kernel, module);
	assert_true(v.switch_has_state);
	assert_int_equal(v.exit_args, EXIT_ARGS_VCPU);
	assert_true(v.entry_has_vcpu);
	assert_true(v.has[PROGRAM_SIGNAL_MASK] && v.has[PROGRAM_SIGNAL]);
	assert_false(v.has[PROGRAM_IOEVENTFD]);
}

/* 6.8 and later with KVM built in: no module to ask, one signal function. */
static void test_variants__kvm_built_in(void **state)
{
	struct btf *kernel = kernel_new();
	struct variants v;

	TRACEPOINT(kernel, "sched_switch", INT, POINTER, POINTER, INT);
	FUNCTION(kernel, "eventfd_signal_mask", POINTER, INT);
	TRACEPOINT(kernel, "kvm_exit", POINTER, INT);
	FUNCTION(kernel, "kvm_arch_set_irq_inatomic", POINTER, POINTER, INT, INT, INT);
	v = decide(kernel, NULL);
	assert_int_equal(v.exit_args, EXIT_ARGS_VCPU);
	assert_false(v.has[PROGRAM_SIGNAL]);
	assert_true(v.has[PROGRAM_SIGNAL_MASK] && v.has[PROGRAM_IRQFD]);
}

/* arm64: plain numbers, and no vCPU to be had. */
static void test_variants__arm64(void **state)
{
	struct btf *kernel = kernel_new();
	struct variants v;

	TRACEPOINT(kernel, "kvm_exit", INT, INT, INT);
	TRACEPOINT(kernel, "kvm_entry", INT);
	v = decide(kernel, NULL);
	assert_int_equal(v.exit_args, EXIT_ARGS_NO_ISA);
	assert_false(v.entry_has_vcpu);
}

/* io_uring_complete: without a request (5.15), with one, and with its completion entry. */
static void test_variants__rings(void **state)
{
	struct btf *kernel = kernel_new();

	assert_int_equal(decide(kernel_new(), NULL).ring_args, RING_ARGS_NONE);
	TRACEPOINT(kernel, "io_uring_complete", POINTER, INT, INT, INT);
	assert_int_equal(decide(kernel, NULL).ring_args, RING_ARGS_NONE);
	kernel = kernel_new();
	TRACEPOINT(kernel, "io_uring_complete", POINTER, POINTER, INT, INT, INT, INT, INT);
	assert_int_equal(decide(kernel, NULL).ring_args, RING_ARGS_RES);
	kernel = kernel_new();
	TRACEPOINT(kernel, "io_uring_complete", POINTER, POINTER, POINTER);
	assert_int_equal(decide(kernel, NULL).ring_args, RING_ARGS_CQE);
}

/* Types are looked through their names: a typedef of a const pointer is a pointer. */
static void test_variants__looks_through_typedefs(void **state)
{
	struct btf *kernel = kernel_new();
	int id = btf__add_typedef(kernel, "vcpu_t", btf__add_const(kernel, POINTER));
	struct variants v;

	TRACEPOINT(kernel, "kvm_exit", id, INT);
	v = decide(kernel, NULL);
	assert_int_equal(v.exit_args, EXIT_ARGS_VCPU);
}

/* A kernel that says nothing of KVM, or nonsense: nothing is claimed that is not there. */
static void test_variants__silent_kernel(void **state)
{
	struct btf *kernel = kernel_new();
	struct variants v;

	assert_true(btf__add_typedef(kernel, "btf_trace_kvm_exit", INT) > 0);
	tracepoint(kernel, "sched_switch", NULL, 0);
	v = decide(kernel, NULL);
	assert_int_equal(v.exit_args, EXIT_ARGS_UNKNOWN);
	assert_true(v.entry_has_vcpu);
	assert_false(v.switch_has_state);
	assert_false(v.has[PROGRAM_SIGNAL] || v.has[PROGRAM_SIGNAL_MASK] || v.has[PROGRAM_IRQFD]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variants__linux_5_15),
		cmocka_unit_test(test_variants__linux_6_1),
		cmocka_unit_test(test_variants__kvm_built_in),
		cmocka_unit_test(test_variants__arm64),
		cmocka_unit_test(test_variants__rings),
		cmocka_unit_test(test_variants__looks_through_typedefs),
		cmocka_unit_test(test_variants__silent_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
