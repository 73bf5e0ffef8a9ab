// SPDX-License-Identifier: BSD-2-Clause
/* A guest's virtio-blk driver; see guest_blk.h. */
#include "guest_blk.h"

#include <string.h>
#include <linux/pci_regs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <lib/tap.h>

/* Guest memory: each queue has 2 MiB from here on. */
#define AREA_GPA       0x200000ull
#define AREA_BYTES     0x200000ull
#define AREA_REQUESTS  0x10000ull /* behind the rings */
#define AREA_DATA      0x80000ull
#define REQUEST_BYTES  256u /* header at 0, status at 16, indirect table at 32 */
#define REQUEST_STATUS 16u
#define REQUEST_TABLE  32u

static uint64_t bar_gpa(struct guest_blk *guest, unsigned int bar)
{
	return fake_board_config_read(guest->board, guest->slot, PCI_BASE_ADDRESS_0 + 4 * bar, 4) &
	       PCI_BASE_ADDRESS_MEM_MASK;
}

static void take_vendor_cap(struct guest_blk *guest, unsigned int at)
{
	struct fake_board *board = guest->board;
	unsigned int slot = guest->slot;
	uint64_t gpa = bar_gpa(guest, fake_board_config_read(board, slot, at + 4, 1)) +
		       fake_board_config_read(board, slot, at + 8, 4);
	uint32_t bytes = fake_board_config_read(board, slot, at + 12, 4);

	switch (fake_board_config_read(board, slot, at + 3, 1)) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		guest->common_gpa = gpa;
		guest->common_bytes = bytes;
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		guest->notify_gpa = gpa;
		guest->notify_multiplier = fake_board_config_read(board, slot, at + 16, 4);
		break;
	case VIRTIO_PCI_CAP_ISR_CFG:
		guest->isr_gpa = gpa;
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		guest->device_gpa = gpa;
		guest->device_bytes = bytes;
		break;
	case VIRTIO_PCI_CAP_PCI_CFG:
		guest->cfg_cap = at;
		break;
	}
}

static void take_msix_cap(struct guest_blk *guest, unsigned int at)
{
	uint32_t table = fake_board_config_read(guest->board, guest->slot, at + 4, 4);
	uint32_t control = fake_board_config_read(guest->board, guest->slot, at + 2, 2);

	guest->msix_gpa = bar_gpa(guest, table & 7) + (table & ~7u);
	fake_board_config_write(guest->board, guest->slot, at + 2, control | PCI_MSIX_FLAGS_ENABLE,
				2);
}

void guest_blk_probe(struct guest_blk *guest, struct fake_board *board, unsigned int slot)
{
	unsigned int at;

	memset(guest, 0, sizeof(*guest));
	guest->board = board;
	guest->slot = slot;
	fake_board_config_write(board, slot, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
				2);
	for (at = fake_board_config_read(board, slot, PCI_CAPABILITY_LIST, 1); at;
	     at = fake_board_config_read(board, slot, at + 1, 1)) {
		switch (fake_board_config_read(board, slot, at, 1)) {
		case PCI_CAP_ID_VNDR:
			take_vendor_cap(guest, at);
			break;
		case PCI_CAP_ID_MSIX:
			take_msix_cap(guest, at);
			break;
		}
	}
}

uint64_t guest_blk_common_read(struct guest_blk *guest, unsigned int reg, unsigned int size)
{
	return fake_board_read(guest->board, guest->common_gpa + reg, size);
}

void guest_blk_common_write(struct guest_blk *guest, unsigned int reg, uint64_t value,
			    unsigned int size)
{
	fake_board_write(guest->board, guest->common_gpa + reg, value, size);
}

uint8_t guest_blk_status(struct guest_blk *guest)
{
	return guest_blk_common_read(guest, VIRTIO_PCI_COMMON_STATUS, 1);
}

uint64_t guest_blk_config(struct guest_blk *guest, unsigned int offset, unsigned int size)
{
	return fake_board_read(guest->board, guest->device_gpa + offset, size);
}

static void add_status(struct guest_blk *guest, uint8_t bits)
{
	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_STATUS, guest_blk_status(guest) | bits, 1);
}

