// SPDX-License-Identifier: BSD-2-Clause
/* Every request type, and every way to get one wrong. Served by the main loop. */
#include "blk_fixture.h"

#include <stdlib.h>
#include <string.h>

#define FEATURE(f) (1ull << VIRTIO_BLK_F_##f)
#define FEATURES                                                                                   \
	(FEATURE(FLUSH) | FEATURE(SEG_MAX) | FEATURE(SIZE_MAX) | FEATURE(DISCARD) |                \
	 FEATURE(WRITE_ZEROES) | 1ull << VIRTIO_RING_F_EVENT_IDX |                                 \
	 1ull << VIRTIO_RING_F_INDIRECT_DESC)
#define SECTORS (FLOW_DISK_BYTES / 512)
#define SCRATCH 0x3000000ull /* guest memory nobody else uses */

static struct blk_fixture *start_file(void **state)
{
	struct blk_fixture *f = *state;

	flow_plug_file(f, false);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	return f;
}

static struct blk_fixture *start_null(void **state)
{
	struct blk_fixture *f = *state;

	f->config.seg_max = 8;
	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	return f;
}

static uint64_t put_header(struct blk_fixture *f, uint32_t type, uint64_t sector)
{
	struct virtio_blk_outhdr header = { .type = type, .sector = sector };

	guest_ram_write(f->board.ram, SCRATCH, &header, sizeof(header));
	return SCRATCH;
}

/* A chain of the caller's buffers and a status byte, there and back. */
static uint8_t raw_request(struct blk_fixture *f, const struct guest_buffer *buffers,
			   unsigned int n, uint32_t *len)
{
	assert_true(guest_blk_add_raw(&f->guest, 0, buffers, n) >= 0);
	guest_blk_publish(&f->guest, 0);
	return flow_complete(f, 0, NULL, len);
}

static uint8_t range_request(struct blk_fixture *f, uint32_t type,
			     const struct virtio_blk_discard_write_zeroes *ranges, unsigned int n)
{
	const struct guest_buffer chain[] = {
		{ put_header(f, type, 0), 16, false },
		{ SCRATCH + 4096, n * sizeof(*ranges), false },
	};

	guest_ram_write(f->board.ram, SCRATCH + 4096, ranges, n * sizeof(*ranges));
	return raw_request(f, chain, 2, NULL);
}

static void write_pattern(struct blk_fixture *f, uint64_t sector, int byte)
{
	struct guest_blk_request req = { VIRTIO_BLK_T_OUT, sector, 4096, SCRATCH + 8192 };

	memset(guest_ram_hva(f->board.ram, req.data_gpa, 4096), byte, 4096);
	assert_true(guest_blk_add(&f->guest, 0, &req) >= 0);
	guest_blk_publish(&f->guest, 0);
	assert_int_equal(flow_complete(f, 0, NULL, NULL), VIRTIO_BLK_S_OK);
}

static void assert_reads(struct blk_fixture *f, uint64_t sector, int byte)
{
	unsigned char *data;
	unsigned int i;

	assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, sector, 4096, (void **)&data),
			 VIRTIO_BLK_S_OK);
	for (i = 0; i < 4096; i++)
		assert_int_equal(data[i], byte);
}

/* What is written is read back, from the last sector too; a flush succeeds. */
static void test_virtio_blk__writes_and_reads_back(void **state)
{
	struct blk_fixture *f = start_file(state);

	write_pattern(f, 0, 0x11);
	write_pattern(f, SECTORS - 8, 0x22);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_FLUSH, 0, 0, NULL), VIRTIO_BLK_S_OK);
	assert_reads(f, 0, 0x11);
	assert_reads(f, SECTORS - 8, 0x22);
	assert_reads(f, 8, 0);
	assert_int_equal(flow_row(f, 0)->requests, 6);
	assert_int_equal(flow_row(f, 0)->completions, 6);
	assert_int_equal(flow_row(f, 0)->errors, 0);
}

