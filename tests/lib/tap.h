/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmocka with the headers it wants before itself, and a skip that says why: the runner shows the
 * comment line right before a skip as its reason.
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define skip_because(...)                                                                          \
	do {                                                                                       \
		print_message("# " __VA_ARGS__);                                                   \
		print_message("\n");                                                               \
		skip();                                                                            \
	} while (0)

#endif
