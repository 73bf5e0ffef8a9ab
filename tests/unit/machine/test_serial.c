// SPDX-License-Identifier: BSD-2-Clause
/* The serial port's registers as a driver sees them: Linux's 8250 probing, output, interrupts,
 * input. */
#include <lib/tap.h>

#include <handoff/bql.h>
#include <string.h>
#include "serial.h"

#define DATA 0
#define IER  1
#define IIR  2
#define FCR  2
#define LCR  3
#define MCR  4
#define LSR  5
#define MSR  6
#define SCR  7

struct port {
	struct serial serial;
	char sent[64];
	unsigned int n_sent, irq_edges, rooms;
	bool busy, irq;
};

static void on_send(void *opaque, uint8_t byte)
{
	struct port *p = opaque;

	if (p->n_sent < sizeof(p->sent) - 1)
		p->sent[p->n_sent++] = (char)byte;
}

static bool on_can_send(void *opaque)
{
	return !((struct port *)opaque)->busy;
}

static void on_set_irq(void *opaque, bool level)
{
	struct port *p = opaque;

	assert_int_not_equal(level, p->irq);
	p->irq = level;
	p->irq_edges++;
}

static void on_can_receive(void *opaque)
{
	((struct port *)opaque)->rooms++;
}

static const struct serial_ops ops = {
	.send = on_send,
	.can_send = on_can_send,
	.can_receive = on_can_receive,
	.set_irq = on_set_irq,
};

static int setup(void **state)
{
	struct port *p = test_calloc(1, sizeof(*p));

	bql_lock();
	serial_init(&p->serial, &ops, p);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct port *p = *state;

	serial_release(&p->serial);
	bql_unlock();
	test_free(p);
	return 0;
}

static uint8_t in(struct port *p, unsigned int reg)
{
	uint64_t value;

	assert_int_equal(memory_region_dispatch_read(&p->serial.mr, reg, &value, 1), MEMTX_OK);
	return (uint8_t)value;
}

static void out(struct port *p, unsigned int reg, uint8_t value)
{
	assert_int_equal(memory_region_dispatch_write(&p->serial.mr, reg, value, 1), MEMTX_OK);
}

/* Every byte written to the transmitter is sent, in order. */
static void test_serial__sends_what_is_written(void **state)
{
	struct port *p = *state;
	const char *text = "hello\r\n";
	size_t i;

	for (i = 0; text[i]; i++) {
		assert_int_equal(in(p, LSR) & 0x60, 0x60);
		out(p, DATA, (uint8_t)text[i]);
	}
	assert_string_equal(p->sent, text);
	assert_int_equal(p->irq_edges, 0);
}

/* What Linux's 8250 probe tries: IER and scratch hold their bits, loopback shows the modem lines,
 * the FIFOs are a 16550A's. */
static void test_serial__passes_the_8250_probe(void **state)
{
	struct port *p = *state;

	out(p, IER, 0);
	assert_int_equal(in(p, IER) & 0x0f, 0);
	out(p, IER, 0x0f);
	assert_int_equal(in(p, IER), 0x0f);
	out(p, IER, 0);
	out(p, SCR, 0x5a);
	assert_int_equal(in(p, SCR), 0x5a);
	out(p, MCR, 0x10 | 0x0a);
	assert_int_equal(in(p, MSR) & 0xf0, 0x90);
	out(p, MCR, 0);
	out(p, FCR, 0x01);
	assert_int_equal(in(p, IIR) >> 6, 3);
	out(p, FCR, 0);
	assert_int_equal(in(p, IIR) >> 6, 0);
	assert_int_equal(p->n_sent, 0);
}

/* With DLAB set offsets 0 and 1 are the divisor and nothing is sent or enabled. */
static void test_serial__divisor_is_apart(void **state)
{
	struct port *p = *state;

	out(p, IER, 0x01);
	out(p, LCR, 0x83);
	out(p, DATA, 0x0c);
	out(p, IER, 0x12);
	assert_int_equal(in(p, DATA), 0x0c);
	assert_int_equal(in(p, IER), 0x12);
	out(p, LCR, 0x03);
	assert_int_equal(in(p, IER), 0x01);
	assert_int_equal(p->n_sent, 0);
}

/* "Transmitter empty" comes when enabled and after each byte; reading IIR acknowledges it. */
static void test_serial__transmitter_interrupt(void **state)
{
	struct port *p = *state;

	out(p, IER, 0x02);
	assert_true(p->irq);
	assert_int_equal(in(p, IIR) & 0x0f, 0x02);
	assert_false(p->irq);
	assert_int_equal(in(p, IIR) & 0x0f, 0x01);
	out(p, DATA, 'x');
	assert_true(p->irq);
	out(p, IER, 0);
	assert_false(p->irq);
	assert_int_equal(p->irq_edges, 4);
}

/* While nothing can be sent the transmitter is busy, without an interrupt; both change when there
 * is room again. */
static void test_serial__waits_for_room(void **state)
{
	struct port *p = *state;

	p->busy = true;
	assert_int_equal(in(p, LSR) & 0x60, 0);
	out(p, IER, 0x02);
	assert_false(p->irq);
	p->busy = false;
	serial_send_ready(&p->serial);
	assert_true(p->irq);
	assert_int_equal(in(p, LSR) & 0x60, 0x60);
}

