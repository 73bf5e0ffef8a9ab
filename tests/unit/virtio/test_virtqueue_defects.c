// SPDX-License-Identifier: BSD-2-Clause
/* Split virtqueue with a hostile driver: every defect, each by the smallest ring that has it. */
#include "ring_fixture.h"

#include <errno.h>

#define SIZE 8

static int setup_event_idx(void **state)
{
	setup_split(state);
	start(*state, SIZE, true);
	return 0;
}

static void set_desc(struct fixture *f, unsigned int i, uint64_t gpa, uint32_t len, uint16_t flags,
		     uint16_t next)
{
	f->ring.desc[i] = (struct vring_desc){ gpa, len, flags, next };
}

static void set_table(struct fixture *f, unsigned int i, uint64_t gpa, uint32_t len, uint16_t flags,
		      uint16_t next)
{
	struct vring_desc *table = guest_ram_hva(f->ram, TABLE_GPA, 4096);

	table[i] = (struct vring_desc){ gpa, len, flags, next };
}

/* The queue breaks by `defect`, consumes nothing, and stays broken and quiet. */
static void assert_breaks(struct fixture *f, uint16_t head, enum virtqueue_defect defect)
{
	guest_ring_offer(&f->ring, head);
	guest_ring_publish(&f->ring);
	assert_int_equal(vring_pop(&f->vr, f->elem, VIRTQUEUE_ELEMENT_SG(SIZE)), -EPROTO);
	assert_int_equal(f->vr.defect, defect);
	assert_int_equal(f->vr.split.last_avail_idx, 0);
	assert_int_equal(f->vr.in_use, 0);
	assert_true(vring_empty(&f->vr));
	assert_int_equal(vring_pop(&f->vr, f->elem, VIRTQUEUE_ELEMENT_SG(SIZE)), -EPROTO);
	assert_int_equal(f->vr.defect, defect);
}

static void assert_start_fails(struct fixture *f)
{
	struct vring_state vr;

	assert_int_equal(vring_start(&vr, f->ram, &f->ring.layout), VIRTQUEUE_BAD_RING_ADDRESS);
	assert_int_equal(vr.defect, VIRTQUEUE_BAD_RING_ADDRESS);
	assert_true(vring_empty(&vr));
	assert_int_equal(vring_pop(&vr, f->elem, 1), 0);
}

/* Rings that end outside of RAM, even by one byte, do not start. */
static void test_virtqueue__rejects_ring_outside_of_ram(void **state)
{
	struct fixture *f = *state;
	const struct virtqueue_layout good = f->ring.layout;

	f->ring.layout.desc_gpa = RAM_BYTES - SIZE * 16 + 16;
	assert_start_fails(f);
	f->ring.layout = good;
	f->ring.layout.avail_gpa = RAM_BYTES - (4 + SIZE * 2);
	assert_start_fails(f); /* its used_event would be outside */
	f->ring.layout = good;
	f->ring.layout.used_gpa = RAM_BYTES - (4 + SIZE * 8);
	assert_start_fails(f);
	f->ring.layout.used_gpa = ~0ull - 3;
	assert_start_fails(f);
	f->ring.layout = good;
	f->ring.layout.event_idx = false;
	f->ring.layout.used_gpa = RAM_BYTES - (4 + SIZE * 8);
	assert_int_equal(vring_start(&f->vr, f->ram, &f->ring.layout), VIRTQUEUE_OK);
}

/* Descriptors need 16 bytes, the available ring 2, the used ring 4 (virtio 1.2, 2.7). */
static void test_virtqueue__rejects_misaligned_ring(void **state)
{
	struct fixture *f = *state;
	const struct virtqueue_layout good = f->ring.layout;

	f->ring.layout.desc_gpa += 8;
	assert_start_fails(f);
	f->ring.layout = good;
	f->ring.layout.avail_gpa += 1;
	assert_start_fails(f);
	f->ring.layout = good;
	f->ring.layout.used_gpa += 2;
	assert_start_fails(f);
	f->ring.layout = good;
	f->ring.layout.avail_gpa += 2;
	f->ring.layout.used_gpa += 4;
	f->ring.layout.desc_gpa += 16;
	assert_int_equal(vring_start(&f->vr, f->ram, &f->ring.layout), VIRTQUEUE_OK);
}

