// SPDX-License-Identifier: BSD-2-Clause
/* What `handoff doctor` looks at on the host, one function a thing. Main thread. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <liburing.h>

#include <handoff/compiler.h>

#include "doctor.h"

static const struct {
	int cap;
	const char *name;
} kvm_caps[] = {
	{ KVM_CAP_USER_MEMORY, "USER_MEMORY" },	      { KVM_CAP_IRQCHIP, "IRQCHIP" },
	{ KVM_CAP_IOEVENTFD, "IOEVENTFD" },	      { KVM_CAP_IRQFD, "IRQFD" },
	{ KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT" }, { KVM_CAP_SIGNAL_MSI, "SIGNAL_MSI" },
};

static void check_kvm(struct doctor *d)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int api;

	if (fd < 0) {
		doctor_add(d, FINDING_BAD, "/dev/kvm", "%s%s", strerror(errno),
			   errno == EACCES
				   ? ": join its group: usermod -aG kvm $USER, then log in again"
				   : ": load kvm-intel or kvm-amd, or enable it in the firmware");
		return;
	}
	api = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (api != KVM_API_VERSION)
		doctor_add(d, FINDING_BAD, "/dev/kvm", "API version %d, need %d", api,
			   KVM_API_VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(kvm_caps); i++)
		if (ioctl(fd, KVM_CHECK_EXTENSION, kvm_caps[i].cap) <= 0)
			doctor_add(d, FINDING_BAD, "/dev/kvm", "KVM_CAP_%s is missing",
				   kvm_caps[i].name);
	if (ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_IOEVENTFD_ANY_LENGTH) <= 0)
		doctor_add(d, FINDING_NOTE, "/dev/kvm",
			   "no KVM_CAP_IOEVENTFD_ANY_LENGTH: kicks are matched by size");
	if (api == KVM_API_VERSION)
		doctor_add(d, FINDING_OK, "/dev/kvm", "API version %d, readable and writable", api);
	close(fd);
}

static void check_privilege(struct doctor *d)
{
	struct error err;

	if (tracer_check_privilege(&err))
		doctor_add(d, FINDING_BAD, "privilege", "%s", err.msg);
	else
		doctor_add(d, FINDING_OK, "privilege", "BPF programs may be loaded");
}

/* First line of a file, or "" if it cannot be read. */
static void read_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "r");

	buf[0] = '\0';
	if (f && fgets(buf, (int)size, f))
		buf[strcspn(buf, "\n")] = '\0';
	if (f)
		fclose(f);
}

static void check_lockdown(struct doctor *d)
{
	char line[128];

	read_line("/sys/kernel/security/lockdown", line, sizeof(line));
	if (strstr(line, "[confidentiality]"))
		doctor_add(d, FINDING_BAD, "lockdown",
			   "confidentiality: BPF may not read kernel memory; boot with "
			   "lockdown=integrity");
	else
		doctor_add(d, FINDING_OK, "lockdown", "%s",
			   line[0] ? line : "not there, or securityfs is not mounted");
}

static void check_tracefs(struct doctor *d)
{
	if (!access("/sys/kernel/tracing/events", R_OK) ||
	    !access("/sys/kernel/debug/tracing/events", R_OK))
		doctor_add(d, FINDING_OK, "tracefs", "mounted and readable");
	else
		doctor_add(d, FINDING_NOTE, "tracefs",
			   "not readable: not needed (tracepoints are reached through BTF)");
}

static void check_btf(struct doctor *d)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		doctor_add(d, FINDING_BAD, "BTF",
			   "/sys/kernel/btf/vmlinux: %s: the kernel needs CONFIG_DEBUG_INFO_BTF",
			   strerror(errno));
	else
		doctor_add(d, FINDING_OK, "BTF", "/sys/kernel/btf/vmlinux%s",
			   access("/sys/kernel/btf/kvm", R_OK) ? "" : " and kvm");
}

static void check_io_uring(struct doctor *d)
{
	struct io_uring ring;
	int ret = io_uring_queue_init(8, &ring, 0);

	if (!ret) {
		io_uring_queue_exit(&ring);
		doctor_add(d, FINDING_OK, "io_uring", "works");
	} else {
		doctor_add(d, FINDING_BAD, "io_uring",
			   "%s: disks on files need it; see sysctl "
			   "kernel.io_uring_disabled",
			   strerror(-ret));
	}
}

static void check_kernel(struct doctor *d)
{
	struct utsname uts;

	uname(&uts);
	doctor_add(d, FINDING_OK, "kernel", "%s %s", uts.release, uts.machine);
}

void doctor_check_host(struct doctor *d)
{
	check_kernel(d);
	check_kvm(d);
	check_io_uring(d);
	check_privilege(d);
	check_lockdown(d);
	check_btf(d);
	check_tracefs(d);
}

void doctor_check_programs(struct doctor *d)
{
	struct error err;

	if (tracer_probe_host(&d->probe, &err)) {
		doctor_add(d, FINDING_BAD, "BPF programs", "%s", err.msg);
		return;
	}
	d->have_probe = true;
	for (size_t i = 0; i < d->probe.n; i++) {
		const struct tracer_program_probe *p = &d->probe.program[i];

		if (p->loaded && p->attached)
			doctor_add(d, FINDING_OK, p->name, "%s: loads and attaches (%s)", p->hook,
				   p->stages);
		else
			doctor_add(d, p->optional ? FINDING_NOTE : FINDING_BAD, p->name,
				   "%s: %s: %s (%s)", p->hook,
				   p->loaded ? "does not attach" : "does not load", p->why,
				   p->stages);
	}
}
