// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest that writes nonsense to config space, BARs and MSI-X tables, a hundred thousand times.
 * What must hold after each write: read-only bits kept, BARs where their registers say, RAM and
 * ECAM never covered, the sink in the state the MSI-X table demands. To be run under ASAN and
 * UBSAN.
 */
#include <lib/tap.h>

#include <string.h>
#include <linux/pci_regs.h>
#include <handoff/bql.h>
#include "fixture.h"

#define CARDS	3u
#define VECTORS 40u
#define USED	4u /* vectors in use, the first ones */
#define STEPS	25000u
#define SEEDS	4u

struct attack {
	struct board b;
	struct card card[CARDS];
	uint8_t config[CARDS][PCI_CONFIG_SIZE]; /* as it was at first */
	struct EventNotifier *e[CARDS][USED];
	uint32_t random;
	unsigned int signals, mapped, moved, table_writes;
};

static uint32_t draw(struct attack *a, uint32_t below)
{
	a->random ^= a->random << 13;
	a->random ^= a->random >> 17;
	a->random ^= a->random << 5;
	return below ? a->random % below : a->random;
}

static uint32_t draw_value(struct attack *a)
{
	static const uint32_t nasty[] = {
		0,	    0xffffffff,		0xfffffff0, 0x80000000,
		0x1000,	    RAM_BYTES - 0x1000, ECAM_GPA,   WINDOW_GPA,
		0xfee00000, 0xfec00000,		0xffffe000, ECAM_GPA + 0x8000,
		2,	    PCI_COMMAND_MEMORY, 0x8000c000, 0xc000,
	};

	return draw(a, 3) ? nasty[draw(a, ARRAY_SIZE(nasty))] : draw(a, 0);
}

/* A mapped BAR's address or something else above RAM. */
static uint64_t draw_gpa(struct attack *a)
{
	const struct pci_device *dev = &a->card[draw(a, CARDS)].pci;
	uint64_t gpa = dev->bar[draw(a, PCI_BARS)].gpa;

	if (gpa == UINT64_MAX || gpa < RAM_BYTES || !draw(a, 8))
		return RAM_BYTES + (uint64_t)draw(a, 0) * (1 + draw(a, 2) * 0x10001);
	return gpa + draw(a, BAR2_BYTES);
}

static void write_config(struct attack *a)
{
	/* Often the header, where BARs and the command register are. */
	unsigned int where = draw(a, 2) ? draw(a, 0x40) : draw(a, PCIE_CONFIG_SIZE);
	unsigned int slot = draw(a, CARDS + 2), size = 1u << draw(a, 4);
	uint64_t value = draw_value(a) | (uint64_t)draw_value(a) << 32;
	uint32_t address = draw(a, 8) ? 1u << 31 | slot << 11 | (where & 0xff) : draw(a, 0);

	if (draw(a, 2))
		where &= ~(size - 1);
	if (draw(a, 3)) {
		address_space_write(&a->b.mmio, ECAM_GPA + (slot << 15) + where, &value, size);
		address_space_read(&a->b.mmio, ECAM_GPA + (slot << 15) + where, &value, size);
	} else {
		address_space_write(&a->b.io, 0xcf8, &address, 4);
		address_space_write(&a->b.io, 0xcfc + (where & 3), &value, size);
		address_space_read(&a->b.io, 0xcfc + (where & 3), &value, size);
	}
}

static void write_table(struct attack *a)
{
	struct pci_device *dev = &a->card[draw(a, CARDS)].pci;
	uint64_t gpa = dev->bar[MSIX_BAR].gpa;
	uint64_t value = draw_value(a);

	if (gpa == UINT64_MAX || gpa < RAM_BYTES)
		return;
	a->table_writes++;
	address_space_write(&a->b.mmio, gpa + 4 * draw(a, 4 * (USED + 1)), &value, 4 << draw(a, 2));
	mmio_read(&a->b, gpa + 2048);
}

static unsigned int msix_cap(const struct pci_device *dev)
{
	unsigned int at = dev->config[PCI_CAPABILITY_LIST];

	while (dev->config[at] != PCI_CAP_ID_MSIX)
		at = dev->config[at + PCI_CAP_LIST_NEXT];
	return at;
}

