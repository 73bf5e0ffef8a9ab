// SPDX-License-Identifier: BSD-2-Clause
/* See handoff/id.h. */
#include <handoff/id.h>

#include <string.h>

bool id_wellformed(const char *id)
{
	return *id && !id[strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789-_.")];
}
