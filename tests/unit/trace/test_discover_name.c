// SPDX-License-Identifier: BSD-2-Clause
/* Which queue of which device: the layouts of the VMMs there are, and what no rule tells. */
#include <lib/tap.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <discover.h>

#define MAX_QUEUES 64

static const struct kick_key *mmio(uint64_t gpa)
{
	static struct kick_key key;

	key = (struct kick_key){ .gpa = gpa, .bus = BUS_MMIO };
	return &key;
}

static const struct kick_key *by_value(uint32_t bus, uint64_t gpa, uint64_t value)
{
	static struct kick_key key;

	key = (struct kick_key){ .gpa = gpa, .bus = bus | BUS_BY_VALUE, .value = value };
	return &key;
}

static int setup(void **state)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	vm->queue = calloc(MAX_QUEUES, sizeof(*vm->queue));
	*state = vm;
	return 0;
}

static int teardown(void **state)
{
	struct vm *vm = *state;

	free(vm->queue);
	free(vm);
	return 0;
}

/* The n-th queue made is known by its eventfd's id, n. */
static void add_queue(struct vm *vm, const struct kick_key *way)
{
	struct vm_queue *q = &vm->queue[vm->n_queues++];

	q->eventfd.id = vm->n_queues;
	q->way[q->n_ways++] = *way;
}

static void add_way(struct vm *vm, const struct kick_key *way)
{
	struct vm_queue *q = &vm->queue[vm->n_queues - 1];

	q->way[q->n_ways++] = *way;
}

/* The names in order, each with its evidence's first letter and its eventfd's id. */
static const char *names(struct vm *vm, const struct vm_names *by)
{
	static char text[2048];
	size_t n = 0;
	uint32_t i;

	vm_name_queues(vm, by);
	text[0] = '\0';
	for (i = 0; i < vm->n_queues; i++)
		n += snprintf(text + n, sizeof(text) - n, "%s%s.%u%c%u", i ? " " : "",
			      vm->queue[i].device, vm->queue[i].queue,
			      "aie"[vm->queue[i].name_evidence], vm -> queue[i].eventfd.id);
	return text;
}

/* QEMU's modern virtio-pci: four bytes to a queue from the page's begin, whatever the order of
 * registration. */
static void test_discover_name__four_bytes_apart(void **state)
{
	struct vm *vm = *state;

	add_queue(vm, mmio(0xfe003008));
	add_queue(vm, mmio(0xfe003000));
	add_queue(vm, mmio(0xfe003004));
	add_queue(vm, mmio(0xfe007000));
	assert_string_equal(names(vm, NULL), "0xfe003000.0i2 0xfe003000.1i3 0xfe003000.2i1 "
					     "0xfe007000.0i4");
	assert_non_null(strstr(vm->queue[0].name_reason, "4 bytes"));
	assert_non_null(strstr(vm->queue[3].name_reason, "as usual"));
}

/* A queue that is not there leaves a gap in the numbers, not in the count. */
static void test_discover_name__gap(void **state)
{
	struct vm *vm = *state;

	add_queue(vm, mmio(0xfe003000));
	add_queue(vm, mmio(0xfe003004));
	add_queue(vm, mmio(0xfe00300c));
	add_queue(vm, mmio(0xfe007004));
	assert_string_equal(names(vm, NULL), "0xfe003000.0i1 0xfe003000.1i2 0xfe003000.3i3 "
					     "0xfe007000.1i4");
}

/* QEMU's page-per-vq: a page to a queue. The next device's page is no further queue. */
static void test_discover_name__page_to_a_queue(void **state)
{
	struct vm *vm = *state;

	add_queue(vm, mmio(0xfe003000));
	add_queue(vm, mmio(0xfe004000));
	add_queue(vm, mmio(0xfe005000));
	add_queue(vm, mmio(0xfe803000));
	add_queue(vm, mmio(0xfe803004));
	add_queue(vm, mmio(0xfe804000));
	assert_string_equal(names(vm, NULL), "0xfe003000.0i1 0xfe003000.1i2 0xfe003000.2i3 "
					     "0xfe803000.0i4 0xfe803000.1i5 0xfe804000.0i6");
	assert_non_null(strstr(vm->queue[1].name_reason, "4096 bytes"));
}

/* rust-vmm and crosvm: notify registers anywhere in a page, counted from the first. */
static void test_discover_name__inside_a_page(void **state)
{
	struct vm *vm = *state;

	add_queue(vm, mmio(0x4000006800));
	add_queue(vm, mmio(0x4000006804));
	assert_string_equal(names(vm, NULL), "0x4000006000.0i1 0x4000006000.1i2");
}

/* A transitional device: the MMIO address first, and the number is the port's value. */
static void test_discover_name__legacy_too(void **state)
{
	struct vm *vm = *state;

	add_queue(vm, mmio(0xfe003004));
	add_way(vm, by_value(BUS_PIO, 0xc010, 1));
	add_queue(vm, mmio(0xfe003000));
	add_way(vm, by_value(BUS_PIO, 0xc010, 0));
	assert_string_equal(names(vm, NULL), "0xfe003000.0i2 0xfe003000.1i1");
	assert_non_null(strstr(vm->queue[0].name_reason, "port 0xc010"));
}

