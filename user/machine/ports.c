// SPDX-License-Identifier: BSD-2-Clause
/*
 * Devices behind ports: the serial port wired to its console and its interrupt pin, and the debug
 * exit wired to the end of the run. Main context. Neighbours: serial.c, console.c, debug_exit.c,
 * board.c.
 */
#include "board.h"

#include <errno.h>
#include <handoff/log.h>
#include <handoff/main_loop.h>
#include "console.h"

static void serial_send(void *opaque, uint8_t byte)
{
	struct machine *m = opaque;

	console_put(m->console, byte);
}

static bool serial_can_send(void *opaque)
{
	struct machine *m = opaque;

	return console_has_room(m->console);
}

static void serial_set_irq(void *opaque, bool level)
{
	struct machine *m = opaque;

	kvm_vm_set_irq_any(m->vm, BOARD_SERIAL_GSI, level);
}

static const struct serial_ops serial_ops = {
	.send = serial_send,
	.can_send = serial_can_send,
	.set_irq = serial_set_irq,
};

static void console_room(void *opaque)
{
	struct machine *m = opaque;

	serial_send_ready(&m->serial);
}

int board_serial_start(struct machine *m, struct error *err)
{
	struct console_config config = {
		.ctx = main_loop_aio_context_any(),
		.line = m->config->console_line,
		.opaque = m->config->opaque,
		.room = console_room,
		.room_opaque = m,
	};

	m->console = console_new(&config, err);
	if (!m->console)
		return -ENOMEM;
	serial_init(&m->serial, &serial_ops, m);
	memory_region_add_subregion(&m->io_root, BOARD_SERIAL_PORT, &m->serial.mr);
	return 0;
}

void board_serial_stop(struct machine *m)
{
	memory_region_del_subregion(&m->io_root, &m->serial.mr);
	serial_release(&m->serial);
	console_free(m->console);
}

static void on_debug_exit(void *opaque, uint32_t value)
{
	struct machine *m = opaque;

	if (value)
		log_debug("the guest ends with code %u", value);
	m->guest_code = value;
	main_loop_quit_any(value ? MACHINE_EXIT_GUEST : MACHINE_EXIT_OK);
}

unsigned int machine_guest_code(const struct machine *m)
{
	return m->guest_code;
}

int board_debug_exit_start(struct machine *m, struct error *err)
{
	debug_exit_init(&m->debug_exit, on_debug_exit, m);
	memory_region_add_subregion(&m->io_root, DEBUG_EXIT_PORT, &m->debug_exit.mr);
	return 0;
}

void board_debug_exit_stop(struct machine *m)
{
	memory_region_del_subregion(&m->io_root, &m->debug_exit.mr);
	debug_exit_release(&m->debug_exit);
}
