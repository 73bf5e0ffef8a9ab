// SPDX-License-Identifier: BSD-2-Clause
/* Reset requests: see reset.h. BQL. Neighbours: power_board.c wires it, user/pci has port 0xcf9. */
#include "reset.h"

#define CONTROL_RESET 0x04
#define CONTROL_KEPT  0x0a /* hard reset, full reset: remembered, nothing else */

/*
 * Input buffer empty, so that nobody waits before the pulse; output buffer full for ever, by which
 * a driver that looks for a controller all the same finds out at once that there is none.
 */
#define KEYBOARD_STATUS	    0xfd
/* 8042: pulses the output lines whose bits are 0; line 0 is the CPU's reset. */
#define KEYBOARD_PULSE	    0xf0
#define KEYBOARD_KEEP_RESET 0x01

uint8_t reset_control_read(const struct reset *r)
{
	return r->control;
}

void reset_control_write(struct reset *r, uint8_t value)
{
	r->control = value & CONTROL_KEPT;
	if (value & CONTROL_RESET)
		r->request(r->opaque);
}

static uint64_t keyboard_read(void *opaque, uint64_t addr, unsigned int size)
{
	return KEYBOARD_STATUS;
}

static void keyboard_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
	struct reset *r = opaque;

	if ((value & KEYBOARD_PULSE) == KEYBOARD_PULSE && !(value & KEYBOARD_KEEP_RESET))
		r->request(r->opaque);
}

static const struct MemoryRegionOps keyboard_ops = {
	.read = keyboard_read,
	.write = keyboard_write,
	.valid = { .min_access_size = 1, .max_access_size = 1 },
};

void reset_init(struct reset *r, void (*request)(void *opaque), void *opaque)
{
	*r = (struct reset){ .request = request, .opaque = opaque };
	memory_region_init_io(&r->keyboard, &keyboard_ops, r, "keyboard-reset", 1);
}

void reset_release(struct reset *r)
{
	memory_region_release(&r->keyboard);
}