/* Sizes that are no power of two, zero, or over the limit. */
static void test_virtqueue__rejects_bad_size(void **state)
{
	static const uint16_t sizes[] = { 0, 3, 7, 12, 1025, 2048, 0x8000, 0xffff };
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		f->ring.layout.size = sizes[i];
		assert_start_fails(f);
	}
}

/* avail.idx more than the size ahead, by one or by far. */
static void test_virtqueue__rejects_jumping_avail_index(void **state)
{
	static const uint16_t jumps[] = { SIZE + 1, 0x7fff, 0x8000, 0xffff };
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(jumps); i++) {
		assert_int_equal(vring_start(&f->vr, f->ram, &f->ring.layout), VIRTQUEUE_OK);
		set_desc(f, 0, BUFFER_GPA, 512, 0, 0);
		f->ring.avail_idx = jumps[i] - 1;
		assert_breaks(f, 0, VIRTQUEUE_AVAIL_JUMPED);
	}
}

/* Chains that are still in use count: no more than the size at a time, however they are offered. */
static void test_virtqueue__rejects_more_chains_than_size(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	set_desc(f, 0, BUFFER_GPA, 512, 0, 0);
	for (i = 0; i < SIZE; i++) {
		guest_ring_offer(&f->ring, 0);
		guest_ring_publish(&f->ring);
		assert_int_equal(vring_pop(&f->vr, f->elem, 1), 1);
	}
	guest_ring_offer(&f->ring, 0);
	guest_ring_publish(&f->ring);
	assert_int_equal(vring_pop(&f->vr, f->elem, 1), -EPROTO);
	assert_int_equal(f->vr.defect, VIRTQUEUE_AVAIL_JUMPED);
	assert_int_equal(f->vr.in_use, SIZE);
}

/* A head that is no descriptor. */
static void test_virtqueue__rejects_bad_head(void **state)
{
	assert_breaks(*state, SIZE, VIRTQUEUE_BAD_HEAD);
}

/* A next that is no descriptor, in the ring and in a table. */
static void test_virtqueue__rejects_bad_next(void **state)
{
	struct fixture *f = *state;

	set_desc(f, 0, BUFFER_GPA, 512, VRING_DESC_F_NEXT, 0xffff);
	assert_breaks(f, 0, VIRTQUEUE_BAD_NEXT);
}

static void test_virtqueue__rejects_bad_next_in_table(void **state)
{
	struct fixture *f = *state;

	/* Within the queue's size, but not within the table. */
	set_table(f, 0, BUFFER_GPA, 512, VRING_DESC_F_NEXT, 2);
	set_desc(f, 0, TABLE_GPA, 2 * 16, VRING_DESC_F_INDIRECT, 0);
	assert_breaks(f, 0, VIRTQUEUE_BAD_NEXT);
}

/* A chain that comes back to itself: at once, after a while, and within a table. */
static void test_virtqueue__rejects_looping_chain(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < SIZE; i++)
		set_desc(f, i, BUFFER_GPA, 512, VRING_DESC_F_NEXT, (i + 1) % SIZE);
	assert_breaks(f, 3, VIRTQUEUE_LOOP);
}

static void test_virtqueue__rejects_chain_to_itself(void **state)
{
	struct fixture *f = *state;

	set_desc(f, 5, BUFFER_GPA, 512, VRING_DESC_F_NEXT, 5);
	assert_breaks(f, 5, VIRTQUEUE_LOOP);
}

static void test_virtqueue__rejects_looping_table(void **state)
{
	struct fixture *f = *state;

	set_table(f, 0, BUFFER_GPA, 512, VRING_DESC_F_NEXT, 1);
	set_table(f, 1, BUFFER_GPA, 512, VRING_DESC_F_NEXT, 0);
	set_desc(f, 0, TABLE_GPA, 2 * 16, VRING_DESC_F_INDIRECT, 0);
	assert_breaks(f, 0, VIRTQUEUE_LOOP);
}

