#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# scripts/check-layers and check-style find what they are for, in a small tree made for them.
. "$(dirname "$0")/../../lib/tap.sh"
scripts=$PWD/scripts

mkdir -p "$tmp/scripts" "$tmp/include/handoff" "$tmp/include/abi" "$tmp/user/low" "$tmp/user/high"
cat >"$tmp/scripts/layers.txt" <<'E'
sees_low  =
sees_high = low
owns_any  = all
owns_low  = low
owns_high = high
E
licence='/* SPDX-License-Identifier: BSD-2-Clause */'
for header in all low high; do
	echo "$licence" >"$tmp/include/handoff/$header.h"
done

# Puts standard input below a licence line into the file and shows what the checker says.
judge() {
	local checker=$1 file=$2
	{
		echo "$licence"
		cat
	} >"$tmp/$file"
	out=$(cd "$tmp" && "$scripts/$checker" 2>&1)
	status=$?
	rm "$tmp/$file"
}

layers() {
	judge check-layers "$@"
}

style() {
	judge check-style "$@"
}

layers user/high/x.c <<<'#include <handoff/low.h>'
check "looking down is allowed" equal "$status$out" 0
layers user/low/x.c <<<'#include <handoff/high.h>'
check "looking up is refused" contains "$status $out" "1 user/low/x.c:2: low/ may not see"
layers user/low/x.c <<<'#include <handoff/all.h>'
check "what any owns is seen by all" equal "$status$out" 0
layers user/low/x.c <<<'#include "../high/x.h"'
check "private headers of others are refused" contains "$status $out" "1 user/low/x.c:2:"
layers user/low/x.c <<<'#  include  <handoff/new.h>'
check "a header without an owner is refused" contains "$status $out" "has no owner"
layers include/handoff/new.h </dev/null
check "and so is its file" contains "$status $out" "include/handoff/new.h has no owner"
layers user/low/x.c <<<'#include <glib.h>'
check "GLib is for aio only" contains "$status $out" "1 user/low/x.c:2: GLib"

style user/low/x.c <<<'int x;'
check "a calm file passes" equal "$status$out" 0
style user/low/x.c <<<'void f(char *d) { strcpy(d, "x"); }'
check "banned calls are found" contains "$status $out" "1 user/low/x.c:2: strcpy()"
style user/low/x.c <<<'const char *s = "strcpy(x)"; /* or sprintf(x) */'
check "but not in strings and comments" equal "$status$out" 0
style user/low/x.c < <(printf 'void f(void)\n{\n'; yes '	g();' | head -60; echo '}')
check "a function of 60 lines passes" equal "$status$out" 0
style user/low/x.c < <(printf 'void f(void)\n{\n'; yes '	g();' | head -61; echo '}')
check "a function of 61 lines is too long" contains "$status $out" "function of 61 lines"
style user/low/x.c < <(yes 'int x;' | head -500)
check "a file of 501 lines is too long" contains "$status $out" "501 lines"
style user/low/x.c < <(printf '/* %097d */\n' 1)
check "more than 100 columns are too wide" contains "$status $out" "user/low/x.c:2: 103 columns"
style user/low/utils.c </dev/null
check "file names have to say something" contains "$status $out" "name says nothing"
style user/low/x.c < <(printf '/* TO%s: later */\n' DO)
check "nothing is left for later" contains "$status $out" "user/low/x.c:2: TO"
style include/abi/x.h </dev/null
check "abi/ needs both licences" contains "$status $out" "GPL-2.0-only OR BSD-2-Clause"
done_testing
