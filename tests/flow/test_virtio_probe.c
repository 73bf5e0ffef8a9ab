// SPDX-License-Identifier: BSD-2-Clause
/* What a driver finds and how it sets the device up, register by register. */
#include "blk_fixture.h"

#include <string.h>
#include <linux/pci_regs.h>

#define VERSION_1 (1ull << VIRTIO_F_VERSION_1)

static struct blk_fixture *plugged(void **state)
{
	struct blk_fixture *f = *state;

	f->config.queues = 2;
	flow_plug_null(f, 0);
	return f;
}

/* Vendor, device, revision and class are those of a modern virtio-blk; there is no INTx pin. */
static void test_virtio__config_space_identifies_it(void **state)
{
	struct blk_fixture *f = plugged(state);
	struct fake_board *board = &f->board;

	assert_int_equal(fake_board_config_read(board, 1, PCI_VENDOR_ID, 2), 0x1af4);
	assert_int_equal(fake_board_config_read(board, 1, PCI_DEVICE_ID, 2), 0x1042);
	assert_int_equal(fake_board_config_read(board, 1, PCI_REVISION_ID, 1), 1);
	assert_int_equal(fake_board_config_read(board, 1, PCI_CLASS_REVISION, 4) >> 8, 0x010000);
	assert_int_equal(fake_board_config_read(board, 1, PCI_INTERRUPT_PIN, 1), 0);
}

/* All five structures have a capability, and MSI-X has a vector more than there are queues. */
static void test_virtio__capabilities_lead_to_structures(void **state)
{
	struct blk_fixture *f = plugged(state);
	struct guest_blk *guest = &f->guest;

	assert_true(guest->common_gpa && guest->notify_gpa && guest->isr_gpa && guest->device_gpa);
	assert_true(guest->cfg_cap && guest->msix_gpa);
	assert_int_equal(guest->notify_multiplier, 4);
	assert_true(guest->common_bytes >= 56);
	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_NUMQ, 2), 2);
	assert_int_equal(guest->board->pci ? guest_blk_status(guest) : 1, 0);
}

/* Only what is offered can be taken, and VERSION_1 must be. */
static void test_virtio__features_ok_needs_valid_subset(void **state)
{
	struct blk_fixture *f = plugged(state);
	struct guest_blk *guest = &f->guest;

	assert_false(guest_blk_negotiate(guest, 1ull << VIRTIO_BLK_F_FLUSH));
	guest_blk_reset(guest);
	assert_true(guest->offered & VERSION_1);
	assert_false(guest->offered & 1ull << VIRTIO_BLK_F_GEOMETRY);
	assert_false(guest_blk_negotiate(guest, VERSION_1 | 1ull << VIRTIO_BLK_F_GEOMETRY));
	guest_blk_reset(guest);
	assert_true(guest_blk_negotiate(guest, VERSION_1 | 1ull << VIRTIO_BLK_F_FLUSH));
}

/* What is offered follows the options and the disk. */
static void test_virtio__features_follow_options(void **state)
{
	struct blk_fixture *f = *state;

	f->config.event_idx = f->config.indirect = f->config.discard = false;
	flow_plug_file(f, true);
	guest_blk_negotiate(&f->guest, VERSION_1);
	assert_true(f->guest.offered & 1ull << VIRTIO_BLK_F_RO);
	assert_false(f->guest.offered & 1ull << VIRTIO_BLK_F_CONFIG_WCE);
	assert_false(f->guest.offered & 1ull << VIRTIO_RING_F_EVENT_IDX);
	assert_false(f->guest.offered & 1ull << VIRTIO_RING_F_INDIRECT_DESC);
	assert_false(f->guest.offered & 1ull << VIRTIO_BLK_F_DISCARD);
	/* Asked for, but a read-only disk has none. */
	assert_false(f->guest.offered & 1ull << VIRTIO_BLK_F_WRITE_ZEROES);
	assert_true(f->guest.offered & 1ull << VIRTIO_BLK_F_SEG_MAX);
	assert_true(f->guest.offered & 1ull << VIRTIO_BLK_F_MQ);
	assert_false(f->guest.offered & 1ull << VIRTIO_F_RING_PACKED);
}

/* The packed ring is offered if asked for, taken or not, and then any size of a queue is good. */
static void test_virtio__packed_ring_is_the_drivers_choice(void **state)
{
	struct blk_fixture *f = *state;

	f->config.packed = true;
	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, 0, 1, 100);
	assert_true(f->guest.queue[0].ring.layout.packed);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, 0, 512, NULL), VIRTIO_BLK_S_OK);
	guest_blk_reset(&f->guest);
	assert_true(guest_blk_negotiate(&f->guest, VERSION_1));
	guest_blk_setup_queues(&f->guest, 1, 64);
	guest_blk_driver_ok(&f->guest);
	assert_false(f->guest.queue[0].ring.layout.packed);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, 0, 512, NULL), VIRTIO_BLK_S_OK);
}

