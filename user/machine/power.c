// SPDX-License-Identifier: BSD-2-Clause
/* ACPI fixed hardware: see power.h. BQL. Neighbours: power_board.c wires it, acpi_fadt.c tells the
 * guest of it. */
#include "power.h"

#include <handoff/clock.h>

/* PM1 status and enable, tables 4-13 and 4-14 */
#define PM1_TIMER  0x0001
#define PM1_GLOBAL 0x0020
#define PM1_POWER  0x0100
#define PM1_SLEEP  0x0200
#define PM1_RTC	   0x0400
#define ENABLE_ALL (PM1_TIMER | PM1_GLOBAL | PM1_POWER | PM1_SLEEP | PM1_RTC)

/* PM1 control, table 4-16. GBL_RLS, bit 2, goes to a firmware that is not there. */
#define CONTROL_SCI_EN	    0x0001 /* the events are the system's, not SMM's: always */
#define CONTROL_BM_RLD	    0x0002
#define CONTROL_SLEEP_SHIFT 10
#define CONTROL_SLEEP_TYPE  0x1c00
#define CONTROL_SLEEP_EN    0x2000
#define CONTROL_WRITABLE    (CONTROL_BM_RLD | CONTROL_SLEEP_TYPE)

/* TMR_STS is set whenever bit 31 of the timer changes (4.8.3.3). */
#define TICKS_PER_HALF (1ull << 31)

static uint64_t ticks(const struct power *p)
{
	uint64_t ns = (uint64_t)(p->ops->now_ns(p->opaque) - p->start_ns);

	return (uint64_t)((unsigned __int128)ns * POWER_TIMER_HZ / NS_PER_S);
}

static int64_t time_of_half(const struct power *p, uint64_t half)
{
	unsigned __int128 end = (unsigned __int128)half * TICKS_PER_HALF;

	return p->start_ns + (int64_t)((end * NS_PER_S + POWER_TIMER_HZ - 1) / POWER_TIMER_HZ);
}

static void look_at_timer(struct power *p)
{
	uint64_t half = ticks(p) / TICKS_PER_HALF;

	if (half != p->half)
		p->status |= PM1_TIMER;
	p->half = half;
}

static void update_sci(struct power *p)
{
	bool sci = p->status & p->enable;
	bool alarm = (p->enable & PM1_TIMER) && !sci;

	if (alarm)
		p->ops->set_alarm(p->opaque, time_of_half(p, p->half + 1));
	else if (p->alarm)
		p->ops->set_alarm(p->opaque, -1);
	p->alarm = alarm;
	if (sci == p->sci)
		return;
	p->sci = sci;
	p->ops->set_sci(p->opaque, sci);
}

void power_alarm(struct power *p)
{
	look_at_timer(p);
	update_sci(p);
}

void power_press_button(struct power *p)
{
	p->status |= PM1_POWER;
	update_sci(p);
}

/* Bytes 0-1 status, 2-3 enable, 4-5 control. */
static uint16_t *register_at(struct power *p, uint64_t addr)
{
	uint16_t *const registers[] = { &p->status, &p->enable, &p->control };

	return registers[addr / 2];
}

static uint64_t registers_read(void *opaque, uint64_t addr, unsigned int size)
{
	struct power *p = opaque;
	uint16_t value;

	look_at_timer(p);
	update_sci(p);
	value = *register_at(p, addr);
	if (addr >= POWER_CONTROL)
		value |= CONTROL_SCI_EN;
	return value >> (8 * (addr % 2)) & 0xff;
}

/*
 * SLP_TYP and SLP_EN are in one byte, so that a write of any width has both. Of the sleep states
 * the DSDT knows S5 only; with another SLP_TYP a real chip might sleep for ever, this one goes on.
 */
static void write_control(struct power *p, uint16_t value, uint16_t mask)
{
	uint16_t writable = mask & CONTROL_WRITABLE;

	p->control = (uint16_t)((p->control & ~writable) | (value & writable));
	if ((value & CONTROL_SLEEP_EN) &&
	    (p->control & CONTROL_SLEEP_TYPE) >> CONTROL_SLEEP_SHIFT == POWER_SLEEP_S5)
		p->ops->soft_off(p->opaque);
}

static void registers_write(void *opaque, uint64_t addr, uint64_t byte, unsigned int size)
{
	struct power *p = opaque;
	unsigned int shift = 8 * (addr % 2);
	uint16_t value = (uint16_t)(byte << shift), mask = (uint16_t)(0xff << shift);

	look_at_timer(p);
	if (addr >= POWER_CONTROL)
		write_control(p, value, mask);
	else if (addr >= POWER_EVENT_BYTES / 2)
		p->enable = (uint16_t)((p->enable & ~mask) | (value & mask & ENABLE_ALL));
	else
		p->status &= (uint16_t)~value;
	update_sci(p);
}

/* By bytes: each register's bits mean the same in an access of any width. */
static const struct MemoryRegionOps registers_ops = {
	.read = registers_read,
	.write = registers_write,
	.valid = { .min_access_size = 1, .max_access_size = 4 },
	.impl = { .min_access_size = 1, .max_access_size = 1 },
};

/* One look at the clock per access: four bytes read together belong together. */
static uint64_t timer_read(void *opaque, uint64_t addr, unsigned int size)
{
	return (uint32_t)ticks(opaque) >> (8 * addr);
}

static void timer_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
}

static const struct MemoryRegionOps timer_ops = {
	.read = timer_read,
	.write = timer_write,
	.valid = { .min_access_size = 1, .max_access_size = 4 },
};

void power_init(struct power *p, const struct power_ops *ops, void *opaque)
{
	*p = (struct power){ .ops = ops, .opaque = opaque, .start_ns = ops->now_ns(opaque) };
	memory_region_init(&p->mr, "acpi-pm", POWER_PORTS);
	memory_region_init_io(&p->registers, &registers_ops, p, "acpi-pm1",
			      POWER_EVENT_BYTES + POWER_CONTROL_BYTES);
	memory_region_init_io(&p->timer, &timer_ops, p, "acpi-timer", POWER_TIMER_BYTES);
	memory_region_add_subregion(&p->mr, POWER_EVENT, &p->registers);
	memory_region_add_subregion(&p->mr, POWER_TIMER, &p->timer);
}

void power_release(struct power *p)
{
	if (p->alarm)
		p->ops->set_alarm(p->opaque, -1);
	memory_region_del_subregion(&p->mr, &p->registers);
	memory_region_del_subregion(&p->mr, &p->timer);
	memory_region_release(&p->registers);
	memory_region_release(&p->timer);
	memory_region_release(&p->mr);
}
