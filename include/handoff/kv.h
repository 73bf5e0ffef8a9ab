/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "key=value,key=value" as in --blk and --iothread. A table says which keys exist and what they
 * are; a value goes straight into the caller's struct. Wholly validated before anything is written.
 * Any thread.
 */
#ifndef HANDOFF_KV_H
#define HANDOFF_KV_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/error.h>

enum kv_type {
	KV_STRING, /* char *, strdup'ed; the caller frees (kv_release) */
	KV_BOOL,   /* bool: on|off, true|false, yes|no, 1|0 */
	KV_U32,	   /* uint32_t within [min, max] */
	KV_U64,	   /* uint64_t within [min, max] */
	KV_SIZE,   /* uint64_t bytes: 4096, 64k, 64M, 1G, within [min, max] */
	KV_TIME,   /* uint64_t ns: 20us, 1ms, 5s, 700ns or plain ns, within [min, max] */
	KV_ENUM,   /* unsigned int: position in `values`, "a|b|c" */
};

struct kv_key {
	const char *name; /* NULL ends the table */
	enum kv_type type;
	size_t offset;	    /* of the field in the caller's struct */
	size_t seen_offset; /* of a bool that tells that the key was given; KV_NO_SEEN if not wanted
			     */
	uint64_t min, max;  /* max 0 = no upper bound */
	const char *values; /* KV_ENUM. KV_STRING: what bash completes, "file", "a|b" or NULL */
	const char *help;   /* one line, for --help and the man page */
};

#define KV_NO_SEEN ((size_t)-1)

/*
 * Parses `text` into `into`. `first`, if not NULL, names the key of a first word that has no '='
 * (as in "--blk file.img,size=1G"). Unknown key, doubled key, bad value: -EINVAL and err says what
 * and what would be right ("size=12x: not a size; write 64M").
 */
int kv_parse(const char *text, const char *first, const struct kv_key *keys, void *into,
	     struct error *err) MUST_CHECK;

/* Frees the KV_STRING fields and sets them to NULL. */
void kv_release(const struct kv_key *keys, void *into);

/* The single values, for options that take just one. 0 or -EINVAL/-ERANGE. */
int kv_parse_size(const char *text, uint64_t *bytes) MUST_CHECK;
int kv_parse_time(const char *text, uint64_t *ns) MUST_CHECK;
int kv_parse_u64(const char *text, uint64_t *value) MUST_CHECK;
int kv_parse_bool(const char *text, bool *value) MUST_CHECK;

#endif
