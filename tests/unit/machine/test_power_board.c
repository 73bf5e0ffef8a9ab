// SPDX-License-Identifier: BSD-2-Clause
/*
 * How a guest's run ends: a board with its ports, without vCPUs; the guest is what the test writes
 * to them. What the main loop returns is how the run ended.
 */
#include <lib/tap.h>

#include <stdlib.h>
#include <handoff/bql.h>
#include <handoff/clock.h>
#include <handoff/irq_sink.h>
#include <handoff/main_loop.h>
#include <handoff/pci.h>
#include "board.h"

#define PANIC_LINE "[    2.5] Kernel panic - not syncing: Attempted to kill init!\r\n"

static struct machine_config config = { .memory_bytes = 2 << 20, .cpus = 2 };

static int machine_setup(void **state)
{
	static struct irq_sink sink;
	struct machine *m = calloc(1, sizeof(*m));
	struct error err;
	struct pci_host_config pci;

	m->config = &config;
	if (main_loop_init(NULL, &err) || board_spaces_start(m, &err))
		return -1;
	pci = (struct pci_host_config){ .mmio = &m->memory_root,
					.io = &m->io_root,
					.irq_sink = &sink,
					.ecam_gpa = BOARD_ECAM_GPA };
	m->pci = pci_host_new(&pci, &err);
	if (!m->pci || board_power_start(m, &err))
		return -1;
	*state = m;
	return 0;
}

static int machine_teardown(void **state)
{
	struct machine *m = *state;

	board_power_stop(m);
	pci_host_free(m->pci);
	board_spaces_stop(m);
	main_loop_release();
	free(m);
	return 0;
}

static void out(struct machine *m, uint64_t port, uint32_t value, unsigned int size)
{
	address_space_write(&m->io, port, &value, size);
}

static uint32_t in(struct machine *m, uint64_t port, unsigned int size)
{
	uint32_t value = 0;

	address_space_read(&m->io, port, &value, size);
	return value;
}

static void print(struct machine *m, const char *text)
{
	while (*text)
		board_console_byte(m, (uint8_t)*text++);
}

/* 99: the guest had not ended its run. */
static int end_of_run(struct machine *m)
{
	main_loop_quit_any(99);
	return board_judge_exit(m, main_loop());
}

/* ACPI S5 is success. What a guest does after it, while its vCPU runs on, changes nothing. */
static void test_power_board__off(void **state)
{
	struct machine *m = *state;

	out(m, POWER_PORT + POWER_CONTROL, POWER_SLEEP_S5 << 10, 2);
	out(m, POWER_PORT + POWER_CONTROL, POWER_SLEEP_S5 << 10 | 1 << 13, 2);
	out(m, RESET_CONTROL_PORT, RESET_CONTROL_VALUE, 1);
	assert_int_equal(end_of_run(m), MACHINE_EXIT_OK);
}

/* The reset register of the FADT. */
static void test_power_board__reset(void **state)
{
	struct machine *m = *state;

	out(m, RESET_CONTROL_PORT, 0x02, 1);
	assert_int_equal(in(m, RESET_CONTROL_PORT, 1), 0x02);
	out(m, RESET_CONTROL_PORT, RESET_CONTROL_VALUE, 1);
	assert_int_equal(end_of_run(m), MACHINE_EXIT_RESET);
}

/* "reboot=k". */
static void test_power_board__keyboard_reset(void **state)
{
	struct machine *m = *state;

	assert_int_equal(in(m, RESET_KEYBOARD_PORT, 1) & 2, 0);
	out(m, RESET_KEYBOARD_PORT, 0xfe, 1);
	assert_int_equal(end_of_run(m), MACHINE_EXIT_RESET);
}

/* PCI's address register has the reset port inside, and neither takes the other's accesses. */
static void test_power_board__pci_beside_reset(void **state)
{
	struct machine *m = *state;

	out(m, 0xcf8, 0x80000600, 4);
	assert_int_equal(in(m, 0xcf8, 4), 0x80000600);
	out(m, 0xcf8, 0x80000000, 4);
	assert_int_equal(in(m, 0xcfc, 4), 0x29c08086);
	out(m, 0xcf8, 0x0606, 1);
	out(m, 0xcf8, 0x0606, 2);
	out(m, 0xcfa, 0x0606, 2);
	assert_int_equal(in(m, 0xcf8, 4), 0x80000000);
	assert_int_equal(end_of_run(m), 99);
}

/* Ports next to ours, and reading ours, end nothing. */
static void test_power_board__probing_is_harmless(void **state)
{
	struct machine *m = *state;
	unsigned int port, size;

	for (port = 0; port < 0x10000; port++)
		for (size = 1; size <= 4; size *= 2)
			in(m, port, size);
	for (size = 1; size <= 4; size *= 2) {
		out(m, RESET_KEYBOARD_PORT - 4, 0xfefefefe, size);
		out(m, RESET_KEYBOARD_PORT + 1, 0xfefefefe, size);
		out(m, PVPANIC_PORT + 1, 0xffffffff, size);
		out(m, PVPANIC_PORT - 1, 0, size);
		out(m, POWER_PORT + POWER_PORTS, 0xffffffff, size);
	}
	assert_int_equal(end_of_run(m), 99);
}

/* pvpanic ends the run as a panic, and the reset that Linux asks for right after it is late. */
static void test_power_board__pvpanic(void **state)
{
	struct machine *m = *state;

	assert_int_equal(in(m, PVPANIC_PORT, 1), 3);
	out(m, PVPANIC_PORT, PVPANIC_PANICKED, 1);
	out(m, RESET_CONTROL_PORT, RESET_CONTROL_VALUE, 1);
	assert_int_equal(end_of_run(m), MACHINE_EXIT_PANIC);
	assert_true(m->panic_told);
}

