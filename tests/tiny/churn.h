/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread of the tiny VMM that registers and drops ioeventfds which no guest writes to. */
#ifndef TESTS_TINY_CHURN_H
#define TESTS_TINY_CHURN_H

struct vmm;

void churn_start(struct vmm *v);
void churn_stop(struct vmm *v);

#endif