/* A guest's legacy driver: ports alone. */
static void test_discover_name__port_only(void **state)
{
	struct vm *vm = *state;

	add_queue(vm, by_value(BUS_PIO, 0xc010, 1));
	add_queue(vm, by_value(BUS_PIO, 0xc010, 0));
	add_queue(vm, by_value(BUS_PIO, 0xc050, 0));
	assert_string_equal(names(vm, NULL), "pio-0xc010.0i2 pio-0xc010.1i1 pio-0xc050.0i3");
}

/* Firecracker's virtio-mmio has a page to a device; QEMU's microvm puts eight into one. */
static void test_discover_name__virtio_mmio(void **state)
{
	struct vm *vm = *state;

	add_queue(vm, by_value(BUS_MMIO, 0xd0000050, 0));
	add_queue(vm, by_value(BUS_MMIO, 0xd0001050, 0));
	add_queue(vm, by_value(BUS_MMIO, 0xd0001050, 1));
	add_queue(vm, by_value(BUS_MMIO, 0xfeb00050, 0));
	add_queue(vm, by_value(BUS_MMIO, 0xfeb00250, 0));
	add_queue(vm, by_value(BUS_MMIO, 0xfeb00250, 1));
	assert_string_equal(names(vm, NULL), "0xd0000000.0i1 0xd0001000.0i2 0xd0001000.1i3 "
					     "0xfeb00000.0i4 0xfeb00200.0i5 0xfeb00200.1i6");
}

/* Registers of their own, and each has to be written with its number as well. */
static void test_discover_name__address_and_value(void **state)
{
	struct vm *vm = *state;

	add_queue(vm, by_value(BUS_MMIO, 0xd2000100, 0));
	add_queue(vm, by_value(BUS_MMIO, 0xd2000102, 1));
	add_queue(vm, by_value(BUS_MMIO, 0xd2000106, 3));
	assert_string_equal(names(vm, NULL), "0xd2000000.0i1 0xd2000000.1i2 0xd2000000.3i3");
}

/* Where no rule holds a number is its place, and says that it is nothing more. */
static void test_discover_name__no_rule(void **state)
{
	struct vm *vm = *state;

	add_queue(vm, mmio(0xfe003000));
	add_queue(vm, mmio(0xfe003004));
	add_queue(vm, mmio(0xfe003007));
	add_queue(vm, &(struct kick_key){ .gpa = 0x600, .bus = BUS_PIO });
	vm->queue[vm->n_queues++].eventfd.id = 5; /* no way to kick it */
	assert_string_equal(names(vm, NULL), "0xfe003000.0a1 0xfe003000.1a2 0xfe003000.2a3 "
					     "pio-0x600.0a4 unknown.0a5");
	assert_non_null(strstr(vm->queue[0].name_reason, "no rule"));
}

/* By QMP the device is exact, and how its queues were numbered is still said. */
static void test_discover_name__by_names(void **state)
{
	const struct vm_names by = {
		.n_ranges = 3,
		.range = { { "disk0", 0xfe000000, 0x4000, false },
			   { "net\n0", 0xfe004000, 0x4000, false },
			   { "old", 0xc000, 0x20, true } },
	};
	struct vm *vm = *state;

	add_queue(vm, mmio(0xfe003000));
	add_queue(vm, mmio(0xfe004000));
	add_queue(vm, mmio(0xfe004004));
	add_queue(vm, mmio(0xfe008000));
	add_queue(vm, by_value(BUS_PIO, 0xc010, 2));
	add_queue(vm, by_value(BUS_PIO, 0xc020, 0));
	assert_string_equal(names(vm, &by), "disk0.0e1 net?0.0e2 net?0.1e3 0xfe008000.0i4 "
					    "old.2e5 pio-0xc020.0i6");
	assert_non_null(strstr(vm->queue[1].name_reason, "device: by QMP; number: its notify"));
}

/* A queue given by hand takes its place among the others, once. */
static void test_discover_name__given(void **state)
{
	struct vm *vm = *state;
	struct kick_key way[5] = { *mmio(0xfe003000) };
	struct error err = { "" };

	add_queue(vm, mmio(0xfe003004));
	assert_int_equal(vm_add_given(vm, way, 1, &err), 0);
	assert_int_equal(vm->n_queues, 2);
	assert_int_equal(vm->evidence, EVIDENCE_INFERRED);
	assert_int_equal(vm->queue[0].way[0].gpa, 0xfe003000);
	assert_int_equal(vm->queue[0].eventfd.ctx, 0);
	assert_int_equal(vm->queue[1].queue, 1);
	assert_int_equal(vm_add_given(vm, way, 1, &err), -EEXIST);
	assert_int_equal(vm_add_given(vm, way, 0, &err), -EINVAL);
	assert_int_equal(vm_add_given(vm, way, QUEUE_WAYS + 1, &err), -EINVAL);
	assert_int_equal(vm->n_queues, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_discover_name__##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(four_bytes_apart),
		TEST(gap),
		TEST(page_to_a_queue),
		TEST(inside_a_page),
		TEST(legacy_too),
		TEST(port_only),
		TEST(virtio_mmio),
		TEST(address_and_value),
		TEST(no_rule),
		TEST(by_names),
		TEST(given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
