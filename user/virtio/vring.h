/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rings as they lie in guest memory: the kernel's own definitions, and how their fields are
 * read and written while the guest does the same. Little endian throughout, as our hosts are.
 */
#ifndef VIRTIO_VRING_H
#define VIRTIO_VRING_H

#include <linux/virtio_ring.h>
#include <handoff/virtqueue.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "virtio fields are used as they are");

/* Of a field both sides use without order; what needs order says so where it is. */
#define vring_load(field)	  __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define vring_store(field, value) __atomic_store_n(&(field), value, __ATOMIC_RELAXED)

/* Pairs with the driver's fence between its own store and the load of what we stored. */
static inline void vring_full_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* EVENT_IDX: each ring ends with the index at which its reader wants to be told. */
static inline uint16_t *vring_used_event_ptr(const struct vring_state *vr)
{
	return &vr->avail->ring[vr->layout.size];
}

static inline uint16_t *vring_avail_event_ptr(const struct vring_state *vr)
{
	return (uint16_t *)&vr->used->ring[vr->layout.size];
}

#endif
