// SPDX-License-Identifier: BSD-2-Clause
/*
 * See svg.h. poll-max-ns goes along a log axis, with 0, which has no logarithm, at a place of its
 * own on the left. Above the plot are as many rows as there are marks, so that no label covers
 * another's.
 *
 *	name, unit
 *	     | today 0      | knee 64000
 *	100 -+---------------------------
 *	     0    10us   100us   1ms
 */
#include "svg.h"

#include <math.h>
#include <stdio.h>
#include <handoff/compiler.h>

#define PLOT_LEFT   52.0
#define PLOT_TOP    64.0
#define PLOT_WIDTH  (CHART_WIDTH - PLOT_LEFT - 12)
#define PLOT_HEIGHT (CHART_HEIGHT - PLOT_TOP - 38)
/* Between 0 and the least of the others. */
#define ZERO_WIDTH  36.0
#define LABEL_ROW   13.0

struct plot {
	const struct advice *a;
	enum chart_kind kind;
	double left, top; /* of the plot itself */
	double from, to;  /* of the log axis, log10 of ns */
	double most;	  /* at the upper edge */
	FILE *out;
};

static double hits_of(const struct advice *a, const struct advice_point *p)
{
	return p->hit_share * 100;
}

static double cpu_of(const struct advice *a, const struct advice_point *p)
{
	return p->cpu * 100;
}

/* The first candidate is 0: each wait is slept through. */
static double saved_of(const struct advice *a, const struct advice_point *p)
{
	return (a->point[0].late_ns - p->late_ns) / 1000;
}

static double kicks_of(const struct advice *a, const struct advice_point *p)
{
	return a->point[0].kicks - p->kicks;
}

static const struct {
	const char *name, *unit;
	double most; /* 0: as the data has it */
	double (*of)(const struct advice *a, const struct advice_point *p);
} charts[CHARTS] = {
	[CHART_HITS] = { "hit share", "% of the waits", 100, hits_of },
	[CHART_CPU] = { "CPU burned by spins", "% of a core", 0, cpu_of },
	[CHART_SAVED] = { "latency saved", "us of a wait, on the mean", 0, saved_of },
	[CHART_KICKS] = { "kicks avoided at most", "a second", 0, kicks_of },
};

void svg_escaped(const char *text, FILE *to)
{
	for (; *text; text++) {
		if (*text == '&')
			fputs("&amp;", to);
		else if (*text == '<')
			fputs("&lt;", to);
		else if (*text == '>')
			fputs("&gt;", to);
		else
			fputc(*text >= ' ' && *text <= '~' ? *text : '?', to);
	}
}

/* The least of 1, 2, 5, 10, ... times a power of ten that is no less. */
static double round_up(double value)
{
	double unit;

	if (value <= 0)
		return 1;
	unit = pow(10, floor(log10(value)));
	if (value <= unit)
		return unit;
	return value <= 2 * unit ? 2 * unit : value <= 5 * unit ? 5 * unit : 10 * unit;
}

static void measure(struct plot *p)
{
	const struct advice *a = p->a;
	uint32_t i;

	p->from = log10((double)MAX(a->point[1].max_ns, (int64_t)1));
	p->to = log10((double)MAX(a->point[a->n - 1].max_ns, (int64_t)1));
	p->most = charts[p->kind].most;
	if (p->most > 0)
		return;
	for (i = 0; i < a->n; i++)
		p->most = MAX(p->most, charts[p->kind].of(a, &a->point[i]));
	p->most = round_up(p->most);
}

static double x_of(const struct plot *p, double max_ns)
{
	double wide = PLOT_WIDTH - ZERO_WIDTH;

	if (max_ns < 1)
		return p->left;
	return p->left + ZERO_WIDTH + wide * (log10(max_ns) - p->from) / MAX(p->to - p->from, 1e-9);
}

static double y_of(const struct plot *p, double value)
{
	return p->top + PLOT_HEIGHT * (1 - value / p->most);
}

