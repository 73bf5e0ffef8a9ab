// SPDX-License-Identifier: BSD-2-Clause
/*
 * Virtqueues with a well-behaved driver: chains, used ring, notifications both ways. Each test runs
 * on both layouts but where it is about one. No threads.
 */
#include "ring_fixture.h"

#include <string.h>

/* A queue that was never started has nothing and does nothing. */
static void test_virtqueue__does_nothing_when_not_started(void **state)
{
	struct fixture *f = *state;

	vring_stop(&f->vr);
	f->vr.layout.packed = f->packed;
	assert_true(vring_empty(&f->vr));
	assert_int_equal(pop(f), 0);
	vring_set_notification(&f->vr, true);
	vring_fill(&f->vr, (struct virtqueue_chain){ 0, 1 }, 0);
	vring_flush(&f->vr);
	assert_false(vring_should_notify(&f->vr));
}

/* A direct chain comes out with its buffers in order, translated, and split by direction. */
static void test_virtqueue__pops_direct_chain(void **state)
{
	struct fixture *f = *state;
	const struct guest_buffer chain[] = {
		{ BUFFER_GPA, 16, false },
		{ BUFFER_GPA + 0x1000, 1024, false },
		{ BUFFER_GPA + 0x2001, 1, true },
	};
	int head = guest_ring_add(&f->ring, chain, 3);

	assert_true(vring_empty(&f->vr));
	assert_int_equal(pop(f), 0);
	guest_ring_publish(&f->ring);
	assert_false(vring_empty(&f->vr));
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->elem->chain.head, head);
	assert_int_equal(f->elem->out_num, 2);
	assert_int_equal(f->elem->in_num, 1);
	assert_int_equal(f->elem->out_bytes, 1040);
	assert_int_equal(f->elem->in_bytes, 1);
	assert_ptr_equal(f->elem->out_sg[1].iov_base,
			 guest_ram_hva(f->ram, BUFFER_GPA + 0x1000, 1));
	assert_int_equal(f->elem->out_sg[1].iov_len, 1024);
	assert_ptr_equal(f->elem->in_sg[0].iov_base, guest_ram_hva(f->ram, BUFFER_GPA + 0x2001, 1));
	assert_true(vring_empty(&f->vr));
	assert_int_equal(f->vr.in_use, f->packed ? 3 : 1);
}

static const struct guest_buffer read_4k[] = {
	{ BUFFER_GPA, 16, false },
	{ BUFFER_GPA + 0x1000, 4096, true },
	{ BUFFER_GPA + 0x3000, 1, true },
};

/* An indirect table, unaligned in memory, counts as the chain itself, and takes one place. */
static void test_virtqueue__pops_indirect_chain(void **state)
{
	struct fixture *f = *state;
	int head = guest_ring_add_indirect(&f->ring, read_4k, 3, TABLE_GPA + 3);

	guest_ring_publish(&f->ring);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->elem->chain.head, head);
	assert_int_equal(f->elem->out_num, 1);
	assert_int_equal(f->elem->in_num, 2);
	assert_int_equal(f->elem->in_bytes, 4097);
	assert_int_equal(f->vr.in_use, 1);
}

/* Split: a table may end a chain of other descriptors. */
static void test_virtqueue__pops_table_behind_descriptor(void **state)
{
	struct fixture *f = *state;
	int head = guest_ring_add_indirect(&f->ring, read_4k, 3, TABLE_GPA);

	/* A descriptor of the ring before it: its flags and next are set by hand. */
	f->ring.desc[7] = (struct vring_desc){ BUFFER_GPA + 0x5000, 8, VRING_DESC_F_NEXT, head };
	guest_ring_offer(&f->ring, 7);
	guest_ring_publish(&f->ring);
	assert_int_equal(pop(f), 1);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->elem->chain.head, 7);
	assert_int_equal(f->elem->out_bytes, 24);
	assert_int_equal(f->elem->in_bytes, 4097);
}

/*
 * A driver that was short of memory uses fewer places than it was offered. Its tables may be as
 * long as the device said all the same.
 */
