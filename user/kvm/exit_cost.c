// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a kick's exit costs a vCPU: C_exit of tuning.md. An ioeventfd's exit begins and ends between
 * guest and KVM, so no thread of a VMM sees it; but a guest that does nothing else shows it in its
 * vCPU's CPU time. Such a guest runs here for some ms, in a VM of its own.
 */
#include <handoff/kvm.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <handoff/clock.h>
#include "vcpu.h"

/* Guest physical, and virtual: the first GiB is mapped to itself by 2 MiB pages. */
#define PML4	  0x1000
#define PDPT	  0x2000
#define PD	  0x3000
#define CODE	  0x4000
#define COUNT	  0x5000 /* kicks of a batch */
#define RAM_BYTES 0x6000
#define DOORBELL  0x3fe00000u /* no RAM: an ioeventfd */
#define END	  0x3fe01000u /* no RAM, nothing: an exit to us */

#define PTE_TABLE 0x07 /* present, writable, user */
#define PTE_LARGE 0x87
#define PAGE_2M	  (2ull << 20)

/* CPL 3, which every kind of KVM runs on the CPU itself: a software KVM may emulate the rest. */
#define CODE3 0x23
#define DATA3 0x1b
#define TSS   0x28

#define BATCHES 9
#define KICKS	16 /* of the long batch; the short one has 1 */

static const uint8_t code[] = {
	0x8b, 0x0b, /* begin: mov (%rbx), %ecx */
	0x89, 0x07, /* kick: mov %eax, (%rdi) */
	0xff, 0xc9, /* dec %ecx */
	0x75, 0xfa, /* jnz kick */
	0x89, 0x06, /* mov %eax, (%rsi) */
	0xeb, 0xf4, /* jmp begin */
};

struct bed {
	int kvm, vm, vcpu, doorbell; /* -1 = not open */
	uint8_t *ram;
	struct kvm_run *run;
	size_t run_bytes;
};

static int open_bed(struct bed *bed, const char *device, struct error *err)
{
	bed->kvm = open(device, O_RDWR | O_CLOEXEC);
	if (bed->kvm < 0)
		return error_set(err, -errno, "%s: %m", device);
	bed->vm = ioctl(bed->kvm, KVM_CREATE_VM, 0);
	if (bed->vm < 0)
		return error_set(err, -errno, "KVM_CREATE_VM: %m");
	bed->vcpu = ioctl(bed->vm, KVM_CREATE_VCPU, 0);
	if (bed->vcpu < 0)
		return error_set(err, -errno, "KVM_CREATE_VCPU: %m");
	bed->run_bytes = (size_t)ioctl(bed->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	bed->run = mmap(NULL, bed->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bed->vcpu, 0);
	if (bed->run == MAP_FAILED)
		return error_set(err, -errno, "a vCPU's run area: %m");
	return 0;
}

static int add_ram(struct bed *bed, struct error *err)
{
	struct kvm_userspace_memory_region slot = { .memory_size = RAM_BYTES };
	uint64_t *pd;
	unsigned int i;

	bed->ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (bed->ram == MAP_FAILED)
		return error_set(err, -errno, "guest memory: %m");
	slot.userspace_addr = (uintptr_t)bed->ram;
	if (ioctl(bed->vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return error_set(err, -errno, "KVM_SET_USER_MEMORY_REGION: %m");
	*(uint64_t *)(bed->ram + PML4) = PDPT | PTE_TABLE;
	*(uint64_t *)(bed->ram + PDPT) = PD | PTE_TABLE;
	pd = (uint64_t *)(bed->ram + PD);
	for (i = 0; i < 512; i++)
		pd[i] = i * PAGE_2M | PTE_LARGE;
	memcpy(bed->ram + CODE, code, sizeof(code));
	return 0;
}

static int add_doorbell(struct bed *bed, struct error *err)
{
	struct kvm_ioeventfd io = { .addr = DOORBELL, .len = 4 };

	bed->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bed->doorbell < 0)
		return error_set(err, -errno, "eventfd: %m");
	io.fd = bed->doorbell;
	if (ioctl(bed->vm, KVM_IOEVENTFD, &io) < 0)
		return error_set(err, -errno, "KVM_IOEVENTFD: %m");
	return 0;
}

static int set_cpuid(struct bed *bed, struct error *err)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + KVM_CPUID_ENTRIES * sizeof(cpuid->entries[0]));
	int ret = 0;

	if (!cpuid)
		return error_set(err, -ENOMEM, "out of memory");
	cpuid->nent = KVM_CPUID_ENTRIES;
	if (ioctl(bed->kvm, KVM_GET_SUPPORTED_CPUID, cpuid) < 0 ||
	    ioctl(bed->vcpu, KVM_SET_CPUID2, cpuid) < 0)
		ret = error_set(err, -errno, "CPUID: %m");
	free(cpuid);
	return ret;
}

