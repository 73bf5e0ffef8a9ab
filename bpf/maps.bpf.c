// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The definitions of maps.h. */
#include "maps.h"

struct threads_state_map thread_states SEC(".maps");
struct kicks_map kicks SEC(".maps");
struct stage_hists_map stage_hists SEC(".maps");
struct irqs_map irqs SEC(".maps");
struct messages_map messages SEC(".maps");
struct places_map places SEC(".maps");
struct vcpus_map vcpus SEC(".maps");
struct exits_map exits SEC(".maps");

const volatile struct trace_config config = {};
__u64 losses[LOSSES] = {};
__u32 gone = 0;
__u32 threads_used = 0, kicks_used = 0, pasts = 0;
struct trace_seen seen = {};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
