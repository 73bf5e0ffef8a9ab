/* SPDX-License-Identifier: BSD-2-Clause */
/* The stats page (abi/stats.h) of another process, mapped read-only. It stays readable after that
 * process has ended. */
#ifndef TRACE_STATS_MAP_H
#define TRACE_STATS_MAP_H

#include <sys/types.h>
#include <abi/stats.h>
#include <handoff/error.h>

struct stats_map;

/* The page of pid, as an open file; -ENOENT with err: none, not our VMM; -errno: no such process,
 * no leave to look. */
int stats_map_find(pid_t pid, struct error *err) MUST_CHECK;
/* Maps it; takes over fd. NULL with err: it is no page, or of another version. */
struct stats_map *stats_map_open(int fd, struct error *err) MUST_CHECK;
/* Both. */
struct stats_map *stats_map_new(pid_t pid, struct error *err) MUST_CHECK;
void stats_map_free(struct stats_map *m);

/*
 * Copies the page: every row that has a name, each consistent in itself. A row that a killed VMM
 * left half written is taken as it is after a bounded number of tries. `to` was zeroed before its
 * first use.
 */
void stats_map_copy(const struct stats_map *m, struct stats_page *to);

#endif
