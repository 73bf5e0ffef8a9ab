// SPDX-License-Identifier: BSD-2-Clause
/*
 * key=value lists. Three steps: cut the text into items, judge every item, and only then write: a
 * list with a mistake in it leaves the caller's struct as it was. Neighbours: kv_value.c (single
 * values), opts.c and cmd/ (tables).
 */
#include <handoff/kv.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kv.h"

/* No table has more keys, and no key may come twice, so no valid list is longer. */
#define KV_MAX_ITEMS 64

struct kv_item {
	const struct kv_key *key;
	const char *value;
	uint64_t number; /* the value of all types but KV_STRING */
};

/*
 * Cuts the next item off *rest. A doubled comma is a comma of the value (a file's name may have
 * one), as in QEMU's options. Works in place; NULL at the end.
 */
static char *kv_next_item(char **rest)
{
	char *item = *rest, *from = item, *to = item;

	if (!item)
		return NULL;
	while (*from && (*from != ',' || from[1] == ',')) {
		from += *from == ',';
		*to++ = *from++;
	}
	*rest = *from ? from + 1 : NULL;
	*to = '\0';
	return item;
}

static const struct kv_key *kv_find(const struct kv_key *keys, const char *name)
{
	for (; keys->name; keys++)
		if (!strcmp(keys->name, name))
			return keys;
	return NULL;
}

static int kv_unknown(const struct kv_key *keys, const char *name, struct error *err)
{
	char known[256] = "";
	size_t len = 0;

	for (; keys->name && len < sizeof(known); keys++)
		len += snprintf(known + len, sizeof(known) - len, "%s%s", len ? ", " : "",
				keys->name);
	return error_set(err, -EINVAL, "unknown key '%.64s'; known: %s", name, known);
}

/* "a|b|c": position of value, or -1. */
static int kv_enum_position(const char *values, const char *value)
{
	size_t len = strlen(value);
	int position;

	for (position = 0;; position++) {
		size_t n = strcspn(values, "|");

		if (n == len && !strncmp(values, value, n))
			return position;
		if (!values[n])
			return -1;
		values += n + 1;
	}
}

static int kv_check_range(const struct kv_item *item, struct error *err)
{
	const struct kv_key *key = item->key;
	uint64_t max = key->max ? key->max : key->type == KV_U32 ? UINT32_MAX : UINT64_MAX;
	char bound[32];

	if (item->number < key->min)
		return error_set(err, -EINVAL, "%s=%s: too small; at least %s", key->name,
				 item->value, kv_format(key->type, key->min, bound));
	if (item->number > max)
		return error_set(err, -EINVAL, "%s=%s: too large; at most %s", key->name,
				 item->value, kv_format(key->type, max, bound));
	return 0;
}

static int kv_check_number(struct kv_item *item, struct error *err)
{
	static const struct {
		int (*parse)(const char *text, uint64_t *value);
		const char *right;
	} types[] = {
		[KV_U32] = { kv_parse_u64, "a number; write 8" },
		[KV_U64] = { kv_parse_u64, "a number; write 8" },
		[KV_SIZE] = { kv_parse_size, "a size; write 64M" },
		[KV_TIME] = { kv_parse_time, "a time; write 20us" },
	};
	enum kv_type type = item->key->type;
	int ret = types[type].parse(item->value, &item->number);

	if (ret == -ERANGE)
		return error_set(err, -EINVAL, "%s=%.64s: too large", item->key->name, item->value);
	if (ret)
		return error_set(err, -EINVAL, "%s=%.64s: not %s", item->key->name, item->value,
				 types[type].right);
	return kv_check_range(item, err);
}

