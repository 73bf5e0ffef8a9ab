// SPDX-License-Identifier: BSD-2-Clause
/*
 * Taking a chain from a packed virtqueue: where a guest's descriptors are judged, as copies.
 * Whether a list is available is said by its first descriptor alone (virtio 1.2, 2.8.6): the driver
 * writes that last.
 */
#include "vring_packed.h"

#include <errno.h>

bool vring_packed_empty(const struct vring_state *vr)
{
	const struct vring_packed *p = &vr->packed;

	if (unlikely(!vr->started || vr->defect))
		return true;
	return !packed_is_available(vring_load(p->desc[p->avail.slot].flags), p->avail.wrap);
}

/* 2.8.7: a table's descriptors follow each other, and of their flags only WRITE counts. */
static enum virtqueue_defect walk_table(const struct vring_state *vr, struct chain_walk *w,
					const struct vring_packed_desc *desc)
{
	enum virtqueue_defect defect;
	unsigned int i, n;
	const void *table;

	defect = chain_map_table(vr, desc->addr, desc->len, &table, &n);
	for (i = 0; !defect && i < n; i++) {
		struct vring_packed_desc entry;

		desc_copy(&entry, table, i);
		defect = chain_add(w, entry.addr, entry.len, entry.flags & VRING_DESC_F_WRITE);
	}
	return defect;
}

/* Ends at what the guest can have: slots that hold no chain in use. */
static enum virtqueue_defect walk_list(const struct vring_state *vr, struct chain_walk *w,
				       struct virtqueue_chain *chain)
{
	const struct vring_packed *p = &vr->packed;
	uint16_t size = vr->layout.size, slot = p->avail.slot, n = 0;
	enum virtqueue_defect defect;

	while (n < size - vr->in_use) {
		struct vring_packed_desc desc;

		desc_copy(&desc, p->desc, slot);
		n++;
		if (!(desc.flags & VRING_DESC_F_INDIRECT))
			defect = chain_add(w, desc.addr, desc.len, desc.flags & VRING_DESC_F_WRITE);
		else if (vr->layout.indirect && (n > 1 || desc.flags & VRING_DESC_F_NEXT))
			defect = VIRTQUEUE_INDIRECT_CHAINED; /* 2.8.19 */
		else
			defect = walk_table(vr, w, &desc);
		if (defect)
			return defect;
		if (!(desc.flags & VRING_DESC_F_NEXT)) {
			*chain = (struct virtqueue_chain){ .head = desc.id, .slots = n };
			return VIRTQUEUE_OK;
		}
		slot = slot + 1 < size ? slot + 1 : 0;
	}
	return vr->in_use ? VIRTQUEUE_AVAIL_JUMPED : VIRTQUEUE_LOOP;
}

int vring_packed_pop(struct vring_state *vr, struct VirtQueueElement *elem, unsigned int max_sg)
{
	struct chain_walk walk = { .ram = vr->ram, .elem = elem, .max_sg = max_sg };
	struct vring_packed *p = &vr->packed;
	uint16_t flags;

	if (unlikely(!vr->started))
		return 0;
	if (unlikely(vr->defect))
		return -EPROTO;
	/* Acquire: the whole list is read after it. */
	flags = __atomic_load_n(&p->desc[p->avail.slot].flags, __ATOMIC_ACQUIRE);
	if (!packed_is_available(flags, p->avail.wrap))
		return 0;
	chain_begin(elem);
	vr->defect = walk_list(vr, &walk, &elem->chain);
	if (unlikely(vr->defect))
		return -EPROTO;
	chain_end(elem);
	vring_advance(&p->avail, elem->chain.slots, vr->layout.size);
	vr->in_use += elem->chain.slots;
	if (vr->layout.event_idx && vr->notification)
		vring_store(p->device_event->off_wrap, vring_off_wrap(p->avail));
	return 1;
}

void vring_packed_unpop(struct vring_state *vr, struct virtqueue_chain chain)
{
	struct vring_position *at = &vr->packed.avail;

	if (at->slot < chain.slots) {
		at->slot += vr->layout.size;
		at->wrap = !at->wrap;
	}
	at->slot -= chain.slots;
	vr->in_use -= chain.slots;
}
