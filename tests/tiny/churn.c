// SPDX-License-Identifier: BSD-2-Clause
/* Registrations that come and go: see churn.h. */
#include "churn.h"

#include <err.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "vmm.h"

#define ADDRESSES 16

/* All new each time, so that the kernel's objects are freed and used again. */
static void churn(struct vmm *v)
{
	struct tiny_notify at = { .len = 4 };
	int fd[ADDRESSES];
	unsigned int i;

	for (i = 0; i < ADDRESSES; i++) {
		at.gpa = TINY_CHURN + i * 4;
		fd[i] = eventfd(0, EFD_CLOEXEC);
		tiny_vm_ioeventfd(&v->vm, &at, fd[i], true);
	}
	for (i = 0; i < ADDRESSES; i++) {
		at.gpa = TINY_CHURN + i * 4;
		tiny_vm_ioeventfd(&v->vm, &at, fd[i], false);
		close(fd[i]);
	}
	v->churns += ADDRESSES;
}

static void *churn_thread(void *opaque)
{
	struct vmm *v = opaque;

	pthread_setname_np(pthread_self(), "tiny-churn");
	while (!__atomic_load_n(&v->churn_end, __ATOMIC_ACQUIRE))
		churn(v);
	return NULL;
}

void churn_start(struct vmm *v)
{
	if (pthread_create(&v->churner, NULL, churn_thread, v))
		errx(1, "cannot create a thread");
}

void churn_stop(struct vmm *v)
{
	__atomic_store_n(&v->churn_end, true, __ATOMIC_RELEASE);
	pthread_join(v->churner, NULL);
}
