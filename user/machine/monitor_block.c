// SPDX-License-Identifier: BSD-2-Clause
/*
 * Disks by QMP. A disk's root node has the disk's name; what a filter stands on has ".file" behind
 * it. Times of requests and merged ones are not counted, so QEMU's fields for them are left out.
 * Main thread. Neighbours: monitor_commands.c has the table; disks.c, user/block; moves.c hands
 * over.
 */
#include "monitor.h"

#include <stdio.h>
#include <string.h>
#include <handoff/block.h>
#include <handoff/virtio.h>
#include "board.h"

#define NODE_NAME_LEN (STATS_NAME_LEN + BDRV_MAX_DEPTH * sizeof(".file"))

static const char *file_name(const struct machine *m, unsigned int disk)
{
	const char *file = m->config->disk[disk].file;

	return strcmp(file, "null") ? file : "null://";
}

/* The node `depth` steps below the root; NULL if there is none. */
static struct BlockDriverState *node_at(const struct board_disk *disk, unsigned int depth,
					char name[NODE_NAME_LEN])
{
	struct BlockDriverState *bs = blk_bs(disk->blk);
	int n = snprintf(name, NODE_NAME_LEN, "%s", disk->name);

	for (; bs && depth; depth--) {
		bs = bdrv_filter_bs(bs);
		n += snprintf(name + n, NODE_NAME_LEN - (size_t)n, ".file");
	}
	return bs;
}

/* A file's name may be any bytes, JSON is UTF-8: of another nothing but ASCII is told. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);
	char ascii[256];
	size_t i;

	if (json)
		return json;
	for (i = 0; text[i] && i + 1 < sizeof(ascii); i++)
		ascii[i] = text[i] & 0x80 ? '?' : text[i];
	ascii[i] = '\0';
	return json_string(ascii);
}

/* BlockDeviceInfo. There is no throttling: 0 is no limit. */
static json_t *node_info(const struct machine *m, unsigned int disk, struct BlockDriverState *bs,
			 const char *name)
{
	static const char *const limits[] = { "bps",  "bps_rd",	 "bps_wr",
					      "iops", "iops_rd", "iops_wr" };
	bool direct = m->config->disk[disk].cache == MACHINE_CACHE_DIRECT;
	const char *file = file_name(m, disk), *driver = bdrv_get_format_name(bs);
	json_t *info = json_pack(
		"{s:o, s:b, s:s, s:s, s:i, s:b, s:s, s:i, s:{s:o, s:s, s:I}, s:{s:b, s:b, s:b}}",
		"file", text_json(file), "ro", bdrv_is_read_only(bs), "drv", driver, "node-name",
		name, "backing_file_depth", 0, "encrypted", false, "detect_zeroes", "off",
		"write_threshold", 0, "image", "filename", text_json(file), "format", driver,
		"virtual-size", (json_int_t)bdrv_getlength(bs), "cache", "writeback", true,
		"direct", direct, "no-flush", false);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		json_object_set_new(info, limits[i], json_integer(0));
	return info;
}

json_t *monitor_query_block(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	const struct machine *m = opaque;
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < m->config->n_disks; i++) {
		const struct board_disk *disk = &m->disk[i];

		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:b, s:b, s:o}", "device",
						disk->name, "qdev", disk->name, "type", "unknown",
						"removable", false, "locked", false, "inserted",
						node_info(m, i, blk_bs(disk->blk), disk->name)));
	}
	return list;
}

json_t *monitor_query_named_block_nodes(void *opaque, const json_t *arguments,
					struct qmp_failure *failure)
{
	const struct machine *m = opaque;
	struct BlockDriverState *bs;
	json_t *list = json_array();
	char name[NODE_NAME_LEN];
	unsigned int i, depth;

	for (i = 0; i < m->config->n_disks; i++)
		for (depth = 0; (bs = node_at(&m->disk[i], depth, name)); depth++)
			json_array_append_new(list, node_info(m, i, bs, name));
	return list;
}

/* BlockDeviceStats. Zeroes written are writes, as QEMU counts a virtio-blk's. */
static json_t *stats_of(const struct BlockBackend *blk)
{
	struct blk_counters rd = blk_get_counters(blk, BLK_READ);
	struct blk_counters wr = blk_get_counters(blk, BLK_WRITE);
	struct blk_counters zeroes = blk_get_counters(blk, BLK_WRITE_ZEROES);
	struct blk_counters flush = blk_get_counters(blk, BLK_FLUSH);
	struct blk_counters unmap = blk_get_counters(blk, BLK_DISCARD);
	const struct {
		const char *name;
		uint64_t value;
	} figures[] = {
		{ "rd_operations", rd.done },
		{ "rd_bytes", rd.bytes },
		{ "failed_rd_operations", rd.failed },
		{ "wr_operations", wr.done + zeroes.done },
		{ "wr_bytes", wr.bytes + zeroes.bytes },
		{ "failed_wr_operations", wr.failed + zeroes.failed },
		{ "flush_operations", flush.done },
		{ "failed_flush_operations", flush.failed },
		{ "unmap_operations", unmap.done },
		{ "unmap_bytes", unmap.bytes },
		{ "failed_unmap_operations", unmap.failed },
	};
	json_t *stats = json_object();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(figures); i++)
		json_object_set_new(stats, figures[i].name,
				    json_integer((json_int_t)figures[i].value));
	return stats;
}

/* What is counted is counted at the backend: by nodes there is nothing to tell. */
json_t *monitor_query_blockstats(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	const struct machine *m = opaque;
	json_t *list = json_array();
	unsigned int i;

	if (json_is_true(json_object_get(arguments, "query-nodes")))
		return list;
	for (i = 0; i < m->config->n_disks; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "device",
						      m->disk[i].name, "qdev", m->disk[i].name,
						      "node-name", m->disk[i].name, "stats",
						      stats_of(m->disk[i].blk)));
	return list;
}

/* By any of its nodes: a disk's graph moves as a whole. n_disks: there is none. */
static unsigned int find_by_node(const struct machine *m, const char *node)
{
	char name[NODE_NAME_LEN];
	unsigned int i, depth;

	for (i = 0; i < m->config->n_disks; i++)
		for (depth = 0; node_at(&m->disk[i], depth, name); depth++)
			if (!strcmp(name, node))
				return i;
	return i;
}

json_t *monitor_blockdev_set_iothread(void *opaque, const json_t *arguments,
				      struct qmp_failure *failure)
{
	const char *node = json_string_value(json_object_get(arguments, "node-name"));
	const char *id = json_string_value(json_object_get(arguments, "iothread"));
	const struct machine *m = opaque;
	unsigned int disk = find_by_node(m, node);
	struct IOThread *iothread;

	if (disk == m->config->n_disks)
		return qmp_fail(failure, QMP_GENERIC_ERROR,
				"Failed to find node with node-name='%.200s'", node);
	if (board_iothread_find(opaque, id, &iothread, NULL))
		return qmp_fail(failure, QMP_GENERIC_ERROR, "Cannot find iothread %.200s", id);
	if (!m->config->disk[disk].ioeventfd)
		return qmp_fail(failure, QMP_DEVICE_NOT_ACTIVE,
				"Node '%s' has ioeventfd=off: the vCPU threads serve it, no loop",
				node);
	if (board_move_disk(opaque, m->disk[disk].vblk, iothread, &failure->error))
		return NULL;
	return json_object();
}
