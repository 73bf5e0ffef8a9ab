// SPDX-License-Identifier: BSD-2-Clause
/*
 * Split virtqueue but for taking chains (vring_split_pop.c): mapping, used ring, notifications both
 * ways. Single-threaded but for the guest, whose side of each fence is virtio 1.2, 2.7.13.
 */
#include "vring_split.h"

/* Sizes and alignments: virtio 1.2, 2.7. */
bool vring_split_map(struct vring_state *vr)
{
	const struct virtqueue_layout *layout = &vr->layout;
	struct vring_split *s = &vr->split;
	uint64_t size = layout->size, event_bytes = layout->event_idx ? sizeof(uint16_t) : 0;

	if (size & (size - 1))
		return false;
	s->desc = vring_map(vr->ram, layout->desc_gpa, size * sizeof(struct vring_desc), 16);
	s->avail = vring_map(vr->ram, layout->avail_gpa,
			     sizeof(struct vring_avail) + size * sizeof(uint16_t) + event_bytes, 2);
	s->used = vring_map(
		vr->ram, layout->used_gpa,
		sizeof(struct vring_used) + size * sizeof(struct vring_used_elem) + event_bytes, 4);
	return s->desc && s->avail && s->used;
}

bool vring_split_empty(const struct vring_state *vr)
{
	const struct vring_split *s = &vr->split;

	if (unlikely(!vr->started || vr->defect))
		return true;
	if (s->shadow_avail_idx != s->last_avail_idx)
		return false;
	return vring_load(s->avail->idx) == s->last_avail_idx;
}

void vring_split_fill(struct vring_state *vr, struct virtqueue_chain chain, uint32_t written_bytes)
{
	struct vring_split *s = &vr->split;
	struct vring_used_elem *elem;

	if (unlikely(!vr->started))
		return;
	elem = &s->used->ring[(uint16_t)(s->used_idx + vr->filled) & (vr->layout.size - 1)];
	vring_store(elem->id, chain.head);
	vring_store(elem->len, written_bytes);
	vr->filled++;
}

void vring_split_flush(struct vring_state *vr)
{
	struct vring_split *s = &vr->split;
	uint16_t old = s->used_idx;
	uint16_t new = old + vr->filled;

	if (unlikely(!vr->started))
		return;
	/* Release: who sees the index sees the elements and what they announce. */
	__atomic_store_n(&s->used->idx, new, __ATOMIC_RELEASE);
	s->used_idx = new;
	vr->in_use -= vr->filled;
	vr->filled = 0;
	/* The index passed where we last judged: its distance no longer fits 16 bits. */
	if ((uint16_t)(new - s->signalled_used) < (uint16_t)(new - old))
		s->signalled_used_valid = false;
}

bool vring_split_should_notify(struct vring_state *vr)
{
	struct vring_split *s = &vr->split;
	uint16_t old, new;
	bool valid;

	if (unlikely(!vr->started))
		return false;
	/* used.idx before used_event and flags; the driver stores those, fences, and reads
	 * used.idx. */
	vring_full_fence();
	if (!vr->layout.event_idx)
		return !(vring_load(s->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	valid = s->signalled_used_valid;
	old = s->signalled_used;
	new = s->used_idx;
	s->signalled_used = new;
	s->signalled_used_valid = true;
	return !valid || vring_need_event(vring_load(*vring_used_event_ptr(vr)), new, old);
}

void vring_split_set_notification(struct vring_state *vr, bool enable)
{
	struct vring_split *s = &vr->split;

	vr->notification = enable;
	if (unlikely(!vr->started))
		return;
	if (!vr->layout.event_idx)
		vring_store(s->used->flags, enable ? 0 : VRING_USED_F_NO_NOTIFY);
	else if (enable)
		vring_store(*vring_avail_event_ptr(vr), vring_load(s->avail->idx));
	/* The store above before the caller's look at avail.idx; the driver does it the other way.
	 */
	if (enable)
		vring_full_fence();
}
