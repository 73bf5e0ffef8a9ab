// SPDX-License-Identifier: BSD-2-Clause
/* Names of kernel functions from a text as /proc/kallsyms has it. */
#include "kallsyms.h"

#include <string.h>
#include <lib/tap.h>

static struct kallsyms *parse(const char *text, char why[REPORT_TEXT])
{
	FILE *f = fmemopen((void *)text, strlen(text), "r");
	struct kallsyms *k;

	assert_non_null(f);
	why[0] = '\0';
	k = kallsyms_parse(f, why);
	fclose(f);
	return k;
}

static const char text[] = "ffffffff81000200 T second\n"
			   "ffffffff81000100 T first\n"
			   "ffffffff81000100 t first_alias\n"
			   "ffffffff81000150 D data_is_no_function\n"
			   "ffffffffc0000000 t irqfd_wakeup\t[kvm]\n";

/* The function an address lies in, whatever the order of the text; data is none. */
static void test_kallsyms__finds_the_function(void **state)
{
	char why[REPORT_TEXT], name[64];
	struct kallsyms *k = parse(text, why);

	assert_non_null(k);
	assert_true(kallsyms_name(k, 0xffffffff81000160, true, name, sizeof(name)));
	assert_string_equal(name, "first+0x60");
	assert_true(kallsyms_name(k, 0xffffffff81000200, false, name, sizeof(name)));
	assert_string_equal(name, "second");
	assert_true(kallsyms_name(k, 0xffffffffc0000010, true, name, sizeof(name)));
	assert_string_equal(name, "irqfd_wakeup+0x10 [kvm]");
	kallsyms_free(k);
}

/* Without a name there is the address. */
static void test_kallsyms__address_where_there_is_no_name(void **state)
{
	char why[REPORT_TEXT], name[64];
	struct kallsyms *k = parse(text, why);

	assert_false(kallsyms_name(k, 0x1234, true, name, sizeof(name)));
	assert_string_equal(name, "0x1234");
	kallsyms_free(k);
	assert_false(kallsyms_name(NULL, 0xffffffff81000160, true, name, sizeof(name)));
	assert_string_equal(name, "0xffffffff81000160");
}

/* Zeros are what those get who may not know: it is said. */
static void test_kallsyms__hidden_addresses_say_why(void **state)
{
	char why[REPORT_TEXT];

	assert_null(parse("0000000000000000 T first\n0000000000000000 T second\n", why));
	assert_non_null(strstr(why, "CAP_SYSLOG"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kallsyms__finds_the_function),
		cmocka_unit_test(test_kallsyms__address_where_there_is_no_name),
		cmocka_unit_test(test_kallsyms__hidden_addresses_say_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
