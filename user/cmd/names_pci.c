// SPDX-License-Identifier: BSD-2-Clause
/*
 * PCI devices by QMP. query-pci has addresses but only the ids that users gave; a device without
 * one is an object below /machine/peripheral-anon, found by its slot on its parent bus, which
 * belongs to a bridge that has an id or was found before. Neighbours: names.c.
 */
#include "names_pci.h"

#include <stdio.h>
#include <string.h>
#include <handoff/qmp.h>

#define BUS_DEPTH   32 /* of bridges; QMP's own bound on depth is near */
#define ANON	    "/machine/peripheral-anon"
#define PERIPHERAL  "/machine/peripheral/"
#define ON_ROOT_BUS (-1)

static uint64_t number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (json_is_integer(value))
		return (uint64_t)json_integer_value(value);
	return json_is_real(value) ? (uint64_t)json_real_value(value) : 0;
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

void pci_keep_name(char to[VM_NAME], const char *from)
{
	size_t i;

	for (i = 0; from[i] && i + 1 < VM_NAME; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[i] = '\0';
}

/* A BAR that is not placed has no address, or one of all ones. */
static void add_bars(struct pci_found *found, const json_t *regions)
{
	const json_t *region;
	int64_t address;
	size_t i;

	json_array_foreach(regions, i, region)
	{
		address = (int64_t)number(region, "address");
		if (found->n_bars == PCI_FOUND_BARS || address <= 0 || !number(region, "size"))
			continue;
		found->bar[found->n_bars].address = (uint64_t)address;
		found->bar[found->n_bars].size = number(region, "size");
		found->bar[found->n_bars++].pio = !strcmp(text(region, "type"), "io");
	}
}

static void add_devices(struct pci_list *list, const json_t *devices, int bridge,
			unsigned int depth)
{
	const json_t *device;
	struct pci_found *found;
	size_t i;

	json_array_foreach(devices, i, device)
	{
		if (list->n == PCI_FOUND_MAX || depth == BUS_DEPTH)
			return;
		found = &list->found[list->n];
		*found = (struct pci_found){ .bridge = bridge };
		found->bus = (uint32_t)number(device, "bus");
		found->devfn = (uint32_t)(number(device, "slot") << 3 | number(device, "function"));
		found->vendor = (uint32_t)number(json_object_get(device, "id"), "vendor");
		pci_keep_name(found->id, text(device, "qdev_id"));
		pci_keep_name(found->name, found->id);
		add_bars(found, json_object_get(device, "regions"));
		add_devices(list, json_object_get(json_object_get(device, "pci_bridge"), "devices"),
			    (int)list->n++, depth + 1);
	}
}

void pci_list_fill(struct pci_list *list, const json_t *buses)
{
	const json_t *bus;
	size_t i;

	list->n = 0;
	json_array_foreach(buses, i, bus)
		add_devices(list, json_object_get(bus, "devices"), ON_ROOT_BUS, 0);
}

/* A property's value, the caller's reference; NULL if there is none. */
static json_t *property(struct qmp_client *qmp, const char *object, const char *name)
{
	char path[sizeof(ANON) + VM_NAME];

	snprintf(path, sizeof(path), ANON "/%s", object);
	return qmp_client_call(qmp, "qom-get",
			       json_pack("{s:s, s:s}", "path", path, "property", name), NULL);
}

/* The device whose bus this is ("/machine/peripheral/rp0/rp0"), or ON_ROOT_BUS. */
static int bridge_of(const struct pci_list *list, const char *bus)
{
	const char *begin = NULL;
	unsigned int i;
	size_t len;
	bool anon;

	anon = !strncmp(bus, ANON "/", strlen(ANON "/"));
	if (anon)
		begin = bus + strlen(ANON "/");
	else if (!strncmp(bus, PERIPHERAL, strlen(PERIPHERAL)))
		begin = bus + strlen(PERIPHERAL);
	if (!begin)
		return ON_ROOT_BUS;
	len = strcspn(begin, "/");
	for (i = 0; i < list->n; i++) {
		const char *name = anon ? list->found[i].object : list->found[i].id;

		if (strlen(name) == len && !strncmp(name, begin, len))
			return (int)i;
	}
	return ON_ROOT_BUS;
}

/* The only nameless device at that slot behind that bridge: several root buses may have one each.
 */
static struct pci_found *only_match(struct pci_list *list, int bridge, uint32_t devfn)
{
	struct pci_found *match = NULL, *f;

	for (f = list->found; f < list->found + list->n; f++) {
		if (f->id[0] || f->object[0] || f->bridge != bridge || f->devfn != devfn)
			continue;
		if (match)
			return NULL;
		match = f;
	}
	return match;
}

static void name_object(struct pci_list *list, struct qmp_client *qmp, const char *object)
{
	static const char *const sources[] = { "drive", "netdev" };
	json_t *addr = property(qmp, object, "addr"), *bus = NULL, *source;
	struct pci_found *found = NULL;
	unsigned int i;

	if (json_is_integer(addr))
		bus = property(qmp, object, "parent_bus");
	if (json_is_string(bus))
		found = only_match(list, bridge_of(list, json_string_value(bus)),
				   (uint32_t)json_integer_value(addr));
	json_decref(addr);
	json_decref(bus);
	if (!found)
		return;
	pci_keep_name(found->object, object);
	for (i = 0; i < ARRAY_SIZE(sources) && !found->name[0]; i++) {
		source = property(qmp, object, sources[i]);
		if (json_is_string(source))
			pci_keep_name(found->name, json_string_value(source));
		json_decref(source);
	}
	if (!found->name[0])
		pci_keep_name(found->name, object);
}

void pci_list_name(struct pci_list *list, struct qmp_client *qmp)
{
	json_t *objects, *object;
	unsigned int asked = 0;
	struct pci_found *f;
	size_t i;

	objects = qmp_client_call(qmp, "qom-list", json_pack("{s:s}", "path", ANON), NULL);
	/* In the order they were made: a bridge before what is behind it. */
	json_array_foreach(objects, i, object)
	{
		if (strncmp(text(object, "type"), "child<", 6) ||
		    strlen(text(object, "name")) >= VM_NAME)
			continue;
		if (asked++ == PCI_FOUND_MAX || qmp_client_is_broken(qmp))
			break;
		name_object(list, qmp, text(object, "name"));
	}
	json_decref(objects);
	for (f = list->found; f < list->found + list->n; f++)
		if (!f->name[0])
			snprintf(f->name, sizeof(f->name), "%02x:%02x.%x", f->bus & 0xff,
				 f->devfn >> 3 & 0x1f, f->devfn & 7);
}
