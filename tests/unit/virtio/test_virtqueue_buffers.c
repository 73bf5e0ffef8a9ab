// SPDX-License-Identifier: BSD-2-Clause
/*
 * What can be wrong with the buffers of a chain: on both layouts, with the chain in the ring and in
 * an indirect table. What can be wrong with descriptors is each layout's own:
 * test_virtqueue_defects.c, test_virtqueue_packed_defects.c.
 */
#include "ring_fixture.h"

#include <errno.h>

#define SIZE 8

/* The queue breaks by `defect`, consumes nothing, and stays broken and quiet. */
static void assert_refused(struct fixture *f, const struct guest_buffer *chain, unsigned int n,
			   unsigned int max_sg, enum virtqueue_defect defect)
{
	unsigned int by_table, i;

	for (by_table = 0; by_table < 2; by_table++) {
		start(f, SIZE, true);
		if (by_table)
			guest_ring_add_indirect(&f->ring, chain, n, TABLE_GPA);
		else
			guest_ring_add(&f->ring, chain, n);
		guest_ring_publish(&f->ring);
		for (i = 0; i < 2; i++) {
			assert_int_equal(vring_pop(&f->vr, f->elem, max_sg), -EPROTO);
			assert_int_equal(f->vr.defect, defect);
			assert_int_equal(f->vr.in_use, 0);
			assert_true(vring_empty(&f->vr));
		}
	}
}

/* Buffers that are not in RAM, wholly or by their last byte, or whose end overflows. */
static void test_virtqueue__rejects_bad_buffer_address(void **state)
{
	static const struct guest_buffer bad[] = {
		{ RAM_BYTES, 1, true },	    { RAM_BYTES - 511, 512, true },
		{ ~0ull, 1, true },	    { ~0ull - 1, 16, true },
		{ 0, RAM_BYTES + 1, true }, { BUFFER_GPA, 0xffffffff, true },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_refused(*state, &bad[i], 1, SIZE, VIRTQUEUE_BAD_ADDRESS);
}

/* A buffer of no bytes is no buffer. */
static void test_virtqueue__rejects_zero_length(void **state)
{
	static const struct guest_buffer chain[] = { { BUFFER_GPA, 16, false },
						     { BUFFER_GPA, 0, true } };

	assert_refused(*state, chain, 2, SIZE, VIRTQUEUE_ZERO_LENGTH);
}

/* What the device reads comes before what it writes (virtio 1.2, 2.7.4.2, 2.8.17). */
static void test_virtqueue__rejects_readable_after_writable(void **state)
{
	static const struct guest_buffer chain[] = { { BUFFER_GPA, 16, true },
						     { BUFFER_GPA, 16, false } };

	assert_refused(*state, chain, 2, SIZE, VIRTQUEUE_BAD_ORDER);
}

/* More buffers than the caller has room for. */
static void test_virtqueue__rejects_too_many_buffers(void **state)
{
	static const struct guest_buffer chain[] = { { BUFFER_GPA, 16, false },
						     { BUFFER_GPA, 16, false },
						     { BUFFER_GPA, 16, true } };

	assert_refused(*state, chain, 3, 2, VIRTQUEUE_TOO_MANY_BUFFERS);
}

/* Buffers may overlap, but a chain has at most 4 GiB in all; exactly that passes. */
static void test_virtqueue__rejects_more_than_4_gib(void **state)
{
	struct fixture *f = *state;
	uint64_t size = 2ull << 30;
	struct guest_buffer chain[5] = { { 0, 1u << 30, false },
					 { 0, 1u << 30, false },
					 { 0, 1u << 30, false },
					 { 0, 1u << 30, false },
					 { 0, 1, false } };

	guest_ram_free(f->ram);
	f->ram = guest_ram_new(size, size, NULL);
	assert_non_null(f->ram);
	start(f, SIZE, true);
	guest_ring_add(&f->ring, chain, 4);
	guest_ring_publish(&f->ring);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->elem->out_bytes, 4ull << 30);
	assert_refused(f, chain, 5, SIZE, VIRTQUEUE_TOO_MANY_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(rejects_bad_buffer_address),      BOTH(rejects_zero_length),
		BOTH(rejects_readable_after_writable), BOTH(rejects_too_many_buffers),
		BOTH(rejects_more_than_4_gib),
	};

	return cmocka_run_group_tests_name("virtqueue_buffers", tests, NULL, NULL);
}
