/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine without KVM: RAM, PCI with ECAM, interrupts that are counted, and ioeventfds as KVM
 * has them: held in a table of our own, or refused. The test plays the vCPU.
 */
#ifndef TESTS_FAKE_BOARD_H
#define TESTS_FAKE_BOARD_H

#include <pthread.h>
#include <handoff/guest_ram.h>
#include <handoff/memory.h>
#include <handoff/pci.h>
#include <lib/fake_irq_sink.h>

#define FAKE_BOARD_RAM_BYTES	(64u << 20)
#define FAKE_BOARD_ECAM_GPA	0xb0000000ull
#define FAKE_BOARD_WINDOW_GPA	0xc0000000ull
#define FAKE_BOARD_WINDOW_BYTES 0x10000000ull
#define FAKE_BOARD_IOEVENTFDS	64

struct fake_board {
	struct guest_ram *ram;
	struct MemoryRegion system, ram_region, io;
	struct AddressSpace as;
	struct pci_host *pci;
	struct fake_irq_sink sink;
	struct MemoryListener listener;

	int refuse;		   /* -errno every ioeventfd is refused with; 0: taken */
	unsigned int refuse_after; /* so many are taken first */
	pthread_mutex_t lock;	   /* of the table, which vCPUs look into while it changes */
	struct {
		uint64_t gpa;
		struct EventNotifier *e; /* NULL: free */
	} ioeventfd[FAKE_BOARD_IOEVENTFDS];
	unsigned int n_ioeventfds, n_added, n_removed;
};

/* Under the BQL. Failures end the test. */
void fake_board_init(struct fake_board *board);
/* All devices are gone. */
void fake_board_release(struct fake_board *board);

/* MMIO by a vCPU, 1 to 8 bytes. The caller may hold the BQL or not. */
uint64_t fake_board_read(struct fake_board *board, uint64_t gpa, unsigned int size);
void fake_board_write(struct fake_board *board, uint64_t gpa, uint64_t value, unsigned int size);
uint32_t fake_board_config_read(struct fake_board *board, unsigned int slot, unsigned int where,
				unsigned int size);
void fake_board_config_write(struct fake_board *board, unsigned int slot, unsigned int where,
			     uint32_t value, unsigned int size);

/* A kick: signals the ioeventfd at gpa if there is one (true), else it is MMIO. */
bool fake_board_kick(struct fake_board *board, uint64_t gpa);

#endif
