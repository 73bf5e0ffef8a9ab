// SPDX-License-Identifier: BSD-2-Clause
/*
 * The irq sink on KVM: each route is a GSI whose routing entry is an MSI message, and an irqfd that
 * raises it. A masked route has no irqfd, so signals stay in the eventfd. BQL; signalling needs
 * nobody. Neighbours: vm.c; user/pci calls us.
 */
#include "vm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <handoff/event_notifier.h>

#define PIC_PINS       16
#define IOAPIC_PINS    24
#define TIMER_PIN      2
/*
 * GSIs 0-23 are the pins; MSI routes come behind.
 */
#define FIRST_MSI_GSI  IOAPIC_PINS
#define DEFAULT_ROUTES (PIC_PINS + IOAPIC_PINS)

struct irq_route {
	struct kvm_vm *vm;
	struct list_head node; /* kvm_irqs.routes */
	struct EventNotifier *e;
	struct msi_message msg;
	uint32_t gsi;
	bool masked;
};

static struct kvm_vm *vm_of(struct irq_sink *sink)
{
	return container_of(sink, struct kvm_vm, irqs.sink);
}

static void add_pin(struct kvm_irq_routing *table, uint32_t gsi, uint32_t chip, uint32_t pin)
{
	table->entries[table->nr++] = (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

/*
 * As on a PC: the 8254's line, GSI 0, comes out at pin 2 of the IOAPIC, as the MADT says; pin 2 of
 * the 8259 is its cascade, and GSI 2 nobody's.
 */
static void add_default_routes(struct kvm_irq_routing *table)
{
	uint32_t gsi;

	for (gsi = 0; gsi < PIC_PINS; gsi++)
		add_pin(table, gsi, gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
			gsi % 8);
	add_pin(table, 0, KVM_IRQCHIP_IOAPIC, TIMER_PIN);
	for (gsi = 1; gsi < IOAPIC_PINS; gsi++)
		if (gsi != TIMER_PIN)
			add_pin(table, gsi, KVM_IRQCHIP_IOAPIC, gsi);
}

/*
 * KVM takes the whole table or nothing; it switches by RCU, so a signal meets the old entry or the
 * new one.
 */
static int routes_commit(struct kvm_vm *vm)
{
	struct kvm_irqs *irqs = &vm->irqs;
	struct irq_route *route;

	irqs->table->nr = 0;
	irqs->table->flags = 0;
	add_default_routes(irqs->table);
	list_for_each_entry(route, &irqs->routes, node) {
		irqs->table->entries[irqs->table->nr++] = (struct kvm_irq_routing_entry){
			.gsi = route->gsi,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = route->msg.address,
				   .address_hi = route->msg.address >> 32,
				   .data = route->msg.data },
		};
	}
	return ioctl(vm->fd, KVM_SET_GSI_ROUTING, irqs->table) < 0 ? -errno : 0;
}

static int irqfd_set(struct irq_route *route, uint32_t flags)
{
	struct kvm_irqfd irqfd = { .fd = route->e->fd, .gsi = route->gsi, .flags = flags };

	return ioctl(route->vm->fd, KVM_IRQFD, &irqfd) < 0 ? -errno : 0;
}

/*
 * KVM fires a count it finds at assignment but leaves it in the eventfd, where it would look
 * pending at the next mask. So it is taken out before, and written again after: then the irqfd
 * consumes it. A signal in between is fired by KVM.
 */
static int irqfd_assign(struct irq_route *route)
{
	bool pending = event_notifier_test_and_clear(route->e);
	int ret = irqfd_set(route, 0);

	if (pending)
		event_notifier_set(route->e);
	return ret;
}

static uint32_t gsi_alloc(struct kvm_irqs *irqs)
{
	uint32_t gsi;

	for (gsi = FIRST_MSI_GSI; gsi < irqs->n_gsis; gsi++) {
		if (irqs->used[gsi / 64] & (1ull << gsi % 64))
			continue;
		irqs->used[gsi / 64] |= 1ull << gsi % 64;
		return gsi;
	}
	return 0;
}

static void gsi_free(struct kvm_irqs *irqs, uint32_t gsi)
{
	irqs->used[gsi / 64] &= ~(1ull << gsi % 64);
}

static void route_unlink(struct irq_route *route)
{
	struct kvm_irqs *irqs = &route->vm->irqs;

	list_del(&route->node);
	irqs->n_routes--;
	gsi_free(irqs, route->gsi);
	routes_commit(route->vm);
	free(route);
}

static struct irq_route *sink_route_new(struct irq_sink *sink, const struct msi_message *msg,
					struct EventNotifier *e, struct error *err)
{
	struct kvm_vm *vm = vm_of(sink);
	struct kvm_irqs *irqs = &vm->irqs;
	struct irq_route *route;
	int ret;

	if (irqs->n_routes + DEFAULT_ROUTES >= irqs->n_gsis) {
		error_set(err, -ENOSPC, "KVM has no interrupt route left (%u)", irqs->n_gsis);
		return NULL;
	}
	route = calloc(1, sizeof(*route));
	if (!route) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	route->vm = vm;
	route->e = e;
	route->msg = *msg;
	route->gsi = gsi_alloc(irqs);
	list_add_tail(&route->node, &irqs->routes);
	irqs->n_routes++;
	ret = routes_commit(vm);
	if (!ret)
		ret = irqfd_assign(route);
	if (ret) {
		error_set(err, ret, "KVM refuses the MSI 0x%llx/0x%x: %s",
			  (unsigned long long)msg->address, msg->data, strerror(-ret));
		route_unlink(route);
		return NULL;
	}
	return route;
}

static int sink_route_set(struct irq_route *route, const struct msi_message *msg)
{
	struct msi_message old = route->msg;
	int ret;

	if (old.address == msg->address && old.data == msg->data)
		return 0;
	route->msg = *msg;
	ret = routes_commit(route->vm);
	if (ret)
		route->msg = old;
	return ret;
}

static int sink_route_mask(struct irq_route *route, bool masked)
{
	int ret;

	if (route->masked == masked)
		return 0;
	ret = masked ? irqfd_set(route, KVM_IRQFD_FLAG_DEASSIGN) : irqfd_assign(route);
	if (!ret)
		route->masked = masked;
	return ret;
}

static void sink_route_free(struct irq_route *route)
{
	if (!route)
		return;
	sink_route_mask(route, true);
	route_unlink(route);
}

static int sink_send(struct irq_sink *sink, const struct msi_message *msg)
{
	struct kvm_msi msi = {
		.address_lo = msg->address,
		.address_hi = msg->address >> 32,
		.data = msg->data,
	};

	return ioctl(vm_of(sink)->fd, KVM_SIGNAL_MSI, &msi) < 0 ? -errno : 0;
}

static const struct irq_sink_ops sink_ops = {
	.send = sink_send,
	.route_new = sink_route_new,
	.route_set = sink_route_set,
	.route_mask = sink_route_mask,
	.route_free = sink_route_free,
};

int kvm_irqs_init(struct kvm_vm *vm, struct error *err)
{
	struct kvm_irqs *irqs = &vm->irqs;
	int limit = ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_IRQ_ROUTING);
	int ret;

	if (limit <= DEFAULT_ROUTES)
		return error_set(err, -ENOTSUP, "KVM has room for %d interrupt routes only", limit);
	irqs->sink.ops = &sink_ops;
	list_init(&irqs->routes);
	irqs->n_gsis = limit;
	irqs->used = calloc((limit + 63) / 64, sizeof(*irqs->used));
	irqs->table = calloc(1, sizeof(*irqs->table) + limit * sizeof(irqs->table->entries[0]));
	if (!irqs->used || !irqs->table) {
		kvm_irqs_release(vm);
		return error_set(err, -ENOMEM, "out of memory");
	}
	/* KVM's own table has the 8254 at pin 0. */
	ret = routes_commit(vm);
	if (ret) {
		kvm_irqs_release(vm);
		return error_set(err, ret, "KVM refuses its interrupt pins: %s", strerror(-ret));
	}
	return 0;
}

void kvm_irqs_release(struct kvm_vm *vm)
{
	free(vm->irqs.used);
	free(vm->irqs.table);
}

struct irq_sink *kvm_vm_irq_sink(struct kvm_vm *vm)
{
	return &vm->irqs.sink;
}
