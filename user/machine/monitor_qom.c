// SPDX-License-Identifier: BSD-2-Clause
/*
 * The object tree: "/" has "objects", which has the iothreads, which have their poll settings.
 * Main thread. Neighbours: monitor_commands.c has the table, monitor_iothreads.c the properties.
 */
#include "monitor.h"

#include <string.h>
#include <handoff/iothread.h>
#include "board.h"

enum qom_kind { QOM_ROOT, QOM_OBJECTS, QOM_IOTHREAD };

struct qom_object {
	enum qom_kind kind;
	struct IOThread *iothread;
};

static const char *type_of(const struct qom_object *o)
{
	return o->kind == QOM_IOTHREAD ? "iothread" : "container";
}

static struct IOThread *find_iothread(struct machine *m, const char *id, size_t len)
{
	unsigned int i;

	for (i = 0; i < m->n_iothreads; i++) {
		const char *name = iothread_get_id(m->iothread[i].iothread);

		if (strlen(name) == len && !strncmp(name, id, len))
			return m->iothread[i].iothread;
	}
	return NULL;
}

/* One step down; empty names are none, so "//objects/" is "/objects". False: there is no such
 * child. */
static bool step(struct machine *m, struct qom_object *o, const char *name, size_t len)
{
	if (!len)
		return true;
	if (o->kind == QOM_ROOT && len == strlen("objects") && !strncmp(name, "objects", len)) {
		o->kind = QOM_OBJECTS;
		return true;
	}
	o->iothread = o->kind == QOM_OBJECTS ? find_iothread(m, name, len) : NULL;
	o->kind = QOM_IOTHREAD;
	return o->iothread;
}

static bool walk(struct machine *m, struct qom_object *o, const char *path)
{
	for (;;) {
		size_t len = strcspn(path, "/");

		if (!step(m, o, path, len))
			return false;
		path += len;
		if (!*path)
			return true;
		path++;
	}
}

/* An absolute path, or QEMU's partial one, which begins anywhere. */
static bool resolve(struct machine *m, const json_t *arguments, struct qom_object *o,
		    struct qmp_failure *failure)
{
	const char *path = json_string_value(json_object_get(arguments, "path"));

	*o = (struct qom_object){ .kind = QOM_ROOT };
	if (walk(m, o, path))
		return true;
	*o = (struct qom_object){ .kind = QOM_OBJECTS };
	if (*path != '/' && walk(m, o, path))
		return true;
	qmp_fail(failure, QMP_DEVICE_NOT_FOUND, "Device '%.200s' not found", path);
	return false;
}

static void add_entry(json_t *list, const char *name, const char *type)
{
	json_array_append_new(list, json_pack("{s:s, s:s}", "name", name, "type", type));
}

json_t *monitor_qom_list(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	const struct monitor_property *p = monitor_iothread_properties;
	struct machine *m = opaque;
	struct qom_object o;
	unsigned int i;
	json_t *list;

	if (!resolve(m, arguments, &o, failure))
		return NULL;
	list = json_array();
	add_entry(list, "type", "string");
	if (o.kind == QOM_ROOT)
		add_entry(list, "objects", "child<container>");
	for (i = 0; o.kind == QOM_OBJECTS && i < m->n_iothreads; i++)
		add_entry(list, iothread_get_id(m->iothread[i].iothread), "child<iothread>");
	for (; o.kind == QOM_IOTHREAD && p->name; p++)
		add_entry(list, p->name, p->type);
	return list;
}

static json_t *no_property(const struct qom_object *o, const char *property,
			   struct qmp_failure *failure)
{
	return qmp_fail(failure, QMP_GENERIC_ERROR, "Property '%s.%.200s' not found", type_of(o),
			property);
}

/* A child's value is its path. */
static json_t *get_child(struct machine *m, const struct qom_object *o, const char *property)
{
	if (o->kind == QOM_ROOT && !strcmp(property, "objects"))
		return json_string("/objects");
	if (o->kind == QOM_OBJECTS && find_iothread(m, property, strlen(property)))
		return json_sprintf("/objects/%s", property);
	return NULL;
}

json_t *monitor_qom_get(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	const char *property = json_string_value(json_object_get(arguments, "property"));
	struct qom_object o;
	json_t *value;

	if (!resolve(opaque, arguments, &o, failure))
		return NULL;
	if (!strcmp(property, "type"))
		return json_string(type_of(&o));
	value = o.kind == QOM_IOTHREAD ? monitor_iothread_get(o.iothread, property)
				       : get_child(opaque, &o, property);
	return value ? value : no_property(&o, property, failure);
}

json_t *monitor_qom_set(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	const char *property = json_string_value(json_object_get(arguments, "property"));
	const struct monitor_property *p = monitor_iothread_properties;
	struct qom_object o;
	json_t *child;

	if (!resolve(opaque, arguments, &o, failure))
		return NULL;
	child = get_child(opaque, &o, property);
	json_decref(child);
	if (child || !strcmp(property, "type"))
		return qmp_fail(failure, QMP_GENERIC_ERROR, "Property '%s.%s' is not writable",
				type_of(&o), property);
	while (o.kind == QOM_IOTHREAD && p->name && strcmp(p->name, property))
		p++;
	if (o.kind != QOM_IOTHREAD || !p->name)
		return no_property(&o, property, failure);
	if (!monitor_iothread_set(opaque, o.iothread, property, json_object_get(arguments, "value"),
				  failure))
		return NULL;
	return json_object();
}
