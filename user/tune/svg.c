// SPDX-License-Identifier: BSD-2-Clause
/*
 * Advice as a picture, one SVG file that needs no other: of each loop what is said of it, and four
 * charts of its curve. Background and text change together by the reader's colour scheme, so it can
 * be read on any page. Main thread.
 */
#include "svg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/compiler.h>
#include "words.h"

#define MARGIN	   20
#define WIDTH	   (2 * CHART_WIDTH + 3 * MARGIN)
#define LINE	   17
/* 12 px sans-serif: that many characters fit for certain. */
#define LINE_CHARS 125

/* Without variables, which not every reader of SVG knows. */
static const char style[] =
	"<style>\n"
	"text{font:12px sans-serif;fill:#1f2328}\n"
	".head{font-weight:bold;font-size:14px}.name{font-weight:bold}\n"
	".end{text-anchor:end}.middle{text-anchor:middle}\n"
	".paper{fill:#fff}.grid{stroke:#d0d7de}circle{fill:#0969da}\n"
	".curve{fill:none;stroke:#0969da;stroke-width:2}\n"
	".today{stroke:#9a6700;stroke-width:1.5;stroke-dasharray:6 3}\n"
	".knee{stroke:#8250df;stroke-width:1.5;stroke-dasharray:2 3}\n"
	".best{stroke:#1a7f37;stroke-width:1.5}\n"
	"@media (prefers-color-scheme:dark){\n"
	"text{fill:#e6edf3}.paper{fill:#0d1117}.grid{stroke:#3d444d}circle{fill:#4493f8}\n"
	".curve{stroke:#4493f8}.today{stroke:#d29922}.knee{stroke:#ab7df8}.best{stroke:#3fb950}\n"
	"}\n"
	"</style>\n";

static double put_line(const char *class, double x, double y, const char *text, FILE *to)
{
	fprintf(to, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y + 12);
	svg_escaped(text, to);
	fprintf(to, "</text>\n");
	return y + LINE;
}

/* Broken at blanks; returns where the next line may be. */
static double put_words(double y, const char *text, FILE *to)
{
	char line[LINE_CHARS + 1];
	size_t len;

	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		len = strlen(text);
		if (len > LINE_CHARS)
			for (len = LINE_CHARS; len > 1 && text[len] != ' '; len--)
				;
		/* A word longer than a line. */
		if (len <= 1 && strlen(text) > LINE_CHARS)
			len = LINE_CHARS;
		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		y = put_line("said", MARGIN, y, line, to);
		text += len;
	}
	return y;
}

static double put_legend(double y, FILE *to)
{
	static const struct {
		const char *class, *words;
	} marks[] = {
		{ "curve", "foretold for each poll-max-ns" },
		{ "today", "today's setting" },
		{ "knee", "the knee: more brings little" },
		{ "best", "best by the goal" },
	};
	unsigned int i;
	double x;

	for (i = 0; i < ARRAY_SIZE(marks); i++) {
		x = MARGIN + 240.0 * i;
		fprintf(to, "<path class=\"%s\" d=\"M%.1f %.1fh28\"/>\n", marks[i].class, x, y + 8);
		put_line("said", x + 34, y, marks[i].words, to);
	}
	return y + LINE + 6;
}

static double put_loop(const struct advice_report *r, const struct advice *a, double y, FILE *to)
{
	char words[WORDS_MAX], text[WORDS_MAX + 16];
	unsigned int kind;

	y = put_line("head", MARGIN, y + MARGIN, words_loop(r, a, words), to);
	snprintf(text, sizeof(text), "waits: %s", words_waits(a, words));
	if (*words)
		y = put_words(y, text, to);
	snprintf(text, sizeof(text), "%s %s",
		 a->action == ADVICE_NONE ? "no advice:" : "advice:", words_advice(a, words));
	y = put_words(y, text, to);
	y = put_words(y, a->sure, to);
	snprintf(text, sizeof(text), "kicks: %s", words_kicks(a, words));
	if (*words)
		y = put_words(y, text, to);
	if (!a->n)
		return y;
	y += 8;
	for (kind = 0; kind < CHARTS; kind++)
		svg_chart(a, kind, MARGIN + kind % 2 * (CHART_WIDTH + MARGIN),
			  y + (kind >= 2 ? CHART_HEIGHT : 0), to);
	return y + 2 * CHART_HEIGHT;
}

/* All but its frame; returns how high it is. */
static double put_body(const struct advice_report *r, FILE *to)
{
	char text[WORDS_MAX];
	double y = put_line("head", MARGIN, MARGIN, words_vm(r, text), to);
	uint32_t i;

	if (r->n)
		y = put_legend(y, to);
	else
		y = put_words(y, WORDS_NO_LOOP, to);
	for (i = 0; i < r->n; i++)
		y = put_loop(r, &r->loop[i], y, to);
	if (r->qmp_reason[0])
		y = put_words(y + 8, r->qmp_reason, to);
	return y + MARGIN;
}

int advice_svg(const struct advice_report *r, FILE *to, struct error *err)
{
	char *body = NULL;
	double height = 0;
	int ret = 0;
	size_t size;
	FILE *f = open_memstream(&body, &size);

	if (f)
		height = put_body(r, f);
	if (!f || fclose(f)) {
		free(body);
		return error_set(err, -ENOMEM, "out of memory");
	}
	errno = 0;
	fprintf(to,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" "
		"viewBox=\"0 0 %d %.0f\" role=\"img\">\n"
		"<title>what each poll-max-ns would do</title>\n"
		"%s<rect class=\"paper\" width=\"100%%\" height=\"100%%\"/>\n%s</svg>\n",
		WIDTH, height, WIDTH, height, style, body);
	if (fflush(to) || ferror(to))
		ret = error_set(err, errno ? -errno : -EIO, "cannot write the picture: %s",
				strerror(errno ? errno : EIO));
	free(body);
	return ret;
}
