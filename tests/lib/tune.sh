# SPDX-License-Identifier: BSD-2-Clause
# For tests of `handoff tune`, after tap.sh: VMs (and trace_cli.sh for these), and what it has told,
# in $tmp/NAME.json, .out and .err.

# served NAME POLL-MAX-NS LOAD: a VM whose disk an iothread serves.
served() {
	"$handoff" run --qmp "unix:$tmp/$1.qmp" --iothread "io0,poll-max-ns=$2" \
		--blk null,size=64M,iothread=io0 --load "rw=randread runtime=600 $3" \
		>"$tmp/$1.vm" 2>&1 &
	watcher=$!
	wait_for 20 grep -q ready "$tmp/$1.vm"
	vmm=$(pgrep -P $watcher)
	vms+=("$watcher" "$vmm")
}

# says NAME "jq expression of the loop io0 that must be true"
says() {
	jq -e ".loops[] | select(.id == \"io0\") | $2" "$tmp/$1.json" >/dev/null || {
		jq -c '.loops[] | del(.curve)' "$tmp/$1.json"
		cat "$tmp/$1.out" "$tmp/$1.err"
		return 1
	}
}

# caught: the VM has another setting than 0, and $tuner, which may put it back the next moment,
# stands still. Needs set_is.
caught() {
	set_is gt 0 && kill -STOP $tuner || return
	set_is gt 0 && return
	kill -CONT $tuner
	return 1
}
