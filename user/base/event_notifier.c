// SPDX-License-Identifier: BSD-2-Clause
/*
 * An eventfd with a name for its two sides. In base/ since pci, memory and kvm hand notifiers
 * around too, not only the loops of aio/.
 */
#include <handoff/event_notifier.h>

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int event_notifier_init(struct EventNotifier *e, bool active)
{
	e->fd = eventfd(active, EFD_NONBLOCK | EFD_CLOEXEC);
	return e->fd < 0 ? -errno : 0;
}

void event_notifier_release(struct EventNotifier *e)
{
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
}

/* A full counter (EAGAIN) is as set as can be. errno is kept: a signal handler may be the caller.
 */
void event_notifier_set(struct EventNotifier *e)
{
	static const uint64_t one = 1;
	int saved_errno = errno;
	ssize_t ret;

	do {
		ret = write(e->fd, &one, sizeof(one));
	} while (ret < 0 && errno == EINTR);
	errno = saved_errno;
}

bool event_notifier_test_and_clear(struct EventNotifier *e)
{
	uint64_t value;
	ssize_t ret;

	do {
		ret = read(e->fd, &value, sizeof(value));
	} while (ret < 0 && errno == EINTR);
	return ret == sizeof(value);
}
