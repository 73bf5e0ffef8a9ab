// SPDX-License-Identifier: BSD-2-Clause
/* Programs are found by name among those this process holds: held_program.h. */
#include "held_program.h"

#include <lib/tap.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <handoff/compiler.h>

/* A descriptor of the program of this name that this process loaded: others may trace too. */
static int program_fd(const char *name)
{
	char path[64], line[128];
	struct bpf_prog_info info;
	unsigned int id;
	__u32 size;
	FILE *file;
	int i, fd;

	for (i = 0; i < 256; i++) {
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", i);
		file = fopen(path, "re");
		for (id = 0; file && !id && fgets(line, sizeof(line), file);)
			if (sscanf(line, "prog_id: %u", &id) != 1)
				id = 0;
		if (file)
			fclose(file);
		fd = id ? bpf_prog_get_fd_by_id(id) : -1;
		size = sizeof(info);
		memset(&info, 0, sizeof(info));
		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) &&
		    !strcmp(info.name, name))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	fail_msg("%s is not loaded", name);
	return -1;
}

/* Looked for once: a test may run one some thousand times. */
static int program_kept(struct held_programs *h, const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(h->program) && h->program[i].name; i++)
		if (!strcmp(h->program[i].name, name))
			return h->program[i].fd;
	assert_true(i < ARRAY_SIZE(h->program));
	h->program[i].name = name;
	h->program[i].fd = program_fd(name);
	return h->program[i].fd;
}

void held_run(struct held_programs *h, const char *name, int n, const uint64_t *args)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = n * sizeof(*args));

	assert_int_equal(bpf_prog_test_run_opts(program_kept(h, name), &opts), 0);
}

void held_release(struct held_programs *h)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(h->program) && h->program[i].name; i++)
		close(h->program[i].fd);
	memset(h, 0, sizeof(*h));
}
