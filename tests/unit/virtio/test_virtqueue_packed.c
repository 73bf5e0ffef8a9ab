// SPDX-License-Identifier: BSD-2-Clause
/*
 * What only a packed ring has, with a well-behaved driver: slots that follow each other, wrap
 * counters, ids, used descriptors, event places. What it shares with the split ring is tested in
 * test_virtqueue.c. No threads.
 */
#include "ring_fixture.h"

#include <string.h>

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED  (1u << VRING_PACKED_DESC_F_USED)

static int add_long(struct fixture *f, unsigned int n)
{
	struct guest_buffer chain[16];
	unsigned int i;

	for (i = 0; i < n; i++)
		chain[i] = (struct guest_buffer){ BUFFER_GPA + i * 512, 512, i > 0 };
	return guest_ring_add(&f->ring, chain, n);
}

/* Any size is good, and chains of any length cross its end wherever that is. */
static void test_virtqueue__sizes_need_no_power_of_two(void **state)
{
	static const uint16_t sizes[] = { 1, 3, 5, 7, 12, 100, 1000, 1023 };
	struct fixture *f = *state;
	unsigned int i, s, n;
	uint32_t head, len;

	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		start(f, sizes[s], s % 2);
		for (i = 0; i < 5000; i++) {
			n = 1 + i % MIN(sizes[s], 7);
			assert_int_equal(f->vr.packed.avail.slot, f->ring.avail_at.slot);
			assert_int_equal(f->vr.packed.avail.wrap, f->ring.avail_at.wrap);
			add_long(f, n);
			guest_ring_publish(&f->ring);
			assert_int_equal(pop(f), 1);
			assert_int_equal(f->elem->out_num + f->elem->in_num, n);
			assert_int_equal(f->elem->chain.slots, n);
			push(f, i);
			assert_true(guest_ring_take_used(&f->ring, &head, &len));
			assert_int_equal(len, i);
			assert_true(vring_empty(&f->vr));
		}
		assert_int_equal(f->ring.n_free, sizes[s]);
	}
}

/* Chains that end in another order than they began: both sides skip what each had taken. */
static void test_virtqueue__chains_end_in_any_order(void **state)
{
	static const unsigned int lengths[] = { 3, 1, 2, 1 }, order[] = { 2, 0, 3, 1 };
	struct fixture *f = *state;
	struct virtqueue_chain chain[4];
	unsigned int round, i;
	uint32_t head, len;

	start(f, 8, false);
	for (round = 0; round < 100; round++) {
		for (i = 0; i < 4; i++)
			add_long(f, lengths[i]);
		guest_ring_publish(&f->ring);
		for (i = 0; i < 4; i++) {
			assert_int_equal(pop(f), 1);
			assert_int_equal(f->elem->chain.slots, lengths[i]);
			chain[i] = f->elem->chain;
		}
		assert_int_equal(pop(f), 0);
		for (i = 0; i < 4; i++) {
			vring_fill(&f->vr, chain[order[i]], 1 + order[i]);
			vring_flush(&f->vr);
			assert_true(guest_ring_take_used(&f->ring, &head, &len));
			assert_int_equal(head, chain[order[i]].head);
			assert_int_equal(len, 1 + order[i]);
		}
		assert_int_equal(f->ring.n_free, 8);
		assert_int_equal(f->vr.in_use, 0);
	}
}

/* A full ring has nothing more, although every descriptor in it was made available. */
static void test_virtqueue__full_ring_is_empty_to_the_device(void **state)
{
	struct fixture *f = *state;
	unsigned int lap, i;

	for (lap = 0; lap < 4; lap++) {
		for (i = 0; i < 8; i++) {
			add(f, 512, true);
			guest_ring_publish(&f->ring);
			assert_int_equal(pop(f), 1);
		}
		assert_true(vring_empty(&f->vr));
		assert_int_equal(pop(f), 0);
		for (i = 0; i < 8; i++) {
			push(f, 1);
			assert_true(vring_empty(&f->vr));
		}
		for (i = 0; i < 8; i++)
			guest_ring_take_used(&f->ring, &(uint32_t){ 0 }, &(uint32_t){ 0 });
		/* One name came back eight times. */
		start(f, 8, lap % 2);
	}
}

/* An id is the guest's own affair: any value comes back as it was, that of a list from its last
 * descriptor. */
