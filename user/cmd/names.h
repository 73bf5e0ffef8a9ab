/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VM's QMP socket says of its devices and loops. Main thread. */
#ifndef CMD_NAMES_H
#define CMD_NAMES_H

#include <sys/types.h>
#include <handoff/compiler.h>
#include <handoff/error.h>

struct vm_names;

/*
 * Asks the QMP socket at path ("unix:" may precede it) of process pid and closes it again; takes
 * some seconds at most. A device is named by the id the user gave it, else its drive's or netdev's,
 * else the last part of its QOM path ("device[0]"), else its place ("00:03.0"). Devices beyond
 * VM_NAMES_MAX ranges are left out, those that are not virtio first. 0, or -errno with err: also
 * when the socket is another process's, as the threads it tells are not this one's.
 */
int cmd_names_by_qmp(const char *path, pid_t pid, struct vm_names *names,
		     struct error *err) MUST_CHECK;

#endif
