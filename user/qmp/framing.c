// SPDX-License-Identifier: BSD-2-Clause
/*
 * JSON messages out of a byte stream. Only brackets and strings are looked at here, whether the
 * message is JSON is jansson's to say. Neighbours: client.c, session.c.
 */
#include "framing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/compiler.h>

#define FIRST_BYTES 4096u

void qmp_printable(char *to, size_t size, const char *from, size_t n)
{
	size_t i;

	for (i = 0; i < n && i + 1 < size && from[i]; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[i] = '\0';
}

static int framing_garbage(const char *bytes, size_t n, struct error *err)
{
	char start[41];

	qmp_printable(start, sizeof(start), bytes, n);
	return error_set(err, -EPROTO,
			 "it does not speak QMP, its text begins with \"%s\" (give the socket of "
			 "-qmp, not that of -monitor or -serial)",
			 start);
}

static int framing_append(struct qmp_framing *f, const char *bytes, size_t n, struct error *err)
{
	size_t max = f->max_bytes ? f->max_bytes : QMP_MAX_BYTES;
	size_t size = f->size ? f->size : FIRST_BYTES;
	char *text;

	if (n > max - f->len)
		return error_set(err, -EMSGSIZE, "a message is larger than %zu KiB", max >> 10);
	while (size < f->len + n)
		size *= 2;
	if (size > f->size) {
		text = realloc(f->text, size);
		if (!text)
			return error_set(err, -ENOMEM, "out of memory for a message");
		f->text = text;
		f->size = size;
	}
	memcpy(f->text + f->len, bytes, n);
	f->len += n;
	return 0;
}

/*
 * One byte inside a message. 1: it was the last; -EMSGSIZE: one bracket too many; -EPROTO: no
 * message has such a byte there, so this one was never finished: a line that ends in a string, or
 * 0xff, by which a client takes back what it has begun.
 */
static int framing_step(struct qmp_framing *f, char byte)
{
	if (byte == '\xff')
		return -EPROTO;
	if (f->in_string) {
		if (byte == '\n')
			return -EPROTO;
		if (f->escaped)
			f->escaped = false;
		else if (byte == '\\')
			f->escaped = true;
		else if (byte == '"')
			f->in_string = false;
		return 0;
	}
	switch (byte) {
	case '"':
		f->in_string = true;
		return 0;
	case '{':
	case '[':
		return ++f->depth > QMP_MAX_DEPTH ? -EMSGSIZE : 0;
	case '}':
	case ']':
		return !--f->depth;
	default:
		return 0;
	}
}

/* How many bytes the rest of the line has. */
static size_t framing_skip(struct qmp_framing *f, const char *bytes, size_t n)
{
	const char *end = memchr(bytes, '\n', n);

	f->skipping = !end;
	return end ? (size_t)(end - bytes) : n;
}

int qmp_framing_feed(struct qmp_framing *f, const char *bytes, size_t n, size_t *used,
		     struct error *err)
{
	size_t begin = f->skipping ? framing_skip(f, bytes, n) : 0, i;
	int ret = 0;

	if (!f->depth) {
		while (begin < n && memchr(" \t\r\n", bytes[begin], 4))
			begin++;
		*used = begin;
		if (begin == n)
			return 0;
		if (bytes[begin] != '{')
			return framing_garbage(bytes + begin, n - begin, err);
	}
	for (i = begin; i < n && !ret; i++)
		ret = framing_step(f, bytes[i]);
	*used = ret < 0 ? i - 1 : i; /* that byte may be the newline to skip to */
	if (ret == -EMSGSIZE)
		return error_set(err, ret, "a message is nested deeper than %u", QMP_MAX_DEPTH);
	if (ret < 0)
		return error_set(err, ret, "a message is no JSON: it breaks off");
	return framing_append(f, bytes + begin, i - begin, err) ?: ret;
}

void qmp_framing_skip_line(struct qmp_framing *f)
{
	f->len = 0;
	f->depth = 0;
	f->in_string = f->escaped = false;
	f->skipping = true;
}

json_t *qmp_framing_take(struct qmp_framing *f, struct error *err)
{
	json_error_t why;
	json_t *message = json_loadb(f->text, f->len, JSON_REJECT_DUPLICATES, &why);
	char start[61], text[JSON_ERROR_TEXT_LENGTH];

	/* An unsigned number past the reach of jansson's integers. */
	if (!message && json_error_code(&why) == json_error_numeric_overflow)
		message = json_loadb(f->text, f->len,
				     JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &why);
	if (!message) {
		qmp_printable(start, sizeof(start), f->text, f->len);
		qmp_printable(text, sizeof(text), why.text, strlen(why.text));
		error_set(err, -EPROTO, "a message is no JSON: %s, in %s", text, start);
	}
	f->len = 0;
	return message;
}

void qmp_framing_release(struct qmp_framing *f)
{
	free(f->text);
	*f = (struct qmp_framing){ .max_bytes = f->max_bytes };
}