static void test_virtqueue__ids_are_opaque(void **state)
{
	static const uint16_t ids[] = { 0, 8, 0x7fff, 0x8000, 0xffff };
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		uint16_t slot = f->vr.packed.used.slot;

		guest_ring_put(&f->ring, (struct vring_packed_desc){ BUFFER_GPA, 16, 0xabc,
								     VRING_DESC_F_NEXT });
		guest_ring_put(&f->ring, (struct vring_packed_desc){ BUFFER_GPA, 16, ids[i],
								     VRING_DESC_F_WRITE });
		guest_ring_publish(&f->ring);
		assert_int_equal(pop(f), 1);
		assert_int_equal(f->elem->chain.head, ids[i]);
		push(f, 16);
		assert_int_equal(f->ring.packed[slot].id, ids[i]);
		assert_int_equal(f->ring.packed[slot].len, 16);
	}
}

/* WRITE in a used descriptor says that something was written; AVAIL and USED are the lap's. */
static void test_virtqueue__used_flags_tell_of_writing(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < 32; i++) {
		uint16_t lap = i / 8 % 2 ? 0 : AVAIL | USED;

		add(f, 512, true);
		guest_ring_publish(&f->ring);
		assert_int_equal(pop(f), 1);
		push(f, i % 3);
		assert_int_equal(f->ring.packed[i % 8].flags,
				 lap | (i % 3 ? VRING_DESC_F_WRITE : 0));
		guest_ring_take_used(&f->ring, &(uint32_t){ 0 }, &(uint32_t){ 0 });
	}
}

/* Every place the driver may wait at, from every place, by steps of one slot and of several. */
static void test_virtqueue__event_place_is_met_once(void **state)
{
	struct fixture *f = *state;
	unsigned int from, after, step, i, due;

	for (step = 1; step <= 3; step++) {
		for (from = 0; from < 14; from++) {
			for (after = 0; after < 7; after++) {
				start(f, 7, true);
				for (i = 0; i < from; i++)
					round_trip(f);
				vring_should_notify(&f->vr);
				guest_ring_want_interrupt_after(&f->ring, after);
				for (i = due = 0; i < 7; i += step) {
					add_long(f, step);
					guest_ring_publish(&f->ring);
					assert_int_equal(pop(f), 1);
					push(f, 1);
					guest_ring_take_used(&f->ring, &(uint32_t){ 0 },
							     &(uint32_t){ 0 });
					if (!vring_should_notify(&f->vr))
						continue;
					due++;
					assert_in_range(after, i, i + step - 1);
				}
				assert_int_equal(due, 1);
			}
		}
	}
}

/* When two laps passed unjudged every place was, whichever it is; a lap and less is exact. */
static void test_virtqueue__event_place_after_laps_unjudged(void **state)
{
	struct fixture *f = *state;
	unsigned int n;

	for (n = 1; n <= 100; n++) {
		start(f, 8, true);
		guest_ring_want_interrupt_after(&f->ring, 4);
		while (f->vr.packed.unjudged < MIN(n, 16))
			round_trip(f);
		assert_int_equal(vring_should_notify(&f->vr), n > 4);
		assert_false(vring_should_notify(&f->vr));
	}
}

/* A place that cannot be, or a wish that was not negotiated: rather an interrupt too many. */
static void test_virtqueue__nonsense_events_notify(void **state)
{
	struct fixture *f = *state;

	guest_ring_want_interrupt(&f->ring, false);
	f->ring.driver_event->flags = VRING_PACKED_EVENT_FLAG_DESC;
	round_trip(f);
	assert_true(vring_should_notify(&f->vr));
	f->ring.driver_event->flags = 3;
	assert_true(vring_should_notify(&f->vr));
	start(f, 8, true);
	f->ring.driver_event->flags = VRING_PACKED_EVENT_FLAG_DESC;
	f->ring.driver_event->off_wrap = 0x7fff;
	round_trip(f);
	assert_true(vring_should_notify(&f->vr));
}

/* Kicks on: the place is where the device will look next, at once and after each pop. */
static void test_virtqueue__event_place_of_kicks(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	start(f, 5, true);
	for (i = 0; i < 25; i++) {
		uint16_t place = i % 5 | (i / 5 % 2 ? 0 : 0x8000);

		assert_int_equal(f->ring.device_event->flags, VRING_PACKED_EVENT_FLAG_DESC);
		assert_int_equal(f->ring.device_event->off_wrap, place);
		round_trip(f);
		if (i % 3)
			continue;
		vring_set_notification(&f->vr, false);
		assert_int_equal(f->ring.device_event->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
		vring_set_notification(&f->vr, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PACKED(sizes_need_no_power_of_two),
		PACKED(chains_end_in_any_order),
		PACKED(full_ring_is_empty_to_the_device),
		PACKED(ids_are_opaque),
		PACKED(used_flags_tell_of_writing),
		PACKED(event_place_is_met_once),
		PACKED(event_place_after_laps_unjudged),
		PACKED(nonsense_events_notify),
		PACKED(event_place_of_kicks),
	};

	return cmocka_run_group_tests_name("virtqueue_packed", tests, NULL, NULL);
}