/* The same through indirect tables. */
static void test_virtio_blk__takes_indirect_requests(void **state)
{
	struct blk_fixture *f = start_file(state);

	f->guest.use_indirect = true;
	write_pattern(f, 100, 0x33);
	assert_reads(f, 100, 0x33);
}

/* The used length counts what was written: data and status, or the status alone. */
static void test_virtio_blk__reports_written_bytes(void **state)
{
	struct blk_fixture *f = start_null(state);
	const struct guest_blk_request in = { VIRTIO_BLK_T_IN, 0, 1024, 0 };
	const struct guest_blk_request out = { VIRTIO_BLK_T_OUT, 0, 1024, 0 };
	const struct guest_blk_request beyond = { VIRTIO_BLK_T_IN, SECTORS, 1024, 0 };
	uint32_t len;

	guest_blk_add(&f->guest, 0, &in);
	guest_blk_publish(&f->guest, 0);
	flow_complete(f, 0, NULL, &len);
	assert_int_equal(len, 1025);
	guest_blk_add(&f->guest, 0, &out);
	guest_blk_publish(&f->guest, 0);
	flow_complete(f, 0, NULL, &len);
	assert_int_equal(len, 1);
	guest_blk_add(&f->guest, 0, &beyond);
	guest_blk_publish(&f->guest, 0);
	assert_int_equal(flow_complete(f, 0, NULL, &len), VIRTIO_BLK_S_IOERR);
	assert_int_equal(len, 1);
}

/* GET_ID gives the serial padded with zeroes, cut to a shorter buffer. */
static void test_virtio_blk__tells_its_serial(void **state)
{
	struct blk_fixture *f = *state;
	char *data, expected[20] = "twenty bytes serial!";

	f->config.serial = "twenty bytes serial!";
	start_null(state);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_GET_ID, 0, 20, (void **)&data),
			 VIRTIO_BLK_S_OK);
	assert_memory_equal(data, expected, 20);
	memset(data, 0x55, 20);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_GET_ID, 0, 6, (void **)&data),
			 VIRTIO_BLK_S_OK);
	assert_memory_equal(data, "twenty\x55", 7);
}

/* Types we do not know are UNSUPP, whatever else is in the request. */
static void test_virtio_blk__unknown_types_are_unsupported(void **state)
{
	static const uint32_t types[] = { 2, 3, 5, 12, 16, 0x80000000, 0x80000001, ~0u };
	struct blk_fixture *f = start_null(state);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		assert_int_equal(flow_request(f, types[i], ~0ull, 512, NULL), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(flow_row(f, 0)->errors, ARRAY_SIZE(types));
}

/* Requests that leave the disk, by a sector, by their length, by an overflow. */
static void test_virtio_blk__out_of_bounds_fails(void **state)
{
	static const struct {
		uint64_t sector;
		uint32_t bytes;
	} bad[] = { { SECTORS, 512 },	 { SECTORS - 1, 1024 }, { ~0ull, 512 },
		    { 1ull << 55, 512 }, { ~0ull - 1, 1024 },	{ (1ull << 63) - 1, 1024 } };
	struct blk_fixture *f = start_null(state);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, bad[i].sector, bad[i].bytes,
					      NULL),
				 VIRTIO_BLK_S_IOERR);
		assert_int_equal(flow_request(f, VIRTIO_BLK_T_OUT, bad[i].sector, bad[i].bytes,
					      NULL),
				 VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, SECTORS - 1, 512, NULL), VIRTIO_BLK_S_OK);
}

/* Data that is no whole number of sectors, or none at all. */
static void test_virtio_blk__partial_sectors_fail(void **state)
{
	static const uint32_t bytes[] = { 0, 1, 511, 513, 4095 };
	struct blk_fixture *f = start_null(state);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bytes); i++) {
		assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, 0, bytes[i], NULL),
				 VIRTIO_BLK_S_IOERR);
		assert_int_equal(flow_request(f, VIRTIO_BLK_T_OUT, 0, bytes[i], NULL),
				 VIRTIO_BLK_S_IOERR);
	}
}

