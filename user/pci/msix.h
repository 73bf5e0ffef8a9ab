/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSI-X of one device: the guest's table (msix_table.c), and per vector the way to the interrupt
 * sink (msix.c). Under the BQL; only `live` and the notifier it guards are read by other threads,
 * in msix_notify_any.
 */
#ifndef HANDOFF_PCI_MSIX_H
#define HANDOFF_PCI_MSIX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <handoff/log.h>
#include <handoff/pci.h>

/* A row of the guest's table (PCI 3.0, 6.8.2). */
struct msix_entry {
	uint32_t address_low, address_high, data, control;
};

struct msix_vector {
	unsigned int users;
	_Atomic bool live; /* users > 0: notifier and route exist */
	struct EventNotifier notifier;
	struct irq_route *route;
	bool sink_masked; /* as last told to the sink */
	bool stale;	  /* the route's message is not the entry's: made good before unmasking */
	bool pending;	  /* while not live; a live vector's pending signal is in its notifier */
};

struct msix {
	struct pci_device *dev;
	unsigned int n, cap;
	uint16_t control; /* as last acted upon */
	struct msix_entry *entry;
	struct msix_vector *vector;
	struct MemoryRegion bar, table, pba;
	void (*changed)(struct pci_device *dev, unsigned int vector);
	struct log_ratelimit complaints;
};

/*
 * The guest changed the vector's message, or whether it is masked: brings the sink to the same
 * state, tells the device.
 */
void msix_message_changed(struct msix *msix, unsigned int vector);
void msix_mask_changed(struct msix *msix, unsigned int vector);
/* A dword of the PBA: bits of vectors first .. first + 31. */
uint32_t msix_pending_bits(struct msix *msix, unsigned int first);

/* Size of the BAR for n vectors. The PBA starts in its middle. */
uint32_t msix_bar_bytes(unsigned int n);
/* Sets up bar, table and pba. */
void msix_table_init(struct msix *msix);
void msix_table_release(struct msix *msix);

#endif
