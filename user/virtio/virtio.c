// SPDX-License-Identifier: BSD-2-Clause
/*
 * A virtio device's life and registers: status, features, reset (virtio 1.2, 2.1, 2.2, 3.1). Under
 * the BQL, but for virtio_error and virtio_notify_config.
 */
#include "virtio_device.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/aio.h>
#include <handoff/probes.h>
#include <handoff/stats.h>
#include "virtio_bus.h"

static void reset_queue(struct VirtQueue *vq)
{
	vring_stop(&vq->vring);
	vq->layout = (struct virtqueue_layout){ .size = vq->vdev->max_queue_size };
	vq->enabled = false;
	vq->epoch++;
	vq->left_empty = true;
	vq->notify_pending = false;
	vq->oldest_complete_ns = 0;
}

static int init_queue(struct VirtIODevice *vdev, unsigned int i)
{
	struct VirtQueue *vq = &vdev->vq[i];

	vq->vdev = vdev;
	vq->index = i;
	vq->vector = VIRTIO_MSI_NO_VECTOR;
	vq->host_notifier.fd = -1;
	vq->stats = stats_queue_get(vdev->stats_page, vdev->name, i);
	vq->stats_private = !vq->stats;
	if (!vq->stats)
		vq->stats = calloc(1, sizeof(*vq->stats));
	reset_queue(vq);
	return vq->stats ? 0 : -ENOMEM;
}

int virtio_init(struct VirtIODevice *vdev, struct AioContext *ctx, unsigned int n_queues,
		uint16_t max_queue_size, struct error *err)
{
	struct QEMUBH *bh[VIRTIO_MAX_QUEUES];
	int ret;

	vdev->max_queue_size = max_queue_size;
	vdev->config_vector = VIRTIO_MSI_NO_VECTOR;
	for (vdev->n_queues = 0; vdev->n_queues < n_queues; vdev->n_queues++) {
		if (init_queue(vdev, vdev->n_queues)) {
			ret = error_set(err, -ENOMEM, "%s: no memory for a queue", vdev->name);
			goto fail;
		}
	}
	ret = virtio_queues_prepare_context(vdev, ctx, bh, err);
	if (ret)
		goto fail;
	virtio_queues_enter_context(vdev, ctx, bh);
	return 0;

fail:
	virtio_release(vdev);
	return ret;
}

void virtio_release(struct VirtIODevice *vdev)
{
	unsigned int i;

	for (i = 0; i < vdev->n_queues; i++) {
		struct VirtQueue *vq = &vdev->vq[i];

		if (vq->bh)
			aio_bh_delete(vq->bh);
		if (vq->stats_private)
			free(vq->stats);
		else
			stats_queue_put(vq->stats);
	}
	vdev->n_queues = 0;
}

void virtio_error(struct VirtIODevice *vdev, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_limited(&vdev->complaints, LOG_WARN, "%s: %s; the guest must reset the device",
		    vdev->name, text);
	atomic_store(&vdev->broken, true);
	/* 2.1.2: an interrupt tells of it, once the driver runs. */
	if (atomic_fetch_or(&vdev->status, VIRTIO_CONFIG_S_NEEDS_RESET) & VIRTIO_CONFIG_S_DRIVER_OK)
		virtio_notify_config(vdev);
}

void virtio_notify_config(struct VirtIODevice *vdev)
{
	atomic_fetch_or(&vdev->isr, VIRTIO_PCI_ISR_CONFIG);
	if (vdev->config_vector != VIRTIO_MSI_NO_VECTOR)
		vdev->bus->ops->notify(vdev->bus, vdev->config_vector);
}

/* 3.1.1, step 6. Without VERSION_1 it would be a legacy driver, which we do not speak with. */
static bool features_valid(const struct VirtIODevice *vdev)
{
	return !(vdev->guest_features & ~vdev->host_features) &&
	       virtio_has_feature(vdev, VIRTIO_F_VERSION_1);
}

static void start_rings(struct VirtIODevice *vdev)
{
	unsigned int i;

	for (i = 0; i < vdev->n_queues; i++) {
		struct VirtQueue *vq = &vdev->vq[i];
		enum virtqueue_defect defect;

		if (!vq->enabled)
			continue;
		vq->layout.event_idx = virtio_has_feature(vdev, VIRTIO_RING_F_EVENT_IDX);
		vq->layout.indirect = virtio_has_feature(vdev, VIRTIO_RING_F_INDIRECT_DESC);
		vq->layout.packed = virtio_has_feature(vdev, VIRTIO_F_RING_PACKED);
		vq->layout.max_chain = vdev->max_queue_size;
		stats_set(&vq->stats->ring, vq->layout.event_idx && !vq->layout.packed
						    ? STATS_RING_SPLIT_EVENT_IDX
						    : STATS_RING_FLAG);
		defect = vring_start(&vq->vring, vdev->ram, &vq->layout);
		if (defect) {
			stats_inc(&vq->stats->errors);
			virtio_error(vdev, "queue %u: %s", i, virtqueue_defect_name(defect));
		}
	}
}

void virtio_set_status(struct VirtIODevice *vdev, uint8_t value)
{
	uint8_t old = atomic_load(&vdev->status);
	uint8_t added = value & ~old & ~VIRTIO_CONFIG_S_NEEDS_RESET;

	HANDOFF_PROBE2(device_status, vdev->name, value);
	if (!value) {
		virtio_reset(vdev);
		return;
	}
	/* 2.1.1: a driver never clears a bit but by a reset, so only what is new counts. */
	if (added & VIRTIO_CONFIG_S_FEATURES_OK && !features_valid(vdev)) {
		log_limited(&vdev->complaints, LOG_WARN,
			    "%s: features 0x%llx refused, offered are 0x%llx", vdev->name,
			    (unsigned long long)vdev->guest_features,
			    (unsigned long long)vdev->host_features);
		added &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	}
	if (added & VIRTIO_CONFIG_S_DRIVER_OK && !((old | added) & VIRTIO_CONFIG_S_FEATURES_OK)) {
		log_limited(&vdev->complaints, LOG_WARN,
			    "%s: DRIVER_OK without FEATURES_OK refused", vdev->name);
		added &= ~VIRTIO_CONFIG_S_DRIVER_OK;
	}
	if (added & VIRTIO_CONFIG_S_FEATURES_OK)
		vdev->ops->negotiated(vdev);
	atomic_fetch_or(&vdev->status, added);
	if (added & VIRTIO_CONFIG_S_DRIVER_OK)
		start_rings(vdev);
}

void virtio_quiesce(struct VirtIODevice *vdev)
{
	unsigned int i;

	/* First what is in flight: it is pushed to the rings as they are. */
	atomic_store(&vdev->live, false);
	vdev->ops->reset(vdev);
	for (i = 0; i < vdev->n_queues; i++)
		virtio_queue_settle(&vdev->vq[i]);
}

void virtio_reset(struct VirtIODevice *vdev)
{
	unsigned int i;

	virtio_quiesce(vdev);
	for (i = 0; i < vdev->n_queues; i++)
		reset_queue(&vdev->vq[i]);
	vdev->guest_features = 0;
	atomic_store(&vdev->isr, 0);
	atomic_store(&vdev->broken, false);
	atomic_store(&vdev->status, 0);
}
