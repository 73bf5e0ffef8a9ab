// SPDX-License-Identifier: BSD-2-Clause
/*
 * The board's life. board_parts is the start order; the stop order is its reverse, both for an
 * error half way and for the end. Main thread. Neighbours: one file per part in this folder.
 */
#include "board.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <handoff/bql.h>
#include <handoff/main_loop.h>
#include <handoff/pci.h>
#include "console.h"
#include "monitor.h"

static int stats_start(struct machine *m, struct error *err)
{
	return stats_page_new(&m->stats, err);
}

static void stats_stop(struct machine *m)
{
	stats_page_free(m->stats);
}

static int main_loop_start(struct machine *m, struct error *err)
{
	int ret;

	m->main_tid = gettid();
	m->main_stats = stats_loop_get(m->stats, STATS_LOOP_MAIN, "main");
	ret = main_loop_init(m->main_stats, err);
	if (ret)
		stats_loop_put(m->main_stats);
	return ret;
}

static void main_loop_stop(struct machine *m)
{
	main_loop_release();
	stats_loop_put(m->main_stats);
}

static int kvm_start(struct machine *m, struct error *err)
{
	struct kvm_vm_config config = {
		.device = BOARD_KVM_DEVICE,
		.memory = &m->memory,
		.io = &m->io,
		.ioeventfd_limit = m->config->ioeventfd_limit,
	};

	m->vm = kvm_vm_new(&config, err);
	return m->vm ? 0 : -EIO;
}

static void kvm_stop(struct machine *m)
{
	kvm_vm_free(m->vm);
}

static int pci_start(struct machine *m, struct error *err)
{
	struct pci_host_config config = {
		.mmio = &m->memory_root,
		.io = &m->io_root,
		.irq_sink = kvm_vm_irq_sink(m->vm),
		.ecam_gpa = BOARD_ECAM_GPA,
		.window_gpa = BOARD_PCI_WINDOW_GPA,
		.window_size_bytes = BOARD_PCI_WINDOW_END - BOARD_PCI_WINDOW_GPA,
	};

	m->pci = pci_host_new(&config, err);
	return m->pci ? 0 : -ENOMEM;
}

static void pci_stop(struct machine *m)
{
	pci_host_free(m->pci);
}

static int bars_start(struct machine *m, struct error *err)
{
	return pci_host_assign_bars(m->pci, err);
}

static const struct board_part {
	const char *name;
	int (*start)(struct machine *m, struct error *err);
	void (*stop)(struct machine *m); /* NULL: nothing to undo */
} board_parts[] = {
	{ "stats page", stats_start,
	  stats_stop }, /* first: loops and queues take their rows of it */
	{ "main loop", main_loop_start, main_loop_stop }, /* takes the BQL; all below is under it */
	{ "RAM", board_spaces_start, board_spaces_stop },
	{ "KVM", kvm_start, kvm_stop }, /* listens to the address spaces from here on */
	{ "PCI", pci_start, pci_stop },
	{ "serial port", board_serial_start, board_serial_stop },
	{ "debug exit", board_debug_exit_start, board_debug_exit_stop },
	{ "power", board_power_start, board_power_stop }, /* off, reset, panic */
	{ "iothreads", board_iothreads_start, board_iothreads_stop },
	{ "disks", board_disks_start, board_disks_stop },
	{ "BARs", bars_start, NULL }, /* all devices are plugged; there is no firmware to do it */
	{ "vCPUs", board_cpus_start, board_cpus_stop }, /* threads, waiting */
	{ "ACPI", board_acpi_start, NULL },		/* tables, which the boot part points to */
	{ "boot", board_boot_start, NULL }, /* needs a vCPU: for its TSC and registers */
	{ "moves", board_moves_start, board_moves_stop },
	{ "control", board_control_start, board_control_stop },
	{ "monitor", monitor_start, monitor_stop }, /* last: its clients may ask for all of it */
};

static void stop_parts(struct machine *m)
{
	while (m->n_started) {
		const struct board_part *part = &board_parts[--m->n_started];

		if (part->stop)
			part->stop(m);
	}
}

static int judge_config(const struct machine_config *c, struct error *err)
{
	if (!c->cpus || c->cpus > STATS_MAX_VCPUS)
		return error_set(err, -EINVAL, "%u CPUs: 1 to %u are possible", c->cpus,
				 STATS_MAX_VCPUS);
	if (c->n_disks > MACHINE_MAX_DISKS || c->n_iothreads > MACHINE_MAX_IOTHREADS ||
	    c->n_moves > MACHINE_MAX_MOVES)
		return error_set(err, -EINVAL, "at most %u disks, %u iothreads, %u moves",
				 MACHINE_MAX_DISKS, MACHINE_MAX_IOTHREADS, MACHINE_MAX_MOVES);
	return 0;
}

struct machine *machine_new(const struct machine_config *config, struct error *err)
{
	struct machine *m;

	if (judge_config(config, err))
		return NULL;
	m = calloc(1, sizeof(*m));
	if (!m) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	m->config = config;
	while (m->n_started < ARRAY_SIZE(board_parts)) {
		if (board_parts[m->n_started].start(m, err)) {
			stop_parts(m);
			free(m);
			return NULL;
		}
		m->n_started++;
	}
	return m;
}

int machine_run(struct machine *m)
{
	unsigned int i;
	int status;

	board_control_run(m);
	board_moves_run(m);
	for (i = 0; i < m->config->cpus; i++)
		kvm_vcpu_resume(m->vcpu[i]);
	status = main_loop();
	monitor_event_shutdown(m);
	for (i = 0; i < m->config->cpus; i++)
		kvm_vcpu_pause(m->vcpu[i]);
	board_pause_end(m);
	/* What the guest printed last may still be on its way. */
	if (console_flush(m->console, m->config->stop_fd) && status == MACHINE_EXIT_OK)
		status = MACHINE_EXIT_ERROR;
	return board_judge_exit(m, status);
}

int machine_free(struct machine *m)
{
	int ret;

	if (!m)
		return 0;
	stop_parts(m);
	ret = m->flush_error;
	free(m);
	return ret;
}
