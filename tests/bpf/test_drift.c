// SPDX-License-Identifier: BSD-2-Clause
/*
 * The programs meet kernels laid out otherwise than this one: CO-RE relocates them against BTF made
 * here (btf_custom_path), and the offsets of that BTF are found in what is loaded. What only a
 * running kernel can say (tracepoints' prototypes) is tests/unit/trace/test_variants.c's.
 */
#include "privileged.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <abi/config.h>

/* Offsets that nothing else in a program looks like. */
#define AT_EXIT_REASON 0x2a38
#define AT_VMCB	       0x2b48
#define AT_EXIT_CODE   0x170
#define AT_STATE       0x1b58

static int add_u32(struct btf *btf)
{
	int id = btf__add_int(btf, "unsigned int", 4, 0);

	assert_true(id > 0);
	return id;
}

/* A struct or union of `size` bytes with one field of ours in it. */
static int add_with(struct btf *btf, const char *name, bool is_union, const char *field, int type,
		    unsigned int at)
{
	int id = is_union ? btf__add_union(btf, name, 0x4000) : btf__add_struct(btf, name, 0x4000);

	assert_true(id > 0);
	assert_int_equal(btf__add_field(btf, field, type, at * 8, 0), 0);
	return id;
}

/* An Intel kernel, before and since the reason moved into vcpu_vt (6.16). */
static void intel(struct btf *btf, bool in_vt)
{
	int reason = add_with(btf, "vmx_exit_reason", true, "full", add_u32(btf), 0);

	if (in_vt)
		add_with(btf, "vcpu_vmx", false, "vt",
			 add_with(btf, "vcpu_vt", false, "exit_reason", reason, 8),
			 AT_EXIT_REASON - 8);
	else
		add_with(btf, "vcpu_vmx", false, "exit_reason", reason, AT_EXIT_REASON);
}

static void amd(struct btf *btf)
{
	int control =
		add_with(btf, "vmcb_control_area", false, "exit_code", add_u32(btf), AT_EXIT_CODE);
	int vmcb = add_with(btf, "vmcb", false, "control", control, 0);

	add_with(btf, "vcpu_svm", false, "vmcb", btf__add_ptr(btf, vmcb), AT_VMCB);
}

/* Before 5.14: a long called `state`. What the verifier compares with this kernel stays at home. */
static void old_task(struct btf *btf)
{
	static const char *const kept[] = { "pid", "tgid", "flags" };
	struct btf *here = btf__load_vmlinux_btf();
	int id, u32 = add_u32(btf), s64 = btf__add_int(btf, "long", 8, BTF_INT_SIGNED);
	const struct btf_member *m;
	const struct btf_type *t;
	unsigned int i, k;

	id = btf__find_by_name_kind(here, "task_struct", BTF_KIND_STRUCT);
	t = btf__type_by_id(here, id);
	assert_true(btf__add_struct(btf, "task_struct", 0x4000) > 0);
	for (i = 0, m = btf_members(t); i < btf_vlen(t); i++, m++)
		for (k = 0; k < 3; k++)
			if (!strcmp(btf__name_by_offset(here, m->name_off), kept[k]))
				assert_int_equal(btf__add_field(btf, kept[k], u32,
								btf_member_bit_offset(t, i), 0),
						 0);
	assert_int_equal(btf__add_field(btf, "state", s64, AT_STATE * 8, 0), 0);
	btf__free(here);
}

static void write_btf(struct btf *btf, char path[32])
{
	const void *data;
	__u32 size;
	int fd;

	snprintf(path, 32, "%s", "/tmp/handoff-btf.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	data = btf__raw_data(btf, &size);
	assert_non_null(data);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
	btf__free(btf);
}

/* Loads one program as on the kernel of `btf`, which is freed; NULL if that fails. */
static struct bpf_object *load(struct btf *btf, const char *name, struct bpf_program **found)
{
	const struct trace_config config = { .tgid = 1, .exit_args = EXIT_ARGS_VCPU };
	char object_path[4096], btf_path[32];
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = btf_path);
	struct bpf_object *object;
	struct bpf_program *p;
	size_t size;
	int ret;

	write_btf(btf, btf_path);
	object = bpf_object__open_file(built("bpf/linked/handoff.o", object_path), &opts);
	assert_int_equal(libbpf_get_error(object), 0);
	*found = bpf_object__find_program_by_name(object, name);
	assert_non_null(*found);
	bpf_object__for_each_program(p, object) bpf_program__set_autoload(p, p == *found);
	memcpy((void *)bpf_map__initial_value(bpf_object__find_map_by_name(object, ".rodata"),
					      &size),
	       &config, sizeof(config));
	ret = bpf_object__load(object);
	unlink(btf_path);
	if (!ret)
		return object;
	bpf_object__close(object);
	return NULL;
}

static bool mentions(const struct bpf_program *p, int number)
{
	const struct bpf_insn *insn = bpf_program__insns(p);
	size_t i;

	for (i = 0; i < bpf_program__insn_cnt(p); i++)
		if (insn[i].imm == number || insn[i].off == number)
			return true;
	return false;
}

static void expect(struct btf *btf, const char *name, int number, bool mentioned)
{
	struct bpf_program *p;
	struct bpf_object *object = load(btf, name, &p);

	assert_non_null(object);
	assert_int_equal(mentions(p, number), mentioned);
	bpf_object__close(object);
}

/* The exit reason of Intel is read where this kernel keeps it, whichever of the two. */
static void test_drift__vmx_reason_moved(void **state)
{
	unsigned int in_vt;
	struct btf *btf;

	NEED_PRIVILEGE();
	for (in_vt = 0; in_vt < 2; in_vt++) {
		btf = btf__new_empty();
		intel(btf, in_vt);
		expect(btf, "ho_exit_reason", AT_EXIT_REASON, true);
	}
}

/* AMD's lies behind a pointer. */
static void test_drift__svm_reason(void **state)
{
	struct btf *btf;

	NEED_PRIVILEGE();
	btf = btf__new_empty();
	amd(btf);
	expect(btf, "ho_exit_reason", AT_VMCB, true);
	btf = btf__new_empty();
	amd(btf);
	expect(btf, "ho_exit_reason", AT_EXIT_CODE, true);
}

/* A kernel that describes neither: the program loads all the same, and reads nothing. */
static void test_drift__no_reason(void **state)
{
	struct btf *btf;

	NEED_PRIVILEGE();
	btf = btf__new_empty();
	add_u32(btf);
	expect(btf, "ho_exit_reason", AT_EXIT_REASON, false);
}

/* task_struct.state of 5.13, and a sched_switch that does not tell it. */
static void test_drift__old_task_state(void **state)
{
	struct btf *btf;

	NEED_PRIVILEGE();
	btf = btf__new_empty();
	old_task(btf);
	expect(btf, "ho_switch", AT_STATE, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drift__vmx_reason_moved),
		cmocka_unit_test(test_drift__svm_reason),
		cmocka_unit_test(test_drift__no_reason),
		cmocka_unit_test(test_drift__old_task_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
