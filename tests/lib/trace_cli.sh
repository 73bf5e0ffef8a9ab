# SPDX-License-Identifier: BSD-2-Clause
# `handoff trace` on VMs of `handoff run`, after tap.sh: skips all where this host cannot trace.
# Other VMs of the machine do not disturb.
handoff=${HANDOFF:?is set by make}

[ -w /dev/kvm ] || skip_all "no access to /dev/kvm"
bpftool=$(command -v bpftool || echo /usr/sbin/bpftool)
"$bpftool" prog show >/dev/null 2>&1 || skip_all "no privilege to list BPF programs"
"$handoff" doctor >/dev/null 2>&1 ||
	skip_all "this host cannot trace: $("$handoff" doctor | grep ^BAD | head -n 1)"

vms=()
trap 'kill -9 "${vms[@]}" $tracer 2>/dev/null; rm -rf "$tmp"' EXIT

# A load that leaves the CPUs to the tracers.
load="rw=randread thinktime=fixed:500us runtime=600"

# vm NAME arguments...: a VM that runs until it is told to end. Sets $watcher and $vmm.
vm() {
	local name=$1
	shift
	"$handoff" run --blk null,size=64M --load "$load" "$@" >"$tmp/$name.vm" 2>&1 &
	watcher=$!
	wait_for 20 grep -q ready "$tmp/$name.vm"
	vmm=$(pgrep -P $watcher)
	vms+=("$watcher" "$vmm")
}

# end_vm WATCHER: returns when it is gone.
end_vm() {
	local pid living=()
	kill -INT "$1"
	wait "$1"
	# Its number, and its VMM's, may be another's by the time that the script ends.
	for pid in "${vms[@]}"; do
		[ ! -d "/proc/$pid" ] || living+=("$pid")
	done
	vms=("${living[@]}")
}

# trace NAME arguments...: leaves $tmp/NAME.out, .err, .json and $status.
trace() {
	local name=$1
	shift
	timeout 120 "$handoff" trace --json "$tmp/$name.json" "$@" \
		>"$tmp/$name.out" 2>"$tmp/$name.err"
	status=$?
}

# start NAME arguments...: the same in the background, when it has printed an interval. $tracer.
start() {
	local name=$1
	shift
	"$handoff" trace --interval 0.1 --json "$tmp/$name.json" "$@" \
		>"$tmp/$name.out" 2>"$tmp/$name.err" &
	tracer=$!
	wait_for 30 grep -q 'req/s' "$tmp/$name.out"
}

holds() {
	jq -e "$2" "$tmp/$1.json" >/dev/null || {
		jq -c '.reports // [.] | .[] |
			[.vmm, .interval, [.queues[] | del(.stages)], .losses]' "$tmp/$1.json"
		cat "$tmp/$1.err"
		return 1
	}
}

# note PID: the BPF programs, links and maps of that process, in $objects.
note() {
	objects=$(sed -nE 's/^(prog|map|link)_id:\s*([0-9]+)/\1 id \2/p' "/proc/$1/fdinfo/"* \
		2>/dev/null | sort -u)
}
all_gone() {
	local object
	while read -r object; do
		# shellcheck disable=SC2086
		[ -z "$object" ] || ! "$bpftool" ${object/ / show } >/dev/null 2>&1 || return 1
	done <<<"$objects"
}
settled() {
	wait_for 10 all_gone || {
		echo "still there, of: $objects"
		return 1
	}
}

# failure "sentence" "words" arguments...: one line, exit 1, nothing on stdout.
failure() {
	local name=$1 words=$2
	shift 2
	"$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
	check "$name: exit 1" equal "$status" 1
	check "$name: one line" equal "$(wc -l <"$tmp/err")" 1
	check "$name: says why" contains "$(cat "$tmp/err")" "$words"
	check "$name: nothing on stdout" equal "$(cat "$tmp/out")" ""
}
