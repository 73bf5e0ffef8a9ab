// SPDX-License-Identifier: BSD-2-Clause
/* Facts about the host from /proc and /sys. Each may be missing; then it reads "unknown". */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The value of the first "key : value" line of /proc/cpuinfo; false if there is none. */
static bool cpuinfo(const char *key, char *value, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	size_t room = 0, len = strlen(key);
	char *line = NULL, *p;
	bool found = false;

	while (f && !found && getline(&line, &room, f) > 0) {
		if (strncmp(line, key, len) || !strchr(" \t:", line[len]))
			continue;
		p = strchr(line, ':');
		if (!p)
			continue;
		p += 1 + strspn(p + 1, " \t");
		p[strcspn(p, "\n")] = '\0';
		snprintf(value, size, "%s", p);
		found = true;
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

/*
 * Which KVM: by what the CPU offers, or by the module that is loaded. A KVM without svm or vmx is
 * one in software; PVM is the one that is in use.
 */
static void host_kvm(struct host *host)
{
	char flags[4096] = "";

	if (!cpuinfo("flags", flags, sizeof(flags)) && !cpuinfo("Features", flags, sizeof(flags)))
		flags[0] = '\0';
	host->hypervisor = strstr(flags, " hypervisor");
	if (access("/dev/kvm", F_OK))
		snprintf(host->kvm, sizeof(host->kvm), "none");
	else if (strstr(flags, " vmx"))
		snprintf(host->kvm, sizeof(host->kvm), "Intel VMX");
	else if (strstr(flags, " svm"))
		snprintf(host->kvm, sizeof(host->kvm), "AMD SVM");
	else
#if defined(__x86_64__)
		snprintf(host->kvm, sizeof(host->kvm), "KVM-PVM (no vmx, no svm)");
#else
		snprintf(host->kvm, sizeof(host->kvm), "yes");
#endif
}

void host_read(struct host *host)
{
	struct utsname uts;

	memset(host, 0, sizeof(*host));
	snprintf(host->kernel, sizeof(host->kernel), "unknown");
	if (!uname(&uts))
		snprintf(host->kernel, sizeof(host->kernel), "%.63s", uts.release);
	if (!cpuinfo("model name", host->cpu, sizeof(host->cpu)))
		snprintf(host->cpu, sizeof(host->cpu), "unknown");
	host_kvm(host);
	host->steal_ns = host_steal_ns();
}

/* Field 8 of the first line of /proc/stat, in ticks. */
uint64_t host_steal_ns(void)
{
	unsigned long long steal = 0;
	long hz = sysconf(_SC_CLK_TCK);
	FILE *f = fopen("/proc/stat", "re");

	if (!f)
		return 0;
	if (fscanf(f, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &steal) != 1)
		steal = 0;
	fclose(f);
	return hz > 0 ? steal * (1000000000ull / hz) : 0;
}
