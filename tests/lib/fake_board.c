// SPDX-License-Identifier: BSD-2-Clause
/* A machine without KVM; see fake_board.h. */
#include "fake_board.h"

#include <errno.h>
#include <string.h>
#include <lib/tap.h>

static struct fake_board *board_of(struct MemoryListener *l)
{
	return container_of(l, struct fake_board, listener);
}

static int take_ioeventfd(struct MemoryListener *l, uint64_t gpa,
			  const struct MemoryRegionIoeventfd *fd)
{
	struct fake_board *board = board_of(l);
	unsigned int i;

	if (board->refuse && board->n_ioeventfds >= board->refuse_after)
		return board->refuse;
	assert_int_equal(fd->size, 0);
	assert_false(fd->match_data);
	pthread_mutex_lock(&board->lock);
	for (i = 0; board->ioeventfd[i].e; i++)
		;
	board->ioeventfd[i].gpa = gpa;
	board->ioeventfd[i].e = fd->e;
	board->n_ioeventfds++;
	board->n_added++;
	pthread_mutex_unlock(&board->lock);
	return 0;
}

/* The fd must still be open: KVM finds its entry by it. */
static void drop_ioeventfd(struct MemoryListener *l, uint64_t gpa,
			   const struct MemoryRegionIoeventfd *fd)
{
	struct fake_board *board = board_of(l);
	unsigned int i;

	assert_true(fd->e->fd >= 0);
	pthread_mutex_lock(&board->lock);
	for (i = 0; board->ioeventfd[i].gpa != gpa || board->ioeventfd[i].e != fd->e; i++)
		;
	board->ioeventfd[i].e = NULL;
	board->n_ioeventfds--;
	board->n_removed++;
	pthread_mutex_unlock(&board->lock);
}

static void init_memory(struct fake_board *board)
{
	struct error err;

	board->ram = guest_ram_new(FAKE_BOARD_RAM_BYTES, FAKE_BOARD_RAM_BYTES, &err);
	if (!board->ram)
		fail_msg("%s", err.msg);
	memory_region_init(&board->system, "system", 1ull << 40);
	memory_region_init(&board->io, "io", 1u << 16);
	memory_region_init_ram_ptr(&board->ram_region, "ram", FAKE_BOARD_RAM_BYTES,
				   board->ram->range[0].hva);
	memory_region_add_subregion(&board->system, 0, &board->ram_region);
	address_space_init(&board->as, &board->system, "memory");
	board->listener.eventfd_add = take_ioeventfd;
	board->listener.eventfd_del = drop_ioeventfd;
	memory_listener_register(&board->listener, &board->as);
}

void fake_board_init(struct fake_board *board)
{
	struct error err;

	memset(board, 0, sizeof(*board));
	pthread_mutex_init(&board->lock, NULL);
	init_memory(board);
	fake_irq_sink_init(&board->sink);
	board->pci = pci_host_new(
		&(struct pci_host_config){
			.mmio = &board->system,
			.io = &board->io,
			.irq_sink = &board->sink.sink,
			.ecam_gpa = FAKE_BOARD_ECAM_GPA,
			.window_gpa = FAKE_BOARD_WINDOW_GPA,
			.window_size_bytes = FAKE_BOARD_WINDOW_BYTES,
		},
		&err);
	if (!board->pci)
		fail_msg("%s", err.msg);
}

void fake_board_release(struct fake_board *board)
{
	assert_int_equal(board->n_ioeventfds, 0);
	assert_int_equal(board->n_added, board->n_removed);
	pci_host_free(board->pci);
	memory_listener_unregister(&board->listener, &board->as);
	address_space_release(&board->as);
	memory_region_del_subregion(&board->system, &board->ram_region);
	memory_region_release(&board->ram_region);
	memory_region_release(&board->io);
	memory_region_release(&board->system);
	fake_irq_sink_release(&board->sink);
	guest_ram_free(board->ram);
	pthread_mutex_destroy(&board->lock);
}

uint64_t fake_board_read(struct fake_board *board, uint64_t gpa, unsigned int size)
{
	uint64_t value = 0;

	address_space_read(&board->as, gpa, &value, size);
	return value;
}

void fake_board_write(struct fake_board *board, uint64_t gpa, uint64_t value, unsigned int size)
{
	address_space_write(&board->as, gpa, &value, size);
}

static uint64_t config_gpa(unsigned int slot, unsigned int where)
{
	return FAKE_BOARD_ECAM_GPA + slot * 0x8000ull + where;
}

uint32_t fake_board_config_read(struct fake_board *board, unsigned int slot, unsigned int where,
				unsigned int size)
{
	return fake_board_read(board, config_gpa(slot, where), size);
}

void fake_board_config_write(struct fake_board *board, unsigned int slot, unsigned int where,
			     uint32_t value, unsigned int size)
{
	fake_board_write(board, config_gpa(slot, where), value, size);
}

bool fake_board_kick(struct fake_board *board, uint64_t gpa)
{
	bool taken = false;
	unsigned int i;

	pthread_mutex_lock(&board->lock);
	for (i = 0; i < FAKE_BOARD_IOEVENTFDS; i++) {
		if (board->ioeventfd[i].e && board->ioeventfd[i].gpa == gpa) {
			event_notifier_set(board->ioeventfd[i].e);
			taken = true;
		}
	}
	pthread_mutex_unlock(&board->lock);
	if (!taken)
		fake_board_write(board, gpa, 0, 4);
	return taken;
}
