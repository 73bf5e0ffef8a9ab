// SPDX-License-Identifier: BSD-2-Clause
/*
 * The two layouts against each other: the same random stream of requests goes through a split and a
 * packed ring; device and driver must see the same on both. A fixed seed: a failure comes back.
 */
#include "ring_fixture.h"

#include <stdlib.h>
#include <string.h>

#define STEPS	    20000
#define MAX_BUFFERS 6
#define GPA_OF(i)   (RING_GPA + (i)*0x40000)

struct side {
	struct guest_ring ring;
	struct vring_state vr;
	struct VirtQueueElement *elem;
	uint32_t request_of[VIRTQUEUE_MAX_SIZE];	      /* the driver's: by chain's name */
	struct virtqueue_chain in_flight[VIRTQUEUE_MAX_SIZE]; /* the device's: oldest first */
};

struct pair {
	struct guest_ram *ram;
	struct side side[2];
	unsigned int n_in_flight;
	uint32_t requests, completed;
	uint64_t seed;
	bool kicks_exact; /* both queues were empty when kicks were turned on */
};

static unsigned int below(struct pair *p, unsigned int n)
{
	/* xorshift64* (Vigna 2016) */
	p->seed ^= p->seed >> 12;
	p->seed ^= p->seed << 25;
	p->seed ^= p->seed >> 27;
	return (p->seed * 0x2545f4914f6cdd1dull >> 33) % n;
}

static void pair_start(struct pair *p, uint16_t size, unsigned int flags)
{
	unsigned int i;

	p->n_in_flight = 0;
	p->kicks_exact = true;
	for (i = 0; i < 2; i++) {
		struct side *s = &p->side[i];

		guest_ring_init(&s->ring, p->ram, GPA_OF(i), size,
				flags | (i ? GUEST_RING_PACKED : 0));
		assert_int_equal(vring_start(&s->vr, p->ram, &s->ring.layout), VIRTQUEUE_OK);
		/* The split ring's first judgement has nothing to compare with. */
		vring_should_notify(&s->vr);
		guest_ring_want_interrupt(&s->ring, true);
	}
}

/* Readable buffers, then writable ones; one of many is empty of one kind. */
static unsigned int random_chain(struct pair *p, struct guest_buffer *chain)
{
	unsigned int n = 1 + below(p, MAX_BUFFERS), out = below(p, n + 1), i;

	for (i = 0; i < n; i++)
		chain[i] = (struct guest_buffer){ BUFFER_GPA + below(p, 0x40000),
						  1 + below(p, 0x2000), i >= out };
	return n;
}

static void drive(struct pair *p)
{
	unsigned int add = below(p, 5), added = 0, i;
	struct guest_buffer chain[MAX_BUFFERS];
	bool kick[2];

	while (add--) {
		unsigned int n = random_chain(p, chain);
		bool indirect = p->side[0].ring.layout.indirect && below(p, 2);
		int name[2];

		for (i = 0; i < 2; i++) {
			struct guest_ring *ring = &p->side[i].ring;

			name[i] = indirect ? guest_ring_add_indirect(
						     ring, chain, n,
						     TABLE_GPA + ring->first_free * 0x80ull +
							     i * 0x40000)
					   : guest_ring_add(ring, chain, n);
			if (name[i] >= 0)
				p->side[i].request_of[name[i]] = p->requests;
		}
		assert_int_equal(name[0] < 0, name[1] < 0);
		if (name[0] < 0)
			break;
		p->requests++;
		added++;
	}
	for (i = 0; i < 2; i++) {
		guest_ring_publish(&p->side[i].ring);
		kick[i] = guest_ring_kick_needed(&p->side[i].ring);
	}
	if (p->kicks_exact && added) {
		assert_true(kick[0]);
		assert_true(kick[1]);
	}
}

static void assert_same_element(const struct VirtQueueElement *a, const struct VirtQueueElement *b)
{
	assert_int_equal(a->out_num, b->out_num);
	assert_int_equal(a->in_num, b->in_num);
	assert_int_equal(a->out_bytes, b->out_bytes);
	assert_int_equal(a->in_bytes, b->in_bytes);
	assert_memory_equal(a->sg, b->sg, (a->out_num + a->in_num) * sizeof(a->sg[0]));
}

