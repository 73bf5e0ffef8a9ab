/* SPDX-License-Identifier: BSD-2-Clause */
/* A bzImage by Linux's 64-bit boot protocol: see boot.h. Main thread. */
#ifndef MACHINE_BOOT_LINUX_H
#define MACHINE_BOOT_LINUX_H

#include "boot.h"

int boot_linux_load(const struct boot_config *config, struct boot_entry *entry,
		    struct error *err) MUST_CHECK;

#endif
