// SPDX-License-Identifier: BSD-2-Clause
/* Reads Kbuild.note and the running kernel's configuration, and compares them. Main thread. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <zlib.h>

#include "cmd.h"
#include "doctor.h"

#define CONFIG_TEXT_MAX (4u << 20) /* a distribution's configuration has 300 KiB */

/* The whole configuration as text, or NULL. gzopen reads plain files as well. */
static char *read_kernel_config(const char **source)
{
	static const char *const sources[] = { "/proc/config.gz", "/boot/config-%s",
					       "/lib/modules/%s/config", NULL };
	static char path[PATH_MAX];
	struct utsname uts;
	char *text;

	uname(&uts);
	for (size_t i = 0; sources[i]; i++) {
		gzFile file;
		int n;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(path, sizeof(path), sources[i], uts.release);
#pragma GCC diagnostic pop
		file = gzopen(path, "r");
		if (!file)
			continue;
		text = malloc(CONFIG_TEXT_MAX + 1);
		n = text ? gzread(file, text, CONFIG_TEXT_MAX) : -1;
		gzclose(file);
		if (n > 0) {
			text[n] = '\0';
			*source = path;
			return text;
		}
		free(text);
	}
	return NULL;
}

/* 'y', 'm', or 'n' for an option that is off or unknown to this kernel. */
static char option_value(const char *config, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = config; (p = strstr(p, name)); p += len)
		if ((p == config || p[-1] == '\n') && p[len] == '=')
			return p[len + 1];
	return 'n';
}

struct note_line {
	char names[128], values[16], lost[200];
};

/* "CONFIG_A/CONFIG_B  y m  | what is lost": true if it is such a line. */
static bool parse_note_line(const char *text, struct note_line *line)
{
	const char *bar = strchr(text, '|');
	int n = 0;

	if (strncmp(text, "CONFIG_", 7) || !bar || sscanf(text, "%127s%n", line->names, &n) != 1)
		return false;
	n += (int)strspn(text + n, " ");
	snprintf(line->values, sizeof(line->values), "%.*s", (int)(bar - text - n), text + n);
	snprintf(line->lost, sizeof(line->lost), "%s", bar + 1 + strspn(bar + 1, " "));
	line->lost[strcspn(line->lost, "\n")] = '\0';
	return true;
}

/* Any of the names, joined by slashes, has one of the values. */
static bool satisfied(const char *config, const struct note_line *line)
{
	char names[128], *save = NULL;

	snprintf(names, sizeof(names), "%s", line->names);
	for (char *name = strtok_r(names, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		char value = option_value(config, name);

		if (value != 'n' && strchr(line->values, value))
			return true;
	}
	return false;
}

static void compare(struct doctor *d, const char *config, FILE *note)
{
	char text[512];
	bool host = false, must = false;
	unsigned int checked = 0, missing = 0;

	while (fgets(text, sizeof(text), note)) {
		struct note_line line;

		if (text[0] == '[') {
			host = !strncmp(text, "[host", 5);
			must = strstr(text, "must") != NULL;
		} else if (host && parse_note_line(text, &line)) {
			checked++;
			if (satisfied(config, &line))
				continue;
			missing++;
			/* What a missing option really costs is judged by the probes; the note only
			 * explains. */
			doctor_add(d, FINDING_NOTE, line.names, "%s; lost: %s",
				   must ? "must be set" : "off", line.lost);
		}
	}
	doctor_add(d, FINDING_OK, "kernel options", "%u of %u host options of Kbuild.note are set",
		   checked - missing, checked);
}

void doctor_check_config(struct doctor *d)
{
	const char *source = NULL;
	char path[PATH_MAX];
	char *config;
	FILE *note;

	if (cmd_find_data("Kbuild.note", path, sizeof(path)) || !(note = fopen(path, "r"))) {
		doctor_add(d, FINDING_NOTE, "Kbuild.note",
			   "not found beside the program nor in ../share/handoff");
		return;
	}
	config = read_kernel_config(&source);
	if (config)
		compare(d, config, note);
	else
		doctor_add(
			d, FINDING_NOTE, "kernel options",
			"not compared: the configuration is neither in /proc/config.gz nor /boot");
	free(config);
	fclose(note);
}
