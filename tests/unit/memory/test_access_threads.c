// SPDX-License-Identifier: BSD-2-Clause
/*
 * vCPU threads that access devices while the main thread plugs, moves, unplugs and frees them. Run
 * it under TSAN and ASAN: a reader with an old view must never touch a region that is gone.
 */
#include <lib/tap.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <handoff/bql.h>
#include <handoff/memory.h>

#define READERS	 3
#define ACCESSES 20000u
#define PLACES	 4u
#define ALIVE	 0x5ca1ab1eu

/* A device on the heap, so that a sanitizer sees who comes too late. */
struct plugged {
	struct MemoryRegion mr;
	uint32_t alive;
	uint64_t *calls;
};

struct bus {
	struct MemoryRegion root;
	struct AddressSpace as;
	uint64_t calls; /* of devices; BQL */
	atomic_uint running;
};

struct reader {
	pthread_t thread;
	struct bus *bus;
	uint64_t answered, missed, wrong;
};

static uint64_t plugged_read(void *opaque, uint64_t addr, unsigned int size)
{
	struct plugged *p = opaque;

	*p->calls += bql_locked();
	return p->alive;
}

static void plugged_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
	struct plugged *p = opaque;

	*p->calls += bql_locked();
}

static const struct MemoryRegionOps plugged_ops = {
	.read = plugged_read,
	.write = plugged_write,
};

static void *reader_main(void *opaque)
{
	struct reader *r = opaque;
	uint32_t value;
	unsigned int i;

	for (i = 0; i < ACCESSES; i++) {
		uint64_t gpa = 0x1000 * (i % PLACES);
		unsigned int result;

		if (i % 2) {
			result = address_space_write(&r->bus->as, gpa, &value, 4);
		} else {
			result = address_space_read(&r->bus->as, gpa, &value, 4);
			r->wrong += value != (result ? 0xffffffff : ALIVE);
		}
		if (result == MEMTX_OK)
			r->answered++;
		else if (result == MEMTX_DECODE_ERROR)
			r->missed++;
	}
	atomic_fetch_sub(&r->bus->running, 1);
	return NULL;
}

static struct plugged *plug(struct bus *bus, unsigned int place)
{
	struct plugged *p = calloc(1, sizeof(*p));

	p->alive = ALIVE;
	p->calls = &bus->calls;
	memory_region_init_io(&p->mr, &plugged_ops, p, "plugged", 0x1000);
	memory_region_add_subregion(&bus->root, 0x1000 * place, &p->mr);
	return p;
}

static void unplug(struct bus *bus, struct plugged *p)
{
	memory_region_del_subregion(&bus->root, &p->mr);
	memory_region_release(&p->mr);
	p->alive = 0;
	free(p);
}

static void churn(struct bus *bus)
{
	struct plugged *p[PLACES] = { NULL };
	unsigned int i, round;

	for (round = 0; atomic_load(&bus->running); round++) {
		bql_lock();
		i = round % PLACES;
		if (p[i])
			unplug(bus, p[i]);
		p[i] = round % 3 ? plug(bus, i) : NULL;
		bql_unlock();
	}
	bql_lock();
	for (i = 0; i < PLACES; i++)
		if (p[i])
			unplug(bus, p[i]);
	bql_unlock();
}

/*
 * Each access is answered by a live device or by nobody, and the devices' calls add up to the
 * answers.
 */
static void test_access_threads__unplug_under_load(void **state)
{
	struct bus bus = { .running = READERS };
	struct reader reader[READERS];
	uint64_t answered = 0;
	unsigned int i;

	bql_lock();
	memory_region_init(&bus.root, "root", UINT64_MAX);
	address_space_init(&bus.as, &bus.root, "bus");
	bql_unlock();
	for (i = 0; i < READERS; i++) {
		reader[i] = (struct reader){ .bus = &bus };
		assert_int_equal(pthread_create(&reader[i].thread, NULL, reader_main, &reader[i]),
				 0);
	}
	churn(&bus);
	for (i = 0; i < READERS; i++) {
		pthread_join(reader[i].thread, NULL);
		assert_int_equal(reader[i].wrong, 0);
		assert_int_equal(reader[i].answered + reader[i].missed, ACCESSES);
		answered += reader[i].answered;
	}
	assert_int_equal(answered, bus.calls);
	bql_lock();
	address_space_release(&bus.as);
	memory_region_release(&bus.root);
	bql_unlock();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_access_threads__unplug_under_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
