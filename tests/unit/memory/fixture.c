// SPDX-License-Identifier: BSD-2-Clause
/* What the tests of memory/ share: see fixture.h. */
#include "fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void PRINTF_LIKE(2, 3) append(char log[LOG_BYTES], const char *fmt, ...)
{
	size_t used = strlen(log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(log + used, LOG_BYTES - used, fmt, ap);
	va_end(ap);
}

/* --- device ------------------------------------------------------------------------------------
 */

static uint64_t device_read(void *opaque, uint64_t addr, unsigned int size)
{
	struct device *dev = opaque;
	uint64_t value = 0;
	unsigned int i;

	dev->calls++;
	append(dev->log, "r%u@%llu ", size, (unsigned long long)addr);
	for (i = 0; i < size; i++) {
		unsigned int place = dev->ops.big_endian ? size - 1 - i : i;

		value |= (uint64_t)dev->byte[(addr + i) % sizeof(dev->byte)] << (8 * place);
	}
	return value;
}

static void device_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
	struct device *dev = opaque;

	dev->calls++;
	append(dev->log, "w%u@%llu=%llx ", size, (unsigned long long)addr,
	       (unsigned long long)value);
	if (dev->during_write)
		dev->during_write(dev);
}

void device_init(struct device *dev, const char *name, uint64_t size,
		 const struct MemoryRegionOps *limits)
{
	unsigned int i;

	memset(dev, 0, sizeof(*dev));
	if (limits)
		dev->ops = *limits;
	dev->ops.read = device_read;
	dev->ops.write = device_write;
	for (i = 0; i < sizeof(dev->byte); i++)
		dev->byte[i] = (uint8_t)(0x10 + i);
	memory_region_init_io(&dev->mr, &dev->ops, dev, name, size);
}

/* --- listener ----------------------------------------------------------------------------------
 */

static struct recorder *recorder_of(struct MemoryListener *l)
{
	return container_of(l, struct recorder, listener);
}

static void on_begin(struct MemoryListener *l)
{
	append(recorder_of(l)->log, "begin ");
}

static void on_commit(struct MemoryListener *l)
{
	append(recorder_of(l)->log, "commit ");
}

static void note_section(struct recorder *r, char sign, const struct MemoryRegionSection *s)
{
	r->events++;
	append(r->log, "%c%s@%llx-%llx ", sign, s->mr->name, (unsigned long long)s->gpa,
	       (unsigned long long)(s->gpa + s->size - 1));
}

static void on_add(struct MemoryListener *l, const struct MemoryRegionSection *s)
{
	note_section(recorder_of(l), '+', s);
}

static void on_del(struct MemoryListener *l, const struct MemoryRegionSection *s)
{
	note_section(recorder_of(l), '-', s);
}

static int on_eventfd_add(struct MemoryListener *l, uint64_t gpa,
			  const struct MemoryRegionIoeventfd *fd)
{
	struct recorder *r = recorder_of(l);

	r->events++;
	append(r->log, "fd+%llx ", (unsigned long long)gpa);
	r->refused += !!r->refuse;
	return r->refuse;
}

static void on_eventfd_del(struct MemoryListener *l, uint64_t gpa,
			   const struct MemoryRegionIoeventfd *fd)
{
	struct recorder *r = recorder_of(l);

	r->events++;
	append(r->log, "fd-%llx ", (unsigned long long)gpa);
}

void recorder_init(struct recorder *r, bool claims)
{
	memset(r, 0, sizeof(*r));
	r->listener = (struct MemoryListener){
		.begin = on_begin,
		.commit = on_commit,
		.region_add = on_add,
		.region_del = on_del,
		.eventfd_add = claims ? on_eventfd_add : NULL,
		.eventfd_del = claims ? on_eventfd_del : NULL,
	};
}

void recorder_clear(struct recorder *r)
{
	r->events = 0;
	r->log[0] = '\0';
}

/* --- address space ------------------------------------------------------------------------------
 */

void world_init(struct world *w)
{
	memory_region_init(&w->root, "root", UINT64_MAX);
	address_space_init(&w->as, &w->root, "world");
}

void world_release(struct world *w)
{
	address_space_release(&w->as);
	while (!list_empty(&w->root.subregions))
		memory_region_del_subregion(&w->root,
					    list_first_entry(&w->root.subregions,
							     struct MemoryRegion, subregions_link));
	memory_region_release(&w->root);
}

static void show_section(const struct MemoryRegionSection *s, void *opaque)
{
	append(opaque, "%s@%llx-%llx+%llx%s ", s->mr->name, (unsigned long long)s->gpa,
	       (unsigned long long)(s->gpa + s->size - 1), (unsigned long long)s->offset_in_region,
	       s->readonly ? "ro" : "");
}

const char *world_show(struct world *w)
{
	static char text[LOG_BYTES];

	text[0] = '\0';
	address_space_for_each_section(&w->as, show_section, text);
	return text;
}
