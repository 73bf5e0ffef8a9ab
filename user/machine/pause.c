// SPDX-License-Identifier: BSD-2-Clause
/*
 * `stop` and `cont`: vCPUs leave the guest, then what the disks have in flight ends, and nothing
 * new begins: the guest's memory and its disks stand still, whatever a loop still finds in a ring.
 * Main thread. Neighbours: cpus.c, disks.c; the monitor calls.
 */
#include "board.h"

#include <handoff/block.h>
#include "monitor.h"

void board_pause(struct machine *m)
{
	unsigned int i;

	if (m->paused)
		return;
	m->paused = true;
	m->waiting = true;
	for (i = 0; i < m->config->cpus; i++)
		kvm_vcpu_pause(m->vcpu[i]);
	for (i = 0; i < m->config->n_disks; i++)
		blk_drained_begin(m->disk[i].blk);
	m->waiting = false;
	monitor_event(m, "STOP", NULL);
}

void board_pause_end(struct machine *m)
{
	unsigned int i;

	if (!m->paused)
		return;
	m->paused = false;
	for (i = 0; i < m->config->n_disks; i++)
		blk_drained_end(m->disk[i].blk);
}

void board_resume(struct machine *m)
{
	unsigned int i;

	if (!m->paused)
		return;
	board_pause_end(m);
	monitor_event(m, "RESUME", NULL);
	for (i = 0; i < m->config->cpus; i++) {
		kvm_vcpu_tell_paused(m->vcpu[i]);
		kvm_vcpu_resume(m->vcpu[i]);
	}
}
