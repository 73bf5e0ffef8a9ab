// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a client may ask for, and the commands about the run as a whole. Names, arguments and
 * answers are QEMU's (qapi/ of QEMU) but for x-handoff-*; where QEMU tells more, we tell what we
 * have. Main thread. Neighbours: monitor.c calls; monitor_*.c.
 */
#include "monitor.h"

#include "board.h"

json_t *monitor_query_status(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	const struct machine *m = opaque;
	bool running = !m->paused && !m->quit_cause;

	return json_pack("{s:b, s:b, s:s}", "running", running, "singlestep", false, "status",
			 m->quit_cause ? "shutdown"
			 : running     ? "running"
				       : "paused");
}

json_t *monitor_stop_vm(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	board_pause(opaque);
	return json_object();
}

json_t *monitor_cont(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	board_resume(opaque);
	return json_object();
}

json_t *monitor_quit(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	board_quit(opaque, MACHINE_EXIT_OK, BOARD_CAUSE_QMP);
	return json_object();
}

json_t *monitor_system_powerdown(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	struct machine *m = opaque;

	power_press_button(&m->power);
	monitor_event(m, "POWERDOWN", NULL);
	return json_object();
}

const struct qmp_command monitor_commands[] = {
	{ "query-status", monitor_query_status, {} },
	{ "stop", monitor_stop_vm, {} },
	{ "cont", monitor_cont, {} },
	{ "quit", monitor_quit, {} },
	{ "system_powerdown", monitor_system_powerdown, {} },
	{ "query-iothreads", monitor_query_iothreads, {} },
	{ "object-add",
	  monitor_object_add,
	  { { "qom-type", QMP_STRING },
	    { "id", QMP_STRING },
	    { "poll-max-ns", QMP_INTEGER, true },
	    { "poll-grow", QMP_INTEGER, true },
	    { "poll-shrink", QMP_INTEGER, true },
	    { "poll-weight", QMP_INTEGER, true },
	    { "poll-latency-percent", QMP_INTEGER, true },
	    { "poll-policy", QMP_STRING, true } } },
	{ "object-del", monitor_object_del, { { "id", QMP_STRING } } },
	{ "qom-list", monitor_qom_list, { { "path", QMP_STRING } } },
	{ "qom-get", monitor_qom_get, { { "path", QMP_STRING }, { "property", QMP_STRING } } },
	{ "qom-set",
	  monitor_qom_set,
	  { { "path", QMP_STRING }, { "property", QMP_STRING }, { "value", QMP_ANY } } },
	{ "query-block", monitor_query_block, {} },
	{ "query-blockstats", monitor_query_blockstats, { { "query-nodes", QMP_BOOLEAN, true } } },
	{ "query-named-block-nodes",
	  monitor_query_named_block_nodes,
	  { { "flat", QMP_BOOLEAN, true } } },
	/* Our disks can always be moved, so there is nothing to force; the argument is accepted. */
	{ "x-blockdev-set-iothread",
	  monitor_blockdev_set_iothread,
	  { { "node-name", QMP_STRING },
	    { "iothread", QMP_STRING_OR_NULL },
	    { "force", QMP_BOOLEAN, true } } },
	{ "x-handoff-query-loops", monitor_query_loops, {} },
	{ .name = NULL },
};
