// SPDX-License-Identifier: BSD-2-Clause
/* RAM and the two address spaces of the board. Main context. Neighbours: board.c; KVM listens to
 * what is built here. */
#include "board.h"

#include <errno.h>

/* Physical addresses end here for every CPU that runs KVM; nothing is placed above. */
#define MEMORY_SPACE_BYTES (1ull << 48)
#define IO_SPACE_BYTES	   0x10000

static const char *const ram_names[] = { "ram-low", "ram-high" };

int board_spaces_start(struct machine *m, struct error *err)
{
	unsigned int i;

	m->ram = guest_ram_new(m->config->memory_bytes, BOARD_LOW_RAM_END_GPA, err);
	if (!m->ram)
		return -ENOMEM;
	memory_region_init(&m->memory_root, "memory", MEMORY_SPACE_BYTES);
	memory_region_init(&m->io_root, "io", IO_SPACE_BYTES);
	memory_region_transaction_begin();
	for (i = 0; i < m->ram->n_ranges; i++) {
		const struct guest_ram_range *range = &m->ram->range[i];

		memory_region_init_ram_ptr(&m->ram_mr[i], ram_names[i], range->size_bytes,
					   range->hva);
		memory_region_add_subregion(&m->memory_root, range->gpa, &m->ram_mr[i]);
	}
	memory_region_transaction_commit();
	address_space_init(&m->memory, &m->memory_root, "memory");
	address_space_init(&m->io, &m->io_root, "io");
	return 0;
}

void board_spaces_stop(struct machine *m)
{
	unsigned int i;

	address_space_release(&m->io);
	address_space_release(&m->memory);
	for (i = 0; i < m->ram->n_ranges; i++) {
		memory_region_del_subregion(&m->memory_root, &m->ram_mr[i]);
		memory_region_release(&m->ram_mr[i]);
	}
	memory_region_release(&m->io_root);
	memory_region_release(&m->memory_root);
	guest_ram_free(m->ram);
}
