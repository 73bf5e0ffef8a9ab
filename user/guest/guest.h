/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every file of the load guest may use: services of CPL 0, memory-mapped I/O, memory, console,
 * clock. The guest has one CPU and one flow of control, at CPL 3; interrupt stubs only count.
 * Memory is identity mapped: an address is a gpa.
 */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/guest.h>
#include <handoff/compiler.h>

#include "layout.h"

/* vectors.S. Costs two mode switches and some emulated instructions: 10-50 us on a software KVM. */
uint64_t svc(uint64_t nr, uint64_t a, uint64_t b, uint64_t c);

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

/* Plain moves, which every KVM's instruction emulator knows. */
static inline uint8_t mmio_read8(uint64_t gpa)
{
	uint8_t v;

	__asm__ volatile("movb (%1), %0" : "=q"(v) : "r"(gpa) : "memory");
	return v;
}

static inline uint16_t mmio_read16(uint64_t gpa)
{
	uint16_t v;

	__asm__ volatile("movw (%1), %0" : "=r"(v) : "r"(gpa) : "memory");
	return v;
}

static inline uint32_t mmio_read32(uint64_t gpa)
{
	uint32_t v;

	__asm__ volatile("movl (%1), %0" : "=r"(v) : "r"(gpa) : "memory");
	return v;
}

static inline void mmio_write8(uint64_t gpa, uint8_t v)
{
	__asm__ volatile("movb %0, (%1)" : : "q"(v), "r"(gpa) : "memory");
}

static inline void mmio_write16(uint64_t gpa, uint16_t v)
{
	__asm__ volatile("movw %0, (%1)" : : "r"(v), "r"(gpa) : "memory");
}

static inline void mmio_write32(uint64_t gpa, uint32_t v)
{
	__asm__ volatile("movl %0, (%1)" : : "r"(v), "r"(gpa) : "memory");
}

/* trap.c */
void trap_init(void);
__attribute__((noreturn)) void trap_panic(void);
/* Ends the guest with an enum guest_exit. */
__attribute__((noreturn)) void guest_exit(uint32_t code);
/* Interrupts so far from devices, from the watchdog timer, and from device vector n. */
uint64_t irq_devices(void);
uint64_t irq_timer(void);
uint64_t irq_vector(uint32_t n);
/* Sleeps until an interrupt, unless one came since irq_mark() returned mark. */
uint64_t irq_mark(void);
void irq_wait(uint64_t mark);

/* lapic.c: takes interrupts in, after trap_init(). */
void lapic_init(void);
/* About one timer interrupt a second from now on, so that a lost device interrupt cannot halt the
 * guest for ever. */
void lapic_watchdog_start(void);

/* serial.c: formats %s %c %u %lu %x %lx %% only. A line's room is fixed; what does not fit is cut.
 */
struct line {
	char text[4096];
	uint32_t length;
};

void serial_init(void);
void line_add(struct line *line, const char *format, ...) PRINTF_LIKE(2, 3);
void line_add_list(struct line *line, const char *format, va_list args);
void line_print(struct line *line);
/* One line on the console, "handoff-guest: " before and a newline after. */
void say(const char *format, ...) PRINTF_LIKE(1, 2);
/* say("error: ...") and guest_exit(code). */
__attribute__((noreturn)) void die(enum guest_exit code, const char *format, ...) PRINTF_LIKE(2, 3);

/* memory.c */
struct boot_info; /* main.c's view of hvm_start_info lives in boot.h */
void memory_init(const struct boot_info *boot);
/* Zeroed, never freed; align is a power of two. Dies with `what` in its message when memory is
 * short. */
void *memory_alloc(uint64_t bytes, uint64_t align, const char *what);
/* True if [gpa, gpa + bytes) touches RAM. */
bool memory_is_ram(uint64_t gpa, uint64_t bytes);
void *memset(void *to, int byte, size_t n);
void *memcpy(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

/* mmu.c: makes device memory above 4 GiB reachable; the low 4 GiB always are. */
void mmu_map(uint64_t gpa, uint64_t bytes);

/* clock.c: khz = 0 asks KVM and CPUID. clock_khz() is 0 if nobody knows. */
struct clock {
	uint64_t khz;
	uint64_t ns_mult;     /* ns = cycles * ns_mult >> 32 */
	uint64_t cycles_mult; /* cycles = ns * cycles_mult >> 32 */
};

void clock_init(struct clock *clock, uint64_t khz);
uint64_t clock_ns(const struct clock *clock, uint64_t cycles);
uint64_t clock_cycles(const struct clock *clock, uint64_t ns);
void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

#endif
