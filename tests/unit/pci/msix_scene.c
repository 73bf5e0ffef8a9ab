// SPDX-License-Identifier: BSD-2-Clause
/* The guest's side of an MSI-X card: see msix_scene.h. */
#include "msix_scene.h"

#include <lib/tap.h>

#include <linux/pci_regs.h>

static unsigned int find_cap(struct scene *s)
{
	unsigned int at = ecam_read(&s->b, 1, PCI_CAPABILITY_LIST, 1);

	while (at && ecam_read(&s->b, 1, at, 1) != PCI_CAP_ID_MSIX)
		at = ecam_read(&s->b, 1, at + PCI_CAP_LIST_NEXT, 1);
	assert_true(at);
	return at;
}

void scene_init(struct scene *s, unsigned int vectors)
{
	uint32_t table, pba;

	board_init(&s->b, true);
	card_init(&s->c, &s->b, 1, vectors);
	card_enable(&s->c, &s->b);
	s->cap = find_cap(s);
	table = ecam_read(&s->b, 1, s->cap + PCI_MSIX_TABLE, 4);
	pba = ecam_read(&s->b, 1, s->cap + PCI_MSIX_PBA, 4);
	assert_int_equal(table & PCI_MSIX_TABLE_BIR, MSIX_BAR);
	assert_int_equal(pba & PCI_MSIX_PBA_BIR, MSIX_BAR);
	s->table = s->c.pci.bar[MSIX_BAR].gpa + (table & PCI_MSIX_TABLE_OFFSET);
	s->pba = s->c.pci.bar[MSIX_BAR].gpa + (pba & PCI_MSIX_PBA_OFFSET);
}

void scene_release(struct scene *s)
{
	card_release(&s->c);
	board_release(&s->b);
}

void set_control(struct scene *s, uint32_t bits)
{
	ecam_write(&s->b, 1, s->cap + PCI_MSIX_FLAGS, bits, 2);
}

void set_message(struct scene *s, unsigned int v, uint64_t address, uint32_t data)
{
	mmio_write(&s->b, s->table + v * 16, (uint32_t)address);
	mmio_write(&s->b, s->table + v * 16 + 4, (uint32_t)(address >> 32));
	mmio_write(&s->b, s->table + v * 16 + 8, data);
}

void set_mask(struct scene *s, unsigned int v, bool mask)
{
	mmio_write(&s->b, s->table + v * 16 + 12, mask);
}

bool pending(struct scene *s, unsigned int v)
{
	return mmio_read(&s->b, s->pba + v / 32 * 4) >> (v % 32) & 1;
}

void use(struct scene *s, unsigned int v)
{
	s->v = v;
	set_message(s, v, 0xfee00000, 0x4000 + v);
	set_mask(s, v, false);
	set_control(s, PCI_MSIX_FLAGS_ENABLE);
	s->e = msix_vector_use(&s->c.pci, v, NULL);
	assert_non_null(s->e);
}
