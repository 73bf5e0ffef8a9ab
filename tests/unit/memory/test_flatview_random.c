// SPDX-License-Identifier: BSD-2-Clause
/*
 * Random trees of a hundred regions, changed at random, against a definition that is not an
 * algorithm: for each single address, who answers. And what listeners were told, against that.
 */
#include <lib/tap.h>

#include <stdlib.h>
#include <string.h>
#include <handoff/bql.h>
#include "fixture.h"

#define REGIONS 100
#define SPACE	2048u
#define STEPS	150
#define SEEDS	8

struct forest {
	struct world w;
	struct MemoryRegion mr[REGIONS];
	unsigned int order[REGIONS]; /* when it was added or moved last */
	unsigned int clock;
	uint32_t random;
	struct MemoryListener listener;
	/* As the listener was told, per address. */
	const struct MemoryRegion *told[SPACE];
	uint64_t told_offset[SPACE];
	bool told_readonly[SPACE];
	unsigned int told_twice, commits;
};

/* xorshift: the same on each machine. */
static uint32_t draw(struct forest *f, uint32_t below)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 17;
	f->random ^= f->random << 5;
	return f->random % below;
}

struct answer {
	const struct MemoryRegion *mr;
	uint64_t offset;
	bool readonly;
};

/* Who answers at `offset` of mr, taken that mr itself is reached there. */
static bool answer_at(struct forest *f, struct MemoryRegion *mr, int64_t offset, bool readonly,
		      struct answer *a)
{
	unsigned int tried[REGIONS] = { 0 };
	unsigned int i;

	if (!mr->enabled || offset < 0 || (uint64_t)offset >= mr->size)
		return false;
	readonly |= mr->readonly;
	if (mr->alias)
		return answer_at(f, mr->alias, offset + (int64_t)mr->alias_offset, readonly, a);
	for (;;) {
		struct MemoryRegion *best = NULL;

		for (i = 0; i < REGIONS; i++) {
			struct MemoryRegion *sub = &f->mr[i];

			if (tried[i] || sub->container != mr)
				continue;
			if (!best || sub->priority > best->priority ||
			    (sub->priority == best->priority &&
			     f->order[i] > f->order[best - f->mr]))
				best = sub;
		}
		if (!best)
			break;
		tried[best - f->mr] = 1;
		if (answer_at(f, best, offset - (int64_t)best->addr, readonly, a))
			return true;
	}
	if (!mr->ops && !mr->ram)
		return false;
	*a = (struct answer){ mr, (uint64_t)offset, readonly };
	return true;
}

static void on_add(struct MemoryListener *l, const struct MemoryRegionSection *s)
{
	struct forest *f = container_of(l, struct forest, listener);
	uint64_t i;

	for (i = 0; i < s->size && s->gpa + i < SPACE; i++) {
		f->told_twice += f->told[s->gpa + i] != NULL;
		f->told[s->gpa + i] = s->mr;
		f->told_offset[s->gpa + i] = s->offset_in_region + i;
		f->told_readonly[s->gpa + i] = s->readonly;
	}
}

static void on_del(struct MemoryListener *l, const struct MemoryRegionSection *s)
{
	struct forest *f = container_of(l, struct forest, listener);
	uint64_t i;

	for (i = 0; i < s->size && s->gpa + i < SPACE; i++) {
		f->told_twice += f->told[s->gpa + i] != s->mr;
		f->told[s->gpa + i] = NULL;
	}
}

static void on_commit(struct MemoryListener *l)
{
	container_of(l, struct forest, listener)->commits++;
}

static void check(struct forest *f)
{
	uint64_t addr;

	assert_int_equal(f->told_twice, 0);
	for (addr = 0; addr < SPACE; addr++) {
		struct answer a = { 0 };

		answer_at(f, &f->w.root, (int64_t)addr, false, &a);
		assert_ptr_equal(a.mr, f->told[addr]);
		if (!a.mr)
			continue;
		assert_int_equal(a.offset, f->told_offset[addr]);
		assert_int_equal(a.readonly, f->told_readonly[addr]);
	}
}

