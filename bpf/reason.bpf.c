// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Why vCPUs leave the guest, where kvm_exit fires. A program of its own beside ho_kvm_exit: it
 * looks into types of kvm-intel and kvm-amd, which a kernel may not describe and which ask for
 * CAP_SYS_ADMIN.
 */
#include "drift.bpf.h"

SEC("?raw_tp/kvm_exit")
int ho_exit_reason(struct bpf_raw_tracepoint_args *ctx)
{
	struct exit_key key = {};
	const __u64 one = 1;
	__u64 *count;

	if (!ours())
		return 0;
	key.tid = bpf_get_current_pid_tgid();
	if (!drift_exit_reason(ctx, &key))
		return 0;
	count = bpf_map_lookup_elem(&exits, &key);
	if (count)
		*count += 1; /* one writer: this vCPU's thread */
	else if (bpf_map_update_elem(&exits, &key, &one, BPF_NOEXIST))
		lost(LOSS_MAPS);
	return 0;
}