static void read_offer(struct guest_blk *guest)
{
	unsigned int i;

	guest->offered = 0;
	for (i = 0; i < 2; i++) {
		guest_blk_common_write(guest, VIRTIO_PCI_COMMON_DFSELECT, i, 4);
		guest->offered |= guest_blk_common_read(guest, VIRTIO_PCI_COMMON_DF, 4) << 32 * i;
	}
}

bool guest_blk_negotiate(struct guest_blk *guest, uint64_t features)
{
	unsigned int i;

	add_status(guest, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	add_status(guest, VIRTIO_CONFIG_S_DRIVER);
	read_offer(guest);
	for (i = 0; i < 2; i++) {
		guest_blk_common_write(guest, VIRTIO_PCI_COMMON_GFSELECT, i, 4);
		guest_blk_common_write(guest, VIRTIO_PCI_COMMON_GF, features >> 32 * i & ~0u, 4);
	}
	guest->features = features;
	add_status(guest, VIRTIO_CONFIG_S_FEATURES_OK);
	return guest_blk_status(guest) & VIRTIO_CONFIG_S_FEATURES_OK;
}

static void set_msix_entry(struct guest_blk *guest, unsigned int vector)
{
	uint64_t gpa = guest->msix_gpa + vector * PCI_MSIX_ENTRY_SIZE;

	fake_board_write(guest->board, gpa, 0xfee00000, 4);
	fake_board_write(guest->board, gpa + 4, 0, 4);
	fake_board_write(guest->board, gpa + 8, vector, 4);
	fake_board_write(guest->board, gpa + 12, 0, 4);
}

static void write_address(struct guest_blk *guest, unsigned int reg, uint64_t gpa)
{
	/* One write of 8 bytes: the device sees two dwords. */
	guest_blk_common_write(guest, reg, gpa, 8);
}

void guest_blk_setup_queues(struct guest_blk *guest, unsigned int n_queues, uint16_t size)
{
	const unsigned int flags =
		(guest->features >> VIRTIO_RING_F_EVENT_IDX & 1 ? GUEST_RING_EVENT_IDX : 0) |
		(guest->features >> VIRTIO_RING_F_INDIRECT_DESC & 1 ? GUEST_RING_INDIRECT : 0) |
		(guest->features >> VIRTIO_F_RING_PACKED & 1 ? GUEST_RING_PACKED : 0);
	unsigned int i;

	guest->n_queues = n_queues;
	set_msix_entry(guest, 0);
	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_MSIX, 0, 2);
	for (i = 0; i < n_queues; i++) {
		struct guest_blk_queue *q = &guest->queue[i];

		memset(q, 0, sizeof(*q));
		q->area_gpa = AREA_GPA + i * AREA_BYTES;
		guest_ring_init(&q->ring, guest->board->ram, q->area_gpa, size, flags);
		set_msix_entry(guest, i + 1);
		guest_blk_common_write(guest, VIRTIO_PCI_COMMON_Q_SELECT, i, 2);
		guest_blk_common_write(guest, VIRTIO_PCI_COMMON_Q_SIZE, size, 2);
		guest_blk_common_write(guest, VIRTIO_PCI_COMMON_Q_MSIX, i + 1, 2);
		write_address(guest, VIRTIO_PCI_COMMON_Q_DESCLO, q->ring.layout.desc_gpa);
		write_address(guest, VIRTIO_PCI_COMMON_Q_AVAILLO, q->ring.layout.avail_gpa);
		write_address(guest, VIRTIO_PCI_COMMON_Q_USEDLO, q->ring.layout.used_gpa);
		q->notify_gpa = guest->notify_gpa +
				guest_blk_common_read(guest, VIRTIO_PCI_COMMON_Q_NOFF, 2) *
					guest->notify_multiplier;
		guest_blk_common_write(guest, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	}
}

void guest_blk_driver_ok(struct guest_blk *guest)
{
	add_status(guest, VIRTIO_CONFIG_S_DRIVER_OK);
}

void guest_blk_start(struct guest_blk *guest, uint64_t features, unsigned int n_queues,
		     uint16_t size)
{
	read_offer(guest);
	features |= 1ull << VIRTIO_F_VERSION_1 | (guest->offered & 1ull << VIRTIO_F_RING_PACKED);
	if (!guest_blk_negotiate(guest, features))
		fail_msg("features refused");
	guest_blk_setup_queues(guest, n_queues, size);
	guest_blk_driver_ok(guest);
}

void guest_blk_reset(struct guest_blk *guest)
{
	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_STATUS, 0, 1);
}

