// SPDX-License-Identifier: BSD-2-Clause
/*
 * Masking: each way of masking keeps a signal pending and visible, each way of unmasking fires it
 * once. The sink is a fake that consumes eventfds as KVM's irqfds do.
 */
#include <lib/tap.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <linux/pci_regs.h>
#include <handoff/bql.h>
#include "msix_scene.h"

/* For tests of one vector, 1, that is in use. */
static int scene_setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	scene_init(s, VECTORS);
	use(s, 1);
	*state = s;
	return 0;
}

static int scene_teardown(void **state)
{
	struct scene *s = *state;

	msix_vector_unuse(&s->c.pci, 1);
	scene_release(s);
	free(s);
	return 0;
}

/* Unmasked, a signal goes out with the entry's message, and none is pending. */
static void test_msix_mask__fires(void **state)
{
	struct scene s;

	scene_init(&s, VECTORS);
	use(&s, 33);
	msix_notify_any(&s.c.pci, 33);
	sink_poll(&s.b.sink);
	assert_int_equal(s.b.sink.fired, 1);
	assert_int_equal(s.b.sink.last.address, 0xfee00000);
	assert_int_equal(s.b.sink.last.data, 0x4000 + 33);
	assert_false(pending(&s, 33));
	msix_vector_unuse(&s.c.pci, 33);
	scene_release(&s);
}

enum way { BY_VECTOR, BY_FUNCTION, BY_DISABLE, WAYS };

static void mask_by(struct scene *s, enum way way, bool mask)
{
	switch (way) {
	case BY_VECTOR:
		set_mask(s, s->v, mask);
		break;
	case BY_FUNCTION:
		set_control(s, PCI_MSIX_FLAGS_ENABLE | (mask ? PCI_MSIX_FLAGS_MASKALL : 0));
		break;
	default:
		set_control(s, mask ? 0 : PCI_MSIX_FLAGS_ENABLE);
	}
}

/*
 * The matrix: masked by vector, by function or by disabling, signalled 0 to 3 times, used before or
 * after the masking. Pending shows exactly if signalled; unmasking fires once or not at all, and
 * never again.
 */
static void test_msix_mask__mask_pending_unmask(void **state)
{
	unsigned int way, signals, late, i;

	for (way = 0; way < WAYS; way++)
		for (signals = 0; signals <= 3; signals++)
			for (late = 0; late < 2; late++) {
				struct scene s;

				scene_init(&s, VECTORS);
				use(&s, 5);
				if (late)
					msix_vector_unuse(&s.c.pci, 5);
				mask_by(&s, way, true);
				if (late)
					assert_non_null(msix_vector_use(&s.c.pci, 5, NULL));
				for (i = 0; i < signals; i++)
					msix_notify_any(&s.c.pci, 5);
				sink_poll(&s.b.sink);
				assert_int_equal(s.b.sink.fired, 0);
				assert_int_equal(pending(&s, 5), signals > 0);
				assert_int_equal(pending(&s, 5), signals > 0);
				assert_false(pending(&s, 4));
				mask_by(&s, way, false);
				sink_poll(&s.b.sink);
				assert_int_equal(s.b.sink.fired, signals > 0);
				assert_false(pending(&s, 5));
				mask_by(&s, way, true);
				mask_by(&s, way, false);
				sink_poll(&s.b.sink);
				assert_int_equal(s.b.sink.fired, signals > 0);
				msix_vector_unuse(&s.c.pci, 5);
				scene_release(&s);
			}
}

/* The sink is told of changes only: masking twice is once, unmasking does not set the message anew.
 */
static void test_msix_mask__tells_only_changes(void **state)
{
	struct scene *s = *state;

	s->b.sink.masks = s->b.sink.sets = 0;
	set_mask(s, 1, true);
	mask_by(s, BY_FUNCTION, true);
	assert_int_equal(s->b.sink.masks, 1);
	set_mask(s, 1, false);
	assert_int_equal(s->b.sink.masks, 1);
	mask_by(s, BY_FUNCTION, false);
	assert_int_equal(s->b.sink.masks, 2);
	assert_int_equal(s->b.sink.sets, 0);
}