/* Input waits in the FIFO, interrupts until it is read, and comes out in order; more than fits is
 * left to the caller. */
static void test_serial__receives(void **state)
{
	struct port *p = *state;
	uint8_t bytes[20];
	unsigned int i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)('a' + i);
	out(p, FCR, 0x01);
	out(p, IER, 0x01);
	assert_int_equal(serial_receive(&p->serial, bytes, sizeof(bytes)), SERIAL_FIFO_BYTES);
	for (i = 0; i < SERIAL_FIFO_BYTES; i++) {
		assert_true(p->irq);
		assert_int_equal(in(p, IIR) & 0x0f, 0x04);
		assert_int_equal(in(p, LSR) & 0x01, 0x01);
		assert_int_equal(in(p, DATA), 'a' + i);
	}
	assert_false(p->irq);
	assert_int_equal(in(p, LSR) & 0x01, 0);
}

/* What was sent before the driver listens survives its probing and clearing of the FIFO, and comes
 * when it does listen; the FIFO is refilled when it is empty. */
static void test_serial__input_waits_for_the_driver(void **state)
{
	struct port *p = *state;
	uint8_t bytes[20];
	unsigned int i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)('a' + i);
	assert_int_equal(serial_receive(&p->serial, bytes, sizeof(bytes)), SERIAL_FIFO_BYTES);
	out(p, FCR, 0x01);
	out(p, FCR, 0x07);
	out(p, FCR, 0);
	assert_int_equal(in(p, LSR) & 0x01, 0);
	in(p, DATA);
	/* Linux 6.1 switches interrupts on before the FIFO. */
	out(p, IER, 0x05);
	assert_true(p->irq);
	out(p, FCR, 0x01);
	for (i = 0; i < SERIAL_FIFO_BYTES; i++) {
		assert_int_equal(p->rooms, 0);
		assert_int_equal(in(p, DATA), 'a' + i);
	}
	assert_int_equal(p->rooms, 1);
	assert_int_equal(serial_receive(&p->serial, bytes + i, sizeof(bytes) - i), 4);
	/* The port is closed and opened again. */
	out(p, IER, 0);
	assert_false(p->irq);
	in(p, DATA);
	out(p, IER, 0x05);
	for (; i < sizeof(bytes); i++)
		assert_int_equal(in(p, DATA), 'a' + i);
	/* All was taken: nobody waits to be told. */
	assert_int_equal(p->rooms, 1);
}

/* A guest without interrupts listens by looking again and again; one that looks only to send does
 * not. */
static void test_serial__input_waits_for_a_poller(void **state)
{
	struct port *p = *state;
	unsigned int i;

	assert_int_equal(serial_receive(&p->serial, (const uint8_t *)"x", 1), 1);
	for (i = 0; i < 1000; i++) {
		assert_int_equal(in(p, LSR) & 0x01, 0);
		out(p, DATA, 'o');
	}
	for (i = 0; i < 1000 && !(in(p, LSR) & 0x01); i++)
		;
	assert_int_equal(in(p, LSR) & 0x01, 0x01);
	assert_int_equal(in(p, DATA), 'x');
}

/* In loopback a byte comes back instead of being sent; one too many is an overrun, told once. */
static void test_serial__loopback_overrun(void **state)
{
	struct port *p = *state;

	out(p, MCR, 0x10);
	out(p, DATA, 'x');
	out(p, DATA, 'y');
	assert_int_equal(p->n_sent, 0);
	assert_int_equal(in(p, LSR) & 0x03, 0x03);
	assert_int_equal(in(p, LSR) & 0x03, 0x01);
	assert_int_equal(in(p, DATA), 'x');
	assert_int_equal(in(p, LSR) & 0x03, 0);
}

/* Accesses wider than a register are taken apart, reserved bits do not stick: nothing a guest
 * writes does harm. */
static void test_serial__survives_any_access(void **state)
{
	struct port *p = *state;
	unsigned int reg, size, value;
	uint64_t got;

	for (size = 1; size <= 4; size *= 2) {
		for (reg = 0; reg + size <= SERIAL_PORTS; reg += size) {
			for (value = 0; value < 256; value++) {
				memory_region_dispatch_write(&p->serial.mr, reg,
							     value * 0x01010101u, size);
				memory_region_dispatch_read(&p->serial.mr, reg, &got, size);
			}
		}
	}
	assert_int_equal(in(p, MCR) & 0xe0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_serial__sends_what_is_written),
		TEST(test_serial__passes_the_8250_probe),
		TEST(test_serial__divisor_is_apart),
		TEST(test_serial__transmitter_interrupt),
		TEST(test_serial__waits_for_room),
		TEST(test_serial__receives),
		TEST(test_serial__loopback_overrun),
		TEST(test_serial__survives_any_access),
		TEST(test_serial__input_waits_for_the_driver),
		TEST(test_serial__input_waits_for_a_poller),
	};

	return cmocka_run_group_tests_name("serial", tests, NULL, NULL);
}
