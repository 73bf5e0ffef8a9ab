/* SPDX-License-Identifier: BSD-2-Clause */
/* The split ring's two halves: vring_split.c gives chains back and notifies, vring_split_pop.c
 * takes them. */
#ifndef VIRTIO_VRING_SPLIT_H
#define VIRTIO_VRING_SPLIT_H

#include "vring.h"

/* EVENT_IDX: each ring ends with the index at which its reader wants to be told. */
static inline uint16_t *vring_used_event_ptr(const struct vring_state *vr)
{
	return &vr->split.avail->ring[vr->layout.size];
}

static inline uint16_t *vring_avail_event_ptr(const struct vring_state *vr)
{
	return (uint16_t *)&vr->split.used->ring[vr->layout.size];
}

#endif
