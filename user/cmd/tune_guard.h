/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What puts a VM's settings back when `handoff tune` cannot: a process of its own, which hears of
 * each change before it is made, and connects to the QMP socket only when we are gone without
 * having put all back ourselves (a QMP socket serves one client). In a session of its own, so that
 * neither Ctrl-C nor a signal to our process group reaches it. Main thread.
 */
#ifndef HANDOFF_CMD_TUNE_GUARD_H
#define HANDOFF_CMD_TUNE_GUARD_H

#include <sys/types.h>
#include <handoff/compiler.h>
#include <handoff/error.h>

struct tune_setting;

struct tune_guard {
	int fd; /* -1: none */
	pid_t pid;
};

/*
 * Forks it. Before anything is attached: what the kernel holds for us must not outlive us by it.
 * `qmp` is the socket's path, `pidfd` the VM. 0 or -errno with err.
 */
int tune_guard_start(struct tune_guard *g, const char *qmp, int pidfd,
		     struct error *err) MUST_CHECK;
/* What is to be gone back to; nothing if s->max_ns is s->found_ns. 0, or -errno with err: it is
 * gone, and nothing may be changed. */
int tune_guard_tell(struct tune_guard *g, const struct tune_setting *s,
		    struct error *err) MUST_CHECK;
/* Waits for its end, which comes at once if all is put back. */
void tune_guard_end(struct tune_guard *g);

#endif
