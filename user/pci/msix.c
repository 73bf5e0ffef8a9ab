// SPDX-License-Identifier: BSD-2-Clause
/*
 * MSI-X vectors and the interrupt sink. A vector in use is an eventfd with a route in the sink;
 * masking tells the sink to leave the eventfd alone, so a pending interrupt is nothing but a set
 * eventfd: it cannot get lost between two places, and unmasking fires it once, however often it was
 * signalled. Under the BQL, but for msix_notify_any.
 */
#include "msix.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <linux/pci_regs.h>
#include "host.h"

#define MSIX_MAX_VECTORS 2048u
#define CONTROL_WRITABLE (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL)
#define PBA_DWORD_BITS	 32u

static struct msi_message message_of(const struct msix *msix, unsigned int vector)
{
	const struct msix_entry *entry = &msix->entry[vector];

	return (struct msi_message){
		.address = (uint64_t)entry->address_high << 32 | entry->address_low,
		.data = entry->data,
	};
}

static bool masked(const struct msix *msix, unsigned int vector)
{
	return !(msix->control & PCI_MSIX_FLAGS_ENABLE) ||
	       (msix->control & PCI_MSIX_FLAGS_MASKALL) ||
	       (msix->entry[vector].control & PCI_MSIX_ENTRY_CTRL_MASKBIT);
}

static void complain(struct msix *msix, unsigned int vector, const char *what, int ret)
{
	log_limited(&msix->complaints, LOG_WARN, "%s: MSI-X vector %u: cannot %s: %s",
		    msix->dev->name, vector, what, strerror(-ret));
}

static void mask_at_sink(struct msix *msix, unsigned int vector, bool mask)
{
	struct msix_vector *v = &msix->vector[vector];
	int ret;

	if (v->sink_masked == mask)
		return;
	ret = msix->dev->host->config.irq_sink->ops->route_mask(v->route, mask);
	if (ret)
		complain(msix, vector, mask ? "mask" : "unmask", ret);
	else
		v->sink_masked = mask;
}

/*
 * Makes the sink agree with the table. Changing a route costs the host a synchronize_srcu, so the
 * message of a masked vector is only set when it is unmasked: a driver writes four dwords there. A
 * vector whose message the sink refuses stays masked, its signals pending, until the guest writes
 * something better.
 */
static void sync_vector(struct msix *msix, unsigned int vector)
{
	struct irq_sink *sink = msix->dev->host->config.irq_sink;
	struct msi_message message = message_of(msix, vector);
	struct msix_vector *v = &msix->vector[vector];
	bool want_masked = masked(msix, vector);
	int ret;

	if (!v->route) {
		if (want_masked || !v->pending)
			return;
		v->pending = false;
		ret = sink->ops->send(sink, &message);
		if (ret)
			complain(msix, vector, "send", ret);
		return;
	}
	if (!want_masked && v->stale) {
		ret = sink->ops->route_set(v->route, &message);
		v->stale = ret;
		if (ret) {
			complain(msix, vector, "change the message", ret);
			want_masked = true;
		}
	}
	mask_at_sink(msix, vector, want_masked);
}

/* The device hears of it before the sink: whoever watches knows a message before it is sent. */
void msix_mask_changed(struct msix *msix, unsigned int vector)
{
	if (msix->changed)
		msix->changed(msix->dev, vector);
	sync_vector(msix, vector);
}

void msix_message_changed(struct msix *msix, unsigned int vector)
{
	msix->vector[vector].stale = true;
	msix_mask_changed(msix, vector);
}

void msix_config_written(struct pci_device *dev, unsigned int where, unsigned int size)
{
	struct msix *msix = dev->msix;
	uint16_t control;
	unsigned int i;

	if (!msix)
		return;
	control = (uint16_t)pci_config_stored(dev, msix->cap + PCI_MSIX_FLAGS, 2);
	if (control == msix->control)
		return;
	msix->control = control;
	for (i = 0; i < msix->n; i++)
		msix_mask_changed(msix, i);
}

