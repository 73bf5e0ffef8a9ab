#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What `handoff tune` predicts of a poll-max-ns comes true when it is set, within 5 points of hits
# of the range that it tells, which is no wider than 10, for guests that think and for requests by a
# clock. By the VMM's own count of arrivals. And whether each waits for the one before is told.
#
# On a steep part a microsecond more of a wake is many points, and this host's wakes change from
# second to second: what counts is the mean of rounds, each of a prediction, the setting, and a
# prediction. There are times in which they change by more than what is asked for; then nothing can
# be shown, and that is said.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/trace_cli.sh"
. "$(dirname "$0")/../lib/qmp.sh"
. "$(dirname "$0")/../lib/tune.sh"

nice -n -20 true 2>/dev/null && [ "$(nice -n -20 nice)" = -20 ] ||
	skip_all "no leave to run ahead of others"

# A spin helps nobody whose CPU is another's. Not at real-time priority: of each second the kernel
# would take 50 ms from a VM that spins, and give it a backlog.
started() {
	qmp_vm "$1" --iothread io0,poll-max-ns=0,policy=qemu --blk null,size=64M,iothread=io0 \
		--load "rw=randread runtime=600 $2"
	vmm=$(pgrep -P "$vm")
	vms+=("$vm" "$vmm")
	local task
	for task in /proc/"$vmm"/task/*; do
		renice -n -20 -p "${task##*/}" >/dev/null
	done
	echo -20 >/proc/"$vmm"/autogroup 2>/dev/null
}
set_to() {
	qmp_open
	qmp qmp_capabilities
	qmp qom-set "{\"path\": \"/objects/io0\", \"property\": \"poll-max-ns\", \"value\": $1}"
	qmp_close
}
# Arrivals so far, and of those polled.
arrivals() {
	qmp_open
	qmp qmp_capabilities
	qmp x-handoff-query-loops
	jq -r '.return[].queues[] | "\(.arrivals) \(."arrivals-polled")"' <<<"$line"
	qmp_close
}
# Watched as it is when something is predicted: that takes a microsecond or two of each wake, too.
measure() {
	local before after watcher
	set_to "$1"
	"$handoff" tune -p "$vmm" --duration 20 >/dev/null 2>&1 &
	watcher=$!
	wait_for watched "$watcher"
	before=($(arrivals))
	sleep 0.5
	after=($(arrivals))
	kill "$watcher"
	wait "$watcher" 2>/dev/null
	set_to 0
	measured=$(jq -n "(${after[1]} - ${before[1]}) / ([${after[0]} - ${before[0]}, 1] | max)")
}
# Its programs are attached: the last of them counts.
watched() { grep -qs '^link_type:' /proc/"$1"/fdinfo/*; }
predict() {
	"$handoff" tune -p "$vmm" --qmp "$socket" --duration 0.5 --json "$tmp/$1.json" \
		>"$tmp/$1.out" 2>"$tmp/$1.err"
}
# round MAX-NS: hit shares, one a line: predicted, at most, measured.
round() {
	predict before
	measure "$1"
	predict after
	jq -nr --argjson max "$1" --argjson is "$measured" --slurpfile b "$tmp/before.json" \
		--slurpfile a "$tmp/after.json" '
		[$a, $b | .[0].loops[] | select(.id == "io0") | .curve[] |
			select(.max_ns == $max)] |
		"\(map(.hit_share) | add / length) \(map(.hit_share_most) | add / length) \($is)"'
}
# comes_true MAX-NS: what was found, round by round, is in $tmp/rounds.
comes_true() {
	local try rounds=$tmp/rounds
	: >"$rounds"
	for ((try = 1; try <= 12; try++)); do
		round "$1" >>"$rounds"
		[ $((try % 4)) -ne 0 ] || ! awk '
			{ least += $1; most += $2; is += $3 }
			END { exit !(NR && most - least < 0.1 * NR &&
				is > least - 0.05 * NR && is < most + 0.05 * NR) }' \
			"$rounds" || return 0
	done
	return 1
}
# The rounds' predictions are more than 25 points apart (which is told): the host's doing. A rule
# that is wrong is so each time, and they are 5 to 15 apart.
pace_changed() {
	awk 'NR == 1 || $1 < least { least = $1 }
		$1 > most { most = $1 }
		END { printf "%.2f to %.2f", least, most; exit !(most - least > 0.25) }' \
		"$tmp/rounds"
}
tell_rounds() {
	cat "$tmp/rounds"
	return 1
}
# is_told KIND NAME: by one of a few predictions, where a wake takes half of a clock's period.
is_told() {
	local try
	for try in 1 2 3 4; do
		says "$2" ".arrivals == \"$1\" and
			((.advice.sure | contains(\"CLOSED LOOP\")) == (\"$1\" == \"closed\"))" &&
			return
		predict "$2"
	done
	return 1
}
# honest NAME "LOAD" open|closed MAX-NS...
honest() {
	local name=$1 load=$2 kind=$3 max_ns shown apart
	shift 3
	started "$name" "$load"
	predict "$name"
	check "$load: told as $kind" is_told "$kind" "$name"
	for max_ns; do
		shown="$load: poll-max-ns $max_ns does as predicted, within 5 points of the range"
		if comes_true "$max_ns" ||
			{ pace_changed >/dev/null && comes_true "$max_ns"; }; then
			check "$shown" true
		elif apart=$(pace_changed); then
			skip "$shown" "the host changes its pace: hits predicted from $apart"
		else
			check "$shown" tell_rounds
		fi
	done
	end_vm "$vm"
}
honest fixed25 thinktime=fixed:25us closed 48000 96000
honest fixed100 thinktime=fixed:100us closed 256000
honest exp20 thinktime=exp:20us closed 96000 256000
honest exp100 thinktime=exp:100us closed 128000 192000
honest clock rate_iops=10000 open 48000 256000
honest poisson "rate_iops=5000 rate_process=poisson iodepth=16" open 64000 768000

done_testing