static int kv_check_value(struct kv_item *item, struct error *err)
{
	const struct kv_key *key = item->key;
	bool on = true;
	int position;

	switch (key->type) {
	case KV_STRING:
		if (!item->value || !*item->value)
			return error_set(err, -EINVAL, "%s: needs a value; write %s=...", key->name,
					 key->name);
		return 0;
	case KV_BOOL:
		/* The bare word is "on". */
		if (item->value && kv_parse_bool(item->value, &on))
			return error_set(err, -EINVAL, "%s=%.64s: not a switch; write on or off",
					 key->name, item->value);
		item->number = on;
		return 0;
	case KV_ENUM:
		position = item->value ? kv_enum_position(key->values, item->value) : -1;
		if (position < 0)
			return error_set(err, -EINVAL, "%s=%.64s: must be one of %s", key->name,
					 item->value ? item->value : "", key->values);
		item->number = position;
		return 0;
	default:
		if (!item->value || !*item->value)
			return error_set(err, -EINVAL, "%s: needs a value; write %s=...", key->name,
					 key->name);
		return kv_check_number(item, err);
	}
}

/*
 * Judges one item and adds it to items[0 .. n - 1]. `first` as in kv_parse, NULL for all items but
 * the first.
 */
static int kv_judge(char *text, const char *first, const struct kv_key *keys, struct kv_item *items,
		    unsigned int n, struct error *err)
{
	struct kv_item *item = &items[n];
	char *equals = strchr(text, '=');
	unsigned int i;

	if (!*text)
		return error_set(err, -EINVAL, "empty item; write key=value,key=value");
	if (!equals && first) {
		item->key = kv_find(keys, first);
		item->value = text;
	} else {
		if (equals)
			*equals = '\0';
		item->key = kv_find(keys, text);
		item->value = equals ? equals + 1 : NULL;
	}
	if (!item->key)
		return kv_unknown(keys, text, err);
	for (i = 0; i < n; i++)
		if (items[i].key == item->key)
			return error_set(err, -EINVAL, "%s: given twice", item->key->name);
	return kv_check_value(item, err);
}

static void kv_write(const struct kv_item *item, char *string, void *into)
{
	const struct kv_key *key = item->key;
	void *field = (char *)into + key->offset;

	switch (key->type) {
	case KV_STRING:
		free(*(char **)field);
		*(char **)field = string;
		break;
	case KV_BOOL:
		*(bool *)field = item->number;
		break;
	case KV_U32:
		*(uint32_t *)field = item->number;
		break;
	case KV_ENUM:
		*(unsigned int *)field = item->number;
		break;
	case KV_U64:
	case KV_SIZE:
	case KV_TIME:
		*(uint64_t *)field = item->number;
		break;
	}
	if (key->seen_offset != KV_NO_SEEN)
		*(bool *)((char *)into + key->seen_offset) = true;
}

/* All copies are made before the first field is written: no memory is a mistake like any other. */
static int kv_apply(const struct kv_item *items, unsigned int n, void *into, struct error *err)
{
	char *strings[KV_MAX_ITEMS] = { NULL };
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (items[i].key->type != KV_STRING)
			continue;
		strings[i] = strdup(items[i].value);
		if (!strings[i])
			goto no_memory;
	}
	for (i = 0; i < n; i++)
		kv_write(&items[i], strings[i], into);
	return 0;

no_memory:
	while (i--)
		free(strings[i]);
	return error_set(err, -ENOMEM, "out of memory");
}

int kv_parse(const char *text, const char *first, const struct kv_key *keys, void *into,
	     struct error *err)
{
	struct kv_item items[KV_MAX_ITEMS];
	char *copy, *rest, *item;
	unsigned int n = 0;
	int ret = 0;

	if (!*text)
		return 0;
	copy = strdup(text);
	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	for (rest = copy; !ret && (item = kv_next_item(&rest)); n++) {
		if (n == KV_MAX_ITEMS)
			ret = error_set(err, -EINVAL, "more than %d items", KV_MAX_ITEMS);
		else
			ret = kv_judge(item, n ? NULL : first, keys, items, n, err);
	}
	if (!ret)
		ret = kv_apply(items, n, into, err);
	free(copy);
	return ret;
}

void kv_release(const struct kv_key *keys, void *into)
{
	for (; keys->name; keys++) {
		char **field = (char **)((char *)into + keys->offset);

		if (keys->type != KV_STRING)
			continue;
		free(*field);
		*field = NULL;
	}
}
