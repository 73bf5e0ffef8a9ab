/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A board with one MSI-X card whose BARs are mapped, worked by the guest's registers only. BQL.
 */
#ifndef TESTS_PCI_MSIX_SCENE_H
#define TESTS_PCI_MSIX_SCENE_H

#include "fixture.h"

#define VECTORS 70u

struct scene {
	struct board b;
	struct card c;
	unsigned int cap;
	uint64_t table, pba;
	struct EventNotifier *e;
	unsigned int v; /* of the last scene_use */
};

void scene_init(struct scene *s, unsigned int vectors);
void scene_release(struct scene *s);

void set_control(struct scene *s, uint32_t bits);
void set_message(struct scene *s, unsigned int v, uint64_t address, uint32_t data);
void set_mask(struct scene *s, unsigned int v, bool mask);
bool pending(struct scene *s, unsigned int v);

/* MSI-X enabled, vector v unmasked with a message of its own (data 0x4000 + v) and in use. */
void use(struct scene *s, unsigned int v);

#endif
