#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What each poll policy costs, beside the best fixed spin, on six loads of one request at a time:
# all in one run, in turn, so that what changes on this machine changes for all. The cost of a
# request is what the loop's thread took of a CPU and what the request took, a ns of each counting
# the same, as break-even counts by default. Goal: break-even within 10 % of the best fixed spin.
# What is best is found by a sweep; then break-even and that one take turns, so that the best of
# many is not the luckiest, and what is compared ran side by side: PAIRS of them, and up to four
# times as many where the noise is over 0.04.
# Over twenty minutes; ROUNDS=3 PAIRS=12 takes 13, and ROUNDS=1 PAIRS=2 is a short look. RUNTIME:
# seconds of a run; LOADS, POLICIES and SWEEP: those alone.

# Ahead of what else runs on this machine, which schedules by session first.
[ "$BENCH_URGENT" ] || BENCH_URGENT=1 exec setsid -w bash -c 'echo -19 >/proc/self/autogroup
	exec nice -n -19 "$0"' "$0" 2>/dev/null
ROUNDS=${ROUNDS:-5}
. "$(dirname "$0")/bench.sh"

runtime=${RUNTIME:-1}
pairs=${PAIRS:-12}
policies=${POLICIES:-qemu-weighted qemu break-even}
sweep=${SWEEP:-"0 4000 8000 16000 32000 64000"}
read -ra loads <<<"${LOADS:-0 10us 25us 100us exp:20us burst:50@200us}"

load_name() {
	case $1 in
	0) echo "back to back" ;;
	burst:*) echo "bursts of 50, then 200us" ;;
	exp:*) echo "think time ${1#exp:}, exponential" ;;
	*) echo "think time $1" ;;
	esac
}

# loop_cpu PID: CPU ns so far of the iothread of `handoff run`, and the time, ns.
loop_cpu() {
	local task cpu
	for task in /proc/"$(pgrep -P "$1" -o)"/task/*; do
		[[ $(<"$task/comm") = iothread:* ]] || continue
		read -r cpu _ <"$task/schedstat"
		echo "$cpu $((${EPOCHREALTIME/./} * 1000))"
	done 2>/dev/null
}

# try LOAD iothread-keys: one run; $before and $after, a moment of it each.
try() {
	local pid
	"$handoff" run --json "$tmp/report.json" --iothread "io0,$2" \
		--blk null,size=64M,iothread=io0 \
		--load "rw=randread completion=poll runtime=$runtime thinktime=$1" \
		>"$tmp/out" 2>&1 &
	pid=$!
	until [ "$(loop_cpu $pid)" ] || ! kill -0 $pid 2>/dev/null; do
		sleep 0.02
	done
	sleep 0.2 # the guest has booted, and the policy has learned
	before=$(loop_cpu $pid)
	sleep "$(awk -v s="$runtime" 'BEGIN {print s * 0.5}')"
	after=$(loop_cpu $pid)
	wait $pid || {
		cat "$tmp/out"
		exit 1
	}
}

# one LOAD SETTING iothread-keys: a line of the figures of a run to $tmp/LOAD.SETTING.
one() {
	local before= after=
	# It may be over when we come to look: this machine has other things to do.
	for _ in 1 2 3 4 5; do
		try "$1" "$3"
		[ "$before" ] && [ "$after" ] && break
	done
	[ "$before" ] && [ "$after" ] || {
		echo "bench_policy: $2: no iothread seen in five runs of $runtime s; set RUNTIME"
		exit 1
	}
	echo "$before $after $(jq -r '.guest | "\(.lat_p50_ns) \(.lat_p99_ns) \(.lat_mean_ns)
		\(.kicks / .requests) \(.iops)"' "$tmp/report.json" | tr '\n' ' ')" |
		awk '{cpu = ($3 - $1) / ($4 - $2) * 1e9 / $9
			print $5, $6, cpu, $8, cpu + $7}' >>"$tmp/$1.$2"
}

# column FILE N: its median.
column() { awk -v n="$2" '{print $n}' "$1" | median; }

for _ in $(seq "$rounds"); do
	for load in "${loads[@]}"; do
		for policy in $policies; do
			one "$load" "$policy" "policy=$policy"
		done
		for ns in $sweep; do
			one "$load" "fixed.$ns" "policy=fixed,poll-max-ns=$ns"
		done
	done
done

# swept LOAD: the fixed spin that cost least in the sweep.
swept() {
	for ns in $sweep; do
		echo "$(column "$tmp/$1.fixed.$ns" 5) $ns"
	done | sort -g | sed -n '1s/.* //p'
}

# duel LOAD NS: break-even and a fixed spin side by side, who goes first in turn; $ratio and $noise
# of what they cost in $n pairs.
duel() {
	for ((n = 0; n < 4 * pairs; n++)); do
		((n < pairs)) || awk -v noise="$noise" 'BEGIN {exit noise <= 0.04}' || break
		((n % 2)) || one "$1" duel.ours policy=break-even
		one "$1" duel.fixed "policy=fixed,poll-max-ns=$2"
		((n % 2)) && one "$1" duel.ours policy=break-even
		read -r ratio noise < <(paste "$tmp/$1.duel.ours" "$tmp/$1.duel.fixed" |
			awk '{print $5 / $10}' | centre)
	done
}

# tell HOW LOADS: if there are any.
tell() {
	[ -z "$2" ] || echo "break-even is $1 10 % from the best fixed spin on: ${2#, }"
}

missed= unsure=
for load in "${loads[@]}"; do
	best=$(swept "$load")
	printf '\n%-28s %9s %9s %9s %8s %9s\n' "$(load_name "$load")" p50-ns p99-ns \
		cpu/req kicks/req cost/req
	for setting in $policies $(printf 'fixed.%s ' $sweep); do
		file=$tmp/$load.$setting
		printf '  %-26s %9.0f %9.0f %9.0f %8.3f %9.0f%s\n' "${setting/./ }" \
			"$(column "$file" 1)" "$(column "$file" 2)" "$(column "$file" 3)" \
			"$(column "$file" 4)" "$(column "$file" 5)" \
			"$([ "$setting" = "fixed.$best" ] && echo ' best')"
	done
	duel "$load" "$best"
	printf '  break-even beside fixed %s, %d pairs: %.3f +- %.3f of its cost\n' "$best" \
		"$n" "$ratio" "$noise"
	case $(awk -v r="$ratio" -v n="$noise" 'BEGIN {print (r - n > 1.1) + (r + n > 1.1)}') in
	2) missed="$missed, $(load_name "$load")" ;;
	1) unsure="$unsure, $(load_name "$load")" ;;
	esac
done
echo
tell "more than" "$missed"
tell "within the noise of" "$unsure"
[ "$missed$unsure" ] ||
	echo "break-even is within 10 % of the best fixed spin on every load"
