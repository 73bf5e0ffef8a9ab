// SPDX-License-Identifier: BSD-2-Clause
/* What the tests of pci/ share: see fixture.h. */
#include "fixture.h"

#include <lib/tap.h>

#include <stdlib.h>
#include <string.h>
#include <linux/pci_regs.h>

/* --- sink --------------------------------------------------------------------------------------
 */

static void fire(struct irq_route *r)
{
	if (r->masked || !event_notifier_test_and_clear(r->e))
		return;
	r->sink->fired++;
	r->sink->last = r->message;
}

void sink_poll(struct sink *s)
{
	struct irq_route *r;

	list_for_each_entry(r, &s->routes, node)
		fire(r);
}

struct irq_route *sink_route(struct sink *s, const struct EventNotifier *e)
{
	struct irq_route *r;

	list_for_each_entry(r, &s->routes, node)
		if (r->e == e)
			return r;
	return NULL;
}

static int sink_send(struct irq_sink *sink, const struct msi_message *message)
{
	struct sink *s = container_of(sink, struct sink, sink);

	s->sent++;
	s->last = *message;
	return 0;
}

static struct irq_route *route_new(struct irq_sink *sink, const struct msi_message *message,
				   struct EventNotifier *e, struct error *err)
{
	struct sink *s = container_of(sink, struct sink, sink);
	struct irq_route *r;

	if (s->fail_new) {
		error_set(err, s->fail_new, "out of routes");
		return NULL;
	}
	r = calloc(1, sizeof(*r));
	r->sink = s;
	r->e = e;
	r->message = *message;
	list_add_tail(&r->node, &s->routes);
	s->n_routes++;
	return r;
}

static int route_set(struct irq_route *r, const struct msi_message *message)
{
	r->sink->sets++;
	if (r->sink->fail_set)
		return r->sink->fail_set;
	fire(r);
	r->message = *message;
	return 0;
}

static int route_mask(struct irq_route *r, bool masked)
{
	r->sink->masks++;
	if (r->sink->fail_mask)
		return r->sink->fail_mask;
	if (masked)
		fire(r);
	r->masked = masked;
	fire(r);
	return 0;
}

static void route_free(struct irq_route *r)
{
	fire(r);
	r->sink->n_routes--;
	list_del(&r->node);
	free(r);
}

static const struct irq_sink_ops sink_ops = {
	.send = sink_send,
	.route_new = route_new,
	.route_set = route_set,
	.route_mask = route_mask,
	.route_free = route_free,
};

/* --- board -------------------------------------------------------------------------------------
 */

void board_init(struct board *b, bool ecam)
{
	struct pci_host_config config;

	memset(b, 0, sizeof(*b));
	b->ram_bytes = calloc(1, RAM_BYTES);
	memory_region_init(&b->memory, "memory", UINT64_MAX);
	memory_region_init(&b->ports, "ports", 0x10000);
	memory_region_init_ram_ptr(&b->ram, "ram", RAM_BYTES, b->ram_bytes);
	memory_region_add_subregion(&b->memory, 0, &b->ram);
	address_space_init(&b->mmio, &b->memory, "memory");
	address_space_init(&b->io, &b->ports, "io");
	b->sink.sink.ops = &sink_ops;
	list_init(&b->sink.routes);
	config = (struct pci_host_config){
		.mmio = &b->memory,
		.io = &b->ports,
		.irq_sink = &b->sink.sink,
		.ecam_gpa = ecam ? ECAM_GPA : 0,
		.window_gpa = WINDOW_GPA,
		.window_size_bytes = WINDOW_SIZE,
	};
	b->host = pci_host_new(&config, NULL);
	assert_non_null(b->host);
}

void board_release(struct board *b)
{
	pci_host_free(b->host);
	assert_int_equal(b->sink.n_routes, 0);
	address_space_release(&b->mmio);
	address_space_release(&b->io);
	memory_region_del_subregion(&b->memory, &b->ram);
	memory_region_release(&b->memory);
	memory_region_release(&b->ports);
	free(b->ram_bytes);
}

/* --- the guest ---------------------------------------------------------------------------------
 */

uint32_t ecam_read(struct board *b, unsigned int slot, unsigned int where, unsigned int size)
{
	uint32_t value = 0;

	address_space_read(&b->mmio, ECAM_GPA + (slot << 15) + where, &value, size);
	return value;
}

