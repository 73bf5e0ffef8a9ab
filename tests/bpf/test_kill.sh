#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# kill -9 of the tracer, of the VMM, of both: no BPF program, map or process stays behind, the
# image is intact.
. "$(dirname "$0")/../lib/tap.sh"
handoff=${HANDOFF:?is set by make}

[ -w /dev/kvm ] || skip_all "no access to /dev/kvm"
bpftool=$(command -v bpftool || echo /usr/sbin/bpftool)
"$bpftool" prog show >/dev/null 2>&1 || skip_all "no privilege to list BPF programs"

# note PID: the BPF programs and maps of that process, in $objects. Only of that one: another tracer
# may run beside us.
note() {
	objects=$(sed -nE 's/^(prog|map)_id:\s*([0-9]+)/\1 id \2/p' "/proc/$1/fdinfo/"* \
		2>/dev/null | sort -u)
}

all_gone() {
	local object
	while read -r object; do
		# shellcheck disable=SC2086
		[ -z "$object" ] || ! "$bpftool" ${object/ / show } >/dev/null 2>&1 || return 1
	done <<<"$objects"
}

# The kernel frees programs and maps after a grace period.
settled() {
	wait_for 10 all_gone || {
		echo "still there, of: $objects"
		return 1
	}
}

# start DURATION: a traced run, ready when its first interval line is out. Sets $tracer and $vmm.
start() {
	"$handoff" run --trace --interval 0.1 --iothread io0 \
		--blk "$tmp/disk.img,size=16M,iothread=io0" \
		--load "rw=randrw verify=crc32c iodepth=8 runtime=$1" \
			>"$tmp/run.out" 2>"$tmp/run.err" &
	tracer=$!
	wait_for 20 grep -q 'req/s' "$tmp/run.out"
	vmm=$(pgrep -P $tracer)
	note $tracer
}

gone() {
	wait_for 20 not kill -0 "$1"
}

start 60
check "programs are loaded while tracing" contains "$objects" "prog id"
check "maps are, too" contains "$objects" "map id"
kill -9 $vmm
wait $tracer
check "VMM killed: the tracer ends with 1" equal $? 1
check "VMM killed: and still prints its summary" contains "$(cat "$tmp/run.out")" "STAGE"
check "VMM killed: says so" contains "$(cat "$tmp/run.err")" "killed"
check "VMM killed: nothing stays in the kernel" settled

start 2
kill -9 $tracer
wait $tracer 2>/dev/null
check "tracer killed: the VMM goes on" kill -0 "$vmm"
check "tracer killed: nothing stays in the kernel" settled
check "tracer killed: the VMM ends with its guest" gone "$vmm"

start 60
kill -9 $tracer $vmm
wait $tracer 2>/dev/null
check "both killed: no process" gone "$vmm"
check "both killed: nothing stays in the kernel" settled

# At any moment: also while it starts.
for delay in 0.02 0.05 0.1 0.2 0.4; do
	"$handoff" run --trace --iothread io0 --blk "$tmp/disk.img,iothread=io0" \
		--load "rw=randread runtime=1" >/dev/null 2>&1 &
	tracer=$!
	read -rt "$delay" <> <(:)
	vmm=$(pgrep -P $tracer)
	kill -STOP $tracer 2>/dev/null
	note $tracer
	kill -9 $tracer 2>/dev/null
	wait $tracer 2>/dev/null
	# Killed before the fork there was none.
	check "tracer killed after ${delay}s: no process stays" gone "${vmm:-$tracer}"
	check "tracer killed after ${delay}s: nothing stays in the kernel" settled
done

"$handoff" run --iothread io0 --blk "$tmp/disk.img,iothread=io0" \
	--load "rw=randrw verify=crc32c requests=2000" >"$tmp/after.out" 2>&1
check "the image can be used again" equal $? 0
check "no file stays behind" equal "$(ls "$tmp" | grep -v -e disk.img -e '\.out$' -e '\.err$')" ""

done_testing
