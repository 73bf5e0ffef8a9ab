/* SPDX-License-Identifier: BSD-2-Clause */
/* The load as the command line words it, in fio's terms. Read once; constant while the load runs.
 */
#ifndef GUEST_WORDS_H
#define GUEST_WORDS_H

#include <stdbool.h>
#include <stdint.h>

enum load_rw {
	RW_READ,
	RW_WRITE,
	RW_RANDREAD,
	RW_RANDWRITE,
	RW_READWRITE,
	RW_RANDRW,
};

/* How the guest waits: spinning; halted until an interrupt; or spinning while there is more to send
 * and halted for the last request of a burst. */
enum completion { COMPLETION_POLL, COMPLETION_IRQ, COMPLETION_MIXED };

enum think_kind {
	THINK_NONE,
	THINK_FIXED, /* a pause of pause_ns after each request */
	THINK_EXP,   /* the same, exponentially distributed with that mean */
	THINK_BURST, /* a pause after burst requests */
};

/* When requests come that do not wait for others: each so long after the one before, or as a
 * Poisson process. */
enum rate_process { RATE_LINEAR, RATE_POISSON };

struct words {
	uint64_t rw; /* enum load_rw */
	uint64_t bs;
	uint64_t iodepth;	/* requests in flight on each queue */
	uint64_t queues;	/* 0: all the disk has */
	uint64_t requests;	/* 0: no limit */
	uint64_t runtime_ns;	/* 0: no limit; one of the two is set */
	uint64_t startdelay_ns; /* from the ready line to the first request */
	uint64_t think;		/* enum think_kind */
	uint64_t pause_ns;
	uint64_t burst;
	uint64_t rate_iops;    /* requests a second on each queue, by the clock; 0: as they can */
	uint64_t rate_process; /* enum rate_process */
	uint64_t verify;       /* 1: crc32c */
	uint64_t completion;   /* enum completion */
	uint64_t seed;
	uint64_t size;	    /* span in bytes; 0: the whole disk */
	uint64_t rwmixread; /* percent, for the mixed kinds */
	uint64_t flush;	    /* a flush after this many writes; 0: none */
	uint64_t discard;   /* each n-th write is a discard instead; 0: none */
	uint64_t zeroes;    /* each n-th write is a write-zeroes instead; 0: none */
	uint64_t resets;
	uint64_t segs; /* data segments of a request */
	uint64_t noevent;
	uint64_t indirect;
	uint64_t packed; /* 0: not even if the disk offers it */
	uint64_t getid;
	uint64_t movebars; /* enum pci_move */
	uint64_t disk;
	uint64_t ecam; /* gpa of PCI configuration space; 0: by ports */
	uint64_t bars; /* gpa where BARs are placed that have no place */
	uint64_t tsc_khz;
};

/* Dies with a line that names the word if one is unknown, malformed or contradicts another. */
void words_parse(struct words *words, const char *cmdline);
/* "randread" and so on, for the result line. */
const char *words_rw_name(uint64_t rw);
const char *words_completion_name(uint64_t completion);

#endif
