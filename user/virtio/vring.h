/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What both layouts share: how fields in guest memory are read and written while the guest does the
 * same, and how a chain's buffers are judged. The kernel's own definitions, little endian
 * throughout, as our hosts are.
 */
#ifndef VIRTIO_VRING_H
#define VIRTIO_VRING_H

#include <linux/virtio_ring.h>
#include <handoff/guest_ram.h>
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

/* virtqueue.c: NULL unless wholly in RAM and aligned. */
void *vring_map(const struct guest_ram *ram, uint64_t gpa, uint64_t len, unsigned int align);
/* The rings of vr->layout, which is judged but for its addresses and size; false if they are bad.
 */
bool vring_split_map(struct vring_state *vr);
bool vring_packed_map(struct vring_state *vr);

/* --- a chain --- */

#define CHAIN_MAX_BYTES (1ull << 32) /* virtio 1.2, 2.7.4 */

struct chain_walk {
	const struct guest_ram *ram;
	struct VirtQueueElement *elem;
	unsigned int max_sg, n_sg;
	uint64_t bytes;
};

#define DESC_BYTES 16 /* of both layouts */

/*
 * One descriptor out of guest memory, where an indirect table has any alignment. What is judged is
 * what is used: the compiler may not go back there for a field.
 */
static inline void desc_copy(void *to, const void *table, unsigned int i)
{
	__builtin_memcpy(to, (const char *)table + (size_t)i * DESC_BYTES, DESC_BYTES);
	__asm__ volatile("" : "+m"(*(char(*)[DESC_BYTES])to));
}

/* vring_chain.c: a buffer that lies in more than one range, or in none. */
enum virtqueue_defect chain_add_crossing(struct chain_walk *w, uint64_t gpa, uint64_t len, bool in);
/* vring_chain.c: judges an indirect table; *n descriptors at *table if it is good. */
enum virtqueue_defect chain_map_table(const struct vring_state *vr, uint64_t gpa, uint32_t len,
				      const void **table, unsigned int *n);

static inline void chain_begin(struct VirtQueueElement *elem)
{
	elem->out_num = elem->in_num = 0;
	elem->out_bytes = elem->in_bytes = 0;
}

static inline void chain_end(struct VirtQueueElement *elem)
{
	elem->out_sg = elem->sg;
	elem->in_sg = elem->sg + elem->out_num;
}

static inline enum virtqueue_defect chain_add_iovec(struct chain_walk *w, void *hva, uint64_t len,
						    bool in)
{
	if (w->n_sg == w->max_sg)
		return VIRTQUEUE_TOO_MANY_BUFFERS;
	w->elem->sg[w->n_sg++] = (struct iovec){ .iov_base = hva, .iov_len = len };
	if (in)
		w->elem->in_num++;
	else
		w->elem->out_num++;
	return VIRTQUEUE_OK;
}

/* A buffer of the chain; `in`: the device writes it. */
static inline enum virtqueue_defect chain_add(struct chain_walk *w, uint64_t gpa, uint64_t len,
					      bool in)
{
	struct VirtQueueElement *elem = w->elem;
	void *hva;

	if (!len)
		return VIRTQUEUE_ZERO_LENGTH;
	if (!in && elem->in_num)
		return VIRTQUEUE_BAD_ORDER;
	w->bytes += len;
	if (w->bytes > CHAIN_MAX_BYTES)
		return VIRTQUEUE_TOO_MANY_BYTES;
	*(in ? &elem->in_bytes : &elem->out_bytes) += len;
	hva = guest_ram_hva(w->ram, gpa, len);
	return likely(hva) ? chain_add_iovec(w, hva, len, in) : chain_add_crossing(w, gpa, len, in);
}

#endif
