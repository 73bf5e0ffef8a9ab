// SPDX-License-Identifier: BSD-2-Clause
/*
 * vCPUs and what they boot: the kernel given or the built-in load guest. Main context; the stop
 * callback comes from a vCPU thread under the BQL. Neighbours: board.c, boot.c, user/kvm.
 */
#include "board.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "boot.h"
#include "boot_image.h"

/* load_blob.S */
extern const char handoff_load_elf_start[], handoff_load_elf_end[];

static void vcpu_stopped(void *opaque, enum kvm_stop_reason reason)
{
	static const struct {
		int status;
		const char *cause;
	} ends[] = {
		[KVM_STOP_SHUTDOWN] = { MACHINE_EXIT_SHUTDOWN, BOARD_CAUSE_GUEST_RESET },
		[KVM_STOP_INTERNAL_ERROR] = { MACHINE_EXIT_KVM, BOARD_CAUSE_ERROR },
		[KVM_STOP_POWEROFF] = { MACHINE_EXIT_OK, BOARD_CAUSE_GUEST_OFF },
		[KVM_STOP_RESET] = { MACHINE_EXIT_RESET, BOARD_CAUSE_GUEST_RESET },
		[KVM_STOP_CRASH] = { MACHINE_EXIT_PANIC, BOARD_CAUSE_GUEST_PANIC },
	};

	board_quit(opaque, ends[reason].status, ends[reason].cause);
}

int board_cpus_start(struct machine *m, struct error *err)
{
	struct kvm_vcpu_config config = {
		.n_vcpus = m->config->cpus,
		.stopped = vcpu_stopped,
		.opaque = m,
	};
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
		return boot_image_open("kernel", m->config->kernel, err);
	return boot_image_of("kernel (built-in)", handoff_load_elf_start,
			     handoff_load_elf_end - handoff_load_elf_start, err);
}

static int enter(struct machine *m, const struct boot_entry *entry, struct error *err)
{
	const struct kvm_vcpu_regs_pvh pvh = { (uint32_t)entry->rip, (uint32_t)entry->data_gpa };
	const struct kvm_vcpu_regs_linux64 linux64 = {
		.rip = entry->rip,
		.zero_page_gpa = entry->data_gpa,
		.pml4_gpa = entry->pml4_gpa,
		.gdt_gpa = entry->gdt_gpa,
	};

	if (entry->protocol == BOOT_PVH)
		return kvm_vcpu_set_pvh(m->vcpu[0], &pvh, err);
	return kvm_vcpu_set_linux64(m->vcpu[0], &linux64, err);
}

static int load_and_enter(struct machine *m, struct boot_config *config, struct error *err)
{
	char *cmdline = command_line(m);
	struct boot_entry entry;
	int ret;

	if (!cmdline)
		return error_set(err, -ENOMEM, "out of memory");
	config->cmdline = cmdline;
	ret = boot_load(config, &entry, err);
	if (!ret)
		ret = enter(m, &entry, err);
	free(cmdline);
	return ret;
}

int board_boot_start(struct machine *m, struct error *err)
{
	struct boot_image *kernel, *initrd = NULL;
	int ret = -EIO;

	kernel = open_kernel(m, err);
	if (!kernel)
		return -EIO;
	if (m->config->initrd)
		initrd = boot_image_open("initrd", m->config->initrd, err);
	if (initrd || !m->config->initrd) {
		struct boot_config config = {
			.ram = m->ram,
			.kernel = kernel,
			.initrd = initrd,
			.rsdp_gpa = m->rsdp_gpa,
		};

		ret = load_and_enter(m, &config, err);
	}
	boot_image_free(initrd);
	boot_image_free(kernel);
	return ret;
}
