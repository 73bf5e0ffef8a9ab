/* SPDX-License-Identifier: BSD-2-Clause */
/* What `handoff run` does when it is not told: the default disk, iothread, load and duration; and its help text. */
#ifndef HANDOFF_CMD_RUN_DEFAULTS_H
#define HANDOFF_CMD_RUN_DEFAULTS_H

#include "run.h"

#define RUN_DEFAULT_DISK_BYTES (64ull << 20)
#define RUN_DEFAULT_DURATION_S 20
/* What the built-in guest gets on top of its own time to boot and to verify, before the VMM ends it. */
#define RUN_GRACE_S	       10

/* Fills what was not given, in o->machine: disks, their ids, the default iothread, the command line. -ENOMEM with err. */
int run_defaults_apply(struct run_options *o, struct error *err);

#define RUN_HELP_TEXT                                                                                                                 \
	"Starts a virtual machine on KVM and serves its virtio-blk disks. With --trace, BPF programs watch the same "                 \
	"way in the kernel, and a table shows for each of the ten stages how long a kick took, for each queue "                       \
	"whether polling caught the work, and for each loop what its CPU time went into.\n\n"                                         \
	"Without options: the built-in load guest, a 64 MiB image beside the program, one iothread, 20 seconds.\n\n"                  \
	"LOAD: words separated by spaces: rw=read|write|randread|randwrite|randrw bs=4k iodepth=1 queues=1 "                          \
	"requests=N|runtime=S thinktime=fixed:20us|exp:20us|burst:N@PAUSE verify=crc32c completion=poll|irq\n\n"                      \
	"EXAMPLES\n"                                                                                                                  \
	"  handoff run --trace\n"                                                                                                     \
	"  handoff run --trace --duration 5 --json - | jq '.stages[] | [.name, .p99_ns]'\n"                                           \
	"  handoff run --iothread io0,poll-max-ns=0 --blk null,size=64M,iothread=io0 --load 'rw=randread iodepth=32'\n"               \
	"  handoff run --trace --iothread io0 --iothread io1 --blk disk.img,size=1G,iothread=io0 --move disk0,loops=io0:io1:main\n\n" \
	"KEYS of the live screen: q quit, p pause, s sort, ? help.\n\n"                                                               \
	"EXIT STATUS: 0 the guest ended well, or the time was over, or Ctrl-C; 1 it could not start, or a failure of ours; "          \
	"2 bad options; 3 the guest reported a failure; 4 the guest crashed (triple fault); 5 KVM gave up; "                          \
	"6 figures contradict each other (each is named on standard error)."

#endif
