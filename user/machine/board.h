/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to user/machine: the board as its parts see it. Main context. Each part is a pair of
 * functions in the start list of board.c: start fills its fields or undoes itself, stop is called
 * for what was started only.
 */
#ifndef MACHINE_BOARD_H
#define MACHINE_BOARD_H

#include <stdbool.h>
#include <sys/types.h>
#include <handoff/aio.h>
#include <handoff/guest_ram.h>
#include <handoff/kvm.h>
#include <handoff/machine.h>
#include <handoff/memory.h>
#include <handoff/stats.h>
#include "debug_exit.h"
#include "panic_watch.h"
#include "power.h"
#include "pvpanic.h"
#include "reset.h"
#include "serial.h"

struct BlockBackend;
struct IOThread;
struct monitor;
struct VirtIOBlock;
struct console;
struct console_in;
struct pci_host;

/* Guest-physical map. Below: RAM. Above the window: the CPU's and KVM's own (IOAPIC, LAPIC). */
#define BOARD_LOW_RAM_END_GPA 0xb0000000ull
#define BOARD_ECAM_GPA	      0xb0000000ull
#define BOARD_PCI_WINDOW_GPA  0xc0000000ull
#define BOARD_PCI_WINDOW_END  0xfec00000ull
#define BOARD_ACPI_GPA	      0xe0000ull /* tables, RSDP first: where a PC's BIOS has them */
#define BOARD_ACPI_END	      0x100000ull
#define BOARD_SERIAL_PORT     0x3f8
#define BOARD_SERIAL_GSI      4

/* Why a run ends, in QEMU's words (ShutdownCause). A guest that is not to restart ends by its
 * reset; the user's duration and his Ctrl-A x are one to QEMU. */
#define BOARD_CAUSE_GUEST_OFF	"guest-shutdown"
#define BOARD_CAUSE_GUEST_RESET "guest-reset"
#define BOARD_CAUSE_GUEST_PANIC "guest-panic"
#define BOARD_CAUSE_ERROR	"host-error"
#define BOARD_CAUSE_SIGNAL	"host-signal"
#define BOARD_CAUSE_UI		"host-ui"
#define BOARD_CAUSE_QMP		"host-qmp-quit"

#define BOARD_KVM_DEVICE "/dev/kvm"

/* How soon a timer comes again that met another's wait. */
#define BOARD_RETRY_NS 1000000

struct board_iothread {
	struct IOThread *iothread;
	struct stats_loop *stats;
};

struct board_disk {
	char name[STATS_NAME_LEN];
	struct BlockBackend *blk;
	struct VirtIOBlock *vblk;
};

struct board_move {
	struct machine *m;
	struct VirtIOBlock *vblk;
	struct IOThread *loop[MACHINE_MAX_IOTHREADS + 1]; /* NULL = main loop */
	unsigned int n_loops, next;
	uint64_t every_ns, left; /* left: moves to do; UINT64_MAX = no end */
	bool failed;		 /* told once */
	struct AioTimer timer;
};

struct machine {
	const struct machine_config *config; /* the caller's, until machine_free */
	unsigned int n_started;		     /* entries of the start list that stand */
	int flush_error;		     /* of the first disk whose last flush failed */

	struct stats_page *stats;
	struct stats_loop *main_stats;
	pid_t main_tid;

	struct guest_ram *ram;
	struct MemoryRegion memory_root, io_root, ram_mr[2];
	struct AddressSpace memory, io;
	struct kvm_vm *vm;
	struct pci_host *pci;
	struct console *console;
	struct console_in *console_in; /* NULL: the guest hears nothing */
	struct serial serial;
	struct debug_exit debug_exit;
	unsigned int guest_code;
	struct power power;
	struct AioTimer power_alarm;
	struct reset reset;
	struct pvpanic pvpanic;
	struct panic_watch panic_watch;
	struct AioTimer panic_timer;
	bool panic_noted, panic_told;
	uint64_t rsdp_gpa; /* of the ACPI tables; 0 = none */

