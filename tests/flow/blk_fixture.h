/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One virtio-blk on a fake board with real loops and a real block layer, and a guest driver that
 * has probed it. The test's thread is the main thread (BQL held) unless a test says otherwise.
 */
#ifndef FLOW_BLK_FIXTURE_H
#define FLOW_BLK_FIXTURE_H

#include <lib/guest_blk.h>
#include <lib/tap.h>
#include <handoff/block.h>
#include <handoff/iothread.h>
#include <handoff/main_loop.h>
#include <handoff/stats.h>
#include <handoff/virtio.h>

/* The kernel's header names its configuration space as our options are named. */
#define virtio_blk_config virtio_blk_config_space
#include <linux/virtio_blk.h>
#undef virtio_blk_config
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#define FLOW_DISK_BYTES (16u << 20)
#define FLOW_IOTHREADS	2

struct blk_fixture {
	struct stats_page *stats;
	struct fake_board board;
	struct virtio_blk_config config;
	struct IOThread *io[FLOW_IOTHREADS]; /* made by flow_iothreads */
	struct stats_loop *io_row[FLOW_IOTHREADS], *main_row;
	char *image;			/* NULL: a null disk */
	struct BlockDriverState *delay; /* below the backend, or NULL */
	struct BlockBackend *blk;
	struct VirtIOBlock *vblk;
	struct guest_blk guest;
};

/* Board and main loop. flow_config has the defaults of a disk, to be changed before flow_plug. */
int flow_setup(void **state);
/* The same, and the disk will offer the packed ring, which our driver takes. */
int flow_setup_packed(void **state);
int flow_teardown(void **state);

/* Entries of a list of CMUnitTest: a test on the split ring, or on each of the two. */
#define FLOW_TEST(group, name, suffix, setup)                                                      \
	{                                                                                          \
		"test_" #group "__" #name suffix, test_##group##__##name, setup, flow_teardown,    \
			NULL                                                                       \
	}
#define FLOW_SPLIT(group, name) FLOW_TEST(group, name, "", flow_setup)
#define FLOW_BOTH(group, name)                                                                     \
	FLOW_SPLIT(group, name), FLOW_TEST(group, name, "_packed", flow_setup_packed)

/* Two iothreads, io0 and io1, that spin up to poll_max_ns. */
void flow_iothreads(struct blk_fixture *f, int64_t poll_max_ns);
/* A disk over a null node that reads zeroes, after mean_delay_ns if that is not 0. */
void flow_plug_null(struct blk_fixture *f, int64_t mean_delay_ns);
/* The same over a node of the test's, which is where its context is now. */
struct BlockDriverState *flow_null_node(void) MUST_CHECK;
void flow_plug_node(struct blk_fixture *f, struct BlockDriverState *bs);
/* A disk over a new image file. */
void flow_plug_file(struct blk_fixture *f, bool read_only);

/* The row of a queue in the stats page. */
struct stats_queue *flow_row(struct blk_fixture *f, unsigned int queue);

/* A counter of a row, while its loop is at work. */
static inline uint64_t flow_counter(const __u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* As the kernel does for a tracer. */
static inline void flow_arm(bool armed)
{
	__atomic_store_n(&handoff_stats_armed_semaphore, armed, __ATOMIC_RELAXED);
}

/* Ends the test when 30 s have passed since *deadline_ns was 0. */
void flow_check_deadline(int64_t *deadline_ns, const char *what);
/* Runs the main context until cond. */
#define flow_run_until(cond)                                                                       \
	do {                                                                                       \
		int64_t run_until_ns_ = 0;                                                         \
		while (!(cond)) {                                                                  \
			aio_poll(main_loop_aio_context_any(), false);                              \
			flow_check_deadline(&run_until_ns_, #cond);                                \
		}                                                                                  \
	} while (0)

/* Waits for one completion of a queue; its status, and head and len if they are not NULL. */
uint8_t flow_complete(struct blk_fixture *f, unsigned int queue, int *head, uint32_t *len);
/* One request there and back. Data is in *data (may be NULL). */
uint8_t flow_request(struct blk_fixture *f, uint32_t type, uint64_t sector, uint32_t bytes,
		     void **data);

#endif
