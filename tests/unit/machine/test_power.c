// SPDX-License-Identifier: BSD-2-Clause
/* ACPI's fixed registers as a guest uses and abuses them, with a clock that the test turns. */
#include <lib/tap.h>

#include <string.h>
#include <handoff/bql.h>
#include <handoff/clock.h>
#include "power.h"

#define STATUS	(POWER_PORT + 0)
#define ENABLE	(POWER_PORT + 2)
#define CONTROL (POWER_PORT + 4)
#define TIMER	(POWER_PORT + 8)

#define TIMER_STATUS  1u
#define BUTTON_STATUS (1u << 8)
#define SLEEP_ENABLE  (1u << 13)

/* When the timer's bit 31 changes first: 2^31 ticks, rounded up. */
#define HALF_NS ((int64_t)(((1ull << 31) * 1000000000ull + POWER_TIMER_HZ - 1) / POWER_TIMER_HZ))

struct scene {
	struct MemoryRegion ports;
	struct AddressSpace io;
	struct power power;
	int64_t now_ns, alarm_ns;
	unsigned int offs, sci_changes;
	bool sci;
};

static int64_t now_ns(void *opaque)
{
	return ((struct scene *)opaque)->now_ns;
}

static void set_sci(void *opaque, bool level)
{
	struct scene *s = opaque;

	assert_int_not_equal(s->sci, level);
	s->sci = level;
	s->sci_changes++;
}

static void set_alarm(void *opaque, int64_t expire_ns)
{
	((struct scene *)opaque)->alarm_ns = expire_ns;
}

static void soft_off(void *opaque)
{
	((struct scene *)opaque)->offs++;
}

static const struct power_ops ops = { now_ns, set_sci, set_alarm, soft_off };

static int scene_new(void **state)
{
	struct scene *s = test_calloc(1, sizeof(*s));

	bql_lock();
	s->now_ns = 12345;
	s->alarm_ns = -1;
	memory_region_init(&s->ports, "ports", 0x10000);
	power_init(&s->power, &ops, s);
	memory_region_add_subregion(&s->ports, POWER_PORT, &s->power.mr);
	address_space_init(&s->io, &s->ports, "io");
	*state = s;
	return 0;
}

static int scene_free(void **state)
{
	struct scene *s = *state;

	address_space_release(&s->io);
	memory_region_del_subregion(&s->ports, &s->power.mr);
	power_release(&s->power);
	assert_int_equal(s->alarm_ns, -1);
	memory_region_release(&s->ports);
	bql_unlock();
	test_free(s);
	return 0;
}

static uint32_t in(struct scene *s, uint64_t port, unsigned int size)
{
	uint32_t value = 0;

	address_space_read(&s->io, port, &value, size);
	return value;
}

static void out(struct scene *s, uint64_t port, uint32_t value, unsigned int size)
{
	address_space_write(&s->io, port, &value, size);
}

static uint32_t sleep_type(unsigned int type)
{
	return type << 10;
}

/* Only SLP_EN with the SLP_TYP of S5 turns the power off, whatever else is written with them. */
static void test_power__off_by_s5_only(void **state)
{
	struct scene *s = *state;
	unsigned int type;

	for (type = 0; type < 8; type++) {
		out(s, CONTROL, sleep_type(type), 2);
		assert_int_equal(s->offs, type > POWER_SLEEP_S5);
		out(s, CONTROL, sleep_type(type) | SLEEP_ENABLE, 2);
		assert_int_equal(s->offs, type >= POWER_SLEEP_S5);
	}
	out(s, CONTROL, ~(SLEEP_ENABLE | sleep_type(7)), 2);
	assert_int_equal(s->offs, 1);
	out(s, CONTROL, sleep_type(POWER_SLEEP_S5) | 0xc3ff | SLEEP_ENABLE, 2);
	assert_int_equal(s->offs, 2);
}

/* A byte write reaches SLP_EN as well, and ports beside the register do not. */
static void test_power__off_by_byte(void **state)
{
	struct scene *s = *state;

	out(s, CONTROL, (sleep_type(POWER_SLEEP_S5) | SLEEP_ENABLE) >> 8, 1);
	out(s, ENABLE, sleep_type(POWER_SLEEP_S5) | SLEEP_ENABLE, 2);
	out(s, STATUS, sleep_type(POWER_SLEEP_S5) | SLEEP_ENABLE, 2);
	out(s, CONTROL + 2, sleep_type(POWER_SLEEP_S5) | SLEEP_ENABLE, 2);
	out(s, TIMER, sleep_type(POWER_SLEEP_S5) | SLEEP_ENABLE, 4);
	assert_int_equal(s->offs, 0);
	out(s, CONTROL + 1, (sleep_type(POWER_SLEEP_S5) | SLEEP_ENABLE) >> 8, 1);
	assert_int_equal(s->offs, 1);
}

