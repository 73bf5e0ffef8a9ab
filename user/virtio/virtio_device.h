/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio device apart from its kind and its transport: registers, queues, how a queue is served
 * and its guest notified. Kinds (virtio_blk) fill virtio_device_ops; the transport is a VirtioBus.
 *
 * Threads. BQL: everything, while nobody serves. "server" fields belong to the thread that serves
 * the queue: queue->ctx, which changes hands only through registration and removal of handlers.
 */
#ifndef VIRTIO_DEVICE_H
#define VIRTIO_DEVICE_H

#include <stdatomic.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <abi/stats.h>
#include <handoff/event_notifier.h>
#include <handoff/log.h>
#include <handoff/virtio.h>
#include <handoff/virtqueue.h>

struct AioContext;
struct QEMUBH;
struct VirtIODevice;
struct VirtioBus;

#define VIRTIO_MAX_QUEUES 16

/* How an arrival was found: the arrivals_* counters of abi/stats.h. */
enum virtio_arrival { ARRIVAL_POLLED, ARRIVAL_NOTIFIED, ARRIVAL_RECHECK, ARRIVAL_USERSPACE };

struct VirtQueue {
	struct VirtIODevice *vdev;
	unsigned int index;

	/* What the driver wrote to the common configuration; frozen once enabled. BQL. */
	struct virtqueue_layout layout;
	bool enabled;
	uint16_t vector; /* or VIRTIO_MSI_NO_VECTOR; changes only while nobody serves */

	/* The kicks' eventfd exists from assign to unassign. BQL. */
	struct EventNotifier host_notifier;
	bool host_notifier_enabled;

	struct AioContext *ctx; /* who serves it; changes only while nobody serves */
	struct QEMUBH *bh;	/* in ctx: virtio_queue_bh */

	/* server */
	struct vring_state vring;
	uint32_t epoch;	     /* counts resets: who held a chain over one must not push it */
	bool left_empty;     /* what comes next is an arrival */
	bool serving;	     /* within handle_output */
	bool serve_again;    /* bh is to serve */
	bool notify_pending; /* something was pushed that the guest was not told of */
	bool bh_scheduled;
	int64_t oldest_complete_ns; /* of what is pending; 0 = not timed */
	uint32_t oldest_weight;	    /* of the request it belongs to */
	uint32_t weight;	    /* of what is served now: see virtio_queue_weight */
	uint32_t polled_untimed;    /* since the last polled turn that was timed */
	uint64_t own_kicks;	    /* of ours, possibly still in the eventfd's count */

	/* any thread */
	_Atomic uint64_t own_kicks_new; /* added before the eventfd is set */
	_Atomic bool userspace_kicked;	/* a guest's notify write left to user space */

	struct stats_queue *stats; /* in the page, or one of our own */
	bool stats_private;
};

struct virtio_device_ops {
	/* FEATURES_OK was accepted: guest_features are final until the reset. BQL. */
	void (*negotiated)(struct VirtIODevice *vdev);
	/* The driver's write to the configuration space, wholly inside of it. BQL. */
	void (*write_config)(struct VirtIODevice *vdev, unsigned int offset, uint64_t value,
			     unsigned int size);
	/* May the queues be served now? False while drained or held; who ends that kicks. Server.
	 */
	bool (*may_serve)(struct VirtIODevice *vdev);
	/* Serves a queue that has work. True: left it empty. False: gave up its turn. Server. */
	bool (*handle_output)(struct VirtIODevice *vdev, struct VirtQueue *vq);
	/* Kicks by ioeventfd, served by the device's own context. 0 or -errno; logs. BQL. */
	int (*start_ioeventfd)(struct VirtIODevice *vdev);
	void (*stop_ioeventfd)(struct VirtIODevice *vdev);
	/* Completes what is in flight; not started. BQL. */
	void (*reset)(struct VirtIODevice *vdev);
};

struct VirtIODevice {
	const char *name;
	const struct virtio_device_ops *ops;
	struct VirtioBus *bus;
	const struct guest_ram *ram;
	struct stats_page *stats_page;
	uint64_t host_features, guest_features;
	const void *config; /* device configuration space as the guest reads it */
	unsigned int config_len;
	uint16_t max_queue_size;

	_Atomic uint8_t status, isr; /* any thread may set bits */
	_Atomic bool broken;	     /* any thread sets, reset clears: nothing is served */
	uint8_t generation;
	uint16_t config_vector;
	/* The driver runs and the device may use its memory (DRIVER_OK, bus master). */
	_Atomic bool live;

	unsigned int n_queues;
	struct VirtQueue vq[VIRTIO_MAX_QUEUES];
	struct log_ratelimit complaints;
};

/* --- virtio.c: life and registers. BQL ----------------------------------------------------------
 */

