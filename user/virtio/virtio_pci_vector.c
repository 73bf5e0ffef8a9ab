// SPDX-License-Identifier: BSD-2-Clause
/*
 * MSI-X vectors of queues and configuration (virtio 1.2, 4.1.5.1.2). A vector is taken when the
 * driver names it, since it learns from reading it back whether it was to be had, and given back at
 * reset. Under the BQL; loops read queue->vector, so it changes only while they do not serve.
 */
#include "virtio_pci.h"

#include <handoff/probes.h>
#include <handoff/stats.h>

/*
 * Not under the row's seq, which is the serving loop's: each field is stored whole, and a reader
 * that meets the middle of a change sees it right the next time. While a vector is masked the row
 * keeps the message it sent last.
 */
static void update_row(struct VirtIOPCIProxy *proxy, struct VirtQueue *vq)
{
	struct stats_queue *row = vq->stats;
	struct msi_message msg = { .address = row->msi_addr, .data = row->msi_data };
	uint64_t gpa = 0;

	if (proxy->pci.bar[VIRTIO_PCI_MODERN_BAR].mapped)
		gpa = proxy->pci.bar[VIRTIO_PCI_MODERN_BAR].gpa + VIRTIO_PCI_NOTIFY_OFFSET +
		      vq->index * VIRTIO_PCI_NOTIFY_MULTIPLIER;
	if (vq->vector == VIRTIO_MSI_NO_VECTOR)
		msg = (struct msi_message){ 0 };
	else if (!msix_vector_masked(&proxy->pci, vq->vector))
		(void)!msix_message(&proxy->pci, vq->vector, &msg);
	if (gpa == row->gpa && msg.address == row->msi_addr && msg.data == row->msi_data)
		return;
	stats_set(&row->gpa, gpa);
	__atomic_store_n(&row->msi_data, msg.data, __ATOMIC_RELAXED);
	stats_set(&row->msi_addr, msg.address);
	HANDOFF_PROBE4(queue_placed, stats_queue_index(vq->vdev->stats_page, row), gpa, msg.address,
		       msg.data);
}

void virtio_pci_update_rows(struct VirtIOPCIProxy *proxy)
{
	unsigned int i;

	for (i = 0; i < proxy->vdev->n_queues; i++)
		update_row(proxy, &proxy->vdev->vq[i]);
}

static void give_back(struct VirtIOPCIProxy *proxy, uint16_t *slot)
{
	if (*slot != VIRTIO_MSI_NO_VECTOR)
		msix_vector_unuse(&proxy->pci, *slot);
	*slot = VIRTIO_MSI_NO_VECTOR;
}

void virtio_pci_set_vector(struct VirtIOPCIProxy *proxy, uint16_t *slot, uint16_t vector)
{
	bool started = proxy->bus.ioeventfd_started;
	struct error err;

	if (*slot == vector)
		return;
	if (started)
		virtio_pci_stop_ioeventfd(proxy);
	give_back(proxy, slot);
	if (vector != VIRTIO_MSI_NO_VECTOR) {
		if (msix_vector_use(&proxy->pci, vector, &err))
			*slot = vector;
		else
			log_limited(&proxy->vdev->complaints, LOG_WARN, "%s", err.msg);
	}
	virtio_pci_update_rows(proxy);
	if (started)
		virtio_pci_start_ioeventfd(proxy);
}

void virtio_pci_release_vectors(struct VirtIOPCIProxy *proxy)
{
	struct VirtIODevice *vdev = proxy->vdev;
	unsigned int i;

	for (i = 0; i < vdev->n_queues; i++)
		give_back(proxy, &vdev->vq[i].vector);
	give_back(proxy, &vdev->config_vector);
	virtio_pci_update_rows(proxy);
}
