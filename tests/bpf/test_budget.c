// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every program passes the verifier, within the number of instructions that bpf/budget.txt allows
 * it. The verifier's work grows with paths, not with lines: a small change can multiply it, and old
 * kernels stop at a limit.
 */
#include "privileged.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/libbpf.h>
#include <abi/config.h>

#define MAX_PROGRAMS 64

#define LINKED "bpf/linked/handoff.o"

struct budget {
	char name[32];
	char object[40]; /* below the build folder */
	unsigned int insns;
	bool optional; /* function hooks: not every kernel takes them */
	bool seen;
};

/* A line "object FILE" says where the programs of the lines after it are. */
static unsigned int read_budget(struct budget budget[MAX_PROGRAMS])
{
	char line[200], optional[16], object[40] = LINKED;
	FILE *f = fopen("bpf/budget.txt", "re");
	unsigned int n = 0;
	int fields;

	assert_non_null(f);
	while (n < MAX_PROGRAMS && fgets(line, sizeof(line), f)) {
		if (line[0] == '#' || sscanf(line, "object %39s", object) == 1)
			continue;
		fields = sscanf(line, "%31s %u %15s", budget[n].name, &budget[n].insns, optional);
		if (fields < 2)
			continue;
		budget[n].optional = fields == 3 && !strcmp(optional, "optional");
		memcpy(budget[n].object, object, sizeof(object));
		n++;
	}
	fclose(f);
	return n;
}

/* The programs that trace ask for what they are told of the kernel before they are loaded. */
static void configure(struct bpf_object *object)
{
	const struct trace_config config = { .tgid = 1,
					     .switch_has_state = 1,
					     .entry_has_vcpu = 1,
					     .lost_after_ns = 1,
					     .foreign = 1,
					     .ring_args = RING_ARGS_CQE,
					     .waits = 1 };
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata");
	void *rodata;
	size_t size;

	assert_non_null(map);
	/* What there is beside it is zero, and static: config comes first. */
	rodata = (void *)bpf_map__initial_value(map, &size);
	assert_true(rodata && size >= sizeof(config));
	memcpy(rodata, &config, sizeof(config));
}

static struct bpf_object *open_object(const char *file, const char *only,
				      struct bpf_program **found)
{
	char path[4096];
	struct bpf_object *object = bpf_object__open_file(built(file, path), NULL);
	struct bpf_program *p;

	if (libbpf_get_error(object))
		fail_msg("%s: not there or no BPF object", path);
	*found = NULL;
	bpf_object__for_each_program(p, object)
	{
		bool it = !strcmp(bpf_program__name(p), only);

		bpf_program__set_autoload(p, it);
		if (it)
			*found = p;
	}
	if (!strcmp(file, LINKED))
		configure(object);
	return object;
}

/* Instructions the verifier looked at; -1 if it refuses the program (or the kernel its kind). */
static long verify(const struct budget *budget)
{
	size_t size = 1 << 20;
	char *log = calloc(1, size), *said;
	struct bpf_program *p;
	struct bpf_object *object = open_object(budget->object, budget->name, &p);
	long insns = -1;

	assert_non_null(p);
	/* Level 4: the summary alone. */
	bpf_program__set_log_level(p, 4);
	bpf_program__set_log_buf(p, log, size);
	if (!bpf_object__load(object)) {
		said = strstr(log, "processed ");
		assert_non_null(said);
		insns = strtol(said + strlen("processed "), NULL, 10);
	}
	bpf_object__close(object);
	free(log);
	return insns;
}

/* Each program of the table within its budget. */
static void test_budget__programs_are_within(void **state)
{
	struct budget budget[MAX_PROGRAMS] = { 0 };
	unsigned int n, i, over = 0, refused = 0;
	long insns;

	NEED_PRIVILEGE();
	n = read_budget(budget);
	assert_true(n > 10);
	for (i = 0; i < n; i++) {
		insns = verify(&budget[i]);
		print_message("# %-16s %6ld of %6u%s\n", budget[i].name, insns, budget[i].insns,
			      insns < 0 ? " (not taken by this kernel)" : "");
		refused += insns < 0 && !budget[i].optional;
		over += insns > (long)budget[i].insns;
	}
	assert_int_equal(refused, 0);
	assert_int_equal(over, 0);
}

/* No program of an object is without a budget, and no budget without a program. */
static void test_budget__table_is_complete(void **state)
{
	struct budget budget[MAX_PROGRAMS] = { 0 };
	unsigned int n = read_budget(budget), i, j;
	struct bpf_object *object;
	struct bpf_program *p;
	char why[400];

	privileged(why); /* silences libbpf */
	for (j = 0; j < n; j++) {
		if (j && !strcmp(budget[j].object, budget[j - 1].object))
			continue;
		object = open_object(budget[j].object, "", &p);
		bpf_object__for_each_program(p, object)
		{
			for (i = 0; i < n && strcmp(budget[i].name, bpf_program__name(p)); i++)
				;
			if (i == n)
				fail_msg("%s is not in bpf/budget.txt", bpf_program__name(p));
			budget[i].seen = true;
		}
		bpf_object__close(object);
	}
	for (i = 0; i < n; i++)
		if (!budget[i].seen)
			fail_msg("%s of bpf/budget.txt is no program", budget[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget__programs_are_within),
		cmocka_unit_test(test_budget__table_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
