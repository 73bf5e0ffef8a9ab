// SPDX-License-Identifier: BSD-2-Clause
/*
 * Taking a chain from a split virtqueue: where a guest's descriptors are judged. Each descriptor is
 * read from guest memory exactly once; the guest may change it afterwards without effect.
 */
#include "vring_split.h"

#include <errno.h>

/* A table of descriptors that is being walked: the ring's own, or an indirect one. */
struct desc_table {
	const struct vring_state *vr;
	const void *desc;
	unsigned int size;
	bool is_indirect;
};

static enum virtqueue_defect walk_table(struct chain_walk *w, const struct desc_table *table,
					unsigned int i);

static enum virtqueue_defect walk_indirect(struct chain_walk *w, const struct desc_table *ring,
					   const struct vring_desc *desc)
{
	struct desc_table table = { .is_indirect = true };
	enum virtqueue_defect defect;

	if (ring->is_indirect)
		return VIRTQUEUE_INDIRECT_NESTED;
	if (ring->vr->layout.indirect && desc->flags & VRING_DESC_F_NEXT)
		return VIRTQUEUE_INDIRECT_CHAINED;
	defect = chain_map_table(ring->vr, desc->addr, desc->len, &table.desc, &table.size);
	return defect ? defect : walk_table(w, &table, 0);
}

/* Recursion ends at depth two: an indirect table in an indirect table is refused. */
static enum virtqueue_defect walk_table(struct chain_walk *w, const struct desc_table *table,
					unsigned int i)
{
	unsigned int steps;

	for (steps = 0; steps < table->size; steps++) {
		enum virtqueue_defect defect;
		struct vring_desc desc;

		desc_copy(&desc, table->desc, i);
		if (desc.flags & VRING_DESC_F_INDIRECT)
			return walk_indirect(w, table, &desc);
		defect = chain_add(w, desc.addr, desc.len, desc.flags & VRING_DESC_F_WRITE);
		if (defect || !(desc.flags & VRING_DESC_F_NEXT))
			return defect;
		i = desc.next;
		if (i >= table->size)
			return VIRTQUEUE_BAD_NEXT;
	}
	return VIRTQUEUE_LOOP;
}

/* How many chains wait; vr->defect is set when the guest claims more than it can have. */
static uint16_t look_at_avail(struct vring_state *vr)
{
	struct vring_split *s = &vr->split;
	uint16_t waiting = s->shadow_avail_idx - s->last_avail_idx;

	if (waiting)
		return waiting;
	/* Acquire: the ring entries and descriptors up to this index are read after it. */
	s->shadow_avail_idx = __atomic_load_n(&s->avail->idx, __ATOMIC_ACQUIRE);
	waiting = s->shadow_avail_idx - s->last_avail_idx;
	if (unlikely(waiting > vr->layout.size - vr->in_use))
		vr->defect = VIRTQUEUE_AVAIL_JUMPED;
	return waiting;
}

int vring_split_pop(struct vring_state *vr, struct VirtQueueElement *elem, unsigned int max_sg)
{
	struct vring_split *s = &vr->split;
	struct desc_table ring = { .vr = vr, .desc = s->desc, .size = vr->layout.size };
	struct chain_walk walk = { .ram = vr->ram, .elem = elem, .max_sg = max_sg };
	uint16_t head;

	if (unlikely(!vr->started))
		return 0;
	if (unlikely(vr->defect))
		return -EPROTO;
	if (!look_at_avail(vr))
		return 0;
	if (unlikely(vr->defect))
		return -EPROTO;
	head = vring_load(s->avail->ring[s->last_avail_idx & (vr->layout.size - 1)]);
	if (head >= vr->layout.size) {
		vr->defect = VIRTQUEUE_BAD_HEAD;
		return -EPROTO;
	}
	elem->chain = (struct virtqueue_chain){ .head = head, .slots = 1 };
	chain_begin(elem);
	vr->defect = walk_table(&walk, &ring, head);
	if (unlikely(vr->defect))
		return -EPROTO;
	chain_end(elem);
	s->last_avail_idx++;
	vr->in_use++;
	if (vr->layout.event_idx && vr->notification)
		vring_store(*vring_avail_event_ptr(vr), s->last_avail_idx);
	return 1;
}

void vring_split_unpop(struct vring_state *vr, struct virtqueue_chain chain)
{
	vr->split.last_avail_idx--;
	vr->in_use--;
}