static void test_virtqueue__rejects_table_outside_of_ram(void **state)
{
	struct fixture *f = *state;

	set_desc(f, 0, RAM_BYTES - 16, 32, VRING_DESC_F_INDIRECT, 0);
	assert_breaks(f, 0, VIRTQUEUE_BAD_ADDRESS);
}

static void test_virtqueue__rejects_table_in_table(void **state)
{
	struct fixture *f = *state;

	set_table(f, 0, BUFFER_GPA, 16, VRING_DESC_F_NEXT, 1);
	set_table(f, 1, TABLE_GPA, 32, VRING_DESC_F_INDIRECT, 0);
	set_desc(f, 0, TABLE_GPA, 2 * 16, VRING_DESC_F_INDIRECT, 0);
	assert_breaks(f, 0, VIRTQUEUE_INDIRECT_NESTED);
}

/* Tables of no, half, or too many descriptors. */
static void test_virtqueue__rejects_bad_table_size(void **state)
{
	static const uint32_t lens[] = { 0, 8, 17, (SIZE + 1) * 16, 0xfffffff0 };
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		start(f, SIZE, true);
		set_desc(f, 0, TABLE_GPA, lens[i], VRING_DESC_F_INDIRECT, 0);
		assert_breaks(f, 0, VIRTQUEUE_INDIRECT_BAD_SIZE);
	}
}

static void test_virtqueue__rejects_table_not_negotiated(void **state)
{
	struct fixture *f = *state;

	f->ring.layout.indirect = false;
	assert_int_equal(vring_start(&f->vr, f->ram, &f->ring.layout), VIRTQUEUE_OK);
	set_table(f, 0, BUFFER_GPA, 16, 0, 0);
	set_desc(f, 0, TABLE_GPA, 16, VRING_DESC_F_INDIRECT, 0);
	assert_breaks(f, 0, VIRTQUEUE_INDIRECT_NOT_NEGOTIATED);
}

/* The descriptor that names a table ends the chain (virtio 1.2, 2.7.5.3.1). */
static void test_virtqueue__rejects_table_with_next(void **state)
{
	struct fixture *f = *state;

	set_table(f, 0, BUFFER_GPA, 16, 0, 0);
	set_desc(f, 0, TABLE_GPA, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1);
	set_desc(f, 1, BUFFER_GPA, 16, 0, 0);
	assert_breaks(f, 0, VIRTQUEUE_INDIRECT_CHAINED);
}

/* Ring and table together have more buffers than the caller has room for. */
static void test_virtqueue__rejects_too_many_buffers(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < SIZE; i++)
		set_table(f, i, BUFFER_GPA, 16, i < SIZE - 1 ? VRING_DESC_F_NEXT : 0, i + 1);
	for (i = 0; i < SIZE - 1; i++)
		set_desc(f, i, BUFFER_GPA, 16, VRING_DESC_F_NEXT, i + 1);
	set_desc(f, SIZE - 1, TABLE_GPA, SIZE * 16, VRING_DESC_F_INDIRECT, 0);
	assert_breaks(f, 0, VIRTQUEUE_TOO_MANY_BUFFERS);
}

#define T(name) cmocka_unit_test_setup_teardown(test_virtqueue__##name, setup_event_idx, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(rejects_ring_outside_of_ram),
		T(rejects_misaligned_ring),
		T(rejects_bad_size),
		T(rejects_jumping_avail_index),
		T(rejects_more_chains_than_size),
		T(rejects_bad_head),
		T(rejects_bad_next),
		T(rejects_bad_next_in_table),
		T(rejects_looping_chain),
		T(rejects_chain_to_itself),
		T(rejects_looping_table),
		T(rejects_table_outside_of_ram),
		T(rejects_table_in_table),
		T(rejects_bad_table_size),
		T(rejects_table_not_negotiated),
		T(rejects_table_with_next),
		T(rejects_too_many_buffers),
	};

	return cmocka_run_group_tests_name("virtqueue_defects", tests, NULL, NULL);
}
