// SPDX-License-Identifier: BSD-2-Clause
/* What stands in for parts that are not there yet: weak, so that theirs count as soon as they are.
 */
#include <errno.h>
#include <string.h>
#include "tracer.h"

#define WEAK __attribute__((weak))

WEAK struct folded *folded_new(const struct tracer *t, struct error *err)
{
	error_set(err, -ENOSYS, "no stacks yet");
	return NULL;
}

WEAK void folded_free(struct folded *f)
{
}

WEAK int folded_write(struct folded *f, FILE *to, struct error *err)
{
	return -ENOSYS;
}