uint32_t msix_pending_bits(struct msix *msix, unsigned int first)
{
	unsigned int i, end = MIN(first + PBA_DWORD_BITS, msix->n);
	struct pollfd fds[PBA_DWORD_BITS];
	uint32_t bits = 0;

	for (i = first; i < end; i++) {
		const struct msix_vector *v = &msix->vector[i];

		/* poll(2) skips an fd of -1. An unmasked vector's eventfd is the sink's to read. */
		fds[i - first] = (struct pollfd){
			.fd = v->route && v->sink_masked ? v->notifier.fd : -1,
			.events = POLLIN,
		};
		if (v->pending)
			bits |= 1u << (i - first);
	}
	if (i > first && poll(fds, i - first, 0) > 0)
		for (i = first; i < end; i++)
			if (fds[i - first].revents & POLLIN)
				bits |= 1u << (i - first);
	return bits;
}

/*
 * --- use ---------------------------------------------------------------------------------------
 */

static int make_live(struct msix *msix, unsigned int vector, struct error *err)
{
	struct irq_sink *sink = msix->dev->host->config.irq_sink;
	struct msi_message message = message_of(msix, vector);
	struct msix_vector *v = &msix->vector[vector];
	int ret = event_notifier_init(&v->notifier, false);

	if (ret)
		return error_set(err, ret, "cannot create an eventfd: %s", strerror(-ret));
	v->route = sink->ops->route_new(sink, &message, &v->notifier, err);
	if (!v->route) {
		event_notifier_release(&v->notifier);
		return -ENOSPC;
	}
	v->sink_masked = v->stale = false;
	mask_at_sink(msix, vector, masked(msix, vector));
	if (v->pending)
		event_notifier_set(&v->notifier);
	v->pending = false;
	/* Release: whoever sees live sees the notifier. Pairs with msix_notify_any. */
	atomic_store_explicit(&v->live, true, memory_order_release);
	return 0;
}

struct EventNotifier *msix_vector_use(struct pci_device *dev, unsigned int vector,
				      struct error *err)
{
	struct msix *msix = dev->msix;

	if (!msix || vector >= msix->n) {
		error_set(err, -EINVAL, "%s: no MSI-X vector %u", dev->name, vector);
		return NULL;
	}
	if (!msix->vector[vector].users && make_live(msix, vector, err)) {
		error_prefix(err, "%s: MSI-X vector %u", dev->name, vector);
		return NULL;
	}
	msix->vector[vector].users++;
	return &msix->vector[vector].notifier;
}

void msix_vector_unuse(struct pci_device *dev, unsigned int vector)
{
	struct msix *msix = dev->msix;
	struct msix_vector *v = &msix->vector[vector];

	assert(vector < msix->n && v->users);
	if (--v->users)
		return;
	/* Nobody signals any more (see pci.h), so no handshake with msix_notify_any is needed. */
	atomic_store_explicit(&v->live, false, memory_order_relaxed);
	dev->host->config.irq_sink->ops->route_free(v->route);
	v->route = NULL;
	v->pending = event_notifier_test_and_clear(&v->notifier);
	event_notifier_release(&v->notifier);
	/* A signal the sink had not come to before its route went is sent by hand. */
	sync_vector(msix, vector);
}

void msix_notify_any(struct pci_device *dev, unsigned int vector)
{
	struct msix *msix = dev->msix;

	if (!msix || vector >= msix->n)
		return;
	if (atomic_load_explicit(&msix->vector[vector].live, memory_order_acquire))
		event_notifier_set(&msix->vector[vector].notifier);
}

bool msix_message(const struct pci_device *dev, unsigned int vector, struct msi_message *msg)
{
	if (!dev->msix || vector >= dev->msix->n)
		return false;
	*msg = message_of(dev->msix, vector);
	return true;
}

bool msix_vector_masked(const struct pci_device *dev, unsigned int vector)
{
	return !dev->msix || vector >= dev->msix->n || masked(dev->msix, vector);
}

void msix_set_changed_callback(struct pci_device *dev,
			       void (*changed)(struct pci_device *dev, unsigned int vector))
{
	dev->msix->changed = changed;
}

