// SPDX-License-Identifier: BSD-2-Clause
/* 16550A serial port: see serial.h. BQL. Neighbours: console.c takes what is sent, board.c wires
 * the interrupt. */
#include "serial.h"

/* Registers by offset; 0 and 1 are the divisor while LCR.DLAB is set. */
enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

#define IER_RX	      0x01
#define IER_THR_EMPTY 0x02
#define IER_LINE      0x04
#define IER_ALL	      0x0f

#define IIR_NONE      0x01
#define IIR_THR_EMPTY 0x02
#define IIR_RX	      0x04
#define IIR_LINE      0x06
#define IIR_FIFOS     0xc0

#define FCR_ENABLE   0x01
#define FCR_CLEAR_RX 0x02
#define LCR_DLAB     0x80

#define MCR_DTR	 0x01
#define MCR_RTS	 0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_ALL	 0x1f

#define LSR_RX	      0x01
#define LSR_OVERRUN   0x02
#define LSR_THR_EMPTY 0x20
#define LSR_TX_IDLE   0x40

#define POLLER_LOOKS 64

#define MSR_CTS 0x10
#define MSR_DSR 0x20
#define MSR_RI	0x40
#define MSR_DCD 0x80

static bool thr_is_empty(const struct serial *s)
{
	return s->ops->can_send(s->opaque);
}

/* By interrupt, or by polling: more looks at the LSR than any driver takes to send or to probe. */
static bool listens(const struct serial *s)
{
	return (s->ier & IER_RX) || s->looks >= POLLER_LOOKS;
}

/* What the receiver shows; NULL: nothing. */
static struct serial_fifo *receiver(struct serial *s)
{
	if (s->mcr & MCR_LOOP)
		return &s->loopback;
	return listens(s) ? &s->input : NULL;
}

static bool has_input(struct serial *s)
{
	struct serial_fifo *fifo = receiver(s);

	return fifo && fifo->count;
}

static void fifo_push(struct serial_fifo *fifo, uint8_t byte)
{
	fifo->byte[(fifo->head + fifo->count++) % SERIAL_FIFO_BYTES] = byte;
}

static uint8_t rx_pop(struct serial *s)
{
	struct serial_fifo *fifo = receiver(s);
	uint8_t byte;

	if (!has_input(s))
		return 0;
	byte = fifo->byte[fifo->head];
	fifo->head = (fifo->head + 1) % SERIAL_FIFO_BYTES;
	fifo->count--;
	return byte;
}

static void loop_back(struct serial *s, uint8_t byte)
{
	if (s->loopback.count >= (s->fcr & FCR_ENABLE ? SERIAL_FIFO_BYTES : 1))
		s->line_errors |= LSR_OVERRUN;
	else
		fifo_push(&s->loopback, byte);
}

/* The pending interrupt of the highest priority, data sheet 8.6.3. */
static uint8_t interrupt_id(struct serial *s)
{
	if ((s->ier & IER_LINE) && s->line_errors)
		return IIR_LINE;
	if ((s->ier & IER_RX) && has_input(s))
		return IIR_RX;
	if ((s->ier & IER_THR_EMPTY) && s->thr_empty_irq && thr_is_empty(s))
		return IIR_THR_EMPTY;
	return IIR_NONE;
}

static void update_irq(struct serial *s)
{
	bool irq = interrupt_id(s) != IIR_NONE;

	if (irq == s->irq)
		return;
	s->irq = irq;
	s->ops->set_irq(s->opaque, irq);
}

