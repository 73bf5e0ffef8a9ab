// SPDX-License-Identifier: BSD-2-Clause
/*
 * The table of poll policies and the check of their settings. Pure, any thread. Neighbours: qemu.c,
 * qemu_weighted.c, break_even.c and fixed.c are the policies, aio/ is the caller.
 */
#include <handoff/poll_policy.h>

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const struct poll_policy *const policies[] = {
	&poll_policy_qemu_weighted,
	&poll_policy_qemu,
	&poll_policy_break_even,
	&poll_policy_fixed,
};

static const char known[] = "qemu-weighted, qemu, break-even and fixed";

const struct poll_policy *poll_policy_find(const char *name, struct error *err)
{
	size_t i;

	if (!name)
		name = POLL_POLICY_DEFAULT;
	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		if (!strcmp(policies[i]->name, name))
			return policies[i];
	}
	error_set(err, -EINVAL, "poll policy '%s' does not exist; there are %s", name, known);
	return NULL;
}

const struct poll_policy *poll_policy_next(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		if (!strcmp(policies[i]->name, name))
			return policies[(i + 1) % ARRAY_SIZE(policies)];
	}
	return NULL;
}

int poll_params_complete(const struct poll_policy *policy, struct poll_params *params,
			 struct error *err)
{
	if (params->max_ns < 0)
		return error_set(err, -EINVAL, "poll-max-ns value must be in range [0, %lld]",
				 (long long)INT64_MAX);
	if (params->weight > 63)
		return error_set(err, -EINVAL, "poll-weight value must be in range [0, 63]");
	if (params->latency_percent > POLL_LATENCY_PERCENT_MAX)
		return error_set(err, -EINVAL,
				 "poll-latency-percent value must be in range [0, %d]",
				 POLL_LATENCY_PERCENT_MAX);
	if (!params->grow)
		params->grow = policy->defaults.grow;
	if (!params->shrink)
		params->shrink = policy->defaults.shrink;
	if (!params->weight)
		params->weight = policy->defaults.weight;
	if (!params->latency_percent)
		params->latency_percent = policy->defaults.latency_percent;
	return 0;
}