void ecam_write(struct board *b, unsigned int slot, unsigned int where, uint32_t value,
		unsigned int size)
{
	address_space_write(&b->mmio, ECAM_GPA + (slot << 15) + where, &value, size);
}

static void port_select(struct board *b, unsigned int slot, unsigned int where)
{
	uint32_t address = 1u << 31 | slot << 11 | (where & 0xfc);

	address_space_write(&b->io, 0xcf8, &address, 4);
}

uint32_t port_read(struct board *b, unsigned int slot, unsigned int where, unsigned int size)
{
	uint32_t value = 0;

	port_select(b, slot, where);
	address_space_read(&b->io, 0xcfc + (where & 3), &value, size);
	return value;
}

void port_write(struct board *b, unsigned int slot, unsigned int where, uint32_t value,
		unsigned int size)
{
	port_select(b, slot, where);
	address_space_write(&b->io, 0xcfc + (where & 3), &value, size);
}

uint32_t mmio_read(struct board *b, uint64_t gpa)
{
	uint32_t value = 0;

	address_space_read(&b->mmio, gpa, &value, sizeof(value));
	return value;
}

void mmio_write(struct board *b, uint64_t gpa, uint32_t value)
{
	address_space_write(&b->mmio, gpa, &value, sizeof(value));
}

/* --- card --------------------------------------------------------------------------------------
 */

static uint64_t bar0_read(void *opaque, uint64_t addr, unsigned int size)
{
	return BAR0_TAG;
}

static uint64_t bar2_read(void *opaque, uint64_t addr, unsigned int size)
{
	return BAR2_TAG;
}

static void bar_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
}

static const struct MemoryRegionOps bar0_ops = { .read = bar0_read, .write = bar_write };
static const struct MemoryRegionOps bar2_ops = { .read = bar2_read, .write = bar_write };

static void on_command(struct pci_device *dev, uint16_t command)
{
	struct card *c = container_of(dev, struct card, pci);

	c->commands++;
	c->last_command = command;
}

static uint32_t on_cap_read(struct pci_device *dev, unsigned int where, unsigned int size)
{
	container_of(dev, struct card, pci)->cap_reads++;
	return pci_config_stored(dev, where, size);
}

static void on_cap_write(struct pci_device *dev, unsigned int where, uint32_t value,
			 unsigned int size)
{
	struct card *c = container_of(dev, struct card, pci);

	c->cap_writes++;
	c->last_cap_write = value;
}

static void on_reset(struct pci_device *dev)
{
	container_of(dev, struct card, pci)->resets++;
}

static void on_changed(struct pci_device *dev, unsigned int vector)
{
	struct card *c = container_of(dev, struct card, pci);

	c->changes++;
	c->last_changed = vector;
}

static const struct pci_device_ops card_ops = {
	.command_changed = on_command,
	.cap_read = on_cap_read,
	.cap_write = on_cap_write,
	.reset = on_reset,
};

void card_init(struct card *c, struct board *b, int slot, unsigned int vectors)
{
	static const struct pci_device_ids ids = {
		.vendor = 0x1af4,
		.device = 0x1042,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.class_code = 0x010000,
		.revision = 1,
	};
	struct error err;

	memset(c, 0, sizeof(*c));
	assert_int_equal(pci_device_init(&c->pci, b->host, slot, &ids, &card_ops, "card", &err), 0);
	memory_region_init_io(&c->bar0, &bar0_ops, c, "bar0", BAR0_BYTES);
	memory_region_init_io(&c->bar2, &bar2_ops, c, "bar2", BAR2_BYTES);
	pci_register_bar(&c->pci, 0, &c->bar0, false);
	pci_register_bar(&c->pci, 2, &c->bar2, true);
	c->cap = (unsigned int)pci_add_capability(&c->pci, PCI_CAP_ID_VNDR,
						  "\x10\x01\x02\x03\x04\x05\x06\x07", 10);
	c->pci.wmask[c->cap + 8] = 0xff;
	if (vectors) {
		assert_int_equal(msix_init(&c->pci, vectors, MSIX_BAR, &err), 0);
		msix_set_changed_callback(&c->pci, on_changed);
	}
}

void card_release(struct card *c)
{
	pci_device_release(&c->pci);
	memory_region_release(&c->bar0);
	memory_region_release(&c->bar2);
}

void card_enable(struct card *c, struct board *b)
{
	assert_int_equal(pci_host_assign_bars(b->host, NULL), 0);
	pci_config_write(&c->pci, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}
