/* SPDX-License-Identifier: BSD-2-Clause */
/* The two layouts behind virtq.h: virtq_split.c and virtq_packed.c. A queue's never changes, so
 * each call is a predicted branch in virtq.c. */
#ifndef GUEST_VIRTQ_LAYOUT_H
#define GUEST_VIRTQ_LAYOUT_H

#include "virtq.h"

#define DESC_NEXT	 1
#define DESC_WRITE	 2
#define DESC_INDIRECT	 4
#define DESC_BYTES	 16 /* of either layout */
/* Pages of their own: a false sharing between the parts would blur what is measured. */
#define VIRTQ_PART_ALIGN 4096

static inline void *virtq_table(const struct virtq *vq, uint32_t slot)
{
	return (char *)vq->tables + (uint64_t)slot * vq->stride * DESC_BYTES;
}

void virtq_split_init(struct virtq *vq);
void virtq_split_restart(struct virtq *vq);
void virtq_split_add(struct virtq *vq, uint32_t slot, const struct virtq_segment *segments,
		     uint32_t n);
/* Shows it all; is a kick wanted? */
bool virtq_split_publish(struct virtq *vq);
bool virtq_split_has_used(const struct virtq *vq);
bool virtq_split_pop(struct virtq *vq, struct virtq_used *used);
void virtq_split_irq(struct virtq *vq, bool arm);

void virtq_packed_init(struct virtq *vq);
void virtq_packed_restart(struct virtq *vq);
void virtq_packed_add(struct virtq *vq, uint32_t slot, const struct virtq_segment *segments,
		      uint32_t n);
bool virtq_packed_publish(struct virtq *vq);
bool virtq_packed_has_used(const struct virtq *vq);
bool virtq_packed_pop(struct virtq *vq, struct virtq_used *used);
void virtq_packed_irq(struct virtq *vq, bool arm);

#endif
