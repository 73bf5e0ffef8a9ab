/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run of the built-in guest on real KVM, for tests: a board made from a config, run to its end,
 * and what is left to judge: exit status, the guest's result line, and the stats page as a tracer
 * sees it.
 */
#ifndef TESTS_VM_RUN_H
#define TESTS_VM_RUN_H

#include <lib/tap.h>

#include <stdbool.h>
#include <abi/stats.h>
#include <handoff/machine.h>

#define MIB (1ull << 20)

struct vm_run {
	struct machine_config config;	    /* change it between vm_run_init and vm_run */
	void (*on_ready)(struct vm_run *r); /* when the guest has found its disk; main context */
	void *private;			    /* the test's */
	char path[MACHINE_MAX_DISKS][96];   /* of files made by vm_run_use_file */
	char load[512];			    /* config.append points here */
	/* after vm_run */
	int status;
	bool ready;	   /* the guest said that it found its disk */
	bool packed;	   /* and that it took the packed ring */
	char result[4096]; /* "" if it gave none */
	char last_line[4096];
	const struct stats_page *stats; /* final: the machine is gone */
};

/*
 * Skips the test if KVM is not to be had. One iothread "io0", one null disk of 64 MiB on it, 60 s
 * at most; printf-like load words.
 */
void vm_run_init(struct vm_run *r, const char *load, ...) __attribute__((format(printf, 2, 3)));
/*
 * The disks' rings are packed if the test is listed as VM_TEST_PACKED, split if as cmocka's own or
 * as both, VM_TEST_BOTH. Before others are made of disk 0.
 */
void vm_run_use_layout(struct vm_run *r, void **state);
#define VM_TEST_PACKED(name)                                                                       \
	{                                                                                          \
#name "_packed", name, NULL, NULL, (void *)"packed"                                \
	}
#define VM_TEST_BOTH(name) cmocka_unit_test(name), VM_TEST_PACKED(name)
/* Adds an iothread with the default poll time. */
void vm_run_add_iothread(struct vm_run *r, const char *id);
/* The disk becomes a file: a new one of `bytes` in a folder of the test's own. */
void vm_run_use_file(struct vm_run *r, unsigned int disk, uint64_t bytes);
/* Skips the test if the test's folder takes no O_DIRECT, as tmpfs before Linux 6.6. */
void vm_run_need_direct_io(void);
/* Boots these instructions (code.S) instead of the load guest. */
void vm_run_use_code(struct vm_run *r, const char *start, const char *end);
void vm_run(struct vm_run *r);
void vm_run_release(struct vm_run *r);

/* A number of the result line; fails the test if it is not there. */
uint64_t vm_run_word(const struct vm_run *r, const char *word);
/* The run ended well and the guest found nothing wrong with its data or its ring. */
void vm_run_assert_clean(const struct vm_run *r);
/* The sum of a counter over all queues. */
#define vm_run_sum(r, counter)                                                                     \
	({                                                                                         \
		uint64_t sum_ = 0;                                                                 \
		for (unsigned int i_ = 0; i_ < STATS_MAX_QUEUES; i_++)                             \
			sum_ += (r)->stats->queue[i_].counter;                                     \
		sum_;                                                                              \
	})
/*
 * What the guest counted and what the device counted are the same numbers, outcomes add up, and the
 * ring is of the layout that disk 0 offers.
 */
void vm_run_assert_exact(const struct vm_run *r);

/* vm_run, and both of these hold. */
void vm_run_well(struct vm_run *r);

/* The folder of the test's own; removed by the group teardown. */
const char *vm_run_folder(void);
int vm_run_group_setup(void **state);
int vm_run_group_teardown(void **state);

#endif
