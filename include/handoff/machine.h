/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board: RAM, KVM, PCI with ECAM at 0xb0000000, serial port, ACPI with power off, reset and
 * pvpanic, debug exit, disks, iothreads, vCPUs; and its life. Start order stands in one readable
 * list in board.c. Main thread.
 */
#ifndef HANDOFF_MACHINE_H
#define HANDOFF_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/error.h>

#define MACHINE_MAX_DISKS     16
#define MACHINE_MAX_IOTHREADS 16
#define MACHINE_MAX_MOVES     4

/* Poll settings, as they may be given at the start and later. */
#define MACHINE_POLL_MAX_NS_LIMIT   1000000000ull
#define MACHINE_POLL_FACTOR_LIMIT   (1u << 20) /* grow and shrink */
#define MACHINE_POLL_WEIGHT_LIMIT   63
#define MACHINE_POLL_POLICY_DEFAULT "break-even" /* by `make bench-policy` */
#define MACHINE_POLL_LATENCY_LIMIT  100000	 /* percent */

struct machine_iothread {
	char *id;
	uint64_t poll_max_ns; /* 0 = never spin */
	uint32_t poll_grow, poll_shrink, poll_weight, poll_latency_percent;
	char *policy;	       /* NULL = MACHINE_POLL_POLICY_DEFAULT */
	bool poll_max_ns_seen; /* false: what is usual for the policy */
	int32_t cpu;	       /* -1 = not pinned */
};

enum machine_cache { MACHINE_CACHE_WRITEBACK, MACHINE_CACHE_DIRECT };

struct machine_disk {
	char *id;	     /* "disk0" by position when NULL */
	char *file;	     /* path, or "null" for the null driver */
	uint64_t size_bytes; /* null: size; file: created with this size if missing */
	char *iothread;	     /* id, NULL = main loop */
	uint32_t queues, queue_size;
	unsigned int cache; /* enum machine_cache */
	uint64_t delay_ns;  /* 0 = no delay filter */
	bool delay_exponential;
	bool read_only, ioeventfd;
	bool packed; /* offer virtio 1.2's packed ring */
	char *serial;
};

/*
 * Rehearses hand-overs: moves a disk round a list of loops ("main" is the main loop), every
 * every_ns, count times (0 = until the end).
 */
struct machine_move {
	char *disk;
	char *loops; /* "io0:io1:main" */
	uint64_t every_ns;
	uint64_t count;
};

struct machine_config {
	/* Linux bzImage, or an ELF with a PVH note; NULL = the built-in load guest */
	const char *kernel;
	const char *initrd; /* any file, handed to the kernel as it is; NULL = none */
	const char *append; /* its command line; the board adds what the built-in guest needs
			       (tsc_khz=) */
	uint64_t memory_bytes;
	unsigned int cpus;
	unsigned int n_iothreads, n_disks, n_moves; /* n_iothreads: at the start */
	struct machine_iothread iothread[MACHINE_MAX_IOTHREADS];
	struct machine_disk disk[MACHINE_MAX_DISKS];
	struct machine_move move[MACHINE_MAX_MOVES];
	int64_t duration_ns;	  /* stop after this time in any case; 0 = when the guest ends */
	int ioeventfd_limit;	  /* -1 = none; see kvm.h */
	int64_t hold_handlers_ns; /* 0 = off; test of `lost`: queue handlers are held back once for
				     this long, 100 ms after the start */
	/*
	 * Called in the main context for each line the guest prints on its serial port: without the
	 * newline, control characters replaced. Must not block: the BQL is held.
	 */
	void (*console_line)(void *opaque, const char *line);
	void *opaque;
	/*
	 * The serial port is standard input and output as well: bytes as they are, never waited
	 * for. console_escape: Ctrl-A in the input is ours, as QEMU's -nographic has it.
	 */
	bool console_stdio, console_escape;
	const char *qmp_path; /* a QMP monitor listens there; NULL = none */
	/* A QMP client that is connected already, beside qmp_path; taken at the start; -1 = none.
	 */
	int qmp_fd;
	/* A program that prints what a kick costs a vCPU here, ns, for loops whose policy lives by
	 * it: run once a minute; NULL = what was measured at the start stands. */
	const char *const *kick_exit_argv;
	int stop_fd; /* readable or closed = stop gracefully (signalfd, pipe); -1 = none */
};

/* How a run ended: the exit status of machine_run. */
enum machine_exit {
	/* guest powered off (ACPI S5) or said 0 by debug exit; duration over; stopped on request */
	MACHINE_EXIT_OK = 0,
	MACHINE_EXIT_ERROR = 1,	   /* could not start, or our own failure */
	MACHINE_EXIT_GUEST = 3,	   /* guest reported failure by debug exit */
	MACHINE_EXIT_SHUTDOWN = 4, /* triple fault */
	MACHINE_EXIT_KVM = 5,	   /* KVM gave up */
	/* 6 is the command's own: figures disagree */
	/*
	 * The guest asked for a reset (port 0xcf9, or the keyboard controller's pulse): it ends, as
	 * with QEMU's -no-reboot.
	 */
	MACHINE_EXIT_RESET = 7,
	/*
	 * The guest's kernel panicked: it said so by pvpanic, or its serial port showed Linux's
	 * "Kernel panic - not syncing:" and a reset or a triple fault came later. The line alone
	 * ends nothing, since any program in the guest can print it. Either way one line is logged.
	 */
	MACHINE_EXIT_PANIC = 8,
};

struct machine;

/* CPU-ns that a kick costs a vCPU of this host, measured in a VM made for that: 1 to 10 ms. -1 with
 * err. Any thread. */
int64_t machine_kick_exit_ns(struct error *err) MUST_CHECK;
/* Builds everything, starts no vCPU. config must live until machine_free. NULL with err, everything
 * undone. */
struct machine *machine_new(const struct machine_config *config, struct error *err) MUST_CHECK;
/*
 * Starts the vCPUs and serves until the end; the frames main > main_loop of path B are here.
 * Returns enum machine_exit.
 */
int machine_run(struct machine *m);
/* After machine_run: what the guest wrote to the debug exit port; 0 = that, or nothing. */
unsigned int machine_guest_code(const struct machine *m);
/*
 * After machine_run: quiesces vCPUs, drains, flushes the disks, frees. Returns 0 or -errno of a
 * last flush that failed (already printed).
 */
int machine_free(struct machine *m);

#endif
