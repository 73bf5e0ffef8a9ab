// SPDX-License-Identifier: BSD-2-Clause
/*
 * Taking a chain from a split virtqueue: where a guest's descriptors are judged. Each descriptor is
 * read from guest memory exactly once; the guest may change it afterwards without effect.
 */
#include "vring.h"

#include <errno.h>
#include <string.h>
#include <handoff/guest_ram.h>

#define CHAIN_MAX_BYTES (1ull << 32) /* virtio 1.2, 2.7.4 */

/* A table of descriptors that is being walked: the ring's own, or an indirect one. */
struct desc_table {
	const char *hva; /* an indirect one has any alignment */
	unsigned int size;
	bool is_indirect;
};

struct chain_walk {
	const struct vring_state *vr;
	struct VirtQueueElement *elem;
	unsigned int max_sg, n_sg;
	uint64_t bytes;
};

static struct vring_desc desc_copy(const struct desc_table *table, unsigned int i)
{
	struct vring_desc desc;

	memcpy(&desc, table->hva + (size_t)i * sizeof(desc), sizeof(desc));
	/* Keeps the compiler from going back to guest memory for a field that was judged already.
	 */
	__asm__ volatile("" : "+m"(desc));
	return desc;
}

/* The part of [gpa, gpa + len) that is in the range gpa is in; NULL if it is in none. */
static void *map_start(const struct guest_ram *ram, uint64_t gpa, uint64_t len, uint64_t *part)
{
	unsigned int i;

	*part = len;
	for (i = 0; i < ram->n_ranges; i++) {
		uint64_t offset = gpa - ram->range[i].gpa;

		if (offset >= ram->range[i].size_bytes)
			continue;
		*part = MIN(len, ram->range[i].size_bytes - offset);
		return guest_ram_hva(ram, gpa, *part);
	}
	return NULL;
}

static enum virtqueue_defect add_buffer(struct chain_walk *w, const struct vring_desc *desc)
{
	struct VirtQueueElement *elem = w->elem;
	bool in = desc->flags & VRING_DESC_F_WRITE;
	uint64_t gpa = desc->addr, left = desc->len;

	if (!left)
		return VIRTQUEUE_ZERO_LENGTH;
	if (!in && elem->in_num)
		return VIRTQUEUE_BAD_ORDER;
	w->bytes += left;
	if (w->bytes > CHAIN_MAX_BYTES)
		return VIRTQUEUE_TOO_MANY_BYTES;
	*(in ? &elem->in_bytes : &elem->out_bytes) += left;
	while (left) {
		uint64_t part;
		void *hva = guest_ram_hva(w->vr->ram, gpa, left);

		part = left;
		if (unlikely(!hva))
			hva = map_start(w->vr->ram, gpa, left, &part);
		if (!hva)
			return VIRTQUEUE_BAD_ADDRESS;
		if (w->n_sg == w->max_sg)
			return VIRTQUEUE_TOO_MANY_BUFFERS;
		elem->sg[w->n_sg++] = (struct iovec){ .iov_base = hva, .iov_len = part };
		if (in)
			elem->in_num++;
		else
			elem->out_num++;
		gpa += part;
		left -= part;
	}
	return VIRTQUEUE_OK;
}

static enum virtqueue_defect walk_table(struct chain_walk *w, const struct desc_table *table,
					unsigned int i);

static enum virtqueue_defect walk_indirect(struct chain_walk *w, const struct vring_desc *desc)
{
	struct desc_table table = {
		.size = desc->len / sizeof(struct vring_desc),
		.is_indirect = true,
	};

	if (!w->vr->layout.indirect)
		return VIRTQUEUE_INDIRECT_NOT_NEGOTIATED;
	if (desc->flags & VRING_DESC_F_NEXT)
		return VIRTQUEUE_INDIRECT_NOT_LAST;
	/* 2.7.5.3.1: a chain is never longer than the queue, so a longer table is an attack. */
	if (!desc->len || desc->len % sizeof(struct vring_desc) || table.size > w->vr->layout.size)
		return VIRTQUEUE_INDIRECT_BAD_SIZE;
	table.hva = guest_ram_hva(w->vr->ram, desc->addr, desc->len);
	if (!table.hva)
		return VIRTQUEUE_BAD_ADDRESS;
	return walk_table(w, &table, 0);
}

/* Recursion ends at depth two: an indirect table in an indirect table is refused. */
static enum virtqueue_defect walk_table(struct chain_walk *w, const struct desc_table *table,
					unsigned int i)
{
	unsigned int steps;

	for (steps = 0; steps < table->size; steps++) {
		struct vring_desc desc = desc_copy(table, i);
		enum virtqueue_defect defect;

		if (desc.flags & VRING_DESC_F_INDIRECT)
			return table->is_indirect ? VIRTQUEUE_INDIRECT_NESTED
						  : walk_indirect(w, &desc);
		defect = add_buffer(w, &desc);
		if (defect || !(desc.flags & VRING_DESC_F_NEXT))
			return defect;
		i = desc.next;
		if (i >= table->size)
			return VIRTQUEUE_BAD_NEXT;
	}
	return VIRTQUEUE_LOOP;
}

/* How many chains wait; *defect is set when the guest claims more than it can have. */
static uint16_t look_at_avail(struct vring_state *vr)
{
	uint16_t waiting = vr->shadow_avail_idx - vr->last_avail_idx;

	if (waiting)
		return waiting;
	/* Acquire: the ring entries and descriptors up to this index are read after it. */
	vr->shadow_avail_idx = __atomic_load_n(&vr->avail->idx, __ATOMIC_ACQUIRE);
	waiting = vr->shadow_avail_idx - vr->last_avail_idx;
	if (unlikely(waiting > vr->layout.size - vr->in_use))
		vr->defect = VIRTQUEUE_AVAIL_JUMPED;
	return waiting;
}

int vring_pop(struct vring_state *vr, struct VirtQueueElement *elem, unsigned int max_sg)
{
	struct desc_table ring = { .hva = (const char *)vr->desc, .size = vr->layout.size };
	struct chain_walk walk = { .vr = vr, .elem = elem, .max_sg = max_sg };
	uint16_t head;

	if (unlikely(!vr->desc))
		return 0;
	if (unlikely(vr->defect) || (look_at_avail(vr) && vr->defect))
		return -EPROTO;
	if (vr->shadow_avail_idx == vr->last_avail_idx)
		return 0;
	head = vring_load(vr->avail->ring[vr->last_avail_idx % vr->layout.size]);
	if (head >= vr->layout.size) {
		vr->defect = VIRTQUEUE_BAD_HEAD;
		return -EPROTO;
	}
	elem->head = head;
	elem->out_num = elem->in_num = 0;
	elem->out_bytes = elem->in_bytes = 0;
	vr->defect = walk_table(&walk, &ring, head);
	if (unlikely(vr->defect))
		return -EPROTO;
	elem->out_sg = elem->sg;
	elem->in_sg = elem->sg + elem->out_num;
	vr->last_avail_idx++;
	vr->in_use++;
	if (vr->layout.event_idx && vr->notification)
		vring_store(*vring_avail_event_ptr(vr), vr->last_avail_idx);
	return 1;
}

void vring_unpop(struct vring_state *vr)
{
	vr->last_avail_idx--;
	vr->in_use--;
}
