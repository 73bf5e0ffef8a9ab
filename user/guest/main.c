// SPDX-License-Identifier: BSD-2-Clause
/* The load guest from start to end, in order. entry.S calls guest_main() at CPL 3 with interrupts
 * off. */
#include "boot.h"
#include "guest.h"
#include "load.h"
#include "pci.h"
#include "words.h"

__attribute__((noreturn)) void guest_main(uint64_t start_info_gpa);

static void open_disk(struct virtio_blk *blk, const struct words *words)
{
	struct virtio_blk_options options = {
		.no_event_idx = words->noevent,
		.indirect = words->indirect,
		.no_packed = !words->packed,
		.need_irq = words->completion != COMPLETION_POLL,
	};
	struct pci_host *host = memory_alloc(sizeof(*host), 64, "start-up");

	pci_host_init(host, words->ecam, words->bars, (enum pci_move)words->movebars);
	virtio_blk_open(blk, host, (uint32_t)words->disk, &options);
}

/* For those who want to see the disk set up before its first request. */
static void start_delay(const struct words *words, const struct clock *clock)
{
	uint64_t end = rdtsc() + clock_cycles(clock, words->startdelay_ns);

	if (words->startdelay_ns && !clock->khz)
		die(GUEST_EXIT_USAGE, "startdelay=: nobody told the TSC's rate: give tsc_khz=");
	while (rdtsc() < end)
		cpu_relax();
}

void guest_main(uint64_t start_info_gpa)
{
	static struct boot_info boot;
	struct words words;
	struct clock clock = { 0 };
	struct virtio_blk *blk;
	struct load *load;
	char id[BLK_ID_BYTES + 1] = "";

	trap_init();
	serial_init();
	boot_read(&boot, start_info_gpa);
	memory_init(&boot);
	words_parse(&words, boot.cmdline);
	lapic_init();
	clock_init(&clock, words.tsc_khz);

	blk = memory_alloc(sizeof(*blk), 64, "start-up");
	open_disk(blk, &words);
	load = memory_alloc(sizeof(*load), 64, "start-up");
	load_init(load, &words, &clock, blk);
	if (words.getid)
		load_get_id(load, id);
	report_ready(load, id);
	start_delay(&words, &clock);
	load_run(load);
	guest_exit(report_result(load) ? GUEST_EXIT_OK : GUEST_EXIT_BROKEN);
}
