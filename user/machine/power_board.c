// SPDX-License-Identifier: BSD-2-Clause
/*
 * How a guest ends its run, wired to the board: power off, reset, panic; and the ACPI tables, which
 * tell it of the former. Main context; what the guest does comes from its vCPU threads under the
 * BQL. Neighbours: power.c, reset.c, pvpanic.c, panic_watch.c, acpi.c, board.c.
 *
 * Linux panics like this: the line on the console, then pvpanic if its driver is there, then, by
 * panic=, a reset or nothing. pvpanic is proof and ends the run; the line alone is not, since any
 * program may print it, so it only gives a reset or a triple fault that follows its meaning.
 */
#include "board.h"

#include <handoff/clock.h>
#include <handoff/log.h>
#include <handoff/main_loop.h>
#include <handoff/pci.h>
#include "acpi.h"

int board_acpi_start(struct machine *m, struct error *err)
{
	int ret = acpi_write(m->ram, BOARD_ACPI_GPA, BOARD_ACPI_END, m->config->cpus, err);

	if (!ret)
		m->rsdp_gpa = BOARD_ACPI_GPA;
	return ret;
}

static int64_t power_now_ns(void *opaque)
{
	return clock_ns();
}

static void power_set_sci(void *opaque, bool level)
{
	kvm_vm_set_irq_any(((struct machine *)opaque)->vm, POWER_SCI_GSI, level);
}

static void power_set_alarm(void *opaque, int64_t expire_ns)
{
	struct machine *m = opaque;

	if (expire_ns < 0)
		aio_timer_del(&m->power_alarm);
	else
		aio_timer_mod_any(&m->power_alarm, expire_ns);
}

static void on_power_alarm(void *opaque)
{
	power_alarm(&((struct machine *)opaque)->power);
}

static void power_soft_off(void *opaque)
{
	board_quit(opaque, MACHINE_EXIT_OK, BOARD_CAUSE_GUEST_OFF);
}

static const struct power_ops power_ops = {
	.now_ns = power_now_ns,
	.set_sci = power_set_sci,
	.set_alarm = power_set_alarm,
	.soft_off = power_soft_off,
};

static void on_reset(void *opaque)
{
	board_quit(opaque, MACHINE_EXIT_RESET, BOARD_CAUSE_GUEST_RESET);
}

static uint8_t on_reset_control_read(void *opaque)
{
	return reset_control_read(&((struct machine *)opaque)->reset);
}

static void on_reset_control_write(void *opaque, uint8_t value)
{
	reset_control_write(&((struct machine *)opaque)->reset, value);
}

static const struct pci_host_port_ops reset_control_ops = {
	.read = on_reset_control_read,
	.write = on_reset_control_write,
};

/* The run's one line about it. */
static void tell_panic(void *opaque)
{
	struct machine *m = opaque;
	const char *reason = panic_watch_reason(&m->panic_watch);

	if (m->panic_told)
		return;
	m->panic_told = true;
	if (reason && *reason)
		log_error("the guest's kernel panicked: %s", reason);
	else
		log_error("the guest's kernel panicked");
}

/*
 * Told by a timer, which comes behind the bottom half that hands over the console's lines so far;
 * but at the end of the run where the console is on the screen: it is seen there, and a line of
 * ours would fall into the middle of one of the guest's.
 */
static void note_panic(struct machine *m)
{
	if (!m->panic_noted && !m->config->console_stdio)
		aio_timer_mod_any(&m->panic_timer, clock_ns());
	m->panic_noted = true;
}

static void on_pvpanic(void *opaque, unsigned int events)
{
	note_panic(opaque);
	/* A crash kernel ends the run itself: when it has written its dump, it resets. */
	if (events & PVPANIC_PANICKED)
		board_quit(opaque, MACHINE_EXIT_PANIC, BOARD_CAUSE_GUEST_PANIC);
}

void board_console_byte(struct machine *m, uint8_t byte)
{
	if (panic_watch_put(&m->panic_watch, byte))
		note_panic(m);
}

/* A panic line without its end counts, too: the reset may have come before it. */
int board_judge_exit(struct machine *m, int status)
{
	bool restarted = status == MACHINE_EXIT_RESET || status == MACHINE_EXIT_SHUTDOWN;
	bool panicked = m->panic_noted || panic_watch_reason(&m->panic_watch);

	if (panicked)
		tell_panic(m);
	return restarted && panicked ? MACHINE_EXIT_PANIC : status;
}

int board_power_start(struct machine *m, struct error *err)
{
	struct AioContext *ctx = main_loop_aio_context_any();

	aio_timer_init(ctx, &m->power_alarm, on_power_alarm, m);
	aio_timer_init(ctx, &m->panic_timer, tell_panic, m);
	power_init(&m->power, &power_ops, m);
	reset_init(&m->reset, on_reset, m);
	pvpanic_init(&m->pvpanic, on_pvpanic, m);
	memory_region_add_subregion(&m->io_root, POWER_PORT, &m->power.mr);
	memory_region_add_subregion(&m->io_root, RESET_KEYBOARD_PORT, &m->reset.keyboard);
	memory_region_add_subregion(&m->io_root, PVPANIC_PORT, &m->pvpanic.mr);
	pci_host_set_reset_control(m->pci, &reset_control_ops, m);
	return 0;
}

void board_power_stop(struct machine *m)
{
	pci_host_set_reset_control(m->pci, NULL, NULL);
	memory_region_del_subregion(&m->io_root, &m->pvpanic.mr);
	memory_region_del_subregion(&m->io_root, &m->reset.keyboard);
	memory_region_del_subregion(&m->io_root, &m->power.mr);
	pvpanic_release(&m->pvpanic);
	reset_release(&m->reset);
	power_release(&m->power);
	aio_timer_del(&m->panic_timer);
}
