// SPDX-License-Identifier: BSD-2-Clause
/* The intrusive list: order, membership, and walks that remove what they stand on. */
#include <lib/tap.h>

#include <handoff/list.h>

struct item {
	int n;
	struct list_head node;
};

/* The numbers of a list as digits, so that one comparison checks order and length. */
static int digits(struct list_head *head)
{
	struct item *item;
	int sum = 0;

	list_for_each_entry(item, head, node)
		sum = sum * 10 + item->n;
	return sum;
}

/* list_add puts in front, list_add_tail behind; a reverse walk sees the opposite order. */
static void test_list__keeps_order(void **state)
{
	struct list_head head = LIST_HEAD_INIT(head);
	struct item items[] = { { 1 }, { 2 }, { 3 } }, *item;
	int backwards = 0;

	list_add_tail(&items[1].node, &head);
	list_add_tail(&items[2].node, &head);
	list_add(&items[0].node, &head);
	assert_int_equal(digits(&head), 123);
	list_for_each_entry_reverse(item, &head, node)
		backwards = backwards * 10 + item->n;
	assert_int_equal(backwards, 321);
	assert_ptr_equal(list_first_entry(&head, struct item, node), &items[0]);
}

/* Membership: zeroed and removed nodes are not linked. */
static void test_list__linked_tells_membership(void **state)
{
	struct list_head head = LIST_HEAD_INIT(head);
	struct item item = { 1 };

	assert_false(list_linked(&item.node));
	list_add(&item.node, &head);
	assert_true(list_linked(&item.node));
	list_del(&item.node);
	assert_false(list_linked(&item.node));
	assert_true(list_empty(&head));
}

/* A second removal of the same node is harmless, as list_del says. */
static void test_list__second_removal_is_harmless(void **state)
{
	struct list_head head = LIST_HEAD_INIT(head);
	struct item items[] = { { 1 }, { 2 } };

	list_add_tail(&items[0].node, &head);
	list_add_tail(&items[1].node, &head);
	list_del(&items[0].node);
	list_del(&items[0].node);
	assert_int_equal(digits(&head), 2);
}

/* The safe walk survives the removal of each entry. */
static void test_list__safe_walk_may_remove(void **state)
{
	struct list_head head = LIST_HEAD_INIT(head);
	struct item items[] = { { 1 }, { 2 }, { 3 } }, *item, *next;
	unsigned int i, seen = 0;

	for (i = 0; i < ARRAY_SIZE(items); i++)
		list_add_tail(&items[i].node, &head);
	list_for_each_entry_safe(item, next, &head, node) {
		list_del(&item->node);
		seen++;
	}
	assert_int_equal(seen, 3);
	assert_true(list_empty(&head));
}

/* Splicing appends all of one list to another and empties the first; an empty list changes nothing.
 */
static void test_list__splice_moves_all(void **state)
{
	struct list_head a = LIST_HEAD_INIT(a), b = LIST_HEAD_INIT(b);
	struct item items[] = { { 1 }, { 2 }, { 3 }, { 4 } };

	list_add_tail(&items[0].node, &a);
	list_add_tail(&items[1].node, &a);
	list_add_tail(&items[2].node, &b);
	list_add_tail(&items[3].node, &b);
	list_splice_tail(&b, &a);
	assert_int_equal(digits(&a), 1234);
	assert_true(list_empty(&b));
	list_splice_tail(&b, &a);
	assert_int_equal(digits(&a), 1234);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list__keeps_order),
		cmocka_unit_test(test_list__linked_tells_membership),
		cmocka_unit_test(test_list__second_removal_is_harmless),
		cmocka_unit_test(test_list__safe_walk_may_remove),
		cmocka_unit_test(test_list__splice_moves_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
