/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-blk as the guest sees it: the kernel's definitions. */
#ifndef VIRTIO_BLK_ABI_H
#define VIRTIO_BLK_ABI_H

/* Its configuration space has the name of our options in handoff/virtio.h. */
#define virtio_blk_config virtio_blk_config_space
#include <linux/virtio_blk.h>
#undef virtio_blk_config

#define VIRTIO_BLK_PCI_DEVICE_ID 0x1042	  /* 0x1040 + VIRTIO_ID_BLOCK */
#define PCI_CLASS_STORAGE_SCSI	 0x010000 /* what QEMU says, for firmware that looks */

#endif