/* seg_max data segments are served, one more is refused. */
static void test_virtio_blk__seg_max_is_enforced(void **state)
{
	struct blk_fixture *f = start_null(state);
	struct guest_buffer chain[10];
	unsigned int i;

	chain[0] = (struct guest_buffer){ put_header(f, VIRTIO_BLK_T_IN, 0), 16, false };
	for (i = 1; i < 10; i++)
		chain[i] = (struct guest_buffer){ SCRATCH + i * 4096, 512, true };
	assert_int_equal(raw_request(f, chain, 9, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(raw_request(f, chain, 10, NULL), VIRTIO_BLK_S_IOERR);
}

/* A segment over size_max is refused if the driver took SIZE_MAX, and only then. */
static void test_virtio_blk__size_max_is_enforced(void **state)
{
	struct blk_fixture *f = start_null(state);
	uint32_t size_max =
		guest_blk_config(&f->guest, offsetof(struct virtio_blk_config_space, size_max), 4);
	const struct guest_buffer chain[] = {
		{ put_header(f, VIRTIO_BLK_T_OUT, 0), 16, false },
		{ 0x800000, size_max + 512, false },
	};
	const struct guest_buffer fits[] = { chain[0], { 0x800000, size_max, false } };

	assert_int_equal(raw_request(f, chain, 2, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(raw_request(f, fits, 2, NULL), VIRTIO_BLK_S_OK);
	guest_blk_reset(&f->guest);
	guest_blk_start(&f->guest, FEATURES & ~FEATURE(SIZE_MAX), 1, 64);
	assert_int_equal(raw_request(f, chain, 2, NULL), VIRTIO_BLK_S_OK);
}

/* VERSION_1 lets a driver cut a request anywhere: header in two, data with the header, status with
 * data. */
static void test_virtio_blk__any_layout_is_served(void **state)
{
	struct blk_fixture *f = start_file(state);
	char *data = guest_ram_hva(f->board.ram, SCRATCH, 8192);
	struct guest_buffer out[] = { { SCRATCH, 5, false },
				      { SCRATCH + 5, 11 + 300, false },
				      { SCRATCH + 316, 212, false } };
	struct guest_buffer in[] = { { SCRATCH, 16, false }, { SCRATCH + 16, 512, true } };

	put_header(f, VIRTIO_BLK_T_OUT, 7);
	memset(data + 16, 0x44, 512);
	assert_int_equal(raw_request(f, out, 3, NULL), VIRTIO_BLK_S_OK);
	memset(data, 0, 8192);
	put_header(f, VIRTIO_BLK_T_IN, 7);
	assert_int_equal(raw_request(f, in, 2, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(data[16], 0x44);
	assert_int_equal(data[16 + 511], 0x44);
	assert_int_equal(data[16 + 512], 0);
}

/* A header that is too short is an error the guest can be told of. */
static void test_virtio_blk__short_header_fails(void **state)
{
	struct blk_fixture *f = start_null(state);
	const struct guest_buffer chain[] = { { put_header(f, VIRTIO_BLK_T_FLUSH, 0), 15, false } };

	assert_int_equal(raw_request(f, chain, 1, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_FLUSH, 0, 0, NULL), VIRTIO_BLK_S_OK);
}

/* Without a status byte there is no way to answer: the device asks to be reset, and works again
 * then. */
static void test_virtio_blk__no_status_byte_breaks_device(void **state)
{
	struct blk_fixture *f = start_null(state);
	const struct guest_buffer chain = { put_header(f, VIRTIO_BLK_T_FLUSH, 0), 16, false };
	uint64_t config_interrupts = fake_irq_sink_fired(&f->board.sink, 0);

	guest_ring_add(&f->guest.queue[0].ring, &chain, 1);
	guest_blk_publish(&f->guest, 0);
	flow_run_until(guest_blk_status(&f->guest) & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(fake_irq_sink_fired(&f->board.sink, 0), config_interrupts + 1);
	assert_int_equal(flow_row(f, 0)->errors, 1);
	guest_blk_reset(&f->guest);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_FLUSH, 0, 0, NULL), VIRTIO_BLK_S_OK);
}

/* Several ranges of a DISCARD or WRITE_ZEROES are all done, and nothing beside them. */
static void test_virtio_blk__discards_and_zeroes_ranges(void **state)
{
	static const uint32_t types[] = { VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES };
	const struct virtio_blk_discard_write_zeroes ranges[] = { { 8, 8, 0 }, { 24, 8, 0 } };
	struct blk_fixture *f = start_file(state);
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		for (j = 0; j < 5; j++)
			write_pattern(f, j * 8, 0x66);
		assert_int_equal(range_request(f, types[i], ranges, 2), VIRTIO_BLK_S_OK);
		for (j = 0; j < 5; j++)
			assert_reads(f, j * 8, j == 1 || j == 3 ? 0 : 0x66);
	}
}

/* Ranges that cannot be done fail as a whole; flags nobody knows are UNSUPP. */
static void test_virtio_blk__bad_ranges_fail(void **state)
{
	struct blk_fixture *f = start_file(state);
	struct virtio_blk_discard_write_zeroes ranges[17] = { { 0, 8, 0 }, { SECTORS - 7, 8, 0 } };
	const struct virtio_blk_discard_write_zeroes unmap = { 0, 8, 1 }, odd = { 0, 8, 2 };
	const struct virtio_blk_discard_write_zeroes huge = { 0, 0x400000, 0 };

	write_pattern(f, 0, 0x77);
	assert_int_equal(range_request(f, VIRTIO_BLK_T_WRITE_ZEROES, ranges, 2),
			 VIRTIO_BLK_S_IOERR);
	assert_reads(f, 0, 0x77);
	assert_int_equal(range_request(f, VIRTIO_BLK_T_DISCARD, &unmap, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(range_request(f, VIRTIO_BLK_T_WRITE_ZEROES, &odd, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(range_request(f, VIRTIO_BLK_T_DISCARD, &huge, 1), VIRTIO_BLK_S_IOERR);
	ranges[1].sector = 0;
	assert_int_equal(range_request(f, VIRTIO_BLK_T_DISCARD, ranges, 17), VIRTIO_BLK_S_IOERR);
	/* A table of no ranges, and of half of one. */
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_DISCARD, 0, 0, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_DISCARD, 0, 24, NULL), VIRTIO_BLK_S_IOERR);
	assert_reads(f, 0, 0x77);
	assert_int_equal(range_request(f, VIRTIO_BLK_T_WRITE_ZEROES, &unmap, 1), VIRTIO_BLK_S_OK);
	assert_reads(f, 0, 0);
}

/* What was not negotiated is UNSUPP. */
static void test_virtio_blk__ranges_need_their_features(void **state)
{
	const struct virtio_blk_discard_write_zeroes range = { 0, 8, 0 };
	struct blk_fixture *f = *state;

	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, 0, 1, 64);
	assert_int_equal(range_request(f, VIRTIO_BLK_T_DISCARD, &range, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(range_request(f, VIRTIO_BLK_T_WRITE_ZEROES, &range, 1),
			 VIRTIO_BLK_S_UNSUPP);
}

/* A read-only disk reads and flushes, and refuses all that writes. */
static void test_virtio_blk__read_only_disk_refuses_writes(void **state)
{
	const struct virtio_blk_discard_write_zeroes range = { 0, 8, 0 };
	struct blk_fixture *f = *state;

	flow_plug_file(f, true);
	guest_blk_start(&f->guest, FEATURE(FLUSH) | FEATURE(RO), 1, 64);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_OUT, 0, 512, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(range_request(f, VIRTIO_BLK_T_DISCARD, &range, 1), VIRTIO_BLK_S_IOERR);
	assert_int_equal(range_request(f, VIRTIO_BLK_T_WRITE_ZEROES, &range, 1),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_FLUSH, 0, 0, NULL), VIRTIO_BLK_S_OK);
	assert_reads(f, 0, 0);
}

/* Without FLUSH a write is followed by a flush of our own before it is acknowledged: two steps. */
static void test_virtio_blk__writes_through_without_flush(void **state)
{
	struct blk_fixture *f = *state;
	const struct hist *io;

	flow_plug_file(f, false);
	io = &flow_row(f, 0)->leg[STATS_LEG_IO];
	flow_arm(true);
	guest_blk_start(&f->guest, 0, 1, 64);
	write_pattern(f, 0, 1);
	assert_int_equal(io->count, 2);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, 0, 512, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(io->count, 3);
	guest_blk_reset(&f->guest);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	write_pattern(f, 0, 1);
	assert_int_equal(io->count, 4);
	flow_arm(false);
}

/* With CONFIG_WCE the driver chooses between the two whenever it likes; a reset forgets it. */
static void test_virtio_blk__writes_through_by_choice(void **state)
{
	const unsigned int wce = offsetof(struct virtio_blk_config_space, wce);
	struct blk_fixture *f = *state;
	const struct hist *io;

	flow_plug_file(f, false);
	io = &flow_row(f, 0)->leg[STATS_LEG_IO];
	flow_arm(true);
	guest_blk_start(&f->guest, FEATURES | FEATURE(CONFIG_WCE), 1, 64);
	assert_int_equal(guest_blk_config(&f->guest, wce, 1), 1);
	write_pattern(f, 0, 1);
	assert_int_equal(io->count, 1);
	fake_board_write(&f->board, f->guest.device_gpa + wce, 0, 1);
	assert_int_equal(guest_blk_config(&f->guest, wce, 1), 0);
	write_pattern(f, 0, 1);
	assert_int_equal(io->count, 3);
	fake_board_write(&f->board, f->guest.device_gpa + wce, 2, 1);
	assert_int_equal(guest_blk_config(&f->guest, wce, 1), 1);
	/* Not by a write of another width, nor to a place beside it. */
	fake_board_write(&f->board, f->guest.device_gpa + wce, 0, 2);
	fake_board_write(&f->board, f->guest.device_gpa + wce + 1, 0, 1);
	write_pattern(f, 0, 1);
	assert_int_equal(io->count, 4);
	fake_board_write(&f->board, f->guest.device_gpa + wce, 0, 1);
	guest_blk_reset(&f->guest);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	assert_int_equal(guest_blk_config(&f->guest, wce, 1), 1);
	/* It was not negotiated this time. */
	fake_board_write(&f->board, f->guest.device_gpa + wce, 0, 1);
	assert_int_equal(guest_blk_config(&f->guest, wce, 1), 1);
	guest_blk_reset(&f->guest);
	guest_blk_start(&f->guest, FEATURE(CONFIG_WCE), 1, 64);
	assert_int_equal(guest_blk_config(&f->guest, wce, 1), 0);
	flow_arm(false);
}

#define BOTH(name) FLOW_BOTH(virtio_blk, name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(writes_and_reads_back),
		BOTH(takes_indirect_requests),
		BOTH(reports_written_bytes),
		BOTH(tells_its_serial),
		BOTH(unknown_types_are_unsupported),
		BOTH(out_of_bounds_fails),
		BOTH(partial_sectors_fail),
		BOTH(seg_max_is_enforced),
		BOTH(size_max_is_enforced),
		BOTH(any_layout_is_served),
		BOTH(short_header_fails),
		BOTH(no_status_byte_breaks_device),
		BOTH(discards_and_zeroes_ranges),
		BOTH(bad_ranges_fail),
		BOTH(ranges_need_their_features),
		BOTH(read_only_disk_refuses_writes),
		BOTH(writes_through_without_flush),
		BOTH(writes_through_by_choice),
	};

	return cmocka_run_group_tests_name("virtio_blk_requests", tests, NULL, NULL);
}