/* --- requests
 * -------------------------------------------------------------------------------------- */

static uint64_t request_gpa(const struct guest_blk *guest, unsigned int queue, unsigned int head)
{
	return guest->queue[queue].area_gpa + AREA_REQUESTS + head * REQUEST_BYTES;
}

uint64_t guest_blk_data_gpa(const struct guest_blk *guest, unsigned int queue, int head)
{
	return guest->queue[queue].area_gpa + AREA_DATA + head * (uint64_t)GUEST_BLK_DATA_BYTES;
}

void *guest_blk_data(const struct guest_blk *guest, unsigned int queue, int head)
{
	return guest_ram_hva(guest->board->ram, guest_blk_data_gpa(guest, queue, head),
			     GUEST_BLK_DATA_BYTES);
}

static int add_chain(struct guest_blk *guest, unsigned int queue,
		     const struct guest_buffer *buffers, unsigned int n)
{
	struct guest_blk_queue *q = &guest->queue[queue];
	unsigned int head = q->ring.first_free;
	uint8_t *status = guest_ram_hva(guest->board->ram,
					request_gpa(guest, queue, head) + REQUEST_STATUS, 1);
	int ret;

	*status = 0xff;
	if (guest->use_indirect)
		ret = guest_ring_add_indirect(&q->ring, buffers, n,
					      request_gpa(guest, queue, head) + REQUEST_TABLE);
	else
		ret = guest_ring_add(&q->ring, buffers, n);
	if (ret >= 0)
		q->submitted++;
	return ret;
}

int guest_blk_add(struct guest_blk *guest, unsigned int queue, const struct guest_blk_request *req)
{
	struct guest_blk_queue *q = &guest->queue[queue];
	unsigned int head = q->ring.first_free, n = 0;
	uint64_t gpa = request_gpa(guest, queue, head);
	struct virtio_blk_outhdr header = { .type = req->type, .sector = req->sector };
	struct guest_buffer chain[3];

	if (q->ring.n_free < 3)
		return -1;
	guest_ram_write(guest->board->ram, gpa, &header, sizeof(header));
	chain[n++] = (struct guest_buffer){ gpa, sizeof(header), false };
	if (req->bytes)
		chain[n++] = (struct guest_buffer){
			.gpa = req->data_gpa ? req->data_gpa
					     : guest_blk_data_gpa(guest, queue, head),
			.len = req->bytes,
			.in = req->type == VIRTIO_BLK_T_IN || req->type == VIRTIO_BLK_T_GET_ID,
		};
	chain[n++] = (struct guest_buffer){ gpa + REQUEST_STATUS, 1, true };
	return add_chain(guest, queue, chain, n);
}

int guest_blk_add_raw(struct guest_blk *guest, unsigned int queue,
		      const struct guest_buffer *buffers, unsigned int n)
{
	struct guest_buffer chain[VIRTQUEUE_MAX_SIZE];
	unsigned int head = guest->queue[queue].ring.first_free;

	memcpy(chain, buffers, n * sizeof(*buffers));
	chain[n] =
		(struct guest_buffer){ request_gpa(guest, queue, head) + REQUEST_STATUS, 1, true };
	return add_chain(guest, queue, chain, n + 1);
}

void guest_blk_publish(struct guest_blk *guest, unsigned int queue)
{
	struct guest_blk_queue *q = &guest->queue[queue];

	guest_ring_publish(&q->ring);
	if (!guest_ring_kick_needed(&q->ring)) {
		q->kicks_suppressed++;
		return;
	}
	q->kicks++;
	fake_board_kick(guest->board, q->notify_gpa);
}

int guest_blk_take(struct guest_blk *guest, unsigned int queue, uint8_t *status, uint32_t *len)
{
	struct guest_blk_queue *q = &guest->queue[queue];
	uint32_t head;

	if (!guest_ring_take_used(&q->ring, &head, len))
		return -1;
	q->completed++;
	*status = *(uint8_t *)guest_ram_hva(guest->board->ram,
					    request_gpa(guest, queue, head) + REQUEST_STATUS, 1);
	return head;
}
