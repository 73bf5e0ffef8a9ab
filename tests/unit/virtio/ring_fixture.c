// SPDX-License-Identifier: BSD-2-Clause
/* A virtqueue with both of its sides; see ring_fixture.h. */
#include "ring_fixture.h"

#include <stdlib.h>

struct fixture *start(struct fixture *f, uint16_t size, bool event_idx)
{
	guest_ring_init(&f->ring, f->ram, RING_GPA, size,
			GUEST_RING_INDIRECT | (event_idx ? GUEST_RING_EVENT_IDX : 0) |
				(f->packed ? GUEST_RING_PACKED : 0));
	assert_int_equal(vring_start(&f->vr, f->ram, &f->ring.layout), VIRTQUEUE_OK);
	return f;
}

static int setup(void **state, bool packed)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->packed = packed;
	f->ram = guest_ram_new(RAM_BYTES, RAM_BYTES, NULL);
	assert_non_null(f->ram);
	f->elem = calloc(1, sizeof(*f->elem) + VIRTQUEUE_ELEMENT_SG(VIRTQUEUE_MAX_SIZE) *
						       sizeof(struct iovec));
	*state = start(f, 8, false);
	return 0;
}

int setup_split(void **state)
{
	return setup(state, false);
}

int setup_packed(void **state)
{
	return setup(state, true);
}

int teardown(void **state)
{
	struct fixture *f = *state;

	vring_stop(&f->vr);
	guest_ram_free(f->ram);
	free(f->elem);
	free(f);
	return 0;
}

int pop(struct fixture *f)
{
	return vring_pop(&f->vr, f->elem, VIRTQUEUE_ELEMENT_SG(f->ring.layout.size));
}

void push(struct fixture *f, uint32_t written_bytes)
{
	vring_fill(&f->vr, f->elem->chain, written_bytes);
	vring_flush(&f->vr);
}

int add(struct fixture *f, uint32_t len, bool in)
{
	struct guest_buffer buffer = { .gpa = BUFFER_GPA, .len = len, .in = in };

	return guest_ring_add(&f->ring, &buffer, 1);
}

void round_trip(struct fixture *f)
{
	uint32_t head, len;
	int added = add(f, 512, true);

	assert_true(added >= 0);
	guest_ring_publish(&f->ring);
	assert_int_equal(pop(f), 1);
	push(f, 512);
	assert_true(guest_ring_take_used(&f->ring, &head, &len));
	assert_int_equal(head, added);
	assert_int_equal(len, 512);
}
