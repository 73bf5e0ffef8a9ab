/* SPDX-License-Identifier: BSD-2-Clause */
/* libbpf's own talk, kept instead of printed: it explains a failure in one line. Per thread. */
#ifndef TRACE_LIBBPF_LOG_H
#define TRACE_LIBBPF_LOG_H

#include <stddef.h>

/* From now on libbpf is silent in this process. Forgets what this thread kept. */
void libbpf_log_begin(void);

/*
 * Why the last step failed, in one line: the kernel's word for `errnum` (negative errno), with what
 * libbpf or the verifier said where that tells more. Returns buf.
 */
char *libbpf_log_why(int errnum, char *buf, size_t size);

#endif