/* Takes up to n chains; true if none is left. */
static bool take(struct pair *p, unsigned int n)
{
	unsigned int i;
	int got[2];

	for (;; n--) {
		assert_int_equal(vring_empty(&p->side[0].vr), vring_empty(&p->side[1].vr));
		if (!n)
			return vring_empty(&p->side[0].vr);
		for (i = 0; i < 2; i++) {
			struct side *s = &p->side[i];

			got[i] = vring_pop(&s->vr, s->elem, MAX_BUFFERS);
			s->in_flight[p->n_in_flight] = s->elem->chain;
		}
		assert_int_equal(got[0], got[1]);
		assert_in_range(got[0], 0, 1);
		if (!got[0])
			return true;
		assert_same_element(p->side[0].elem, p->side[1].elem);
		if (!below(p, 10)) {
			for (i = 0; i < 2; i++)
				vring_unpop(&p->side[i].vr, p->side[i].elem->chain);
			continue;
		}
		p->n_in_flight++;
	}
}

/* Some of what is in flight comes to its end, in any order, one by one or together. */
static void finish(struct pair *p)
{
	unsigned int n = below(p, p->n_in_flight + 1), i;
	bool together = below(p, 2), notify[2];

	while (n--) {
		unsigned int which = below(p, p->n_in_flight), written = below(p, 3);

		p->n_in_flight--;
		for (i = 0; i < 2; i++) {
			struct side *s = &p->side[i];

			vring_fill(&s->vr, s->in_flight[which], written);
			if (!together || !n)
				vring_flush(&s->vr);
			s->in_flight[which] = s->in_flight[p->n_in_flight];
		}
	}
	for (i = 0; i < 2; i++)
		notify[i] = vring_should_notify(&p->side[i].vr);
	assert_int_equal(notify[0], notify[1]);
}

static void reap(struct pair *p)
{
	bool want = below(p, 2), any[2];
	uint32_t name[2], len[2];
	unsigned int i;

	for (;;) {
		for (i = 0; i < 2; i++)
			any[i] = guest_ring_take_used(&p->side[i].ring, &name[i], &len[i]);
		assert_int_equal(any[0], any[1]);
		if (!any[0])
			break;
		assert_int_equal(p->side[0].request_of[name[0]], p->side[1].request_of[name[1]]);
		assert_int_equal(len[0], len[1]);
		p->completed++;
	}
	assert_int_equal(p->side[0].ring.n_free, p->side[1].ring.n_free);
	for (i = 0; i < 2; i++)
		guest_ring_want_interrupt(&p->side[i].ring, want);
}

static void run(struct pair *p, uint16_t size, unsigned int flags)
{
	unsigned int step, i;

	pair_start(p, size, flags);
	for (step = 0; step < STEPS; step++) {
		bool emptied;

		drive(p);
		emptied = take(p, below(p, 8));
		p->kicks_exact = emptied && below(p, 2);
		for (i = 0; i < 2; i++)
			vring_set_notification(&p->side[i].vr, p->kicks_exact);
		finish(p);
		if (below(p, 2))
			reap(p);
	}
	for (i = 0; i < 2; i++)
		assert_int_equal(p->side[i].vr.defect, VIRTQUEUE_OK);
}

/* Sizes and features; each layout sees what the other sees. */
static void test_virtqueue__layouts_agree(void **state)
{
	static const uint16_t sizes[] = { 8, 16, 64, 1024 };
	struct pair *p = calloc(1, sizeof(*p));
	unsigned int i, flags;

	p->seed = 0x68616e646f6666;
	p->ram = guest_ram_new(RAM_BYTES, RAM_BYTES, NULL);
	assert_non_null(p->ram);
	for (i = 0; i < 2; i++)
		p->side[i].elem =
			calloc(1, sizeof(*p->side[i].elem) + MAX_BUFFERS * sizeof(struct iovec));
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (flags = 0; flags < GUEST_RING_PACKED; flags++)
			run(p, sizes[i], flags);
	assert_true(p->requests > 4 * STEPS);
	assert_in_range(p->completed, p->requests / 2, p->requests);
	for (i = 0; i < 2; i++)
		free(p->side[i].elem);
	guest_ram_free(p->ram);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_virtqueue__layouts_agree),
	};

	return cmocka_run_group_tests_name("virtqueue_differential", tests, NULL, NULL);
}
