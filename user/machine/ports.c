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
#include <unistd.h>
#include "console.h"
#include "console_in.h"

static void serial_send(void *opaque, uint8_t byte)
{
	struct machine *m = opaque;

	board_console_byte(m, byte);
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

static void serial_can_receive(void *opaque)
{
	struct machine *m = opaque;

	console_in_room_any(m->console_in);
}

static const struct serial_ops serial_ops = {
	.send = serial_send,
	.can_send = serial_can_send,
	.can_receive = serial_can_receive,
	.set_irq = serial_set_irq,
};

static void console_room(void *opaque)
{
	struct machine *m = opaque;

	serial_send_ready(&m->serial);
}

static unsigned int console_receive(void *opaque, const uint8_t *bytes, unsigned int n)
{
	struct machine *m = opaque;

	return serial_receive(&m->serial, bytes, n);
}

static void console_quit(void *opaque)
{
	board_quit(opaque, MACHINE_EXIT_OK, BOARD_CAUSE_UI);
}

static int input_start(struct machine *m, struct error *err)
{
	struct console_in_config config = {
		.ctx = main_loop_aio_context_any(),
		.fd = STDIN_FILENO,
		.escape = m->config->console_escape,
		.receive = console_receive,
		.quit = console_quit,
		.opaque = m,
	};

	if (!m->config->console_stdio)
		return 0;
	m->console_in = console_in_new(&config, err);
	return m->console_in ? 0 : -ENOMEM;
}

int board_serial_start(struct machine *m, struct error *err)
{
	struct console_config config = {
		.ctx = main_loop_aio_context_any(),
		.out_fd = m->config->console_stdio ? STDOUT_FILENO : -1,
		.line = m->config->console_line,
		.opaque = m->config->opaque,
		.room = console_room,
		.room_opaque = m,
	};

	m->console = console_new(&config, err);
	if (!m->console)
		return -ENOMEM;
	if (input_start(m, err)) {
		console_free(m->console);
		return -ENOMEM;
	}
	serial_init(&m->serial, &serial_ops, m);
	memory_region_add_subregion(&m->io_root, BOARD_SERIAL_PORT, &m->serial.mr);
	return 0;
}

void board_serial_stop(struct machine *m)
{
	memory_region_del_subregion(&m->io_root, &m->serial.mr);
	console_in_free(m->console_in);
	serial_release(&m->serial);
	console_free(m->console);
}

static void on_debug_exit(void *opaque, uint32_t value)
{
	struct machine *m = opaque;

	if (value)
		log_debug("the guest ends with code %u", value);
	m->guest_code = value;
	board_quit(m, value ? MACHINE_EXIT_GUEST : MACHINE_EXIT_OK, BOARD_CAUSE_GUEST_OFF);
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