/* For a moment a well-behaved driver, so that there are interrupts to disturb. */
static void behave(struct attack *a)
{
	unsigned int n = draw(a, CARDS), v = draw(a, USED);
	struct pci_device *dev = &a->card[n].pci;

	ecam_write(&a->b, 1 + n, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	ecam_write(&a->b, 1 + n, PCI_BASE_ADDRESS_0 + 4 * MSIX_BAR, WINDOW_GPA + (n << 16), 4);
	ecam_write(&a->b, 1 + n, msix_cap(dev) + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
	mmio_write(&a->b, WINDOW_GPA + (n << 16) + 16 * v + 12, 0);
}

static void step(struct attack *a)
{
	uint64_t value = draw_value(a), gpa;

	switch (draw(a, 16)) {
	case 0:
		a->signals++;
		msix_notify_any(&a->card[draw(a, CARDS)].pci, draw(a, USED));
		break;
	case 1:
		sink_poll(&a->b.sink);
		break;
	case 2:
		a->b.sink.fail_set = draw(a, 4) ? 0 : -1;
		break;
	case 3:
	case 4:
	case 5:
		write_table(a);
		break;
	case 6:
	case 7:
		gpa = draw_gpa(a);
		address_space_write(&a->b.mmio, gpa, &value, 1 + draw(a, 8));
		address_space_read(&a->b.mmio, gpa, &value, 1 + draw(a, 8));
		break;
	case 8:
		behave(a);
		break;
	case 9:
		if (draw(a, 16))
			break;
		if (draw(a, 2))
			pci_host_reset(a->b.host);
		else
			assert_int_equal(pci_host_assign_bars(a->b.host, NULL), 0);
		break;
	default:
		write_config(a);
	}
}

/* --- what must hold -----------------------------------------------------------------------------
 */

static void check_config(struct attack *a, unsigned int n)
{
	const struct pci_device *dev = &a->card[n].pci;
	unsigned int i;

	for (i = 0; i < PCI_CONFIG_SIZE; i++)
		assert_int_equal((dev->config[i] ^ a->config[n][i]) & ~dev->wmask[i], 0);
	assert_int_equal(ecam_read(&a->b, 1 + n, PCI_VENDOR_ID, 4), 0x10421af4);
}

static void check_bars(struct attack *a, unsigned int n)
{
	const struct pci_device *dev = &a->card[n].pci;
	bool decoding = ecam_read(&a->b, 1 + n, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;
	unsigned int i;

	for (i = 0; i < PCI_BARS; i++) {
		uint64_t address = ecam_read(&a->b, 1 + n, PCI_BASE_ADDRESS_0 + 4 * i, 4) & ~0xfu;

		if (!dev->bar[i].mr || dev->bar[i].gpa == UINT64_MAX)
			continue;
		if (dev->bar[i].is_64)
			address |= (uint64_t)ecam_read(&a->b, 1 + n,
						       PCI_BASE_ADDRESS_0 + 4 * (i + 1), 4)
				   << 32;
		assert_true(decoding);
		assert_int_equal(dev->bar[i].gpa, address);
		assert_int_equal(address % dev->bar[i].size_bytes, 0);
		a->mapped++;
		a->moved += address != WINDOW_GPA;
	}
}

/* The section's bytes of RAM and ECAM are counted: they must be whole. */
static void count_section(const struct MemoryRegionSection *s, void *opaque)
{
	uint64_t *bytes = opaque;

	if (s->mr->ram)
		bytes[0] += s->gpa == s->offset_in_region ? s->size : 0;
	else if (s->gpa - s->offset_in_region == ECAM_GPA && !strcmp(s->mr->name, "pci-ecam"))
		bytes[1] += s->size;
}

static void check_map(struct attack *a)
{
	uint64_t bytes[2] = { 0 };

	address_space_for_each_section(&a->b.mmio, count_section, bytes);
	assert_int_equal(bytes[0], RAM_BYTES);
	assert_int_equal(bytes[1], PCI_ECAM_BUS_SIZE);
	assert_int_equal(mmio_read(&a->b, RAM_BYTES - 4), 0x5a5a5a5a);
	assert_int_equal(mmio_read(&a->b, 0), 0x5a5a5a5a);
}

static void check_sink(struct attack *a, unsigned int n)
{
	struct pci_device *dev = &a->card[n].pci;
	uint32_t control = ecam_read(&a->b, 1 + n, msix_cap(dev) + PCI_MSIX_FLAGS, 2);
	struct msi_message message;
	unsigned int v;

	for (v = 0; v < USED; v++) {
		const struct irq_route *r = sink_route(&a->b.sink, a->e[n][v]);

		assert_non_null(r);
		if (r->masked)
			continue;
		assert_int_equal(control & 0xc000, PCI_MSIX_FLAGS_ENABLE);
		assert_true(msix_message(dev, v, &message));
		/* A message that was refused masks the vector, so an unmasked one has the right
		 * one. */
		assert_int_equal(r->message.address, message.address);
		assert_int_equal(r->message.data, message.data);
	}
	assert_true(a->b.sink.fired + a->b.sink.sent <= a->signals);
}

static void attack_init(struct attack *a, uint32_t seed)
{
	unsigned int n, v;

	memset(a, 0, sizeof(*a));
	a->random = seed * 2654435761u;
	board_init(&a->b, true);
	memset(a->b.ram_bytes, 0x5a, RAM_BYTES);
	for (n = 0; n < CARDS; n++) {
		card_init(&a->card[n], &a->b, -1, VECTORS);
		memcpy(a->config[n], a->card[n].pci.config, PCI_CONFIG_SIZE);
		for (v = 0; v < USED; v++) {
			a->e[n][v] = msix_vector_use(&a->card[n].pci, v, NULL);
			assert_non_null(a->e[n][v]);
		}
	}
}

static void attack_release(struct attack *a)
{
	unsigned int n, v;

	for (n = 0; n < CARDS; n++) {
		for (v = 0; v < USED; v++)
			msix_vector_unuse(&a->card[n].pci, v);
		card_release(&a->card[n]);
	}
	board_release(&a->b);
}

/* Whatever is written where: see the top of this file. Counters show that the attack did get
 * through. */
static void test_hostile__invariants_hold(void **state)
{
	unsigned int seed, i, n, fired = 0, mapped = 0, moved = 0, table_writes = 0;
	static struct attack a;

	for (seed = 1; seed <= SEEDS; seed++) {
		attack_init(&a, seed);
		for (i = 0; i < STEPS; i++) {
			step(&a);
			n = i % CARDS;
			check_config(&a, n);
			check_bars(&a, n);
			check_sink(&a, n);
			if (i % 16 == 0)
				check_map(&a);
		}
		fired += a.b.sink.fired;
		mapped += a.mapped;
		moved += a.moved;
		table_writes += a.table_writes;
		attack_release(&a);
	}
	assert_true(fired > 100);
	assert_true(mapped > STEPS);
	assert_true(moved > STEPS);
	assert_true(table_writes > STEPS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile__invariants_hold),
	};
	int ret;

	bql_lock();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bql_unlock();
	return ret;
}
