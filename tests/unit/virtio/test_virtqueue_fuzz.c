// SPDX-License-Identifier: BSD-2-Clause
/*
 * Split virtqueue against random rings, mostly valid with a few wrong values, so that both what
 * passes and what is refused are reached. A fixed seed: a failure comes back.
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

static void fuzz_once(struct guest_ram *ram, uint64_t *seed, struct outcome *outcome)
{
	uint16_t size = 1u << random_next(seed) % 6;
	/* Of exact size, so that ASAN sees the first iovec too many. */
	struct VirtQueueElement *elem =
		calloc(1, sizeof(*elem) + VIRTQUEUE_ELEMENT_SG(size) * sizeof(struct iovec));
	struct guest_ring ring;
	struct vring_state vr;
	struct vring_desc *tables = guest_ram_hva(ram, BUFFER_GPA, 64 * sizeof(*tables));
	unsigned int i, n;
	int ret;

	guest_ring_init(&ring, ram, RING_GPA, size, one_in(seed, 2), !one_in(seed, 10));
	for (i = 0; i < size; i++)
		random_desc(&ring.desc[i], size, false, seed);
	for (i = 0; i < 64; i++)
		random_desc(&tables[i], 8, true, seed);
	for (i = 0; i < size; i++)
		if (ring.desc[i].flags == VRING_DESC_F_INDIRECT && !one_in(seed, 20))
			ring.desc[i].addr = BUFFER_GPA + random_next(seed) % 512;
	if (vring_start(&vr, ram, &ring.layout) != VIRTQUEUE_OK)
		fail();
	n = 1 + random_next(seed) % size + one_in(seed, 100);
	for (i = 0; i < n; i++)
		guest_ring_offer(&ring, one_in(seed, 100) ? random_next(seed) : i % size);
	guest_ring_publish(&ring);
	while ((ret = vring_pop(&vr, elem, VIRTQUEUE_ELEMENT_SG(size))) == 1) {
		assert_element_sane(ram, elem, VIRTQUEUE_ELEMENT_SG(size));
		outcome->popped++;
		if (one_in(seed, 2)) {
			vring_fill(&vr, elem->head, random_next(seed), 0);
			vring_flush(&vr, 1);
			vring_should_notify(&vr);
		}
		vring_set_notification(&vr, one_in(seed, 2));
	}
	assert_true(vring_empty(&vr));
	assert_true(ret == 0 || ret == -EPROTO);
	if (ret) {
		assert_int_not_equal(vr.defect, VIRTQUEUE_OK);
		outcome->defects[vr.defect]++;
		outcome->broken++;
	}
	vring_stop(&vr);
	free(elem);
}

/* Whatever the ring holds, pops end, give buffers in RAM only, and refuse with a defect. */
static void test_virtqueue__survives_random_rings(void **state)
{
	struct guest_ram *ram = guest_ram_new(RAM_BYTES, RAM_BYTES, NULL);
	struct outcome outcome = { 0 };
	uint64_t seed = 0x68616e646f6666;
	unsigned int i;

	assert_non_null(ram);
	for (i = 0; i < ITERATIONS; i++)
		fuzz_once(ram, &seed, &outcome);
	assert_true(outcome.popped > ITERATIONS / 4);
	assert_true(outcome.broken > ITERATIONS / 4);
	/* All but those that need rings or RAM of another kind. */
	for (i = VIRTQUEUE_AVAIL_JUMPED; i < VIRTQUEUE_TOO_MANY_BYTES; i++)
		assert_true(outcome.defects[i] > 0);
	guest_ram_free(ram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_virtqueue__survives_random_rings),
	};

	return cmocka_run_group_tests_name("virtqueue_fuzz", tests, NULL, NULL);
}
