// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VM: /dev/kvm opened and judged, the in-kernel interrupt controllers made, and the listeners
 * attached that keep KVM's memory slots and ioeventfds equal to our address spaces. Main context.
 * Neighbours: slots.c, ioeventfd.c, irqfd.c, vcpu.c.
 */
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/*
 * Where KVM on Intel CPUs without "unrestricted guest" keeps a page table and a TSS of its own:
 * four pages that must be neither RAM nor a device. Right below the usual place of a BIOS, as every
 * VMM has it.
 */
#define IDENTITY_MAP_GPA 0xfeffc000ull
#define TSS_GPA		 (IDENTITY_MAP_GPA + 0x1000)

static const struct {
	int cap;
	const char *name, *why;
} needed[] = {
	{ KVM_CAP_USER_MEMORY, "USER_MEMORY", "guest RAM" },
	{ KVM_CAP_IRQCHIP, "IRQCHIP", "in-kernel interrupt controllers" },
	{ KVM_CAP_IRQ_ROUTING, "IRQ_ROUTING", "MSI-X vectors" },
	{ KVM_CAP_IOEVENTFD, "IOEVENTFD", "kicks that do not leave the kernel" },
	{ KVM_CAP_IRQFD, "IRQFD", "interrupts raised by an eventfd" },
	{ KVM_CAP_SIGNAL_MSI, "SIGNAL_MSI", "interrupts raised by the main loop" },
	{ KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT", "pausing a vCPU without a race" },
};

static int open_device(const char *device, struct error *err)
{
	int fd, errnum;

	fd = open(device, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	errnum = -errno;
	switch (errnum) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return error_set(
			err, errnum,
			"%s: no KVM here: load its module (modprobe kvm_intel or kvm_amd), "
			"switch virtualization on in the firmware, or, in a VM, nested "
			"virtualization in the host",
			device);
	case -EACCES:
	case -EPERM:
		return error_set(err, errnum,
				 "%s: permission denied: join its group (usermod -aG kvm USER, "
				 "then log in again) or run as root",
				 device);
	case -EBUSY:
		return error_set(err, errnum,
				 "%s: busy: another hypervisor holds this CPU's "
				 "virtualization (VirtualBox?)",
				 device);
	default:
		return error_set(err, errnum, "%s: cannot open it: %m", device);
	}
}

static int check_device(struct kvm_vm *vm, const char *device, struct error *err)
{
	int version, size;
	size_t i;

	version = ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION)
		return error_set(err, -EINVAL, "%s: API version %d, need %d: is it really KVM?",
				 device, version, KVM_API_VERSION);
	for (i = 0; i < ARRAY_SIZE(needed); i++) {
		if (ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, needed[i].cap) <= 0)
			return error_set(err, -ENOTSUP,
					 "%s: this kernel's KVM lacks KVM_CAP_%s (%s): "
					 "use a newer kernel",
					 device, needed[i].name, needed[i].why);
	}
	size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(struct kvm_run))
		return error_set(err, -EINVAL, "%s: a vCPU mapping of %d bytes is too small",
				 device, size);
	vm->run_bytes = size;
	return 0;
}

static int create_vm(struct kvm_vm *vm, struct error *err)
{
	/*
	 * GET_API_VERSION passed, so EINTR is the one failure that is worth another try (a signal
	 * in mm setup).
	 */
	do
		vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0)
		return error_set(err, -errno, "KVM cannot create a VM: %m");
	return 0;
}

static int create_irqchip(struct kvm_vm *vm, struct error *err)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	uint64_t identity_map = IDENTITY_MAP_GPA;

	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0)
		return error_set(err, -errno, "KVM_SET_IDENTITY_MAP_ADDR: %m");
	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_GPA) < 0)
		return error_set(err, -errno, "KVM_SET_TSS_ADDR: %m");
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return error_set(err, -errno, "KVM cannot create interrupt controllers: %m");
	/*
	 * A Linux guest without kvmclock calibrates its timers by the 8254; nobody else misses it.
	 */
	if (kvm_vm_has_cap(vm, KVM_CAP_PIT2) && ioctl(vm->fd, KVM_CREATE_PIT2, &pit) < 0)
		return error_set(err, -errno, "KVM cannot create the 8254 timer: %m");
	return 0;
}

static int vm_init(struct kvm_vm *vm, const struct kvm_vm_config *config, struct error *err)
{
	int ret;

	vm->kvm_fd = open_device(config->device, err);
	if (vm->kvm_fd < 0)
		return vm->kvm_fd;
	ret = check_device(vm, config->device, err);
	if (ret)
		goto close_device;
	ret = create_vm(vm, err);
	if (ret)
		goto close_device;
	ret = create_irqchip(vm, err);
	if (ret)
		goto close_vm;
	ret = kvm_irqs_init(vm, err);
	if (ret)
		goto close_vm;
	kvm_ioeventfds_init(vm, config->ioeventfd_limit);
	ret = kvm_slots_init(vm, err);
	if (ret)
		goto release_ioeventfds;
	return 0;

release_ioeventfds:
	kvm_ioeventfds_release(vm);
	kvm_irqs_release(vm);
close_vm:
	close(vm->fd);
close_device:
	close(vm->kvm_fd);
	return ret;
}

struct kvm_vm *kvm_vm_new(const struct kvm_vm_config *config, struct error *err)
{
	struct kvm_vm *vm = calloc(1, sizeof(*vm));

	if (!vm) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	vm->memory = config->memory;
	vm->io = config->io;
	if (vm_init(vm, config, err)) {
		free(vm);
		return NULL;
	}
	return vm;
}

void kvm_vm_free(struct kvm_vm *vm)
{
	if (!vm)
		return;
	kvm_slots_release(vm);
	kvm_ioeventfds_release(vm);
	kvm_irqs_release(vm);
	close(vm->fd);
	close(vm->kvm_fd);
	free(vm);
}

bool kvm_vm_has_cap(struct kvm_vm *vm, int cap)
{
	return ioctl(vm->fd, KVM_CHECK_EXTENSION, cap) > 0;
}

uint64_t kvm_vm_tsc_khz(struct kvm_vm *vm)
{
	return vm->tsc_khz;
}

void kvm_vm_set_irq_any(struct kvm_vm *vm, unsigned int gsi, bool level)
{
	struct kvm_irq_level irq = { .irq = gsi, .level = level };

	if (ioctl(vm->fd, KVM_IRQ_LINE, &irq) < 0)
		log_limited(&vm->guest_errors, LOG_WARN, "KVM_IRQ_LINE for GSI %u: %m", gsi);
}