/* Fills what follows from n_queues; name, ops, bus, ram, stats_page, config are set. Main context.
 */
int virtio_init(struct VirtIODevice *vdev, struct AioContext *ctx, unsigned int n_queues,
		uint16_t max_queue_size, struct error *err) MUST_CHECK;
void virtio_release(struct VirtIODevice *vdev);

static inline bool virtio_has_feature(const struct VirtIODevice *vdev, unsigned int bit)
{
	return vdev->guest_features >> bit & 1;
}

/* The driver's write; 0 resets. Ioeventfds are the transport's: stopped before, started after. */
void virtio_set_status(struct VirtIODevice *vdev, uint8_t value);
/* What is in flight completed; the guest's memory is left alone until `live` again. Not started. */
void virtio_quiesce(struct VirtIODevice *vdev);
/* Quiesced, and rings forgotten; not started. */
void virtio_reset(struct VirtIODevice *vdev);
/* Any thread: the guest did what cannot be answered. Nothing is served until it resets. */
void virtio_error(struct VirtIODevice *vdev, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* --- virtio_queue.c: serving. Server, if nothing else is said
 * ------------------------------------- */

/*
 * The queues get a new home: prepare makes bottom halves there, enter puts them in force and cannot
 * fail, forget drops them. BQL, while nobody serves.
 */
int virtio_queues_prepare_context(struct VirtIODevice *vdev, struct AioContext *ctx,
				  struct QEMUBH *bh[VIRTIO_MAX_QUEUES],
				  struct error *err) MUST_CHECK;
void virtio_queues_enter_context(struct VirtIODevice *vdev, struct AioContext *ctx,
				 struct QEMUBH *bh[VIRTIO_MAX_QUEUES]);
void virtio_queues_forget_context(struct VirtIODevice *vdev, struct QEMUBH *bh[VIRTIO_MAX_QUEUES]);

/*
 * Serves what is there, as an arrival found in this way if it is one. False: there was nothing.
 * While the device may not be served it does nothing: who ends that state looks again.
 */
bool virtio_queue_serve(struct VirtQueue *vq, enum virtio_arrival how);
/* A leg of a request that took ns; while stats are armed. */
void virtio_queue_add_leg(struct VirtQueue *vq, enum stats_leg leg, int64_t ns, uint32_t weight);
void virtio_queue_count_arrival(struct VirtQueue *vq, enum virtio_arrival how);
/* No eventfd listens: the guest's notify write is served now, or soon in the queue's home. BQL. */
void virtio_queue_kick_from_userspace(struct VirtQueue *vq);
/* The same for all queues without a write: kicks may have gone unheard. BQL. */
void virtio_queues_look(struct VirtIODevice *vdev);

/* ctx serves it, says its stats row from now on. Any context. */
void virtio_queue_name_loop(struct VirtQueue *vq, struct AioContext *ctx);

/* A chain is done: written_bytes into its writable buffers, completion seen at t_ns (0: unknown),
 * for a request of that weight. */
void virtio_queue_push(struct VirtQueue *vq, struct virtqueue_chain chain, uint32_t written_bytes,
		       int64_t t_ns, uint32_t weight);
/*
 * Nothing of vq runs by itself any more: the guest is told what it was not told, the bottom half is
 * cancelled, kicks are on. Whoever attaches or looks afterwards finds what came unheard.
 */
void virtio_queue_settle(struct VirtQueue *vq);
/* Configuration changed, or the device broke. Any thread. */
void virtio_notify_config(struct VirtIODevice *vdev);

/* --- host_notifier.c: kicks by eventfd
 * -------------------------------------------------------------- */

/* Main context or home of ctx. Kicks once by itself: what came unheard is found. */
void virtio_queue_aio_attach_host_notifier(struct VirtQueue *vq, struct AioContext *ctx);
/* Any thread. A handler may be running until ctx's home has come through a bottom half. */
void virtio_queue_aio_detach_host_notifier(struct VirtQueue *vq, struct AioContext *ctx);
/* The guest's notify write left to user space although our eventfd listens. BQL. */
void virtio_queue_forward_kick(struct VirtQueue *vq);
/* Reads the eventfd; how many of its counts were the guest's, signalled by KVM. */
uint64_t virtio_queue_take_signals(struct VirtQueue *vq);

FRAME void virtio_queue_host_notifier_aio_read(struct EventNotifier *e);
FRAME bool virtio_queue_host_notifier_aio_poll(struct EventNotifier *e);
FRAME void virtio_queue_host_notifier_aio_poll_ready(struct EventNotifier *e);
FRAME void virtio_queue_host_notifier_aio_poll_begin(struct EventNotifier *e);
FRAME void virtio_queue_host_notifier_aio_poll_end(struct EventNotifier *e);

#endif
