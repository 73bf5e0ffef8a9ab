/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A 16550A: what Linux's 8250 driver and a polling guest need. Timing and modem lines are not
 * modelled: a byte is sent when it is written. Input is there when the guest listens, and a driver
 * that empties the FIFO while it sets up the port finds it empty: what a user piped in early must
 * not be lost. It is as if the sender had waited.
 * Everything under the BQL. Source of rules: PC16550D data sheet (National Semiconductor, 1995).
 */
#ifndef MACHINE_SERIAL_H
#define MACHINE_SERIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/memory.h>

#define SERIAL_PORTS	  8
#define SERIAL_FIFO_BYTES 16

struct serial_ops {
	void (*send)(void *opaque, uint8_t byte);
	/* False: the transmitter stays busy until serial_send_ready. True: a FIFO's worth fits. */
	bool (*can_send)(void *opaque);
	/* There is room for input that serial_receive left behind. May be NULL. */
	void (*can_receive)(void *opaque);
	void (*set_irq)(void *opaque, bool level);
};

struct serial_fifo {
	uint8_t byte[SERIAL_FIFO_BYTES];
	unsigned int head, count;
};

/* Caller's memory. Private to serial.c but for mr, which the board places. */
struct serial {
	struct MemoryRegion mr;
	const struct serial_ops *ops;
	void *opaque;
	uint8_t ier, lcr, mcr, scr, fcr, divisor[2];
	uint8_t line_errors; /* LSR's, cleared by reading it */
	bool thr_empty_irq;  /* "transmitter empty" is pending */
	bool irq;
	bool input_waits;   /* serial_receive left some behind */
	unsigned int looks; /* at the LSR since the last byte was written */
	struct serial_fifo input, loopback;
};

void serial_init(struct serial *s, const struct serial_ops *ops, void *opaque);
void serial_release(struct serial *s);
/*
 * Input for the guest: takes as many bytes as there is room for, returns how many. can_receive
 * follows if that is not all.
 */
unsigned int serial_receive(struct serial *s, const uint8_t *bytes, unsigned int n);
/* can_send turned true. */
void serial_send_ready(struct serial *s);

#endif
