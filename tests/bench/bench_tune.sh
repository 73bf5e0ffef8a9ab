#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What `handoff tune --apply` makes of a QEMU whose iothread does not poll: requests per second of
# a guest with one request at a time, before and after. Goal: three times as many, since each takes
# a third. In turn, as tune tells them of its own trial, and where nobody watches, with what it has
# kept.
#
# QEMU is as test_tune_qemu.sh says: its ring packed, its threads at real-time priority. A request
# that is polled for takes a few handings-over of a cache line between two CPUs; where this was
# written there are 210,000 or 500,000 a second, which changes within seconds, presumably with where
# the host below runs our CPUs.
. "$(dirname "$0")/bench.sh"
build=${handoff%/*}
. "$(dirname "$0")/../lib/qemu.sh"
. "$(dirname "$0")/../lib/trace_qemu.sh"
goal=3

give_up() {
	echo "bench_tune: $*"
	exit 0
}

trap 'kill -9 $qemu 2>/dev/null; rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM
command -v qemu-system-x86_64 >/dev/null || give_up "qemu-system-x86_64 is not installed"
[ -w /dev/kvm ] || give_up "/dev/kvm cannot be opened"
"$handoff" doctor >/dev/null 2>&1 || give_up "this host cannot trace; see handoff doctor"
chrt -r 1 true 2>/dev/null || give_up "no leave to run at real-time priority"

tune() {
	set_to 0
	"$handoff" tune -p "$qemu" --qmp "$tmp/vm.qmp" --duration 1 --json "$tmp/tune.json" \
		--apply "$@" >"$tmp/out" 2>&1 || {
		cat "$tmp/out"
		exit 1
	}
}

# trial "jq expression of the loop"
trial() { jq -r ".loops[] | select(.id == \"io0\") | $1" "$tmp/tune.json"; }

# told WHAT: its ratios, and how they stand to the goal.
told() {
	row "requests/s at depth 1, $1: tuned / poll-max-ns 0" "$tmp/$1.after" "$tmp/$1.before"
	paste "$tmp/$1.after" "$tmp/$1.before" | awk '{print $1 / $2}' | centre |
		awk -v goal=$goal '{
			how = $1 - $2 >= goal ? "reached" : "within the noise"
			if ($1 + $2 < goal) how = "missed"
			printf "  %.2f +- %.2f times as many; goal %s: %s\n", $1, $2, goal, how }'
}

qemu_log=()
qemu_realtime=1
# A round takes 6 to 10 s; the guest goes on for longer, and QEMU ends by itself after the guest.
seconds=$((30 + 12 * rounds))
qemu_slow=$((2 + seconds / 60))
io0 0
qemu_start vm "rw=randread runtime=$seconds" "${iothread[@]}" "${disk0[@]}" \
	$on_io0,packed=on && qemu_go ||
	give_up "QEMU does not start: $(tail -n 1 "$tmp/vm.console")"
until ! kill -0 "$qemu" || [ "$(qemu_requests)" -gt 0 ]; do
	sleep 0.1
done
tune --keep
kept=$(trial 'select(.trial.outcome == "kept") | .advice.max_ns')
[ "$kept" ] || {
	echo "bench_tune: tune keeps nothing: $(trial '.trial.why // .advice.why')"
	exit 1
}
for _ in $(seq "$rounds"); do
	set_to 0
	qemu_rate >>"$tmp/unwatched.before"
	set_to "$kept"
	qemu_rate >>"$tmp/unwatched.after"
	tune
	trial '.trial.before.requests_per_s' >>"$tmp/watched.before"
	trial '.trial.observed.requests_per_s' >>"$tmp/watched.after"
done
qemu_kill
qemu=
echo "tune --apply sets poll-max-ns $kept"
told watched
told unwatched
