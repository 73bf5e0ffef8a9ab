/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the built-in load guest and the command that starts it both know. */
#ifndef HANDOFF_ABI_GUEST_H
#define HANDOFF_ABI_GUEST_H

/* What the guest hands to the debug exit device; QEMU's process then ends with 2 * code + 1. */
enum guest_exit {
	GUEST_EXIT_OK = 0,
	GUEST_EXIT_PANIC = 1,  /* an exception */
	GUEST_EXIT_USAGE = 2,  /* a word on the command line, or too little memory for it */
	GUEST_EXIT_DEVICE = 3, /* no disk, or the device refuses to be set up */
	GUEST_EXIT_BROKEN = 4, /* the run ended, but data or the ring's rules were broken */
};

#endif
