// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The definitions of maps.h and uprobe.h. */
#include "uprobe.h"

struct threads_state_map thread_states SEC(".maps");
struct kicks_map kicks SEC(".maps");
struct stage_hists_map stage_hists SEC(".maps");
struct loop_hists_map loop_hists SEC(".maps");
struct irqs_map irqs SEC(".maps");
struct messages_map messages SEC(".maps");
struct places_map places SEC(".maps");
struct vcpus_map vcpus SEC(".maps");
struct exits_map exits SEC(".maps");
struct queue_states_map queue_states SEC(".maps");
struct bindings_map bindings SEC(".maps");
struct eventfd_fds_map eventfd_fds SEC(".maps");
struct eventfd_ctxs_map eventfd_ctxs SEC(".maps");
struct consumers_map consumers SEC(".maps");
struct votes_map votes SEC(".maps");
struct changes_map changes SEC(".maps");
struct uprobe_threads_map uprobe_threads SEC(".maps");
struct uprobe_owners_map uprobe_owners SEC(".maps");
struct uprobe_begins_map uprobe_begins SEC(".maps");
struct uprobe_completed_map uprobe_completed SEC(".maps");

const volatile struct trace_config config = {};
__u64 losses[LOSSES] = {};
__u32 gone = 0;
__u32 threads_used = 0, kicks_used = 0, unknown_used = 0, pasts = 0, loops_used = 0;
struct trace_seen seen = {};
struct loop_waits loop_waits = {};
struct queue_binding binding = {};
__u32 consumers_used = 0;
__u32 rows_bound = 0;
__u64 rows_with_message = 0;
__u32 sys_exit_reads = 0, sys_exit_ioctls = 0;

char LICENSE[] SEC("license") = "Dual BSD/GPL";