static void test_virtqueue__table_may_exceed_reduced_queue(void **state)
{
	struct fixture *f = *state;
	struct guest_buffer chain[16];
	unsigned int i;

	for (i = 0; i < 16; i++)
		chain[i] = (struct guest_buffer){ BUFFER_GPA + i * 512, 512, true };
	f->ring.layout.max_chain = 16;
	assert_int_equal(vring_start(&f->vr, f->ram, &f->ring.layout), VIRTQUEUE_OK);
	assert_true(guest_ring_add_indirect(&f->ring, chain, 16, TABLE_GPA) >= 0);
	guest_ring_publish(&f->ring);
	assert_int_equal(vring_pop(&f->vr, f->elem, 16), 1);
	assert_int_equal(f->elem->in_num, 16);
}

/* A chain may be as long as the queue, directly and by a table. */
static void test_virtqueue__pops_chain_of_queue_size(void **state)
{
	struct fixture *f = *state;
	struct guest_buffer chain[8];
	unsigned int i;

	for (i = 0; i < 8; i++)
		chain[i] = (struct guest_buffer){ BUFFER_GPA + i * 512, 512, i >= 4 };
	assert_true(guest_ring_add(&f->ring, chain, 8) >= 0);
	guest_ring_publish(&f->ring);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->elem->out_num, 4);
	assert_int_equal(f->elem->in_num, 4);

	start(f, 8, false);
	assert_true(guest_ring_add_indirect(&f->ring, chain, 8, TABLE_GPA) >= 0);
	guest_ring_publish(&f->ring);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->elem->in_num, 4);
}

/* A buffer across the end of one RAM range and the start of the next becomes two iovecs. */
static void test_virtqueue__splits_buffer_at_ram_boundary(void **state)
{
	struct fixture *f = *state;
	uint64_t low = 1ull << 32;
	struct guest_ram *ram = guest_ram_new(low + (4u << 20), low, NULL);
	struct guest_buffer buffer = { low - 0x1000, 0x3000, true };
	struct guest_ring ring;

	assert_non_null(ram);
	guest_ring_init(&ring, ram, RING_GPA, 8, f->packed ? GUEST_RING_PACKED : 0);
	assert_int_equal(vring_start(&f->vr, ram, &ring.layout), VIRTQUEUE_OK);
	guest_ring_add(&ring, &buffer, 1);
	guest_ring_publish(&ring);
	assert_int_equal(vring_pop(&f->vr, f->elem, 2), 1);
	assert_int_equal(f->elem->in_num, 2);
	assert_int_equal(f->elem->in_bytes, 0x3000);
	assert_int_equal(f->elem->in_sg[0].iov_len, 0x1000);
	assert_int_equal(f->elem->in_sg[1].iov_len, 0x2000);
	assert_ptr_equal(f->elem->in_sg[1].iov_base, guest_ram_hva(ram, low, 0x2000));
	guest_ram_free(ram);
}

/* A popped chain that is given back comes out again, with the same head. */
static void test_virtqueue__unpop_gives_chain_back(void **state)
{
	struct fixture *f = *state;
	int first = guest_ring_add(&f->ring, read_4k, 3), second = add(f, 1024, true);
	struct virtqueue_chain chain;

	guest_ring_publish(&f->ring);
	assert_int_equal(pop(f), 1);
	chain = f->elem->chain;
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->elem->chain.head, second);
	vring_unpop(&f->vr, f->elem->chain);
	vring_unpop(&f->vr, chain);
	assert_int_equal(f->vr.in_use, 0);
	assert_false(vring_empty(&f->vr));
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->elem->chain.head, first);
	assert_int_equal(f->elem->in_bytes, 4097);
}