/* After FEATURES_OK the features are fixed; a bit of status is never cleared but by reset. */
static void test_virtio__negotiated_features_are_frozen(void **state)
{
	struct blk_fixture *f = plugged(state);
	struct guest_blk *guest = &f->guest;

	assert_true(guest_blk_negotiate(guest, VERSION_1));
	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_GFSELECT, 0, 4);
	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_GF, 1u << VIRTIO_BLK_F_FLUSH, 4);
	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_GF, 4), 0);
	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE, 1);
	assert_true(guest_blk_status(guest) & VIRTIO_CONFIG_S_FEATURES_OK);
	guest_blk_reset(guest);
	assert_int_equal(guest_blk_status(guest), 0);
	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_GFSELECT, 1, 4);
	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_GF, 4), 0);
}

/* DRIVER_OK without FEATURES_OK does not start anything. */
static void test_virtio__driver_ok_needs_features_ok(void **state)
{
	struct blk_fixture *f = plugged(state);

	guest_blk_common_write(&f->guest, VIRTIO_PCI_COMMON_STATUS,
			       VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
				       VIRTIO_CONFIG_S_DRIVER_OK,
			       1);
	assert_false(guest_blk_status(&f->guest) & VIRTIO_CONFIG_S_DRIVER_OK);
	assert_false(virtio_blk_started(f->vblk));
}

/* A queue that does not exist has size 0, and writing to it does nothing. */
static void test_virtio__selecting_missing_queue_is_harmless(void **state)
{
	static const uint16_t queues[] = { 2, 16, 0x7fff, 0xffff };
	struct blk_fixture *f = plugged(state);
	struct guest_blk *guest = &f->guest;
	unsigned int i, reg;

	for (i = 0; i < ARRAY_SIZE(queues); i++) {
		guest_blk_common_write(guest, VIRTIO_PCI_COMMON_Q_SELECT, queues[i], 2);
		assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_Q_SIZE, 2), 0);
		for (reg = VIRTIO_PCI_COMMON_Q_SIZE; reg < VIRTIO_PCI_COMMON_Q_USEDHI + 4; reg += 2)
			guest_blk_common_write(guest, reg, 1, 2);
	}
	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_Q_SELECT, 1, 2);
	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_Q_SIZE, 2), 256);
	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
}

/* 64-bit fields keep both halves; once enabled a queue is fixed until reset. */
static void test_virtio__queue_registers(void **state)
{
	struct blk_fixture *f = plugged(state);
	struct guest_blk *guest = &f->guest;

	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_Q_DESCLO, 0x123456789abcdef0, 8);
	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_Q_DESCLO, 8),
			 0x123456789abcdef0);
	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_Q_DESCHI, 4), 0x12345678);
	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_Q_SIZE, 512, 2);
	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_Q_SIZE, 2), 256);
	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_Q_SIZE, 64, 2);
	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_Q_SIZE, 32, 2);
	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_Q_DESCLO, 0, 4);
	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_Q_SIZE, 2), 64);
	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_Q_DESCLO, 4), 0x9abcdef0);
	guest_blk_reset(guest);
	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_Q_SIZE, 2), 256);
	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
}

/* A vector that is not to be had reads back as NO_VECTOR; a good one is held until reset. */
static void test_virtio__vectors_read_back(void **state)
{
	struct blk_fixture *f = plugged(state);
	struct guest_blk *guest = &f->guest;

	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_MSIX, 2), 0xffff);
	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_MSIX, 3, 2);
	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_MSIX, 2), 0xffff);
	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_MSIX, 2, 2);
	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_MSIX, 2), 2);
	assert_int_equal(f->board.sink.n_routes, 1);
	f->board.sink.routes_left = 0;
	guest_blk_common_write(guest, VIRTIO_PCI_COMMON_Q_MSIX, 1, 2);
	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_Q_MSIX, 2), 0xffff);
	guest_blk_reset(guest);
	assert_int_equal(guest_blk_common_read(guest, VIRTIO_PCI_COMMON_MSIX, 2), 0xffff);
	assert_int_equal(f->board.sink.n_routes, 0);
}

/* The configuration space says what the device enforces. It is not writable, nor is what follows
 * it. */
