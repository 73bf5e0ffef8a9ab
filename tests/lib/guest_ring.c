// SPDX-License-Identifier: BSD-2-Clause
/* The driver's side of a virtqueue: set-up, chains, and what the split ring has of its own; see
 * guest_ring.h. */
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
		     unsigned int flags)
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
		.event_idx = flags & GUEST_RING_EVENT_IDX,
		.indirect = flags & GUEST_RING_INDIRECT,
		.packed = flags & GUEST_RING_PACKED,
	};
	/* Of each layout its own; the other's are there for doing it wrong. */
	ring->desc = hva;
	ring->packed = hva;
	ring->avail = guest_ram_hva(ram, ring->layout.avail_gpa, PAGE);
	ring->used = guest_ram_hva(ram, ring->layout.used_gpa, PAGE);
	ring->driver_event = (void *)ring->avail;
	ring->device_event = (void *)ring->used;
	ring->avail_at.wrap = ring->used_at.wrap = true;
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

static void fill_table(const struct guest_ring *ring, void *table, unsigned int i,
		       const struct guest_buffer *buffer, bool more)
{
	struct vring_packed_desc desc = {
		.addr = buffer->gpa,
		.len = buffer->len,
		/* Reserved: whatever it is (virtio 1.2, 2.8.7). */
		.id = 0xbad,
		.flags = (buffer->in ? VRING_DESC_F_WRITE : 0) | VRING_DESC_F_NEXT |
			 VRING_DESC_F_INDIRECT | 1u << VRING_PACKED_DESC_F_AVAIL,
	};

	if (ring->layout.packed)
		memcpy((char *)table + i * sizeof(desc), &desc, sizeof(desc));
	else
		fill_desc(table, i, buffer, more ? (int)i + 1 : -1);
}

static int add_packed(struct guest_ring *ring, const struct guest_buffer *buffers, unsigned int n)
{
	uint16_t id = ring->first_free;
	unsigned int i;

	for (i = 0; i < n; i++)
		guest_ring_put(ring, (struct vring_packed_desc){
					     .addr = buffers[i].gpa,
					     .len = buffers[i].len,
					     .id = id,
					     .flags = (buffers[i].in ? VRING_DESC_F_WRITE : 0) |
						      (i + 1 < n ? VRING_DESC_F_NEXT : 0),
				     });
	ring->first_free = ring->next_free[id];
	ring->n_free -= n;
	ring->chain_len[id] = n;
	return id;
}

int guest_ring_add(struct guest_ring *ring, const struct guest_buffer *buffers, unsigned int n)
{
	uint16_t head = ring->first_free, at = head;
	unsigned int i;

	if (!n || n > ring->n_free)
		return -1;
	if (ring->layout.packed)
		return add_packed(ring, buffers, n);
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
		fill_table(ring, table, i, &buffers[i], i + 1 < n);
	ring->first_free = ring->next_free[head];
	ring->n_free--;
	ring->chain_len[head] = 1;
	if (ring->layout.packed) {
		guest_ring_put(ring, (struct vring_packed_desc){
					     .addr = table_gpa,
					     .len = n * sizeof(struct vring_packed_desc),
					     .id = head,
					     .flags = VRING_DESC_F_INDIRECT,
				     });
		return head;
	}
	ring->desc[head] = (struct vring_desc){
		.addr = table_gpa,
		.len = n * sizeof(struct vring_desc),
		.flags = VRING_DESC_F_INDIRECT,
	};
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
	if (ring->layout.packed)
		guest_ring_packed_publish(ring);
	else
		__atomic_store_n(&ring->avail->idx, ring->avail_idx, __ATOMIC_RELEASE);
}

bool guest_ring_kick_needed(struct guest_ring *ring)
{
	uint16_t old = ring->kicked_idx, event;

	if (ring->layout.packed)
		return guest_ring_packed_kick_needed(ring);
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
	/* Of a packed ring's chain only the name comes back to the list. */
	uint16_t i, last = head, names = ring->layout.packed ? 1 : ring->chain_len[head];

	for (i = 1; i < names; i++)
		last = ring->next_free[last];
	ring->next_free[last] = ring->first_free;
	ring->first_free = head;
	ring->n_free += ring->chain_len[head];
	ring->chain_len[head] = 0;
}

static bool split_take(struct guest_ring *ring, uint32_t *head, uint32_t *len)
{
	struct vring_used_elem *elem = &ring->used->ring[ring->last_used % ring->layout.size];

	if (__atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) == ring->last_used)
		return false;
	*head = __atomic_load_n(&elem->id, __ATOMIC_RELAXED);
	*len = __atomic_load_n(&elem->len, __ATOMIC_RELAXED);
	ring->last_used++;
	return true;
}

bool guest_ring_take_used(struct guest_ring *ring, uint32_t *head, uint32_t *len)
{
	if (!(ring->layout.packed ? guest_ring_packed_take : split_take)(ring, head, len))
		return false;
	if (*head < ring->layout.size && ring->chain_len[*head])
		free_chain(ring, *head);
	return true;
}

void guest_ring_want_interrupt(struct guest_ring *ring, bool want)
{
	if (ring->layout.packed) {
		guest_ring_packed_want_interrupt(ring, want, 0);
	} else if (ring->layout.event_idx) {
		/* As far ahead as can be when it is not wanted. */
		guest_ring_want_interrupt_after(ring, want ? 0 : UINT16_MAX);
	} else {
		__atomic_store_n(&ring->avail->flags, want ? 0 : VRING_AVAIL_F_NO_INTERRUPT,
				 __ATOMIC_RELAXED);
	}
}

void guest_ring_want_interrupt_after(struct guest_ring *ring, uint16_t more)
{
	if (ring->layout.packed)
		guest_ring_packed_want_interrupt(ring, true, more);
	else
		__atomic_store_n(&ring->avail->ring[ring->layout.size],
				 (uint16_t)(ring->last_used + more), __ATOMIC_RELAXED);
}
