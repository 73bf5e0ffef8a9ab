/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of a loop, in words that text and picture share. One line each, no newline; return
 * buf. Pure. */
#ifndef TUNE_WORDS_H
#define TUNE_WORDS_H

#include <handoff/advisor.h>

#define WORDS_MAX     (ADVICE_TEXT + 160)
#define WORDS_NO_LOOP "No loop was seen serving a kick: is the guest idle?"

/* Of the VM: which, for how long, by which goal. */
char *words_vm(const struct advice_report *r, char buf[WORDS_MAX]);
/* The goal and the limit alone. */
char *words_goal(const struct advice_goal *goal, char buf[WORDS_MAX]);
/* The loop, and what is set today. */
char *words_loop(const struct advice_report *r, const struct advice *a, char buf[WORDS_MAX]);
/* The waits that were seen; "" = none. */
char *words_waits(const struct advice *a, char buf[WORDS_MAX]);
/* What is advised and why; of ADVICE_NONE why nothing is. */
char *words_advice(const struct advice *a, char buf[WORDS_MAX]);
/* How many kicks there are at the best point if polling does not keep the guest from kicking; "" =
 * it does. */
char *words_kicks(const struct advice *a, char buf[WORDS_MAX]);

#endif
