// SPDX-License-Identifier: BSD-2-Clause
/*
 * Console: a line buffer, a small formatter, and a 16550 at 0x3f8 behind services of CPL 0. A byte
 * costs an exit to user space (27 us on a software KVM), so the guest says little.
 */
#include "guest.h"

#define UART_PORT     0x3f8
#define UART_FCR      (UART_PORT + 2)
#define UART_LCR      (UART_PORT + 3)
#define UART_MCR      (UART_PORT + 4)
#define UART_LSR      (UART_PORT + 5)
#define LSR_THR_EMPTY 0x20
#define UART_FIFO     16
/* Looks at a full transmitter before it is given up: about a second of exits. */
#define UART_PATIENCE 30000

void serial_init(void)
{
	svc(SVC_OUT8, UART_LCR, 3, 0); /* 8n1 */
	svc(SVC_OUT8, UART_FCR, 7, 0); /* FIFOs on and empty */
	svc(SVC_OUT8, UART_MCR, 3, 0); /* DTR, RTS */
}

static void serial_write(const char *text, uint32_t length)
{
	uint32_t chunk, looks;

	for (; length; text += chunk, length -= chunk) {
		chunk = MIN(length, UART_FIFO);
		for (looks = 0; looks < UART_PATIENCE; looks++) {
			if (svc(SVC_IN8, UART_LSR, 0, 0) & LSR_THR_EMPTY)
				break;
		}
		svc(SVC_OUTS8, (uint64_t)text, UART_PORT, chunk);
	}
}

static void line_add_char(struct line *line, char c)
{
	/* One byte stays free for line_print()'s newline. */
	if (line->length < sizeof(line->text) - 1)
		line->text[line->length++] = c;
}

static void line_add_number(struct line *line, uint64_t value, uint32_t base)
{
	char digits[20];
	uint32_t n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n)
		line_add_char(line, digits[--n]);
}

void line_add_list(struct line *line, const char *format, va_list args)
{
	const char *s;
	bool is_long;

	for (; *format; format++) {
		if (*format != '%') {
			line_add_char(line, *format);
			continue;
		}
		is_long = format[1] == 'l';
		format += is_long ? 2 : 1;
		switch (*format) {
		case 's':
			for (s = va_arg(args, const char *); *s; s++)
				line_add_char(line, *s);
			break;
		case 'c':
			line_add_char(line, (char)va_arg(args, int));
			break;
		case 'u':
		case 'x':
			line_add_number(line,
					is_long ? va_arg(args, uint64_t) : va_arg(args, uint32_t),
					*format == 'x' ? 16 : 10);
			break;
		default:
			line_add_char(line, *format);
			break;
		}
	}
}

void line_add(struct line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line_add_list(line, format, args);
	va_end(args);
}

void line_print(struct line *line)
{
	line->text[line->length++] = '\n';
	serial_write(line->text, line->length);
	line->length = 0;
}

static void say_list(const char *prefix, const char *format, va_list args)
{
	struct line line;

	line.length = 0;
	line_add(&line, "handoff-guest: %s", prefix);
	line_add_list(&line, format, args);
	line_print(&line);
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_list("", format, args);
	va_end(args);
}

void die(enum guest_exit code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_list("error: ", format, args);
	va_end(args);
	guest_exit(code);
}
