/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The QMP monitor of a running board: one client at a time on a Unix socket, as QEMU has it; more
 * wait in the backlog. Beside it, whoever started the board may have a connection of his own, which
 * gets no events. Commands run in the main thread and in no other wait, so they may wait for
 * loops themselves. Main context. monitor.c has the connection, monitor_*.c the commands.
 */
#ifndef MACHINE_MONITOR_H
#define MACHINE_MONITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include <handoff/qmp_server.h>

struct BlockDriverState;
struct IOThread;
struct machine;

int monitor_start(struct machine *m, struct error *err) MUST_CHECK;
void monitor_stop(struct machine *m);

/* Events: nothing happens without a client that has negotiated. data: the reference is taken. */
void monitor_event(struct machine *m, const char *name, json_t *data);
void monitor_event_shutdown(struct machine *m);
/* The newest hand-over of the stats page. */
void monitor_event_handed_over(struct machine *m);
void monitor_event_iothread_changed(struct machine *m, struct IOThread *iothread,
				    const char *property);

/*
 * monitor_stuck.c: kicks that nobody takes. Looked for while there is a client, every
 * MONITOR_TICK_NS; told, once for each time, after MONITOR_STUCK_NS: a loop on a crowded machine
 * may well not run for a tenth of that.
 */
#define MONITOR_TICK_NS	 (250 * 1000000ll)
#define MONITOR_STUCK_NS (1000 * 1000000ll)

struct monitor_stuck_queue {
	uint64_t progress; /* what it had done when the kick was first seen waiting */
	int64_t since_ns;  /* 0 = no kick waited */
	bool told;
};
void monitor_stuck_look(struct machine *m, struct monitor_stuck_queue *queues, int64_t now_ns);

/* The commands; opaque is the machine. */
extern const struct qmp_command monitor_commands[];
json_t *monitor_query_status(void *opaque, const json_t *arguments, struct qmp_failure *failure);
json_t *monitor_stop_vm(void *opaque, const json_t *arguments, struct qmp_failure *failure);
json_t *monitor_cont(void *opaque, const json_t *arguments, struct qmp_failure *failure);
json_t *monitor_quit(void *opaque, const json_t *arguments, struct qmp_failure *failure);
json_t *monitor_system_powerdown(void *opaque, const json_t *arguments,
				 struct qmp_failure *failure);

/*
 * monitor_iothreads.c. The properties of an iothread: their names and types, in QEMU's order; NULL
 * ends the table. get: NULL if there is none of that name.
 */
struct monitor_property {
	const char *name, *type;
};
extern const struct monitor_property monitor_iothread_properties[];
json_t *monitor_iothread_get(struct IOThread *iothread, const char *property);
/* At once, and told to the client. False with failure. */
bool monitor_iothread_set(struct machine *m, struct IOThread *iothread, const char *property,
			  const json_t *value, struct qmp_failure *failure);
json_t *monitor_query_iothreads(void *opaque, const json_t *arguments, struct qmp_failure *failure);
json_t *monitor_object_add(void *opaque, const json_t *arguments, struct qmp_failure *failure);
json_t *monitor_object_del(void *opaque, const json_t *arguments, struct qmp_failure *failure);
json_t *monitor_query_loops(void *opaque, const json_t *arguments, struct qmp_failure *failure);

/* monitor_qom.c */
json_t *monitor_qom_list(void *opaque, const json_t *arguments, struct qmp_failure *failure);
json_t *monitor_qom_get(void *opaque, const json_t *arguments, struct qmp_failure *failure);
json_t *monitor_qom_set(void *opaque, const json_t *arguments, struct qmp_failure *failure);

/* monitor_block.c */
json_t *monitor_query_block(void *opaque, const json_t *arguments, struct qmp_failure *failure);
json_t *monitor_query_blockstats(void *opaque, const json_t *arguments,
				 struct qmp_failure *failure);
json_t *monitor_query_named_block_nodes(void *opaque, const json_t *arguments,
					struct qmp_failure *failure);
json_t *monitor_blockdev_set_iothread(void *opaque, const json_t *arguments,
				      struct qmp_failure *failure);

#endif