bool msix_enabled(const struct pci_device *dev)
{
	return dev->msix && dev->msix->control & PCI_MSIX_FLAGS_ENABLE;
}

unsigned int msix_vectors(const struct pci_device *dev)
{
	return dev->msix ? dev->msix->n : 0;
}

/*
 * --- life --------------------------------------------------------------------------------------
 */

static void forget_entries(struct msix *msix)
{
	unsigned int i;

	for (i = 0; i < msix->n; i++)
		msix->entry[i] = (struct msix_entry){ .control = PCI_MSIX_ENTRY_CTRL_MASKBIT };
}

static int add_capability(struct msix *msix, unsigned int bar)
{
	int cap = pci_capability_new(msix->dev, PCI_CAP_ID_MSIX, NULL, PCI_CAP_MSIX_SIZEOF, false);

	if (cap < 0)
		return cap;
	msix->cap = (unsigned int)cap;
	msix->control = (uint16_t)(msix->n - 1);
	pci_config_set(msix->dev, msix->cap + PCI_MSIX_FLAGS, msix->control, 2);
	pci_config_set(msix->dev, msix->cap + PCI_MSIX_TABLE, bar, 4);
	pci_config_set(msix->dev, msix->cap + PCI_MSIX_PBA, msix_bar_bytes(msix->n) / 2 | bar, 4);
	msix->dev->wmask[msix->cap + PCI_MSIX_FLAGS + 1] = CONTROL_WRITABLE >> 8;
	return 0;
}

int msix_init(struct pci_device *dev, unsigned int n, unsigned int bar, struct error *err)
{
	struct msix *msix;
	int ret;

	if (!n || n > MSIX_MAX_VECTORS || bar >= PCI_BARS || dev->bar[bar].mr || dev->msix)
		return error_set(err, -EINVAL, "%s: %u MSI-X vectors in BAR %u: not possible",
				 dev->name, n, bar);
	if (!dev->host->config.irq_sink)
		return error_set(err, -ENODEV, "%s: no interrupt controller for MSI-X", dev->name);
	msix = calloc(1, sizeof(*msix));
	if (!msix)
		return error_set(err, -ENOMEM, "%s: MSI-X: out of memory", dev->name);
	msix->dev = dev;
	msix->n = n;
	msix->entry = calloc(n, sizeof(*msix->entry));
	msix->vector = calloc(n, sizeof(*msix->vector));
	ret = msix->entry && msix->vector ? 0 : -ENOMEM;
	if (!ret)
		ret = add_capability(msix, bar);
	if (ret) {
		free(msix->entry);
		free(msix->vector);
		free(msix);
		return error_set(err, ret, "%s: MSI-X: %s", dev->name, strerror(-ret));
	}
	forget_entries(msix);
	msix_table_init(msix);
	pci_register_bar(dev, bar, &msix->bar, false);
	dev->msix = msix;
	return 0;
}

void msix_reset(struct pci_device *dev)
{
	struct msix *msix = dev->msix;
	unsigned int i;

	if (!msix)
		return;
	forget_entries(msix);
	dev->config[msix->cap + PCI_MSIX_FLAGS + 1] &= (uint8_t) ~(CONTROL_WRITABLE >> 8);
	msix->control &= (uint16_t)~CONTROL_WRITABLE;
	for (i = 0; i < msix->n; i++) {
		struct msix_vector *v = &msix->vector[i];

		/* Masked now, so what is left in the eventfd is ours to forget. */
		msix_message_changed(msix, i);
		v->pending = false;
		if (v->route)
			event_notifier_test_and_clear(&v->notifier);
	}
}

void msix_release(struct pci_device *dev)
{
	struct msix *msix = dev->msix;
	unsigned int i;

	if (!msix)
		return;
	for (i = 0; i < msix->n; i++)
		assert(!msix->vector[i].users);
	pci_unregister_bar(dev, &msix->bar);
	msix_table_release(msix);
	free(msix->entry);
	free(msix->vector);
	free(msix);
	dev->msix = NULL;
}