static int set_regs(struct bed *bed, struct error *err)
{
	struct kvm_regs regs = { .rip = CODE, .rbx = COUNT, .rdi = DOORBELL, .rsi = END };
	struct kvm_sregs sregs;

	if (ioctl(bed->vcpu, KVM_GET_SREGS, &sregs) < 0)
		return error_set(err, -errno, "KVM_GET_SREGS: %m");
	kvm_sregs_set_long_mode(&sregs, CODE3, DATA3, TSS);
	sregs.cr3 = PML4;
	regs.rflags = KVM_RFLAGS_ONE;
	if (ioctl(bed->vcpu, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(bed->vcpu, KVM_SET_REGS, &regs) < 0)
		return error_set(err, -errno, "registers: %m");
	return 0;
}

static int64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* CPU time of this thread for so many kicks, and the exit to us at the end. */
static int64_t batch(struct bed *bed, uint32_t kicks, struct error *err)
{
	int64_t begin_ns = cpu_ns();

	*(volatile uint32_t *)(bed->ram + COUNT) = kicks;
	while (ioctl(bed->vcpu, KVM_RUN, 0) < 0) {
		if (errno != EINTR && errno != EAGAIN)
			return error_set(err, -errno, "KVM_RUN: %m");
	}
	if (bed->run->exit_reason != KVM_EXIT_MMIO || bed->run->mmio.phys_addr != END)
		return error_set(err, -EIO, "KVM_RUN ended with exit %u", bed->run->exit_reason);
	return cpu_ns() - begin_ns;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t measure(struct bed *bed, struct error *err)
{
	int64_t kick_ns[BATCHES], short_ns, long_ns;
	unsigned int i;

	/* The first brings all pages in. */
	if (batch(bed, KICKS, err) < 0)
		return -1;
	for (i = 0; i < BATCHES; i++) {
		short_ns = batch(bed, 1, err);
		long_ns = short_ns < 0 ? -1 : batch(bed, KICKS, err);
		if (long_ns < 0)
			return -1;
		kick_ns[i] = MAX((long_ns - short_ns) / (KICKS - 1), (int64_t)0);
	}
	qsort(kick_ns, BATCHES, sizeof(kick_ns[0]), by_size);
	return kick_ns[BATCHES / 2];
}

static void close_bed(struct bed *bed)
{
	int fds[] = { bed->doorbell, bed->vcpu, bed->vm, bed->kvm };
	size_t i;

	if (bed->run != MAP_FAILED)
		munmap(bed->run, bed->run_bytes);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	if (bed->ram != MAP_FAILED)
		munmap(bed->ram, RAM_BYTES);
}

int64_t kvm_kick_exit_ns_any(const char *device, struct error *err)
{
	struct bed bed = { -1, -1, -1, -1, MAP_FAILED, MAP_FAILED, 0 };
	int64_t ns = -1;

	if (!open_bed(&bed, device, err) && !add_ram(&bed, err) && !add_doorbell(&bed, err) &&
	    !set_cpuid(&bed, err) && !set_regs(&bed, err))
		ns = measure(&bed, err);
	close_bed(&bed);
	return ns;
}