/* In loopback the modem outputs come back as inputs: how drivers find out that there is a UART. */
static uint8_t modem_status(const struct serial *s)
{
	if (!(s->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	return (s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
	       (s->mcr & MCR_OUT1 ? MSR_RI : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static uint8_t read_iir(struct serial *s)
{
	uint8_t id = interrupt_id(s);

	/* Reading acknowledges this one; the others last as long as their cause. */
	if (id == IIR_THR_EMPTY)
		s->thr_empty_irq = false;
	return id | (s->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t read_lsr(struct serial *s)
{
	uint8_t lsr = s->line_errors | (has_input(s) ? LSR_RX : 0);

	s->line_errors = 0;
	s->looks += thr_is_empty(s) && s->looks < POLLER_LOOKS;
	return lsr | (thr_is_empty(s) ? LSR_THR_EMPTY | LSR_TX_IDLE : 0);
}

static uint8_t read_register(struct serial *s, uint64_t reg)
{
	switch (reg) {
	case REG_DATA:
		return s->lcr & LCR_DLAB ? s->divisor[0] : rx_pop(s);
	case REG_IER:
		return s->lcr & LCR_DLAB ? s->divisor[1] : s->ier;
	case REG_IIR_FCR:
		return read_iir(s);
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		return read_lsr(s);
	case REG_MSR:
		return modem_status(s);
	default:
		return s->scr;
	}
}

/* An empty FIFO rather than each byte that leaves it: fewer turns of the main loop. */
static void ask_for_input(struct serial *s)
{
	if (!s->input_waits || s->input.count)
		return;
	s->input_waits = false;
	if (s->ops->can_receive)
		s->ops->can_receive(s->opaque);
}

static uint64_t serial_read(void *opaque, uint64_t addr, unsigned int size)
{
	struct serial *s = opaque;
	uint8_t value = read_register(s, addr);

	update_irq(s);
	ask_for_input(s);
	return value;
}

static void write_data(struct serial *s, uint8_t byte)
{
	if (s->mcr & MCR_LOOP)
		loop_back(s, byte);
	else
		s->ops->send(s->opaque, byte);
	s->looks = 0;
	/* Sent at once: empty again, which is an event of its own. */
	s->thr_empty_irq = true;
}

static void write_ier(struct serial *s, uint8_t value)
{
	/* Switched on while the transmitter is empty, it reports so at once; Linux tests for that.
	 */
	if (value & ~s->ier & IER_THR_EMPTY)
		s->thr_empty_irq = true;
	s->ier = value & IER_ALL;
	s->looks = 0;
}

static void write_fcr(struct serial *s, uint8_t value)
{
	/* Not the input: see serial.h. */
	if ((value & FCR_CLEAR_RX) || ((value ^ s->fcr) & FCR_ENABLE))
		s->loopback.count = 0;
	s->fcr = value & FCR_ENABLE;
	s->looks = 0;
}

static void write_register(struct serial *s, uint64_t reg, uint8_t value)
{
	bool divisor = s->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		if (divisor)
			s->divisor[0] = value;
		else
			write_data(s, value);
		break;
	case REG_IER:
		if (divisor)
			s->divisor[1] = value;
		else
			write_ier(s, value);
		break;
	case REG_IIR_FCR:
		write_fcr(s, value);
		break;
	case REG_LCR:
		s->lcr = value;
		break;
	case REG_MCR:
		s->mcr = value & MCR_ALL;
		break;
	case REG_SCR:
		s->scr = value;
		break;
	}
}

static void serial_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
	struct serial *s = opaque;

	write_register(s, addr, (uint8_t)value);
	update_irq(s);
	ask_for_input(s);
}

static const struct MemoryRegionOps serial_mr_ops = {
	.read = serial_read,
	.write = serial_write,
	.impl = { .min_access_size = 1, .max_access_size = 1 },
};

void serial_init(struct serial *s, const struct serial_ops *ops, void *opaque)
{
	*s = (struct serial){ .ops = ops, .opaque = opaque };
	memory_region_init_io(&s->mr, &serial_mr_ops, s, "serial", SERIAL_PORTS);
}

void serial_release(struct serial *s)
{
	memory_region_release(&s->mr);
}

unsigned int serial_receive(struct serial *s, const uint8_t *bytes, unsigned int n)
{
	unsigned int taken = MIN(n, SERIAL_FIFO_BYTES - s->input.count), i;

	for (i = 0; i < taken; i++)
		fifo_push(&s->input, bytes[i]);
	s->input_waits = taken < n;
	update_irq(s);
	return taken;
}

void serial_send_ready(struct serial *s)
{
	s->thr_empty_irq = true;
	update_irq(s);
}
