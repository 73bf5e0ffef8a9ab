/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VM's QMP socket says of its devices and loops. Main thread. */
#ifndef CMD_NAMES_H
#define CMD_NAMES_H

#include <handoff/compiler.h>
#include <handoff/error.h>

struct vm_names;

/*
 * Asks the QMP socket at path ("unix:" may precede it) and closes it again. A device is named by
 * the id the user gave it, else its drive's or netdev's, else the last part of its QOM path
 * ("device[0]"), else its place ("00:03.0"). Devices beyond VM_NAMES_MAX ranges are left out, those
 * that are not virtio first. 0 or -errno with err.
 */
int cmd_names_by_qmp(const char *path, struct vm_names *names, struct error *err) MUST_CHECK;

#endif
