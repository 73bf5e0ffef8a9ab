// SPDX-License-Identifier: BSD-2-Clause
/*
 * Finding out by asking the kernel's BTF and by trying. Function hooks are refused for many reasons
 * (no such function, no trampolines, ftrace off, a hypervisor's kernel that just says EPERM), so
 * neither version nor configuration is asked.
 */
#include "kernel_private.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <handoff/compiler.h>
#include <handoff/error.h>
#include "libbpf_log.h"

/* Where KVM's functions and tracepoints are described on a kernel that has it as a module. */
#define KVM_MODULE "kvm"

/* NULL: no such module, or none that we may look into. Anyone may read it here. */
static struct btf *module_btf(const char *module, struct btf *vmlinux)
{
	char path[64];
	struct btf *btf;

	snprintf(path, sizeof(path), "/sys/kernel/btf/%s", module);
	if (access(path, R_OK))
		return NULL;
	btf = btf__parse_split(path, vmlinux);
	return libbpf_get_error(btf) ? NULL : btf;
}

int kernel_ask(struct kernel *k, struct error *err)
{
	struct btf *btf[2];
	int ret;

	libbpf_log_begin();
	btf[0] = btf__load_vmlinux_btf();
	ret = libbpf_get_error(btf[0]);
	if (ret)
		return error_set(err, ret, "this kernel offers no BTF (CONFIG_DEBUG_INFO_BTF): %s",
				 strerror(-ret));
	btf[1] = module_btf(KVM_MODULE, btf[0]);
	variants_decide(btf, ARRAY_SIZE(btf), &k->variants);
	btf__free(btf[1]);
	btf__free(btf[0]);
	return 0;
}

/* A descriptor of a module's BTF, which a program that is to hang on its functions names. Asks for
 * CAP_SYS_ADMIN. */
static int module_btf_fd(const char *module)
{
	struct bpf_btf_info info;
	char name[64];
	__u32 id = 0, size;
	int fd, ret;

	for (;;) {
		ret = bpf_btf_get_next_id(id, &id);
		fd = ret ? ret : bpf_btf_get_fd_by_id(id);
		if (fd == -ENOENT && !ret)
			continue; /* gone meanwhile */
		if (fd < 0)
			return fd;
		memset(&info, 0, sizeof(info));
		name[0] = '\0';
		info.name = (uintptr_t)name;
		info.name_len = sizeof(name);
		size = sizeof(info);
		if (!bpf_obj_get_info_by_fd(fd, &info, &size) && info.kernel_btf &&
		    !strcmp(name, module))
			return fd;
		close(fd);
	}
}

/* Its BTF id, and the module's descriptor in *fd (0: the kernel's own); -errno. */
static int find_function(const char *function, int *fd)
{
	struct btf *vmlinux, *btf;
	int id;

	*fd = 0;
	id = libbpf_find_vmlinux_btf_id(function, BPF_TRACE_FENTRY);
	if (id > 0)
		return id;
	vmlinux = btf__load_vmlinux_btf();
	if (libbpf_get_error(vmlinux))
		return -ENOENT;
	btf = module_btf(KVM_MODULE, vmlinux);
	id = btf ? btf__find_by_name_kind(btf, function, BTF_KIND_FUNC) : -ENOENT;
	if (id > 0) {
		*fd = module_btf_fd(KVM_MODULE);
		if (*fd < 0)
			id = *fd;
	}
	btf__free(btf);
	btf__free(vmlinux);
	return id;
}

int kernel_try_fentry(const char *function, char *why, size_t size)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY);
	int id, fd, link, ret, module;

	libbpf_log_begin();
	id = find_function(function, &module);
	if (id < 0) {
		snprintf(why, size, "%s cannot be found: %s", function, strerror(-id));
		return id;
	}
	opts.attach_btf_id = id;
	opts.attach_btf_obj_fd = module;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "ho_trial", "GPL", insns, ARRAY_SIZE(insns),
			   &opts);
	if (module > 0)
		close(module);
	if (fd < 0) {
		ret = fd;
		snprintf(why, size, "this kernel lets no function be hooked: %s", strerror(-ret));
		return ret;
	}
	link = bpf_raw_tracepoint_open(NULL, fd);
	ret = link < 0 ? link : 0;
	if (ret)
		snprintf(why, size, "hooking %s failed: %s", function, strerror(-ret));
	else
		close(link);
	close(fd);
	return ret;
}

bool kernel_has_kprobes(void)
{
	return !access("/sys/bus/event_source/devices/kprobe/type", F_OK);
}
