#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The three founding stack traces (design.md), caught live by gdb in the running program, with the
# frames in their order. `make seed` shows them.
. tests/lib/tap.sh

[ -x "$HANDOFF" ] || skip_all "there is no $HANDOFF"
[ -r /dev/kvm ] && [ -w /dev/kvm ] || skip_all "/dev/kvm cannot be opened for reading and writing"
command -v gdb >/dev/null || skip_all "gdb is not installed"
gdb -batch -ex 'run' /bin/true 2>&1 | grep -q 'exited normally' ||
	skip_all "gdb may not trace processes here"

seed=tests/seed

# stack FILE PROGRAM FUNCTION ARGUMENTS...: the stack of whoever enters FUNCTION first.
stack() {
	local file=$1 program=$2 function=$3
	shift 3
	timeout 120 gdb -batch -x $seed/catch.gdb -ex "tbreak $function" -ex run -ex bt -ex kill \
		--args "$program" run --duration 20 "$@" >"$file" 2>"$file.err" </dev/null
}

# catch LETTER "SENTENCE" FUNCTION ARGUMENTS...: FUNCTION is the innermost frame of the path.
catch() {
	local letter=$1 sentence=$2
	shift 2
	stack "$tmp/$letter" "$HANDOFF" "$@"
	echo "# --- path $letter: $sentence"
	grep '^#[0-9]' "$tmp/$letter"
	check "path $letter: $sentence" $seed/check-frames "$letter" <"$tmp/$letter"
	# Without debug information gdb knows no inlined functions: so all are frames of their own.
	stack "$tmp/$letter.bare" "$tmp/handoff" "$@"
	check "path $letter without debug information" \
		$seed/check-frames "$letter" <"$tmp/$letter.bare"
}

objcopy --strip-debug "$HANDOFF" "$tmp/handoff"
catch A "an iothread enters poll mode" virtio_queue_host_notifier_aio_poll_begin \
	--iothread io0 --blk null,size=64M,iothread=io0
catch B "the main loop serves a queue" virtio_queue_host_notifier_aio_read \
	--blk null,size=64M
catch C "a vCPU hands a disk over to its iothread" bdrv_set_aio_context_ignore \
	--iothread io0 --blk "$tmp/disk.img,size=64M,iothread=io0"

# The checker itself must be able to fail.
sed 's/ try_poll_mode / other /' "$tmp/A" >"$tmp/without"
check "a path without one of its frames is refused" not $seed/check-frames A <"$tmp/without"
sed -n '/^#/p' "$tmp/A" | tac >"$tmp/reversed"
check "frames in the wrong order are refused" not $seed/check-frames A <"$tmp/reversed"

done_testing