/* The button sets its status bit and, if the guest has enabled it, the SCI, until the bit is
 * written.
 */
static void test_power__button_asks_the_guest(void **state)
{
	struct scene *s = *state;

	power_press_button(&s->power);
	assert_int_equal(in(s, STATUS, 2), BUTTON_STATUS);
	assert_false(s->sci);
	out(s, ENABLE, BUTTON_STATUS, 2);
	assert_true(s->sci);
	out(s, STATUS, BUTTON_STATUS, 2);
	assert_false(s->sci);
	assert_int_equal(in(s, STATUS, 2), 0);
	power_press_button(&s->power);
	power_press_button(&s->power);
	assert_true(s->sci);
	assert_int_equal(s->sci_changes, 3);
	assert_int_equal(s->offs, 0);
}

/* SCI_EN always reads as one: nobody has to enable ACPI. SLP_EN reads as zero, SLP_TYP as written.
 */
static void test_power__control_reads(void **state)
{
	struct scene *s = *state;

	assert_int_equal(in(s, CONTROL, 2), 1);
	out(s, CONTROL, 0, 2);
	assert_int_equal(in(s, CONTROL, 2), 1);
	out(s, CONTROL, 0xffff, 2);
	assert_int_equal(in(s, CONTROL, 2), sleep_type(7) | 3);
	assert_int_equal(in(s, CONTROL, 1), 3);
	assert_int_equal(in(s, CONTROL + 1, 1), sleep_type(7) >> 8);
}

/* The enable register keeps what the specification defines and reads it back: drivers check. */
static void test_power__enable_is_kept(void **state)
{
	struct scene *s = *state;

	out(s, ENABLE, 0xffff, 2);
	assert_int_equal(in(s, ENABLE, 2), 0x0721);
	out(s, ENABLE + 1, 0x01, 1);
	assert_int_equal(in(s, ENABLE, 2), 0x0121);
	out(s, ENABLE, 0, 2);
	assert_int_equal(in(s, ENABLE, 2), 0);
	assert_int_equal(s->sci_changes, 0);
}

/* The timer runs at 3.579545 MHz from power-up, round its 32 bits, and cannot be written. */
static void test_power__timer_runs(void **state)
{
	struct scene *s = *state;

	assert_int_equal(in(s, TIMER, 4), 0);
	s->now_ns += NS_PER_S;
	assert_int_equal(in(s, TIMER, 4), POWER_TIMER_HZ);
	out(s, TIMER, 0, 4);
	assert_int_equal(in(s, TIMER, 4), POWER_TIMER_HZ);
	s->now_ns += 1199 * NS_PER_S;
	assert_int_equal(in(s, TIMER, 4), (uint32_t)(1200ull * POWER_TIMER_HZ));
	/* Ten years: no product overflows. */
	s->now_ns += 10 * 365 * 86400 * NS_PER_S;
	assert_int_equal(in(s, TIMER, 4),
			 (uint32_t)((1200ull + 10 * 365 * 86400) * POWER_TIMER_HZ));
}

/* Never back, by less than half its range at a time. */
static void test_power__timer_is_monotonic(void **state)
{
	struct scene *s = *state;
	uint32_t last = in(s, TIMER, 4), now;
	unsigned int i, moved = 0;

	for (i = 0; i < 100000; i++) {
		s->now_ns += i % 7919;
		now = in(s, TIMER, 4);
		assert_true(now - last < 1u << 31);
		moved += now != last;
		last = now;
	}
	assert_true(moved > 50000);
}