/* Filled elements show up all at once by one flush, in the order they were filled. */
static void test_virtqueue__flush_publishes_filled_elements_together(void **state)
{
	struct fixture *f = *state;
	uint32_t head, len;
	int i, heads[3];

	heads[0] = guest_ring_add(&f->ring, read_4k, 3);
	heads[1] = add(f, 512, true);
	heads[2] = guest_ring_add(&f->ring, read_4k, 3);
	guest_ring_publish(&f->ring);
	for (i = 0; i < 3; i++) {
		assert_int_equal(pop(f), 1);
		vring_fill(&f->vr, f->elem->chain, 100 + i);
	}
	assert_false(guest_ring_take_used(&f->ring, &head, &len));
	vring_flush(&f->vr);
	for (i = 0; i < 3; i++) {
		assert_true(guest_ring_take_used(&f->ring, &head, &len));
		assert_int_equal(head, heads[i]);
		assert_int_equal(len, 100 + i);
	}
	assert_int_equal(f->vr.in_use, 0);
	assert_false(guest_ring_take_used(&f->ring, &head, &len));
}

/* Indices run through 65535 and on; nothing is lost at the wrap, whatever the size. */
static void test_virtqueue__indices_wrap(void **state)
{
	static const uint16_t sizes[] = { 1, 2, 8, 1024 };
	struct fixture *f = *state;
	unsigned int i, s;

	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		start(f, sizes[s], true);
		for (i = 0; i < 70000; i++)
			round_trip(f);
		assert_int_equal(f->vr.defect, VIRTQUEUE_OK);
		if (f->packed)
			continue;
		assert_int_equal(f->vr.split.last_avail_idx, (uint16_t)70000);
		assert_int_equal(f->vr.split.used_idx, (uint16_t)70000);
	}
}

/* Without EVENT_IDX the guest's NO_INTERRUPT flag decides, each time anew. */
static void test_virtqueue__no_interrupt_flag_suppresses(void **state)
{
	struct fixture *f = *state;

	round_trip(f);
	assert_true(vring_should_notify(&f->vr));
	guest_ring_want_interrupt(&f->ring, false);
	round_trip(f);
	assert_false(vring_should_notify(&f->vr));
	guest_ring_want_interrupt(&f->ring, true);
	assert_true(vring_should_notify(&f->vr));
}

/* With EVENT_IDX an interrupt is due when, and only when, used_event was passed since the last
 * question. */
static void test_virtqueue__event_idx_interrupts_once_when_passed(void **state)
{
	struct fixture *f = *state;
	unsigned int i, due = 0;

	start(f, 8, true);
	/* The first judgement has nothing to compare with: yes. */
	round_trip(f);
	assert_true(vring_should_notify(&f->vr));
	guest_ring_want_interrupt_after(&f->ring, 2);
	for (i = 0; i < 6; i++) {
		round_trip(f);
		if (vring_should_notify(&f->vr)) {
			due++;
			assert_int_equal(i, 2);
		}
	}
	assert_int_equal(due, 1);
	assert_false(vring_should_notify(&f->vr));
}

/* used_event is compared modulo 2^16: right around the wrap. */
static void test_virtqueue__event_idx_wraps(void **state)
{
	struct fixture *f = *state;
	unsigned int i, due = 0;

	start(f, 8, true);
	for (i = 0; i < 65530; i++)
		round_trip(f);
	vring_should_notify(&f->vr);
	f->ring.avail->ring[8] = 2; /* twelve completions from 65530 on pass it at used_idx 3 */
	for (i = 0; i < 12; i++) {
		round_trip(f);
		if (vring_should_notify(&f->vr)) {
			due++;
			assert_int_equal(f->vr.split.used_idx, 3);
		}
	}
	assert_int_equal(due, 1);
}

/* When 2^16 completions passed unjudged, the distance is unknown and an interrupt is sent. */
static void test_virtqueue__event_idx_unknown_distance_notifies(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	start(f, 8, true);
	round_trip(f);
	vring_should_notify(&f->vr);
	f->ring.avail->ring[8] = 0x4000;
	for (i = 0; i < 65536; i++)
		round_trip(f);
	assert_true(vring_should_notify(&f->vr));
	assert_false(vring_should_notify(&f->vr));
}

/* Kicks off by flag: the driver sees NO_NOTIFY, and not when they are on. */
static void test_virtqueue__notification_flag(void **state)
{
	struct fixture *f = *state;

	assert_true(guest_ring_kick_needed(&f->ring));
	vring_set_notification(&f->vr, false);
	assert_false(guest_ring_kick_needed(&f->ring));
	vring_set_notification(&f->vr, true);
	assert_true(guest_ring_kick_needed(&f->ring));
}

