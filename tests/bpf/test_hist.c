// SPDX-License-Identifier: BSD-2-Clause
/* Histogram arithmetic is the same in BPF and in user space, value by value. */
#include "privileged.h"

#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <abi/hist.h>

struct fixture {
	struct bpf_object *object;
	int program, bss;
	char *copy; /* of the object's globals */
	const uint32_t *index;
	const uint64_t *upper;
	struct hist *hist, *shared, *alone;
};

/* Where a global lies in the copy, by the BTF of its section. */
static void *global(struct fixture *f, const char *name)
{
	const struct btf *btf = bpf_object__btf(f->object);
	int id = btf__find_by_name_kind(btf, ".bss", BTF_KIND_DATASEC), i;
	const struct btf_type *section = btf__type_by_id(btf, id), *var;
	const struct btf_var_secinfo *v = btf_var_secinfos(section);

	for (i = 0; i < btf_vlen(section); i++, v++) {
		var = btf__type_by_id(btf, v->type);
		if (!strcmp(btf__name_by_offset(btf, var->name_off), name))
			return f->copy + v->offset;
	}
	return NULL;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[4096], why[400];
	struct bpf_map *map;

	*state = f;
	if (!privileged(why))
		return 0;
	f->object = bpf_object__open_file(built("tests/bpf/programs/hist.bpf.o", path), NULL);
	if (libbpf_get_error(f->object) || bpf_object__load(f->object))
		return -1;
	f->program = bpf_program__fd(bpf_object__find_program_by_name(f->object, "hist_one"));
	map = bpf_object__find_map_by_name(f->object, ".bss");
	if (f->program < 0 || !map)
		return -1;
	f->bss = bpf_map__fd(map);
	f->copy = calloc(1, bpf_map__value_size(map));
	f->index = global(f, "bucket");
	f->upper = global(f, "upper");
	f->hist = global(f, "hist");
	f->shared = global(f, "shared");
	f->alone = global(f, "alone");
	return f->index && f->upper && f->hist && f->shared && f->alone ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bpf_object__close(f->object);
	free(f->copy);
	free(f);
	return 0;
}

static void compare(struct fixture *f, struct hist *model, uint64_t ns)
{
	uint64_t args[1] = { ns };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));
	uint32_t zero = 0, index = hist_index(ns);

	assert_int_equal(bpf_prog_test_run_opts(f->program, &opts), 0);
	assert_int_equal(bpf_map_lookup_elem(f->bss, &zero, f->copy), 0);
	hist_add(model, ns);
	if (*f->index != index || *f->upper != hist_upper(index))
		fail_msg("%llu ns: BPF says bucket %u up to %llu, user space %u up to %llu",
			 (unsigned long long)ns, *f->index, (unsigned long long)*f->upper, index,
			 (unsigned long long)hist_upper(index));
	assert_memory_equal(f->hist, model, sizeof(*model));
	/* These keep the minimum + 1, 0 being none, and leave the count to whoever reads the
	 * buckets; the largest value has no + 1. */
	assert_true(f->shared->count == 0 && f->alone->count == 0);
	f->shared->count = f->alone->count = model->count;
	if (ns != ~0ull)
		f->shared->min_ns--;
	f->alone->min_ns--;
	assert_memory_equal(f->shared, model, sizeof(*model));
	assert_memory_equal(f->alone, model, sizeof(*model));
}

/* Every power of two with its neighbours, the edges of every bucket, and the two ends. */
static void test_hist__same_in_bpf_and_user_space(void **state)
{
	struct hist *model = calloc(1, sizeof(*model));
	struct fixture *f = *state;
	unsigned int i;

	NEED_PRIVILEGE();
	for (i = 0; i < 64; i++) {
		compare(f, model, (1ull << i) - 1);
		compare(f, model, 1ull << i);
		compare(f, model, (1ull << i) + 1);
	}
	for (i = 0; i < HIST_BUCKETS; i++) {
		compare(f, model, hist_upper(i));
		compare(f, model, hist_upper(i) + 1);
	}
	compare(f, model, 0);
	compare(f, model, ~0ull);
	assert_int_equal(model->count, 64 * 3 + HIST_BUCKETS * 2 + 2);
	free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hist__same_in_bpf_and_user_space),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
