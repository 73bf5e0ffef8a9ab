/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI host bridge with one bus (32 slots, function 0 only), type 0 devices, BARs the guest may
 * move, capabilities, MSI-X. PCI Local Bus 3.0, PCI Express base 4.0 (ECAM). All under the BQL,
 * except msix_notify_any.
 */
#ifndef HANDOFF_PCI_H
#define HANDOFF_PCI_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/error.h>
#include <handoff/event_notifier.h>
#include <handoff/irq_sink.h>
#include <handoff/memory.h>

#define PCI_CONFIG_SIZE	  256  /* conventional */
#define PCIE_CONFIG_SIZE  4096 /* the rest reads as zero */
#define PCI_SLOTS	  32
#define PCI_BARS	  6
#define PCI_ECAM_BUS_SIZE (1u << 20) /* one bus */

struct pci_host;
struct pci_device;

struct pci_host_config {
	struct MemoryRegion *mmio; /* container for memory BARs (the machine's system memory) */
	struct MemoryRegion *io;   /* container for 0xcf8 / 0xcfc */
	struct irq_sink *irq_sink;
	uint64_t ecam_gpa;			/* 0 = no ECAM */
	uint64_t window_gpa, window_size_bytes; /* 32-bit memory window the board places BARs in */
};

/*
 * Slot 0 is the host bridge. BARs lie below everything else in config->mmio (priority -1): wherever
 * a guest puts one, RAM, ECAM and the board's own regions win. All devices must be released before
 * the host is freed.
 */
struct pci_host *pci_host_new(const struct pci_host_config *config, struct error *err) MUST_CHECK;
void pci_host_free(struct pci_host *host);
/*
 * Port 0xcf9, which lies among the ports of the address register but is not PCI's: on PCs it resets
 * the machine. Byte accesses there go to ops until it is NULL again, which is nobody.
 */
struct pci_host_port_ops {
	uint8_t (*read)(void *opaque);
	void (*write)(void *opaque, uint8_t value);
};
void pci_host_set_reset_control(struct pci_host *host, const struct pci_host_port_ops *ops,
				void *opaque);
/*
 * Places every BAR that has no address in the window, in slot order: there is no firmware. Memory
 * decoding stays off, as after a reset: the guest's driver turns it on. -ENOSPC with err.
 */
int pci_host_assign_bars(struct pci_host *host, struct error *err) MUST_CHECK;
/* Resets all devices. BARs lose their places: assign them again. */
void pci_host_reset(struct pci_host *host);

struct pci_device_ids {
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t class_code; /* 24 bits */
	uint8_t revision;
};

struct pci_device_ops {
	/* Command register changed (bus master, memory enable); may be NULL. */
	void (*command_changed)(struct pci_device *dev, uint16_t command);
	/*
	 * Config accesses that touch the body of a capability of the device's own (not MSI-X), size
	 * 1, 2, 4. What cap_read returns is what the guest sees: pci_config_stored() where the
	 * device has no opinion. cap_write comes after the writable bits were stored. May be NULL.
	 */
	uint32_t (*cap_read)(struct pci_device *dev, unsigned int where, unsigned int size);
	void (*cap_write)(struct pci_device *dev, unsigned int where, uint32_t value,
			  unsigned int size);
	/* Device reset (function level or machine). May be NULL. */
	void (*reset)(struct pci_device *dev);
};

/*
 * Embedded at the start of a device, or anywhere with container_of. Private to user/pci, but for
 * config and wmask from 0x40 on: the bytes of the device's own capabilities, at the offsets
 * pci_add_capability returned.
 */