/* With a crash kernel the guest goes on. */
static void test_power_board__crash_kernel_runs(void **state)
{
	struct machine *m = *state;

	out(m, PVPANIC_PORT, PVPANIC_CRASH_LOADED, 1);
	assert_int_equal(end_of_run(m), 99);
	assert_true(m->panic_told);
}

/* The crash kernel's reset, dump written, is the end of a panic. */
static void test_power_board__crash_kernel_resets(void **state)
{
	struct machine *m = *state;

	out(m, PVPANIC_PORT, PVPANIC_CRASH_LOADED, 1);
	assert_true(m->panic_noted);
	out(m, RESET_CONTROL_PORT, RESET_CONTROL_VALUE, 1);
	assert_int_equal(end_of_run(m), MACHINE_EXIT_PANIC);
}

static void quit(void *opaque)
{
	main_loop_quit_any(99);
}

/* A line on the console ends nothing, since any program can print it; it is told at once. */
static void test_power_board__line_alone(void **state)
{
	struct machine *m = *state;
	struct AioTimer later;

	print(m, PANIC_LINE);
	assert_true(m->panic_noted);
	assert_false(m->panic_told);
	aio_timer_init(main_loop_aio_context_any(), &later, quit, NULL);
	aio_timer_mod_any(&later, clock_ns() + NS_PER_MS);
	assert_int_equal(main_loop(), 99);
	assert_true(m->panic_told);
	assert_int_equal(board_judge_exit(m, 99), 99);
}

/* Where the console is on the screen, it is told when the run has ended. */
static void test_power_board__told_at_the_end(void **state)
{
	struct machine *m = *state;
	struct AioTimer later;

	config.console_stdio = true;
	print(m, PANIC_LINE);
	config.console_stdio = false;
	aio_timer_init(main_loop_aio_context_any(), &later, quit, NULL);
	aio_timer_mod_any(&later, clock_ns() + NS_PER_MS);
	assert_int_equal(main_loop(), 99);
	assert_false(m->panic_told);
	assert_int_equal(board_judge_exit(m, MACHINE_EXIT_OK), MACHINE_EXIT_OK);
	assert_true(m->panic_told);
}

/* A line with a reset, or with a triple fault, is a panic; with a power off it is not. */
static void test_power_board__line_and_end(void **state)
{
	static const struct {
		int status, judged;
	} ends[] = {
		{ MACHINE_EXIT_RESET, MACHINE_EXIT_PANIC },
		{ MACHINE_EXIT_SHUTDOWN, MACHINE_EXIT_PANIC },
		{ MACHINE_EXIT_PANIC, MACHINE_EXIT_PANIC },
		{ MACHINE_EXIT_OK, MACHINE_EXIT_OK },
		{ MACHINE_EXIT_ERROR, MACHINE_EXIT_ERROR },
		{ MACHINE_EXIT_GUEST, MACHINE_EXIT_GUEST },
		{ MACHINE_EXIT_KVM, MACHINE_EXIT_KVM },
	};
	struct machine *m = *state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ends); i++)
		if (ends[i].status != MACHINE_EXIT_PANIC)
			assert_int_equal(board_judge_exit(m, ends[i].status), ends[i].status);
	print(m, PANIC_LINE);
	for (i = 0; i < ARRAY_SIZE(ends); i++)
		assert_int_equal(board_judge_exit(m, ends[i].status), ends[i].judged);
	assert_string_equal(panic_watch_reason(&m->panic_watch), "Attempted to kill init!");
}

/* Of a line that the reset cut short the marker is enough. */
static void test_power_board__line_cut_short(void **state)
{
	struct machine *m = *state;

	print(m, "Kernel panic - not syncing");
	assert_int_equal(board_judge_exit(m, MACHINE_EXIT_RESET), MACHINE_EXIT_RESET);
	print(m, ": Fatal exc");
	assert_int_equal(board_judge_exit(m, MACHINE_EXIT_RESET), MACHINE_EXIT_PANIC);
	assert_true(m->panic_told);
}

/* The tables lie where the boot part and a searching kernel look for them. */
static void test_power_board__tables(void **state)
{
	struct machine *m = *state;
	struct error err;
	char signature[8];

	assert_int_equal(m->rsdp_gpa, 0);
	assert_int_equal(board_acpi_start(m, &err), 0);
	assert_in_range(m->rsdp_gpa, 0xe0000, 0xfffff);
	assert_int_equal(m->rsdp_gpa % 16, 0);
	assert_true(guest_ram_read(m->ram, m->rsdp_gpa, signature, sizeof(signature)));
	assert_memory_equal(signature, "RSD PTR ", 8);
}

#define board_test(f) cmocka_unit_test_setup_teardown(f, machine_setup, machine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		board_test(test_power_board__off),
		board_test(test_power_board__reset),
		board_test(test_power_board__keyboard_reset),
		board_test(test_power_board__pci_beside_reset),
		board_test(test_power_board__probing_is_harmless),
		board_test(test_power_board__pvpanic),
		board_test(test_power_board__crash_kernel_runs),
		board_test(test_power_board__crash_kernel_resets),
		board_test(test_power_board__line_alone),
		board_test(test_power_board__told_at_the_end),
		board_test(test_power_board__line_and_end),
		board_test(test_power_board__line_cut_short),
		board_test(test_power_board__tables),
	};

	return cmocka_run_group_tests_name("power_board", tests, NULL, NULL);
}