static void test_virtio__block_configuration(void **state)
{
	struct blk_fixture *f = plugged(state);
	struct guest_blk *guest = &f->guest;

#define CONFIG(field)                                                                              \
	guest_blk_config(guest, offsetof(struct virtio_blk_config_space, field),                   \
			 sizeof(((struct virtio_blk_config_space *)0)->field))
	assert_int_equal(CONFIG(capacity), FLOW_DISK_BYTES / 512);
	assert_int_equal(CONFIG(seg_max), 254);
	assert_int_equal(CONFIG(blk_size), 512);
	assert_int_equal(CONFIG(physical_block_exp), 0);
	assert_int_equal(CONFIG(min_io_size), 1);
	assert_int_equal(CONFIG(num_queues), 2);
	assert_true(CONFIG(max_discard_sectors) && CONFIG(max_discard_seg));
	assert_true(CONFIG(max_write_zeroes_sectors) && CONFIG(max_write_zeroes_seg));
	fake_board_write(&f->board, guest->device_gpa, 1, 8);
	assert_int_equal(CONFIG(capacity), FLOW_DISK_BYTES / 512);
	assert_int_equal(guest_blk_config(guest, guest->device_bytes, 4), 0xffffffff);
}

static uint32_t window(struct blk_fixture *f, uint32_t offset, uint32_t len, bool write,
		       uint32_t value)
{
	unsigned int cap = f->guest.cfg_cap;

	fake_board_config_write(&f->board, 1, cap + 4, 4, 1);
	fake_board_config_write(&f->board, 1, cap + 8, offset, 4);
	fake_board_config_write(&f->board, 1, cap + 12, len, 4);
	if (write)
		fake_board_config_write(&f->board, 1, cap + 16, value, 4);
	return fake_board_config_read(&f->board, 1, cap + 16, 4);
}

/* The window in config space reaches the same registers, and nothing else. */
static void test_virtio__window_reaches_registers(void **state)
{
	struct blk_fixture *f = plugged(state);

	assert_int_equal(window(f, VIRTIO_PCI_COMMON_NUMQ, 2, false, 0) & 0xffff, 2);
	window(f, VIRTIO_PCI_COMMON_STATUS, 1, true, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	assert_int_equal(guest_blk_status(&f->guest), VIRTIO_CONFIG_S_ACKNOWLEDGE);
	/* Not a valid length, not aligned, not a structure: no access. */
	window(f, VIRTIO_PCI_COMMON_STATUS, 3, true, VIRTIO_CONFIG_S_DRIVER);
	window(f, VIRTIO_PCI_COMMON_Q_SELECT + 1, 2, true, 1);
	window(f, 0x3ffc, 4, true, 1);
	window(f, ~0u, 4, true, 1);
	assert_int_equal(guest_blk_status(&f->guest), VIRTIO_CONFIG_S_ACKNOWLEDGE);
	assert_int_equal(guest_blk_common_read(&f->guest, VIRTIO_PCI_COMMON_Q_SELECT, 2), 0);
}

/* Names the guest could be told: an option out of range says so, and nothing is plugged. */
static void test_virtio__bad_options_are_refused(void **state)
{
	struct blk_fixture *f = *state;
	struct virtio_machine machine;
	struct virtio_blk_config bad[5];
	struct error err;
	unsigned int i;

	flow_plug_null(f, 0);
	machine = (struct virtio_machine){ .pci = f->board.pci, .ram = f->board.ram };
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = f->config;
	bad[0].queues = 0;
	bad[1].queues = 17;
	bad[2].queue_size = 100;
	bad[3].seg_max = 255;
	bad[4].serial = "more than twenty bytes";
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_null(virtio_blk_pci_new(&machine, &bad[i], &err));
		assert_non_null(strstr(err.msg, "disk0"));
	}
	assert_int_equal(fake_board_config_read(&f->board, 2, PCI_VENDOR_ID, 2), 0xffff);
}

#define T(name) cmocka_unit_test_setup_teardown(test_virtio__##name, flow_setup, flow_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(config_space_identifies_it),
		T(capabilities_lead_to_structures),
		T(features_ok_needs_valid_subset),
		T(features_follow_options),
		T(packed_ring_is_the_drivers_choice),
		T(negotiated_features_are_frozen),
		T(driver_ok_needs_features_ok),
		T(selecting_missing_queue_is_harmless),
		T(queue_registers),
		T(vectors_read_back),
		T(block_configuration),
		T(window_reaches_registers),
		T(bad_options_are_refused),
	};

	return cmocka_run_group_tests_name("virtio_probe", tests, NULL, NULL);
}
