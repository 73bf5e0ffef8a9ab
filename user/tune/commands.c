// SPDX-License-Identifier: BSD-2-Clause
/* The commands that would set what is advised: QMP's, and virsh's. Pure. */
#include <handoff/advisor.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/id.h>

/* Who answers by QMP may tell any id: it is to be pasted into a shell. */
bool advice_can_be_set(const struct advice *a)
{
	return a->action == ADVICE_SET && strcmp(a->loop, "main") != 0 && id_wellformed(a->loop);
}

static long long advised_ns(const struct advice *a)
{
	return (long long)a->point[a->best].max_ns;
}

char *advice_qmp_command(const struct advice *a, char *buf, size_t size)
{
	snprintf(buf, size,
		 "{\"execute\": \"qom-set\", \"arguments\": {\"path\": \"/objects/%s\", "
		 "\"property\": \"poll-max-ns\", \"value\": %lld}}",
		 a->loop, advised_ns(a));
	return buf;
}

static const char *domain(const struct advice_report *r)
{
	return r->domain[0] ? r->domain : "DOMAIN";
}

char *advice_virsh_monitor(const struct advice_report *r, const struct advice *a, char *buf,
			   size_t size)
{
	char command[200];

	snprintf(buf, size, "virsh qemu-monitor-command %s '%s'", domain(r),
		 advice_qmp_command(a, command, sizeof(command)));
	return buf;
}

char *advice_virsh_iothread(const struct advice_report *r, const struct advice *a, char *buf,
			    size_t size)
{
	static const char prefix[] = "iothread";
	const char *number = a->loop + sizeof(prefix) - 1;

	buf[0] = '\0';
	if (!strncmp(a->loop, prefix, sizeof(prefix) - 1) && *number &&
	    !number[strspn(number, "0123456789")])
		snprintf(buf, size, "virsh iothreadset %s %s --poll-max-ns %lld --live", domain(r),
			 number, advised_ns(a));
	return buf;
}