struct pci_device {
	struct pci_host *host;
	const struct pci_device_ops *ops;
	const char *name; /* "disk0" */
	unsigned int slot;
	uint8_t config[PCI_CONFIG_SIZE];
	uint8_t wmask[PCI_CONFIG_SIZE]; /* 1 = the guest may write this bit */
	struct {
		struct MemoryRegion *mr;  /* the device's */
		uint64_t size_bytes, gpa; /* gpa: ~0 when not mapped */
		bool is_64, mapped;
	} bar[PCI_BARS];
	unsigned int next_cap; /* free space for capabilities */
	/* A bit for each byte whose accesses go to cap_read and cap_write. */
	uint64_t hooked[PCI_CONFIG_SIZE / 64];
	struct msix *msix;
};

/* slot -1: the first free one. dev's old content is overwritten. */
int pci_device_init(struct pci_device *dev, struct pci_host *host, int slot,
		    const struct pci_device_ids *ids, const struct pci_device_ops *ops,
		    const char *name, struct error *err) MUST_CHECK;
/* Unplugs; MSI-X goes too, its vectors must be unused. The BARs' regions are the device's again. */
void pci_device_release(struct pci_device *dev);
/* ops->reset, then MSI-X, then every writable bit to 0: decoding off, BARs without a place. */
void pci_device_reset(struct pci_device *dev);

/*
 * size: power of two >= 4 KiB. The region appears in the MMIO space while memory decoding is on and
 * the BAR is placed.
 */
void pci_register_bar(struct pci_device *dev, unsigned int index, struct MemoryRegion *mr,
		      bool is_64);
/*
 * Config offset of the capability's header, or -ENOSPC. len counts header (2 bytes) and body; body
 * NULL is zeroes. Body bytes are read-only unless wmask is opened. The list keeps the order of
 * adding.
 */
int pci_add_capability(struct pci_device *dev, uint8_t cap_id, const void *body,
		       unsigned int len) MUST_CHECK;
bool pci_bus_master(const struct pci_device *dev);

/* The bytes as they are in config, little-endian. */
uint32_t pci_config_stored(const struct pci_device *dev, unsigned int where, unsigned int size);
/* Guest config accesses, size 1, 2 or 4. Not naturally aligned: reads all ones, writes nothing. */
uint32_t pci_config_read(struct pci_device *dev, unsigned int where, unsigned int size);
void pci_config_write(struct pci_device *dev, unsigned int where, uint32_t value,
		      unsigned int size);

/* --- MSI-X (PCI 3.0, 6.8.2) --- */

/* A table of n vectors (1..2048) and its PBA, in a 32-bit BAR of its own (index bar). */
int msix_init(struct pci_device *dev, unsigned int n, unsigned int bar,
	      struct error *err) MUST_CHECK;
void msix_release(struct pci_device *dev);
void msix_reset(struct pci_device *dev);
bool msix_enabled(const struct pci_device *dev);
unsigned int msix_vectors(const struct pci_device *dev);

/*
 * The device will use this vector (under the BQL): returns its notifier, whose signal raises the
 * interrupt (by an irqfd while the vector is unmasked; while masked, by the vector, the function or
 * MSI-X being off, the signal stays pending and shows in the PBA). Counted: each use needs an
 * unuse. NULL: vector out of range or no route; err. The last unuse closes the notifier: nobody may
 * be able to signal it then, that is, the queues are stopped. What was pending stays so.
 */
struct EventNotifier *msix_vector_use(struct pci_device *dev, unsigned int vector,
				      struct error *err) MUST_CHECK;
void msix_vector_unuse(struct pci_device *dev, unsigned int vector);

/* Raises a used vector: one eventfd write. Any thread. Vector out of range or unused: ignored. */
void msix_notify_any(struct pci_device *dev, unsigned int vector);

/* The message a vector holds now; false if out of range. For the stats page. */
bool msix_message(const struct pci_device *dev, unsigned int vector, struct msi_message *msg);
/* Sends nothing now, and its message may be half written; true if out of range. */
bool msix_vector_masked(const struct pci_device *dev, unsigned int vector);
/* Told whenever a vector's message, mask or the enable bit changed. */
void msix_set_changed_callback(struct pci_device *dev,
			       void (*changed)(struct pci_device *dev, unsigned int vector));

#endif