	unsigned int n_iothreads;
	struct board_iothread iothread[MACHINE_MAX_IOTHREADS];
	struct board_disk disk[MACHINE_MAX_DISKS];
	struct kvm_vcpu *vcpu[STATS_MAX_VCPUS];
	struct board_move move[MACHINE_MAX_MOVES];
	bool waiting; /* a timer's callback waits for a loop: see board_inside_a_wait */
	struct AioTimer duration_timer, hold_timer;
	bool holding;
	bool paused;		     /* see board_pause */
	bool kick_exit_known;	     /* see board_know_kick_exit */
	struct kick_exit *kick_exit; /* NULL = it is not measured again */
	const char *quit_cause;	     /* BOARD_CAUSE_*; NULL = the run goes on */
	struct monitor *monitor;     /* NULL without qmp_path */
	struct monitor *watcher;     /* whose client is config.qmp_fd; NULL without */
};

/* spaces.c: RAM and address spaces */
int board_spaces_start(struct machine *m, struct error *err) MUST_CHECK;
void board_spaces_stop(struct machine *m);

/* ports.c: serial port with its console, debug exit */
int board_serial_start(struct machine *m, struct error *err) MUST_CHECK;
void board_serial_stop(struct machine *m);
int board_debug_exit_start(struct machine *m, struct error *err) MUST_CHECK;
void board_debug_exit_stop(struct machine *m);

/*
 * power_board.c: how the guest ends its run, and ACPI. console_byte: all that the guest prints.
 * judge_exit: what a run that ended so ended by; once, when all that it printed has been shown.
 */
int board_power_start(struct machine *m, struct error *err) MUST_CHECK;
void board_power_stop(struct machine *m);
int board_acpi_start(struct machine *m, struct error *err) MUST_CHECK;
void board_console_byte(struct machine *m, uint8_t byte);
int board_judge_exit(struct machine *m, int status);

/*
 * iothreads.c. find: sets *iothread (NULL = main loop); -ENOENT with err. del: -EBUSY with err
 * while a disk is served by it or is to be, -ENOENT.
 */
int board_iothreads_start(struct machine *m, struct error *err) MUST_CHECK;
void board_iothreads_stop(struct machine *m);
int board_iothread_add(struct machine *m, const struct machine_iothread *config,
		       struct error *err) MUST_CHECK;
/* To be called before an iothread gets a policy: where that lives by what a sleep costs, the loops
 * are told what a kick costs a vCPU, which is measured when the first such policy is chosen, and
 * by config.kick_exit_argv once a minute from then on. */
void board_know_kick_exit(struct machine *m, const char *policy);
int board_iothread_del(struct machine *m, const char *id, struct error *err) MUST_CHECK;
int board_iothread_find(struct machine *m, const char *id, struct IOThread **iothread,
			struct error *err) MUST_CHECK;

/* disks.c */
int board_disks_start(struct machine *m, struct error *err) MUST_CHECK;
void board_disks_stop(struct machine *m);
struct VirtIOBlock *board_disk_find(struct machine *m, const char *name, struct error *err);

/* cpus.c: vCPUs and what the first one boots */
int board_cpus_start(struct machine *m, struct error *err) MUST_CHECK;
void board_cpus_stop(struct machine *m);
int board_boot_start(struct machine *m, struct error *err) MUST_CHECK;

/*
 * moves.c: what waits by running the main context must not begin inside another such wait: neither
 * that of another timer, nor that of a vCPU thread which starts or stops the very disk.
 */
bool board_inside_a_wait(const struct machine *m);
/* Hands a disk over to another loop, and tells the monitor's client. Not inside a wait. */
int board_move_disk(struct machine *m, struct VirtIOBlock *vblk, struct IOThread *iothread,
		    struct error *err) MUST_CHECK;
bool board_moves_use(const struct machine *m, const struct IOThread *iothread);
int board_moves_start(struct machine *m, struct error *err) MUST_CHECK;
void board_moves_run(struct machine *m);
void board_moves_stop(struct machine *m);

/*
 * pause.c: vCPUs out of the guest, disks drained, until resumed; both do nothing the second time.
 * Not inside a wait. end: the run is over, so only the disks go on.
 */
void board_pause(struct machine *m);
void board_resume(struct machine *m);
void board_pause_end(struct machine *m);

/* control.c: duration, stop on request, holding back handlers. quit: the first cause counts. */
void board_quit(struct machine *m, int status, const char *cause);
int board_control_start(struct machine *m, struct error *err) MUST_CHECK;
void board_control_run(struct machine *m);
void board_control_stop(struct machine *m);

#endif