/* Narrow reads show the bytes where they are. */
static void test_power__timer_in_pieces(void **state)
{
	struct scene *s = *state;
	uint32_t whole;
	unsigned int i;

	s->now_ns += 1001 * NS_PER_S + 7654321;
	whole = in(s, TIMER, 4);
	assert_int_not_equal(whole >> 24, 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(in(s, TIMER + i, 1), whole >> (8 * i) & 0xff);
	assert_int_equal(in(s, TIMER, 2), whole & 0xffff);
	assert_int_equal(in(s, TIMER + 2, 2), whole >> 16);
}

/* TMR_STS tells that the top bit changed, either way, until one is written to it and nothing else.
 */
static void test_power__status_is_cleared_by_one(void **state)
{
	struct scene *s = *state;

	s->now_ns += HALF_NS - 1;
	assert_int_equal(in(s, STATUS, 2), 0);
	s->now_ns += 1;
	assert_int_equal(in(s, STATUS, 2), TIMER_STATUS);
	assert_int_equal(in(s, TIMER, 4), 1u << 31);
	out(s, STATUS, 0, 2);
	out(s, STATUS, 0xfffe, 2);
	out(s, STATUS + 1, 0xff, 1);
	assert_int_equal(in(s, STATUS, 2), TIMER_STATUS);
	out(s, STATUS, TIMER_STATUS, 1);
	assert_int_equal(in(s, STATUS, 2), 0);
	s->now_ns += HALF_NS;
	assert_int_equal(in(s, STATUS, 2), TIMER_STATUS);
	assert_true(in(s, TIMER, 4) < 1u << 31);
	out(s, STATUS, 0xffff, 2);
	assert_int_equal(in(s, STATUS, 2), 0);
	assert_int_equal(s->sci_changes, 0);
}

/* Enabled, the timer raises the SCI on time without anybody looking, and drops it when cleared. */
static void test_power__timer_interrupts(void **state)
{
	struct scene *s = *state;
	int64_t start_ns = s->now_ns;

	out(s, ENABLE, 1, 2);
	assert_int_equal(s->alarm_ns, start_ns + HALF_NS);
	s->now_ns = s->alarm_ns;
	power_alarm(&s->power);
	assert_true(s->sci);
	assert_int_equal(s->alarm_ns, -1);
	out(s, STATUS, 1, 2);
	assert_false(s->sci);
	assert_in_range(s->alarm_ns, start_ns + 2 * HALF_NS - 2, start_ns + 2 * HALF_NS);
	out(s, ENABLE, 0, 2);
	assert_int_equal(s->alarm_ns, -1);
	s->now_ns += 3 * HALF_NS;
	assert_int_equal(in(s, STATUS, 2), TIMER_STATUS);
	assert_int_equal(s->sci_changes, 2);
	/* What was pending interrupts as soon as it is enabled. */
	out(s, ENABLE, 1, 2);
	assert_true(s->sci);
	out(s, ENABLE, 0, 2);
	assert_false(s->sci);
}

/*
 * Any port, width and value: the power goes off by the one combination only, and defined bits
 * stay all there is.
 */
static void test_power__hostile(void **state)
{
	struct scene *s = *state;
	uint32_t random = 2463534242u;
	unsigned int i, writes_off = 0;

	for (i = 0; i < 200000; i++) {
		uint64_t port, data;

		random ^= random << 13;
		random ^= random >> 17;
		random ^= random << 5;
		port = POWER_PORT - 4 + random % (POWER_PORTS + 8);
		data = (random * 0x9e3779b97f4a7c15ull) >> 8;
		/* Bit 13 of control is byte 5's bit 5: never set by this guest. */
		data &= ~0x2020202020202020ull;
		s->now_ns += random >> 8;
		address_space_write(&s->io, port, &data, 1 + random % 8);
		address_space_read(&s->io, port, &data, 1 + random % 8);
		assert_int_equal(in(s, ENABLE, 2) & ~0x0721, 0);
		assert_int_equal(in(s, STATUS, 2) & ~TIMER_STATUS, 0);
		assert_int_equal(in(s, CONTROL, 2) & ~(sleep_type(7) | 3), 0);
		writes_off += s->offs;
	}
	assert_int_equal(writes_off, 0);
	out(s, CONTROL, sleep_type(POWER_SLEEP_S5) | SLEEP_ENABLE, 4);
	assert_int_equal(s->offs, 1);
	out(s, ENABLE, 0, 2);
}

#define power_test(f) cmocka_unit_test_setup_teardown(f, scene_new, scene_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		power_test(test_power__off_by_s5_only),
		power_test(test_power__off_by_byte),
		power_test(test_power__button_asks_the_guest),
		power_test(test_power__control_reads),
		power_test(test_power__enable_is_kept),
		power_test(test_power__timer_runs),
		power_test(test_power__timer_is_monotonic),
		power_test(test_power__timer_in_pieces),
		power_test(test_power__status_is_cleared_by_one),
		power_test(test_power__timer_interrupts),
		power_test(test_power__hostile),
	};

	return cmocka_run_group_tests_name("power", tests, NULL, NULL);
}