static void check_merged(const struct MemoryRegionSection *s, void *opaque)
{
	struct MemoryRegionSection *last = opaque;

	assert_true(s->size > 0);
	assert_true(!last->size || s->gpa >= last->gpa + last->size);
	if (last->size && s->gpa == last->gpa + last->size)
		assert_false(s->mr == last->mr && s->readonly == last->readonly &&
			     s->offset_in_region == last->offset_in_region + last->size);
	*last = *s;
}

/* Only below regions of lower index, and aliases only of those: no loops. */
static void place(struct forest *f, unsigned int i)
{
	struct MemoryRegion *container = &f->w.root;

	if (i && draw(f, 3)) {
		container = &f->mr[draw(f, i)];
		if (container->alias)
			container = &f->w.root;
	}
	f->order[i] = ++f->clock;
	memory_region_add_subregion_overlap(container, draw(f, SPACE), &f->mr[i],
					    (int32_t)draw(f, 5) - 2);
}

/* An alias points to a higher index, so that it cannot contain itself. */
static void plant(struct forest *f)
{
	static const struct MemoryRegionOps ops;
	static uint8_t ram[SPACE];
	unsigned int i;

	for (i = 0; i < REGIONS; i++) {
		uint64_t size = 1 + draw(f, SPACE / 2);

		switch (i + 1 < REGIONS ? draw(f, 4) : 0) {
		case 0:
			memory_region_init_io(&f->mr[i], &ops, NULL, "io", size);
			break;
		case 1:
			memory_region_init_ram_ptr(&f->mr[i], "ram", size, ram);
			break;
		case 2:
			memory_region_init(&f->mr[i], "box", size);
			break;
		default:
			memory_region_init_alias(&f->mr[i], "alias",
						 &f->mr[i + 1 + draw(f, REGIONS - i - 1)],
						 draw(f, 64), size);
		}
	}
	memory_region_transaction_begin();
	for (i = 0; i < REGIONS; i++)
		place(f, i);
	memory_region_transaction_commit();
}

static void change(struct forest *f)
{
	unsigned int i = draw(f, REGIONS);
	struct MemoryRegion *mr = &f->mr[i];
	uint64_t addr;

	switch (draw(f, 4)) {
	case 0:
		addr = draw(f, SPACE);
		if (addr != mr->addr)
			f->order[i] = ++f->clock;
		memory_region_set_address(mr, addr);
		break;
	case 1:
		memory_region_set_enabled(mr, !mr->enabled);
		break;
	case 2:
		memory_region_set_readonly(mr, !mr->readonly);
		break;
	default:
		if (mr->container)
			memory_region_del_subregion(mr->container, mr);
		else
			place(f, i);
	}
}

static void uproot(struct forest *f)
{
	unsigned int i;

	for (i = 0; i < REGIONS; i++)
		if (f->mr[i].container)
			memory_region_del_subregion(f->mr[i].container, &f->mr[i]);
	for (i = 0; i < REGIONS; i++)
		memory_region_release(&f->mr[i]);
}

/*
 * Whatever is changed: views and what listeners were told equal the definition, and ranges are
 * sorted and merged. Every other step changes several regions in one transaction.
 */
static void test_flatview_random__equals_definition(void **state)
{
	struct forest *f = malloc(sizeof(*f));
	unsigned int seed, step, commits = 0;

	for (seed = 1; seed <= SEEDS; seed++) {
		memset(f, 0, sizeof(*f));
		f->random = seed * 2654435761u;
		world_init(&f->w);
		f->listener = (struct MemoryListener){
			.region_add = on_add,
			.region_del = on_del,
			.commit = on_commit,
		};
		memory_listener_register(&f->listener, &f->w.as);
		plant(f);
		assert_int_equal(f->commits, 2);
		for (step = 0; step < STEPS; step++) {
			struct MemoryRegionSection last = { 0 };
			unsigned int n = step % 2 ? 1 : 1 + draw(f, 6);

			memory_region_transaction_begin();
			while (n--)
				change(f);
			memory_region_transaction_commit();
			check(f);
			address_space_for_each_section(&f->w.as, check_merged, &last);
		}
		commits += f->commits;
		memory_listener_unregister(&f->listener, &f->w.as);
		uproot(f);
		world_release(&f->w);
	}
	assert_true(commits > SEEDS * STEPS / 2);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flatview_random__equals_definition),
	};
	int ret;

	bql_lock();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bql_unlock();
	return ret;
}