static void put_grid(const struct plot *p)
{
	double value;
	int i;

	for (i = 0; i <= 2; i++) {
		value = p->most * i / 2;
		fprintf(p->out, "<path class=\"grid\" d=\"M%.1f %.1fh%.1f\"/>\n", p->left,
			y_of(p, value), PLOT_WIDTH);
		fprintf(p->out, "<text class=\"end\" x=\"%.1f\" y=\"%.1f\">%.5g</text>\n",
			p->left - 6, y_of(p, value) + 4, value);
	}
}

static void put_tick(const struct plot *p, double ns, const char *label)
{
	fprintf(p->out,
		"<path class=\"grid\" d=\"M%.1f %.1fv4\"/>\n"
		"<text class=\"middle\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
		x_of(p, ns), p->top + PLOT_HEIGHT, x_of(p, ns), p->top + PLOT_HEIGHT + 17, label);
}

/* 0, and the powers of ten. */
static void put_ticks(const struct plot *p)
{
	static const char *const unit[] = { "ns", "us", "ms", "s" };
	char label[32];
	int decade, k;

	put_tick(p, 0, "0");
	for (decade = (int)ceil(p->from - 1e-9); decade <= p->to + 1e-9; decade++) {
		k = MIN(decade / 3, 3);
		snprintf(label, sizeof(label), "%.0f%s", pow(10, decade - 3 * k), unit[k]);
		put_tick(p, pow(10, decade), label);
	}
	fprintf(p->out, "<text class=\"end\" x=\"%.1f\" y=\"%.1f\">poll-max-ns, log</text>\n",
		p->left + PLOT_WIDTH, p->top + PLOT_HEIGHT + 33);
}

static void put_curve(const struct plot *p)
{
	const struct advice_point *point;
	double value;
	uint32_t i;

	fprintf(p->out, "<polyline class=\"curve\" points=\"");
	for (i = 0; i < p->a->n; i++) {
		point = &p->a->point[i];
		fprintf(p->out, "%s%.1f,%.1f", i ? " " : "", x_of(p, (double)point->max_ns),
			y_of(p, charts[p->kind].of(p->a, point)));
	}
	fprintf(p->out, "\"/>\n");
	for (i = 0; i < p->a->n; i++) {
		point = &p->a->point[i];
		value = charts[p->kind].of(p->a, point);
		fprintf(p->out,
			"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"><title>poll-max-ns %lld: %.4g "
			"%s</title></circle>\n",
			x_of(p, (double)point->max_ns), y_of(p, value), (long long)point->max_ns,
			value, charts[p->kind].unit);
	}
}

/* A line through the plot up to its label, which is on the side where there is room. */
static void put_mark(const struct plot *p, const char *name, uint32_t i, unsigned int row)
{
	double max_ns = (double)p->a->point[i].max_ns, x = x_of(p, max_ns);
	double y = p->top - LABEL_ROW * (3 - row) + 8;
	bool right = x < p->left + PLOT_WIDTH / 2;

	fprintf(p->out, "<path class=\"%s\" d=\"M%.1f %.1fV%.1f\"/>\n", name, x, y - 8,
		p->top + PLOT_HEIGHT);
	fprintf(p->out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s %.0f</text>\n",
		right ? "start" : "end", right ? x + 4 : x - 4, y, name, max_ns);
}

void svg_chart(const struct advice *a, enum chart_kind kind, double x, double y, FILE *to)
{
	struct plot p = {
		.a = a, .kind = kind, .left = x + PLOT_LEFT, .top = y + PLOT_TOP, .out = to
	};

	measure(&p);
	fprintf(to, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\">%s, %s</text>\n", x, y + 14,
		charts[kind].name, charts[kind].unit);
	put_grid(&p);
	put_ticks(&p);
	put_curve(&p);
	if (a->today < a->n)
		put_mark(&p, "today", a->today, 0);
	/* A curve without hits has no knee. */
	if (a->point[a->knee].hit_share > 0)
		put_mark(&p, "knee", a->knee, 1);
	if (a->action != ADVICE_NONE)
		put_mark(&p, "best", a->best, 2);
}