/* An unmasked vector is never pending, even in the moment before the sink has come to its signal.
 */
static void test_msix_mask__unmasked_is_not_pending(void **state)
{
	struct scene *s = *state;

	msix_notify_any(&s->c.pci, 1);
	assert_false(pending(s, 1));
	sink_poll(&s->b.sink);
	assert_int_equal(s->b.sink.fired, 1);
}

/* Two masks at once: lifting one of them fires nothing. */
static void test_msix_mask__all_masks_must_go(void **state)
{
	unsigned int first, second;

	for (first = 0; first < WAYS; first++)
		for (second = 0; second < WAYS; second++) {
			struct scene s;

			/* Function mask and enable share a register that mask_by writes whole. */
			if (first == second || (first != BY_VECTOR && second != BY_VECTOR))
				continue;
			scene_init(&s, VECTORS);
			use(&s, 0);
			mask_by(&s, first, true);
			mask_by(&s, second, true);
			msix_notify_any(&s.c.pci, 0);
			mask_by(&s, first, false);
			sink_poll(&s.b.sink);
			assert_int_equal(s.b.sink.fired, 0);
			assert_true(pending(&s, 0));
			mask_by(&s, second, false);
			assert_int_equal(s.b.sink.fired, 1);
			msix_vector_unuse(&s.c.pci, 0);
			scene_release(&s);
		}
}

/* Masking one vector leaves the others alone. */
static void test_msix_mask__vectors_are_independent(void **state)
{
	struct scene s;

	scene_init(&s, VECTORS);
	use(&s, 1);
	use(&s, 2);
	set_mask(&s, 1, true);
	msix_notify_any(&s.c.pci, 1);
	msix_notify_any(&s.c.pci, 2);
	sink_poll(&s.b.sink);
	assert_int_equal(s.b.sink.fired, 1);
	assert_int_equal(s.b.sink.last.data, 0x4002);
	assert_int_equal(mmio_read(&s.b, s.pba), 1 << 1);
	msix_vector_unuse(&s.c.pci, 1);
	msix_vector_unuse(&s.c.pci, 2);
	scene_release(&s);
}

/* A message changed while unmasked is in force at once; one change, one call. */
static void test_msix_mask__message_change_while_unmasked(void **state)
{
	struct scene *s = *state;

	s->b.sink.sets = 0;
	mmio_write(&s->b, s->table + 16 + 8, 0x99);
	assert_int_equal(s->b.sink.sets, 1);
	mmio_write(&s->b, s->table + 16 + 8, 0x99);
	assert_int_equal(s->b.sink.sets, 1);
	msix_notify_any(&s->c.pci, 1);
	sink_poll(&s->b.sink);
	assert_int_equal(s->b.sink.last.data, 0x99);
}

/* While masked, the route is changed once, before it is unmasked: a pending signal takes the new
 * way. */
static void test_msix_mask__message_change_while_masked(void **state)
{
	struct scene *s = *state;

	set_mask(s, 1, true);
	msix_notify_any(&s->c.pci, 1);
	s->b.sink.sets = 0;
	set_message(s, 1, 0x1fee01000, 0x77);
	assert_int_equal(s->b.sink.sets, 0);
	set_mask(s, 1, false);
	assert_int_equal(s->b.sink.sets, 1);
	assert_int_equal(s->b.sink.fired, 1);
	assert_int_equal(s->b.sink.last.address, 0x1fee01000);
	assert_int_equal(s->b.sink.last.data, 0x77);
}

/* A message the sink refuses leaves the vector silent with its signal pending, until a good one. */
static void test_msix_mask__refused_message(void **state)
{
	struct scene *s = *state;

	s->b.sink.fail_set = -EINVAL;
	mmio_write(&s->b, s->table + 16 + 8, 0xbad);
	msix_notify_any(&s->c.pci, 1);
	sink_poll(&s->b.sink);
	assert_int_equal(s->b.sink.fired, 0);
	assert_true(pending(s, 1));
	s->b.sink.fail_set = 0;
	mmio_write(&s->b, s->table + 16 + 8, 0x600d);
	assert_int_equal(s->b.sink.fired, 1);
	assert_int_equal(s->b.sink.last.data, 0x600d);
}

