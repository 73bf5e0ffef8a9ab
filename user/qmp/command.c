// SPDX-License-Identifier: BSD-2-Clause
/*
 * From a request to its command: what a request must look like, arguments against the table, and
 * the three commands that are the protocol's own. Words of errors are QEMU's. Neighbour: session.c.
 */
#include "session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <handoff/compiler.h>

json_t *qmp_fail(struct qmp_failure *failure, enum qmp_error_class class, const char *fmt, ...)
{
	va_list ap;

	failure->class = class;
	va_start(ap, fmt);
	vsnprintf(failure->error.msg, sizeof(failure->error.msg), fmt, ap);
	va_end(ap);
	return NULL;
}

bool qmp_type_check(const char *name, enum qmp_type type, const json_t *value,
		    struct qmp_failure *failure)
{
	static const char *const expected[] = {
		[QMP_STRING] = "string",
		[QMP_INTEGER] = "integer",
		[QMP_BOOLEAN] = "boolean",
		[QMP_STRING_OR_NULL] = "StrOrNull",
	};
	const bool fits[] = {
		[QMP_STRING] = json_is_string(value),
		[QMP_INTEGER] = json_is_integer(value),
		[QMP_BOOLEAN] = json_is_boolean(value),
		[QMP_STRING_OR_NULL] = json_is_string(value) || json_is_null(value),
		[QMP_ANY] = true,
	};

	if (!fits[type])
		qmp_fail(failure, QMP_GENERIC_ERROR,
			 "Invalid parameter type for '%s', expected: %s", name, expected[type]);
	return fits[type];
}

static const struct qmp_parameter *find_parameter(const struct qmp_command *command,
						  const char *name)
{
	const struct qmp_parameter *p = command->parameters;

	for (; p < command->parameters + QMP_MAX_PARAMETERS && p->name; p++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

/* Missing and of a wrong type come before unexpected, as QEMU's visitors have it. */
static bool check_arguments(const struct qmp_command *command, const json_t *arguments,
			    struct qmp_failure *failure)
{
	const struct qmp_parameter *p = command->parameters;
	const char *name;
	json_t *value;

	for (; p < command->parameters + QMP_MAX_PARAMETERS && p->name; p++) {
		value = json_object_get(arguments, p->name);
		if (!value && !p->optional) {
			qmp_fail(failure, QMP_GENERIC_ERROR, "Parameter '%s' is missing", p->name);
			return false;
		}
		if (value && !qmp_type_check(p->name, p->type, value, failure))
			return false;
	}
	json_object_foreach((json_t *)arguments, name, value)
	{
		if (find_parameter(command, name))
			continue;
		qmp_fail(failure, QMP_GENERIC_ERROR, "Parameter '%s' is unexpected", name);
		return false;
	}
	return true;
}

/* --- the protocol's own commands; their opaque is the session -------------------------------- */

json_t *qmp_version(void)
{
	int major = 0, minor = 0, micro = 0;

	/* Ours: a client that asks for a QEMU of some age learns that this is none. */
	sscanf(HANDOFF_VERSION, "%d.%d.%d", &major, &minor, &micro);
	return json_pack("{s:{s:i, s:i, s:i}, s:s}", "qemu", "micro", micro, "minor", minor,
			 "major", major, "package", "handoff " HANDOFF_VERSION);
}

static json_t *query_version(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	return qmp_version();
}

static json_t *qmp_capabilities(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	struct qmp_session *s = opaque;
	const json_t *enable = json_object_get(arguments, "enable"), *first;

	if (s->negotiated)
		return qmp_fail(failure, QMP_COMMAND_NOT_FOUND,
				"Capabilities negotiation is already complete, command ignored");
	if (enable && !json_is_array(enable))
		return qmp_fail(failure, QMP_GENERIC_ERROR,
				"Invalid parameter type for 'enable', expected: array");
	first = json_array_get(enable, 0);
	if (first && json_is_string(first))
		return qmp_fail(failure, QMP_GENERIC_ERROR,
				"Parameter 'enable[0]' does not accept value '%s'",
				json_string_value(first));
	if (first)
		return qmp_fail(failure, QMP_GENERIC_ERROR,
				"Invalid parameter type for 'enable[0]', expected: string");
	s->negotiated = true;
	return json_object();
}

static json_t *query_commands(void *opaque, const json_t *arguments, struct qmp_failure *failure);

static const struct qmp_command own_commands[] = {
	{ "qmp_capabilities", qmp_capabilities, { { "enable", QMP_ANY, true } } },
	{ "query-version", query_version, {} },
	{ "query-commands", query_commands, {} },
	{ .name = NULL },
};

static void list_commands(json_t *list, const struct qmp_command *command)
{
	for (; command->name; command++)
		json_array_append_new(list, json_pack("{s:s}", "name", command->name));
}

static json_t *query_commands(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	json_t *list = json_array();

	list_commands(list, own_commands);
	list_commands(list, ((struct qmp_session *)opaque)->commands);
	return list;
}

/* --- requests -------------------------------------------------------------------------------- */

static const struct qmp_command *find_command(const struct qmp_command *command, const char *name)
{
	for (; command->name; command++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}

static json_t *run(struct qmp_session *s, const char *name, const json_t *arguments,
		   struct qmp_failure *failure)
{
	const struct qmp_command *command = find_command(own_commands, name);
	void *opaque = command ? s : s->opaque;

	if (!s->negotiated && (!command || command->run != qmp_capabilities))
		return qmp_fail(failure, QMP_COMMAND_NOT_FOUND,
				"Expecting capabilities negotiation with 'qmp_capabilities'");
	if (!command)
		command = find_command(s->commands, name);
	if (!command)
		return qmp_fail(failure, QMP_COMMAND_NOT_FOUND,
				"The command %.100s has not been found", name);
	if (!check_arguments(command, arguments, failure))
		return NULL;
	/* A result that could not be built has no failure of its own. */
	qmp_fail(failure, QMP_GENERIC_ERROR, "out of memory");
	return command->run(opaque, arguments, failure);
}

json_t *qmp_dispatch(struct qmp_session *s, const json_t *request, struct qmp_failure *failure)
{
	const json_t *execute = json_object_get(request, "execute");
	json_t *arguments = json_object_get(request, "arguments"), *none, *value, *result;
	const char *name;

	json_object_foreach((json_t *)request, name, value)
	{
		if (strcmp(name, "execute") && strcmp(name, "arguments") && strcmp(name, "id"))
			return qmp_fail(failure, QMP_GENERIC_ERROR,
					"QMP input member '%s' is unexpected", name);
	}
	if (!execute)
		return qmp_fail(failure, QMP_GENERIC_ERROR, "QMP input lacks member 'execute'");
	if (!json_is_string(execute))
		return qmp_fail(failure, QMP_GENERIC_ERROR,
				"QMP input member 'execute' must be a string");
	if (arguments && !json_is_object(arguments))
		return qmp_fail(failure, QMP_GENERIC_ERROR,
				"QMP input member 'arguments' must be an object");
	none = json_object();
	result = run(s, json_string_value(execute), arguments ? arguments : none, failure);
	json_decref(none);
	return result;
}
