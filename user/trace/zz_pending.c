// SPDX-License-Identifier: BSD-2-Clause
/* What stands in for parts that are not there yet: weak, so that theirs count as soon as they are.
 */
#include <errno.h>
#include <string.h>
#include "tracer.h"

#define WEAK __attribute__((weak))

WEAK struct discover *discover_new(struct error *err)
{
	error_set(err, -ENOSYS, "VMMs other than handoff's cannot be traced yet");
	return NULL;
}

WEAK void discover_free(struct discover *d)
{
}

WEAK int discover_run(struct discover *d, pid_t pid, unsigned int samples, struct vm_list *list,
		      struct error *err)
{
	return error_set(err, -ENOSYS, "no discovery");
}

WEAK void vm_list_release(struct vm_list *list)
{
	memset(list, 0, sizeof(*list));
}

WEAK void vm_name_queues(struct vm *vm, const struct vm_names *names)
{
}

WEAK const char *consumer_how_name(enum consumer_how how)
{
	return "";
}

WEAK int kernel_bind(struct kernel *k, uint32_t row, const struct kernel_queue *queue)
{
	return -ENOSYS;
}

WEAK int kernel_changes_fd(const struct kernel *k)
{
	return -1;
}

WEAK uint64_t kernel_changes(struct kernel *k)
{
	return 0;
}

WEAK struct alarms *alarms_new(const struct tracer *t)
{
	return NULL;
}

WEAK void alarms_free(struct alarms *a)
{
}

WEAK void alarms_check(struct tracer *t, struct report *r, int64_t now_ns)
{
}

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
