/* SPDX-License-Identifier: BSD-2-Clause */
/* One chart of a loop's curve, as a piece of an SVG. Pure. */
#ifndef TUNE_SVG_H
#define TUNE_SVG_H

#include <handoff/advisor.h>

#define CHART_WIDTH  460
#define CHART_HEIGHT 216

/* What a chart shows, in the order they stand. */
enum chart_kind { CHART_HITS, CHART_CPU, CHART_SAVED, CHART_KICKS, CHARTS };

/* Text as character data: what is no printable ASCII is '?', since names are another VM's. */
void svg_escaped(const char *text, FILE *to);
/* Its upper left corner at x, y. Needs a->n. */
void svg_chart(const struct advice *a, enum chart_kind kind, double x, double y, FILE *to);

#endif