/* What was pending when the device let go stays pending; unmasked then, it is sent by hand, once.
 */
static void test_msix_mask__pending_survives_unuse(void **state)
{
	struct scene s;

	scene_init(&s, VECTORS);
	use(&s, 40);
	set_mask(&s, 40, true);
	msix_notify_any(&s.c.pci, 40);
	msix_vector_unuse(&s.c.pci, 40);
	assert_true(pending(&s, 40));
	set_mask(&s, 40, false);
	assert_int_equal(s.b.sink.sent, 1);
	assert_int_equal(s.b.sink.last.data, 0x4000 + 40);
	assert_false(pending(&s, 40));
	set_mask(&s, 40, true);
	set_mask(&s, 40, false);
	assert_int_equal(s.b.sink.sent + s.b.sink.fired, 1);
	scene_release(&s);
}

/* Or it fires by the route of the next use. */
static void test_msix_mask__pending_survives_until_next_use(void **state)
{
	struct scene s;

	scene_init(&s, VECTORS);
	use(&s, 40);
	set_mask(&s, 40, true);
	msix_notify_any(&s.c.pci, 40);
	msix_vector_unuse(&s.c.pci, 40);
	assert_non_null(msix_vector_use(&s.c.pci, 40, NULL));
	assert_true(pending(&s, 40));
	set_mask(&s, 40, false);
	assert_int_equal(s.b.sink.fired, 1);
	assert_int_equal(s.b.sink.sent, 0);
	msix_vector_unuse(&s.c.pci, 40);
	scene_release(&s);
}

#define SIGNALS 20000u

static void *notify_often(void *opaque)
{
	struct pci_device *dev = opaque;
	unsigned int i;

	for (i = 0; i < SIGNALS; i++)
		msix_notify_any(dev, 1);
	return NULL;
}

/*
 * While two threads signal, the guest masks and unmasks as it likes: there are at most as many
 * interrupts as signals, and the last signal, after which nobody masks, is not lost.
 */
static void test_msix_mask__storm_loses_nothing(void **state)
{
	pthread_t thread[2];
	unsigned int i, before;
	struct scene *s = *state;

	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, notify_often, &s->c.pci), 0);
	for (i = 0; i < 2000; i++) {
		set_mask(s, 1, i % 2);
		sink_poll(&s->b.sink);
		pending(s, 1);
	}
	set_mask(s, 1, true);
	before = s->b.sink.fired;
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	msix_notify_any(&s->c.pci, 1);
	assert_true(pending(s, 1));
	assert_int_equal(s->b.sink.fired, before);
	set_mask(s, 1, false);
	assert_int_equal(s->b.sink.fired, before + 1);
	assert_true(s->b.sink.fired <= 2 * SIGNALS + 1);
	assert_false(pending(s, 1));
}

#define IN_SCENE(name)                                                                             \
	cmocka_unit_test_setup_teardown(test_msix_mask__##name, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_msix_mask__fires),
		cmocka_unit_test(test_msix_mask__mask_pending_unmask),
		IN_SCENE(tells_only_changes),
		IN_SCENE(unmasked_is_not_pending),
		cmocka_unit_test(test_msix_mask__all_masks_must_go),
		cmocka_unit_test(test_msix_mask__vectors_are_independent),
		IN_SCENE(message_change_while_unmasked),
		IN_SCENE(message_change_while_masked),
		IN_SCENE(refused_message),
		cmocka_unit_test(test_msix_mask__pending_survives_unuse),
		cmocka_unit_test(test_msix_mask__pending_survives_until_next_use),
		IN_SCENE(storm_loses_nothing),
	};
	int ret;

	bql_lock();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bql_unlock();
	return ret;
}
