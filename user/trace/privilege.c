// SPDX-License-Identifier: BSD-2-Clause
/* May we? A program of two instructions is loaded for real; if that is refused, the capabilities
 * tell why, and the message how to mend it. */
#include <handoff/trace.h>

#include <errno.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "libbpf_log.h"

/* linux/capability.h of Debian 11 lacks the newer two. */
#define CAP_NUMBER_PERFMON 38
#define CAP_NUMBER_BPF	   39

/*
 * CAP_BPF and CAP_PERFMON load every program; newer kernels (seen on 6.18) ask for CAP_SYS_ADMIN to
 * attach a USDT point, and CAP_SYS_PTRACE looks into a process that has capabilities itself.
 */
#define NEEDED "cap_bpf,cap_perfmon,cap_sys_admin,cap_sys_ptrace+ep"
#define HOW_TO "run it as root, or: sudo setcap " NEEDED " $(command -v handoff)"

static bool have_capability(unsigned int number)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[number / 32].effective & (1u << number % 32);
}

static bool lockdown_confidentiality(void)
{
	char text[64] = "";
	FILE *f = fopen("/sys/kernel/security/lockdown", "re");

	if (!f)
		return false;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	return strstr(text, "[confidentiality]");
}

static int load_tiny(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd;

	libbpf_log_begin();
	fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "ho_trial", "GPL", insns,
			   sizeof(insns) / sizeof(insns[0]), NULL);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int tracer_check_privilege(struct error *err)
{
	bool admin = have_capability(CAP_SYS_ADMIN);
	bool bpf = admin || have_capability(CAP_NUMBER_BPF),
	     perfmon = admin || have_capability(CAP_NUMBER_PERFMON);
	int ret = load_tiny();

	if (!ret && bpf && perfmon && lockdown_confidentiality())
		return error_set(
			err, -EPERM,
			"the kernel is locked down (confidentiality): BPF may not read it");
	if (!ret)
		return 0;
	if (ret == -ENOSYS || ret == -EINVAL)
		return error_set(err, ret, "this kernel takes no BPF programs: %s", strerror(-ret));
	if (!bpf || !perfmon)
		return error_set(err, ret, "tracing needs %s%s%s: " HOW_TO, bpf ? "" : "CAP_BPF",
				 !bpf && !perfmon ? " and " : "", perfmon ? "" : "CAP_PERFMON");
	return error_set(
		err, ret,
		"the kernel refuses BPF programs (%s) although CAP_BPF and CAP_PERFMON are "
		"there: a container's seccomp filter or a security module",
		strerror(-ret));
}
