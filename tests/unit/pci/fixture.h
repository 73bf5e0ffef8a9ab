/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A board for PCI tests: address spaces, a host bridge, a sink that counts interrupts as KVM would
 * fire them, and a device with BARs, a capability and MSI-X. BQL.
 */
#ifndef TESTS_PCI_FIXTURE_H
#define TESTS_PCI_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/list.h>
#include <handoff/pci.h>

#define ECAM_GPA    0xb0000000u
#define WINDOW_GPA  0xc0000000u
#define WINDOW_SIZE 0x10000000u
#define RAM_BYTES   0x100000u

/* Counts fired messages. An eventfd is looked at when it would matter: sink_poll, unmask, free. */
struct sink {
	struct irq_sink sink;
	struct list_head routes;
	unsigned int fired, sent, sets, masks, n_routes;
	struct msi_message last;
	int fail_new, fail_set, fail_mask;
};

struct irq_route {
	struct sink *sink;
	struct EventNotifier *e;
	struct msi_message message;
	bool masked;
	struct list_head node;
};

struct board {
	struct MemoryRegion memory, ports, ram;
	struct AddressSpace mmio, io;
	struct sink sink;
	struct pci_host *host;
	uint8_t *ram_bytes;
};

/* ecam false: without. */
void board_init(struct board *b, bool ecam);
void board_release(struct board *b);

/* Fires what unmasked routes hold, as KVM does at any time. */
void sink_poll(struct sink *s);
/* The route of an eventfd, or NULL. */
struct irq_route *sink_route(struct sink *s, const struct EventNotifier *e);

/* Guest accesses. */
uint32_t ecam_read(struct board *b, unsigned int slot, unsigned int where, unsigned int size);
void ecam_write(struct board *b, unsigned int slot, unsigned int where, uint32_t value,
		unsigned int size);
uint32_t port_read(struct board *b, unsigned int slot, unsigned int where, unsigned int size);
void port_write(struct board *b, unsigned int slot, unsigned int where, uint32_t value,
		unsigned int size);
uint32_t mmio_read(struct board *b, uint64_t gpa);
void mmio_write(struct board *b, uint64_t gpa, uint32_t value);

/* BAR 0: 32-bit, 8 KiB; BARs 2, 3: 64-bit, 16 KiB; BAR 4: MSI-X if vectors. Their registers read as
 * tags. */
struct card {
	struct pci_device pci;
	struct MemoryRegion bar0, bar2;
	unsigned int cap, cap_reads, cap_writes, commands, resets, changes;
	uint16_t last_command;
	uint32_t last_cap_write;
	unsigned int last_changed;
};

#define BAR0_BYTES 0x2000u
#define BAR2_BYTES 0x4000u
#define BAR0_TAG   0xba0ba0ba
#define BAR2_TAG   0xba2ba2ba
#define MSIX_BAR   4

void card_init(struct card *c, struct board *b, int slot, unsigned int vectors);
void card_release(struct card *c);
/* Memory decoding and bus master on. */
void card_enable(struct card *c, struct board *b);

#endif
