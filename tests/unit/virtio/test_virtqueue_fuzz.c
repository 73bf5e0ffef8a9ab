// SPDX-License-Identifier: BSD-2-Clause
/*
 * Virtqueues of both layouts against random rings, mostly valid with a few wrong values, so that
 * both what passes and what is refused are reached; and against random bytes. A fixed seed: a
 * failure comes back.
 */
#include <lib/tap.h>
#include <lib/guest_ring.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/guest_ram.h>

#define RAM_BYTES  (1u << 20)
#define RING_GPA   0x10000
#define BUFFER_GPA 0x40000
#define ITERATIONS 200000

static uint64_t random_next(uint64_t *state)
{
	/* xorshift64* (Vigna 2016) */
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

static bool one_in(uint64_t *seed, unsigned int n)
{
	return random_next(seed) % n == 0;
}

static void random_desc(struct vring_desc *desc, unsigned int table_size, bool table,
			uint64_t *seed)
{
	uint64_t r = random_next(seed);

	*desc = (struct vring_desc){
		.addr = BUFFER_GPA + r % 0x80000,
		.len = 1 + (r >> 32) % 0x10000,
		.next = (r >> 48) % (table_size ? table_size : 1),
	};
	if (!one_in(seed, 3))
		desc->flags = VRING_DESC_F_NEXT;
	if (one_in(seed, 4))
		desc->flags |= VRING_DESC_F_WRITE;
	if (one_in(seed, table ? 200 : 8)) {
		desc->flags = VRING_DESC_F_INDIRECT;
		desc->len = one_in(seed, 10) ? r % 4096 : 16 * (1 + r % 8);
	}
	if (one_in(seed, 50))
		desc->addr = r;
	if (one_in(seed, 50))
		desc->len = r >> 13;
	if (one_in(seed, 50))
		desc->next = r >> 7;
	if (one_in(seed, 50))
		desc->flags = r >> 3;
}

/* Every buffer that came out lies in RAM, and the sums are right. */
static void assert_element_sane(const struct guest_ram *ram, const struct VirtQueueElement *elem,
				unsigned int max_sg)
{
	const char *start = ram->range[0].hva;
	uint64_t out = 0, in = 0;
	unsigned int i;

	assert_true(elem->out_num + elem->in_num >= 1);
	assert_true(elem->out_num + elem->in_num <= max_sg);
	for (i = 0; i < (unsigned int)elem->out_num + elem->in_num; i++) {
		const char *at = elem->sg[i].iov_base;

		assert_true(at >= start && elem->sg[i].iov_len <= RAM_BYTES &&
			    at + elem->sg[i].iov_len <= start + RAM_BYTES);
		*(i < elem->out_num ? &out : &in) += elem->sg[i].iov_len;
	}
	assert_int_equal(out, elem->out_bytes);
	assert_int_equal(in, elem->in_bytes);
}

struct outcome {
	unsigned int popped, broken, defects[VIRTQUEUE_DEFECTS];
};

/* The same descriptor for a packed ring: the name where the flags were, the flags at the end. */
static void make_packed(struct vring_desc *desc, bool table)
{
	struct vring_packed_desc packed = { .addr = desc->addr, .len = desc->len };

	packed.id = desc->next;
	packed.flags =
		desc->flags & ~(1u << VRING_PACKED_DESC_F_AVAIL | 1u << VRING_PACKED_DESC_F_USED);
	if (!table)
		packed.flags |= 1u << VRING_PACKED_DESC_F_AVAIL;
	memcpy(desc, &packed, sizeof(packed));
}

static void random_ring(struct guest_ram *ram, struct guest_ring *ring, uint64_t *seed)
{
	struct vring_desc *tables = guest_ram_hva(ram, BUFFER_GPA, 64 * sizeof(*tables));
	uint16_t size = ring->layout.size;
	unsigned int i, n;

	for (i = 0; i < size; i++) {
		random_desc(&ring->desc[i], size, false, seed);
		if (ring->desc[i].flags == VRING_DESC_F_INDIRECT && !one_in(seed, 20))
			ring->desc[i].addr = BUFFER_GPA + random_next(seed) % 512;
		if (ring->layout.packed && !one_in(seed, 50))
			make_packed(&ring->desc[i], false);
	}
	for (i = 0; i < 64; i++) {
		random_desc(&tables[i], 8, true, seed);
		if (ring->layout.packed)
			make_packed(&tables[i], true);
	}
	if (ring->layout.packed)
		return;
	n = 1 + random_next(seed) % size + one_in(seed, 100);
	for (i = 0; i < n; i++)
		guest_ring_offer(ring, one_in(seed, 100) ? random_next(seed) : i % size);
	guest_ring_publish(ring);
}

static void random_bytes(struct guest_ram *ram, struct guest_ring *ring, uint64_t *seed)
{
	uint64_t *at = guest_ram_hva(ram, RING_GPA, guest_ring_bytes(ring->layout.size));
	unsigned int i, n = guest_ring_bytes(ring->layout.size) / sizeof(*at);

	for (i = 0; i < n; i++)
		at[i] = random_next(seed);
	/* Else hardly a buffer is ever good. */
	for (i = 0; i < ring->layout.size; i++) {
		if (one_in(seed, 4))
			continue;
		ring->desc[i].addr %= 2 * RAM_BYTES;
		ring->desc[i].len %= 0x10000;
	}
}

static struct virtqueue_chain take_any(struct virtqueue_chain *held, unsigned int *n,
				       uint64_t *seed)
{
	unsigned int i = random_next(seed) % *n;
	struct virtqueue_chain chain = held[i];

	held[i] = held[--*n];
	return chain;
}

static void fuzz_once(struct guest_ram *ram, uint64_t *seed, unsigned int flags,
		      void (*fill)(struct guest_ram *, struct guest_ring *, uint64_t *),
		      struct outcome *outcome)
{
	uint16_t size = flags & GUEST_RING_PACKED ? 1 + random_next(seed) % 32
						  : 1u << random_next(seed) % 6;
	/* Of exact size, so that ASAN sees the first iovec too many. */
	struct VirtQueueElement *elem =
		calloc(1, sizeof(*elem) + VIRTQUEUE_ELEMENT_SG(size) * sizeof(struct iovec));
	struct virtqueue_chain held[32];
	unsigned int n_held = 0, turns = 0;
	struct guest_ring ring;
	struct vring_state vr;
	int ret;

	flags |= (one_in(seed, 2) ? GUEST_RING_EVENT_IDX : 0) |
		 (one_in(seed, 10) ? 0 : GUEST_RING_INDIRECT);
	guest_ring_init(&ring, ram, RING_GPA, size, flags);
	fill(ram, &ring, seed);
	if (vring_start(&vr, ram, &ring.layout) != VIRTQUEUE_OK)
		fail();
	/* What is given back may be available again in the next lap, if the bytes are so. */
	while (turns++ < 100 && (ret = vring_pop(&vr, elem, VIRTQUEUE_ELEMENT_SG(size))) == 1) {
		assert_element_sane(ram, elem, VIRTQUEUE_ELEMENT_SG(size));
		assert_true(vr.in_use <= size);
		outcome->popped++;
		held[n_held++] = elem->chain;
		while (n_held && one_in(seed, 2)) {
			vring_fill(&vr, take_any(held, &n_held, seed), random_next(seed));
			if (one_in(seed, 2))
				vring_flush(&vr);
			vring_should_notify(&vr);
		}
		vring_set_notification(&vr, one_in(seed, 2));
	}
	if (turns <= 100) {
		assert_true(vring_empty(&vr));
		assert_true(ret == 0 || ret == -EPROTO);
	}
	outcome->defects[vr.defect]++;
	outcome->broken += vr.defect != VIRTQUEUE_OK;
	vring_stop(&vr);
	free(elem);
}

static struct outcome fuzz(unsigned int iterations, unsigned int flags,
			   void (*fill)(struct guest_ram *, struct guest_ring *, uint64_t *))
{
	struct guest_ram *ram = guest_ram_new(RAM_BYTES, RAM_BYTES, NULL);
	struct outcome outcome = { 0 };
	uint64_t seed = 0x68616e646f6666;

	assert_non_null(ram);
	while (iterations--)
		fuzz_once(ram, &seed, flags, fill, &outcome);
	guest_ram_free(ram);
	return outcome;
}

/* Whatever the ring holds, pops end, give buffers in RAM only, and refuse with a defect. */
static void test_virtqueue__survives_random_rings(void **state)
{
	struct outcome outcome = fuzz(ITERATIONS, 0, random_ring);
	unsigned int i;

	assert_true(outcome.popped > ITERATIONS / 4);
	assert_true(outcome.broken > ITERATIONS / 4);
	/* All but those that need rings or RAM of another kind. */
	for (i = VIRTQUEUE_AVAIL_JUMPED; i < VIRTQUEUE_TOO_MANY_BYTES; i++)
		assert_true(outcome.defects[i] > 0);
}

static void test_virtqueue__survives_random_packed_rings(void **state)
{
	struct outcome outcome = fuzz(ITERATIONS, GUEST_RING_PACKED, random_ring);
	unsigned int i;

	assert_true(outcome.popped > ITERATIONS / 4);
	assert_true(outcome.broken > ITERATIONS / 4);
	for (i = VIRTQUEUE_AVAIL_JUMPED; i < VIRTQUEUE_TOO_MANY_BYTES; i++) {
		bool split_only = i == VIRTQUEUE_BAD_HEAD || i == VIRTQUEUE_BAD_NEXT ||
				  i == VIRTQUEUE_INDIRECT_NESTED;

		assert_int_equal(outcome.defects[i] > 0, !split_only);
	}
}

/* The same of bytes without any meaning, in the rings and around them. */
static void test_virtqueue__survives_random_bytes(void **state)
{
	struct outcome split = fuzz(ITERATIONS / 10, 0, random_bytes);
	struct outcome packed = fuzz(ITERATIONS / 10, GUEST_RING_PACKED, random_bytes);

	assert_true(split.broken > ITERATIONS / 20);
	/* Three of four rings have nothing available at their first place. */
	assert_true(packed.broken > ITERATIONS / 100);
	assert_true(packed.popped > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_virtqueue__survives_random_rings),
		cmocka_unit_test(test_virtqueue__survives_random_packed_rings),
		cmocka_unit_test(test_virtqueue__survives_random_bytes),
	};

	return cmocka_run_group_tests_name("virtqueue_fuzz", tests, NULL, NULL);
}
