// SPDX-License-Identifier: BSD-2-Clause
/* Packed virtqueue with a hostile driver: every defect, each by the smallest ring that has it. */
#include "ring_fixture.h"

#include <errno.h>

#define SIZE  8
#define NEXT  VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define TABLE VRING_DESC_F_INDIRECT

static void put(struct fixture *f, uint64_t gpa, uint32_t len, uint16_t flags)
{
	guest_ring_put(&f->ring, (struct vring_packed_desc){ gpa, len, 0, flags });
}

static void set_table(struct fixture *f, unsigned int i, uint64_t gpa, uint32_t len, uint16_t flags)
{
	struct vring_packed_desc *table = guest_ram_hva(f->ram, TABLE_GPA, 4096);

	table[i] = (struct vring_packed_desc){ gpa, len, 0, flags };
}

/* Of what was put: the queue breaks by `defect`, consumes nothing, and stays broken and quiet. */
static void assert_breaks(struct fixture *f, enum virtqueue_defect defect)
{
	struct vring_position at = f->vr.packed.avail;
	unsigned int in_use = f->vr.in_use;

	guest_ring_publish(&f->ring);
	assert_false(vring_empty(&f->vr));
	assert_int_equal(vring_pop(&f->vr, f->elem, VIRTQUEUE_ELEMENT_SG(SIZE)), -EPROTO);
	assert_int_equal(f->vr.defect, defect);
	assert_int_equal(f->vr.packed.avail.slot, at.slot);
	assert_int_equal(f->vr.packed.avail.wrap, at.wrap);
	assert_int_equal(f->vr.in_use, in_use);
	assert_true(vring_empty(&f->vr));
	assert_int_equal(vring_pop(&f->vr, f->elem, VIRTQUEUE_ELEMENT_SG(SIZE)), -EPROTO);
	assert_int_equal(f->vr.defect, defect);
}

static void assert_start_fails(struct fixture *f, const struct virtqueue_layout *layout)
{
	struct vring_state vr;

	assert_int_equal(vring_start(&vr, f->ram, layout), VIRTQUEUE_BAD_RING_ADDRESS);
	assert_int_equal(vr.defect, VIRTQUEUE_BAD_RING_ADDRESS);
	assert_true(vring_empty(&vr));
	assert_int_equal(vring_pop(&vr, f->elem, 1), 0);
}

/* Rings and event structures that end outside of RAM, even by one byte, do not start. */
static void test_virtqueue__rejects_ring_outside_of_ram(void **state)
{
	static const uint64_t bad[][3] = {
		{ RAM_BYTES - SIZE * 16 + 16, RING_GPA, RING_GPA },
		{ ~0ull - 15, RING_GPA, RING_GPA },
		{ RING_GPA, RAM_BYTES, RING_GPA },
		{ RING_GPA, RING_GPA, ~0ull - 3 },
	};
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct virtqueue_layout layout = {
			.desc_gpa = bad[i][0],
			.avail_gpa = bad[i][1],
			.used_gpa = bad[i][2],
			.size = SIZE,
			.packed = true,
		};

		assert_start_fails(f, &layout);
	}
	/* Up to the last byte is good. */
	f->ring.layout.desc_gpa = RAM_BYTES - SIZE * 16;
	f->ring.layout.avail_gpa = f->ring.layout.used_gpa = RAM_BYTES - 4;
	assert_int_equal(vring_start(&f->vr, f->ram, &f->ring.layout), VIRTQUEUE_OK);
}

/* Descriptors need 16 bytes, the event structures 4 (virtio 1.2, 2.8.10.1). */
static void test_virtqueue__rejects_misaligned_ring(void **state)
{
	struct fixture *f = *state;
	struct virtqueue_layout layout = f->ring.layout;

	layout.desc_gpa += 8;
	assert_start_fails(f, &layout);
	layout = f->ring.layout;
	layout.avail_gpa += 2;
	assert_start_fails(f, &layout);
	layout = f->ring.layout;
	layout.used_gpa += 2;
	assert_start_fails(f, &layout);
}

