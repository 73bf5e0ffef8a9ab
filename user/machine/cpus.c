// SPDX-License-Identifier: BSD-2-Clause
/*
 * vCPUs and what they boot: the kernel given or the built-in load guest. Main context; the stop
 * callback comes from a vCPU thread under the BQL. Neighbours: board.c, boot_pvh.c, user/kvm.
 */
#include "board.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <handoff/main_loop.h>
#include <handoff/pci.h>
#include "boot_pvh.h"

/* load_blob.S */
extern const char handoff_load_elf_start[], handoff_load_elf_end[];

static void vcpu_stopped(void *opaque, enum kvm_stop_reason reason)
{
	switch (reason) {
	case KVM_STOP_SHUTDOWN:
		main_loop_quit_any(MACHINE_EXIT_SHUTDOWN);
		break;
	case KVM_STOP_SYSTEM_EVENT:
		main_loop_quit_any(MACHINE_EXIT_GUEST);
		break;
	default:
		main_loop_quit_any(MACHINE_EXIT_KVM);
		break;
	}
}

int board_cpus_start(struct machine *m, struct error *err)
{
	struct kvm_vcpu_config config = { .stopped = vcpu_stopped, .opaque = m };
	unsigned int i;

	for (i = 0; i < m->config->cpus; i++) {
		config.id = i;
		m->vcpu[i] = kvm_vcpu_new(m->vm, &config, err);
		if (!m->vcpu[i])
			goto stop;
		m->stats->vcpu_tid[i] = kvm_vcpu_tid(m->vcpu[i]);
	}
	m->stats->tsc_khz = kvm_vm_tsc_khz(m->vm);
	m->stats->n_vcpus = m->config->cpus;
	return 0;

stop:
	while (i--)
		kvm_vcpu_free(m->vcpu[i]);
	return -EIO;
}

void board_cpus_stop(struct machine *m)
{
	unsigned int i = m->config->cpus;

	m->stats->n_vcpus = 0;
	while (i--)
		kvm_vcpu_free(m->vcpu[i]);
}

/* What the built-in guest is told besides: it has no other way to turn cycles into time. */
static char *command_line(const struct machine *m)
{
	const char *append = m->config->append ? m->config->append : "";
	char *line;
	int n;

	if (m->config->kernel || !m->stats->tsc_khz)
		n = asprintf(&line, "%s", append);
	else
		n = asprintf(&line, "%s%stsc_khz=%" PRIu64, append, *append ? " " : "",
			     (uint64_t)m->stats->tsc_khz);
	return n < 0 ? NULL : line;
}

static struct boot_image *open_kernel(const struct machine *m, struct error *err)
{
	if (m->config->kernel)
		return boot_image_open(m->config->kernel, err);
	return boot_image_of("(built-in)", handoff_load_elf_start,
			     handoff_load_elf_end - handoff_load_elf_start, err);
}

int board_boot_start(struct machine *m, struct error *err)
{
	const struct boot_reserved ecam = { BOARD_ECAM_GPA, PCI_ECAM_BUS_SIZE };
	struct boot_image *image = open_kernel(m, err);
	char *cmdline = command_line(m);
	struct boot_entry entry;
	int ret = -EIO;

	if (!image)
		goto free;
	if (!cmdline) {
		ret = error_set(err, -ENOMEM, "out of memory");
		goto free;
	}
	ret = boot_pvh_load(m->ram, image, cmdline, &ecam, &entry, err);
	if (!ret) {
		struct kvm_vcpu_regs_pvh regs = { entry.rip, entry.start_info_gpa };

		ret = kvm_vcpu_set_pvh(m->vcpu[0], &regs, err);
	}
free:
	free(cmdline);
	boot_image_free(image);
	return ret;
}
