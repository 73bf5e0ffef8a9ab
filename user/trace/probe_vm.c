// SPDX-License-Identifier: BSD-2-Clause
/*
 * A VM of one page and one vCPU in real mode, which kicks once and halts, while the programs are
 * attached: whether kvm_exit and kvm_entry fire on this KVM cannot be told in any other way. Raw
 * ioctls: the VMM's folders are not ours to see.
 */
#include "probe_vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)

#define PAGE	  4096
#define KICK	  0x8000
/* Below the BIOS, where Intel's real mode wants three pages of its own; any free place will do. */
#define TSS_ADDR  0xfffbd000
/* A guest of two instructions leaves KVM_RUN two times; a signal may add some. */
#define MAX_EXITS 16

struct probe_vm {
	int kvm, vm, vcpu, kick;
	void *ram;
	struct kvm_run *run;
	size_t run_size;
};

static const unsigned char code[] = {
	0xc6, 0x06, KICK & 0xff, KICK >> 8, 0x01, /* mov byte [KICK], 1 */
	0xf4,					  /* hlt */
};

static int probe_vm_create(struct probe_vm *p)
{
	struct kvm_userspace_memory_region slot = { .memory_size = PAGE };
	struct kvm_ioeventfd kick = { .addr = KICK, .len = 1 };

	p->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (p->kvm < 0)
		return -errno;
	p->vm = ioctl(p->kvm, KVM_CREATE_VM, 0);
	if (p->vm < 0)
		return -errno;
	p->ram = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p->ram == MAP_FAILED)
		return -errno;
	memcpy(p->ram, code, sizeof(code));
	slot.userspace_addr = (unsigned long)p->ram;
	/* AMD needs no such address and may not know the call. */
	(void)!ioctl(p->vm, KVM_SET_TSS_ADDR, TSS_ADDR);
	if (ioctl(p->vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return -errno;
	p->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->kick < 0)
		return -errno;
	kick.fd = p->kick;
	return ioctl(p->vm, KVM_IOEVENTFD, &kick) < 0 ? -errno : 0;
}

static int probe_vm_create_vcpu(struct probe_vm *p)
{
	struct kvm_regs regs = { .rflags = 2 };
	struct kvm_sregs sregs;
	int size;

	p->vcpu = ioctl(p->vm, KVM_CREATE_VCPU, 0);
	size = ioctl(p->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (p->vcpu < 0 || size < 0)
		return -errno;
	p->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, p->vcpu, 0);
	if (p->run == MAP_FAILED)
		return -errno;
	p->run_size = size;
	if (ioctl(p->vcpu, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(p->vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(p->vcpu, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}

static int probe_vm_go(struct probe_vm *p)
{
	int i;

	for (i = 0; i < MAX_EXITS; i++) {
		if (ioctl(p->vcpu, KVM_RUN, 0) < 0) {
			if (errno != EINTR && errno != EAGAIN)
				return -errno;
			continue;
		}
		if (p->run->exit_reason == KVM_EXIT_HLT)
			return 0;
		if (p->run->exit_reason != KVM_EXIT_MMIO)
			return -EIO;
	}
	return -ELOOP;
}

static void probe_vm_release(struct probe_vm *p)
{
	if (p->run != MAP_FAILED)
		munmap(p->run, p->run_size);
	if (p->ram != MAP_FAILED)
		munmap(p->ram, PAGE);
	if (p->vcpu >= 0)
		close(p->vcpu);
	if (p->kick >= 0)
		close(p->kick);
	if (p->vm >= 0)
		close(p->vm);
	if (p->kvm >= 0)
		close(p->kvm);
}

int probe_vm_run(struct error *err)
{
	struct probe_vm p = {
		.kvm = -1, .vm = -1, .vcpu = -1, .kick = -1, .ram = MAP_FAILED, .run = MAP_FAILED
	};
	int ret = probe_vm_create(&p);

	if (!ret)
		ret = probe_vm_create_vcpu(&p);
	if (!ret)
		ret = probe_vm_go(&p);
	probe_vm_release(&p);
	return ret ? error_set(err, ret, "a guest of two instructions does not run: %s",
			       strerror(-ret))
		   : 0;
}

#else

int probe_vm_run(struct error *err)
{
	return error_set(err, -ENOSYS, "no trial guest for this architecture");
}

#endif
