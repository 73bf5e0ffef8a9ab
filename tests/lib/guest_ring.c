// SPDX-License-Identifier: BSD-2-Clause
/* The driver's side of a split virtqueue; see guest_ring.h. */
#include "guest_ring.h"

#include <assert.h>
#include <string.h>
#include <handoff/guest_ram.h>

#define PAGE 4096ull

static uint64_t desc_bytes(unsigned int size)
{
	return ROUND_UP((uint64_t)size * sizeof(struct vring_desc), PAGE);
}

static uint64_t avail_bytes(unsigned int size)
{
	return ROUND_UP(sizeof(struct vring_avail) + (size + 1) * sizeof(uint16_t), PAGE);
}

uint64_t guest_ring_bytes(unsigned int size)
{
	return desc_bytes(size) + avail_bytes(size) +
	       ROUND_UP(sizeof(struct vring_used) + size * sizeof(struct vring_used_elem) + 2,
			PAGE);
}

void guest_ring_init(struct guest_ring *ring, struct guest_ram *ram, uint64_t gpa, uint16_t size,
		     bool event_idx, bool indirect)
{
	unsigned int i;
	void *hva = guest_ram_hva(ram, gpa, guest_ring_bytes(size));

	assert(hva && gpa % PAGE == 0);
	memset(hva, 0, guest_ring_bytes(size));
	memset(ring, 0, sizeof(*ring));
	ring->ram = ram;
	ring->layout = (struct virtqueue_layout){
		.desc_gpa = gpa,
		.avail_gpa = gpa + desc_bytes(size),
		.used_gpa = gpa + desc_bytes(size) + avail_bytes(size),
		.size = size,
		.event_idx = event_idx,
		.indirect = indirect,
	};
	ring->desc = hva;
	ring->avail = guest_ram_hva(ram, ring->layout.avail_gpa, PAGE);
	ring->used = guest_ram_hva(ram, ring->layout.used_gpa, PAGE);
	ring->n_free = size;
	for (i = 0; i < size; i++)
		ring->next_free[i] = i + 1;
}

/* By copy: an indirect table may have any alignment. */
static void fill_desc(void *table, unsigned int i, const struct guest_buffer *buffer, int next)
{
	struct vring_desc desc = {
		.addr = buffer->gpa,
		.len = buffer->len,
		.flags =
			(buffer->in ? VRING_DESC_F_WRITE : 0) | (next >= 0 ? VRING_DESC_F_NEXT : 0),
		.next = next >= 0 ? next : 0,
	};

	memcpy((char *)table + i * sizeof(desc), &desc, sizeof(desc));
}

int guest_ring_add(struct guest_ring *ring, const struct guest_buffer *buffers, unsigned int n)
{
	uint16_t head = ring->first_free, at = head;
	unsigned int i;

	if (!n || n > ring->n_free)
		return -1;
	for (i = 0; i < n; i++) {
		uint16_t next = ring->next_free[at];

		fill_desc(ring->desc, at, &buffers[i], i + 1 < n ? next : -1);
		at = next;
	}
	ring->first_free = at;
	ring->n_free -= n;
	ring->chain_len[head] = n;
	guest_ring_offer(ring, head);
	return head;
}

int guest_ring_add_indirect(struct guest_ring *ring, const struct guest_buffer *buffers,
			    unsigned int n, uint64_t table_gpa)
{
	void *table = guest_ram_hva(ring->ram, table_gpa, n * sizeof(struct vring_desc));
	uint16_t head = ring->first_free;
	unsigned int i;

	if (!ring->n_free)
		return -1;
	assert(table);
	for (i = 0; i < n; i++)
		fill_desc(table, i, &buffers[i], i + 1 < n ? (int)i + 1 : -1);
	ring->desc[head] = (struct vring_desc){
		.addr = table_gpa,
		.len = n * sizeof(struct vring_desc),
		.flags = VRING_DESC_F_INDIRECT,
	};
	ring->first_free = ring->next_free[head];
	ring->n_free--;
	ring->chain_len[head] = 1;
	guest_ring_offer(ring, head);
	return head;
}

void guest_ring_offer(struct guest_ring *ring, uint16_t head)
{
	__atomic_store_n(&ring->avail->ring[ring->avail_idx % ring->layout.size], head,
			 __ATOMIC_RELAXED);
	ring->avail_idx++;
}

void guest_ring_publish(struct guest_ring *ring)
{
	__atomic_store_n(&ring->avail->idx, ring->avail_idx, __ATOMIC_RELEASE);
}

bool guest_ring_kick_needed(struct guest_ring *ring)
{
	uint16_t old = ring->kicked_idx, event;

	/* avail.idx before avail_event or flags; the device does it the other way round. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	ring->kicked_idx = ring->avail_idx;
	if (!ring->layout.event_idx)
		return !(__atomic_load_n(&ring->used->flags, __ATOMIC_RELAXED) &
			 VRING_USED_F_NO_NOTIFY);
	event = __atomic_load_n((uint16_t *)&ring->used->ring[ring->layout.size], __ATOMIC_RELAXED);
	return vring_need_event(event, ring->avail_idx, old);
}

static void free_chain(struct guest_ring *ring, uint16_t head)
{
	uint16_t i, last = head;

	for (i = 1; i < ring->chain_len[head]; i++)
		last = ring->next_free[last];
	ring->next_free[last] = ring->first_free;
	ring->first_free = head;
	ring->n_free += ring->chain_len[head];
	ring->chain_len[head] = 0;
}

bool guest_ring_take_used(struct guest_ring *ring, uint32_t *head, uint32_t *len)
{
	struct vring_used_elem *elem = &ring->used->ring[ring->last_used % ring->layout.size];

	if (__atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) == ring->last_used)
		return false;
	*head = __atomic_load_n(&elem->id, __ATOMIC_RELAXED);
	*len = __atomic_load_n(&elem->len, __ATOMIC_RELAXED);
	ring->last_used++;
	if (*head < ring->layout.size && ring->chain_len[*head])
		free_chain(ring, *head);
	return true;
}

void guest_ring_want_interrupt(struct guest_ring *ring, bool want)
{
	if (ring->layout.event_idx) {
		/* As far ahead as can be when it is not wanted. */
		__atomic_store_n(&ring->avail->ring[ring->layout.size],
				 want ? ring->last_used : (uint16_t)(ring->last_used - 1),
				 __ATOMIC_RELAXED);
		return;
	}
	__atomic_store_n(&ring->avail->flags, want ? 0 : VRING_AVAIL_F_NO_INTERRUPT,
			 __ATOMIC_RELAXED);
}
