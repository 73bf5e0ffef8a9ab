# SPDX-License-Identifier: BSD-2-Clause
# What `handoff tune` has told, after tap.sh, in $tmp/NAME.json, .out and .err.

# says NAME "jq expression of the loop io0 that must be true"
says() {
	jq -e ".loops[] | select(.id == \"io0\") | $2" "$tmp/$1.json" >/dev/null || {
		jq -c '.loops[] | del(.curve)' "$tmp/$1.json"
		cat "$tmp/$1.out" "$tmp/$1.err"
		return 1
	}
}