/* Kicks off by EVENT_IDX writes nothing at all, neither at once nor by the pops that follow. */
static void test_virtqueue__notification_off_writes_nothing(void **state)
{
	struct fixture *f = *state;
	uint16_t *avail_event;
	unsigned int i;

	start(f, 8, true);
	avail_event = (uint16_t *)&f->ring.used->ring[8];
	*avail_event = 0x1234;
	vring_set_notification(&f->vr, false);
	for (i = 0; i < 20; i++)
		round_trip(f);
	assert_int_equal(*avail_event, 0x1234);
	assert_int_equal(f->ring.used->flags, 0);
}

/* EVENT_IDX on, the driver kicks for each chain it adds to an emptied queue; off, at most once in
 * 2^16, and in a packed ring never. */
static void test_virtqueue__event_idx_suppresses_kicks(void **state)
{
	struct fixture *f = *state;
	unsigned int i, kicks;

	start(f, 8, true);
	for (i = kicks = 0; i < 1000; i++) {
		add(f, 512, true);
		guest_ring_publish(&f->ring);
		kicks += guest_ring_kick_needed(&f->ring);
		assert_int_equal(pop(f), 1);
		vring_unpop(&f->vr, f->elem->chain);
		assert_int_equal(pop(f), 1);
		vring_fill(&f->vr, f->elem->chain, 0);
		vring_flush(&f->vr);
		guest_ring_take_used(&f->ring, &(uint32_t){ 0 }, &(uint32_t){ 0 });
	}
	assert_int_equal(kicks, 1000);
	vring_set_notification(&f->vr, false);
	for (i = kicks = 0; i < 60000; i++) {
		round_trip(f);
		kicks += guest_ring_kick_needed(&f->ring);
	}
	assert_int_equal(kicks, f->packed ? 0 : 1);
}

/* Turning kicks on again shows the driver the newest index: what it adds next is kicked for. */
static void test_virtqueue__enabling_catches_up(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	start(f, 8, true);
	vring_set_notification(&f->vr, false);
	for (i = 0; i < 5; i++)
		round_trip(f);
	guest_ring_kick_needed(&f->ring);
	vring_set_notification(&f->vr, true);
	assert_true(vring_empty(&f->vr));
	add(f, 512, true);
	guest_ring_publish(&f->ring);
	assert_true(guest_ring_kick_needed(&f->ring));
	assert_false(vring_empty(&f->vr));
}

/* Each defect has a name of its own for the log. */
static void test_virtqueue__defects_have_names(void **state)
{
	unsigned int i, j;

	for (i = 0; i < VIRTQUEUE_DEFECTS; i++)
		for (j = 0; j < i; j++)
			assert_string_not_equal(virtqueue_defect_name(i), virtqueue_defect_name(j));
	assert_string_equal(virtqueue_defect_name(VIRTQUEUE_DEFECTS), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(does_nothing_when_not_started),
		BOTH(pops_direct_chain),
		BOTH(pops_indirect_chain),
		SPLIT(pops_table_behind_descriptor),
		BOTH(table_may_exceed_reduced_queue),
		BOTH(pops_chain_of_queue_size),
		BOTH(splits_buffer_at_ram_boundary),
		BOTH(unpop_gives_chain_back),
		BOTH(flush_publishes_filled_elements_together),
		BOTH(indices_wrap),
		BOTH(no_interrupt_flag_suppresses),
		BOTH(event_idx_interrupts_once_when_passed),
		SPLIT(event_idx_wraps),
		SPLIT(event_idx_unknown_distance_notifies),
		BOTH(notification_flag),
		SPLIT(notification_off_writes_nothing),
		BOTH(event_idx_suppresses_kicks),
		BOTH(enabling_catches_up),
		SPLIT(defects_have_names),
	};

	return cmocka_run_group_tests_name("virtqueue", tests, NULL, NULL);
}