/* No size, or more than our limit. */
static void test_virtqueue__rejects_bad_size(void **state)
{
	static const uint16_t sizes[] = { 0, VIRTQUEUE_MAX_SIZE + 1, 0x8000, 0xffff };
	struct fixture *f = *state;
	struct virtqueue_layout layout = f->ring.layout;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		layout.size = sizes[i];
		assert_start_fails(f, &layout);
	}
}

/* A slot is made available again while the chain in it is in use. */
static void test_virtqueue__rejects_more_chains_than_size(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < SIZE; i++) {
		put(f, BUFFER_GPA, 512, 0);
		guest_ring_publish(&f->ring);
		assert_int_equal(pop(f), 1);
	}
	put(f, BUFFER_GPA, 512, 0);
	assert_breaks(f, VIRTQUEUE_AVAIL_JUMPED);
}

/* A list goes on into slots whose chain is in use. */
static void test_virtqueue__rejects_list_into_slots_in_use(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	put(f, BUFFER_GPA, 512, 0);
	guest_ring_publish(&f->ring);
	assert_int_equal(pop(f), 1);
	for (i = 0; i < SIZE; i++)
		put(f, BUFFER_GPA, 512, i + 1 < SIZE ? NEXT : 0);
	assert_breaks(f, VIRTQUEUE_AVAIL_JUMPED);
}

/* A list without an end: it is followed once round. */
static void test_virtqueue__rejects_endless_list(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < SIZE; i++)
		put(f, BUFFER_GPA, 512, NEXT);
	assert_breaks(f, VIRTQUEUE_LOOP);
}

static void test_virtqueue__rejects_table_outside_of_ram(void **state)
{
	struct fixture *f = *state;

	put(f, RAM_BYTES - 16, 32, TABLE);
	assert_breaks(f, VIRTQUEUE_BAD_ADDRESS);
}

/* Tables of no, half, or too many descriptors. */
static void test_virtqueue__rejects_bad_table_size(void **state)
{
	static const uint32_t lens[] = { 0, 8, 17, (SIZE + 1) * 16, 0xfffffff0 };
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		start(f, SIZE, true);
		put(f, TABLE_GPA, lens[i], TABLE);
		assert_breaks(f, VIRTQUEUE_INDIRECT_BAD_SIZE);
	}
}

static void test_virtqueue__rejects_table_not_negotiated(void **state)
{
	struct fixture *f = *state;

	f->ring.layout.indirect = false;
	assert_int_equal(vring_start(&f->vr, f->ram, &f->ring.layout), VIRTQUEUE_OK);
	set_table(f, 0, BUFFER_GPA, 16, 0);
	put(f, TABLE_GPA, 16, TABLE);
	assert_breaks(f, VIRTQUEUE_INDIRECT_NOT_NEGOTIATED);
}

/* A table is a list of its own: nothing behind it, nothing in front of it (2.8.19). */
static void test_virtqueue__rejects_table_in_list(void **state)
{
	struct fixture *f = *state;

	set_table(f, 0, BUFFER_GPA, 16, 0);
	put(f, TABLE_GPA, 16, TABLE | NEXT);
	put(f, BUFFER_GPA, 16, 0);
	assert_breaks(f, VIRTQUEUE_INDIRECT_CHAINED);
	start(f, SIZE, true);
	put(f, BUFFER_GPA, 16, NEXT);
	put(f, TABLE_GPA, 16, TABLE);
	assert_breaks(f, VIRTQUEUE_INDIRECT_CHAINED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PACKED(rejects_ring_outside_of_ram),
		PACKED(rejects_misaligned_ring),
		PACKED(rejects_bad_size),
		PACKED(rejects_more_chains_than_size),
		PACKED(rejects_list_into_slots_in_use),
		PACKED(rejects_endless_list),
		PACKED(rejects_table_outside_of_ram),
		PACKED(rejects_bad_table_size),
		PACKED(rejects_table_not_negotiated),
		PACKED(rejects_table_in_list),
	};

	return cmocka_run_group_tests_name("virtqueue_packed_defects", tests, NULL, NULL);
}
