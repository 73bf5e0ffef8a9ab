#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What watching a VMM that is not ours costs, beside other tracers that count the same events, all
# in one run: a kick, in a guest that does nothing else (tests/tiny); requests per second of QEMU
# with the load guest at all the kicks this machine can do (no polling, so every kick goes through
# KVM); and what an idle VM costs. Goals: at most 0.7 us a kick, at least 0.97 of the requests; and
# for a machine that cannot send 100,000 kicks/s, what would be left of a vCPU's time at as many.
# It takes half an hour: ROUNDS, TOOLS="handoff perf_stat", TURNS, WINDOW (seconds) and
# PARTS="kick service requests idle" make it shorter, and its figures less certain. DEPTH: requests
# at once of QEMU's guest (4).
ROUNDS=${ROUNDS:-3}
. "$(dirname "$0")/bench.sh"
. "$(dirname "$0")/tracers.sh"

build=${handoff%/*}
guest=$build/guest/load.elf
tiny_vmm=$build/tests/tiny_vmm
window=${WINDOW:-0.02}
turns=${TURNS:-500}
parts=${PARTS:-kick service requests idle}
for part in $parts; do
	case $part in
	kick | service | requests | idle) ;;
	*) echo "bench_trace: no part '$part': kick, service, requests, idle" >&2; exit 2 ;;
	esac
done

give_up() {
	echo "bench_trace: $*"
	exit 0
}

# What runs ends with this script, however that ends.
trap 'kill $tiny_pid $twin_pid $qemu_pid $other_pid $tool_pid 2>/dev/null; rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM

[ "$(id -u)" = 0 ] || give_up "needs root: tracers do"
[ -w /dev/kvm ] || give_up "/dev/kvm cannot be opened"
qemu=$(command -v qemu-system-x86_64) || give_up "qemu-system-x86_64 is not installed"

echo "half an hour; for a short look: ROUNDS=1 TURNS=100 make bench-trace"
# The tools that are there; the others are told.
tools=()
for tool in ${TOOLS:-handoff bpftrace bpftrace_timing perf_stat perf_trace}; do
	command=${tool%_*}
	if [ "$tool" = handoff ] || type -P "$command" >/dev/null; then
		tools+=("$tool")
	else
		echo "$(tool_label "$tool"): not run: $command is not installed"
	fi
done

# could_not TOOL: told once, and no more tried.
could_not() {
	echo "$(tool_label "$1"): not run: $why"
	tools=($(printf '%s\n' "${tools[@]}" | grep -vx "$1"))
}

# urgent COMMAND...: ahead of what else runs on this machine, which schedules by session first.
urgent() {
	exec setsid bash -c 'echo -10 >/proc/self/autogroup 2>/dev/null
		exec nice -n -10 "$@"' - "$@"
}

# runs PID: of each BPF program of a process, "id runs ns".
runs() {
	cat /proc/"$1"/fdinfo/* 2>/dev/null | awk '$1 == "prog_id:" {id = $2}
		$1 == "run_time_ns:" {ns[id] = $2}
		$1 == "run_cnt:" {n[id] = $2} END {for (id in n) print id, n[id], ns[id]}' | sort
}

# runs_while COMMAND...: what the tool's programs ran before and after it: "id runs ns runs ns".
runs_while() {
	local stats
	stats=$(</proc/sys/kernel/bpf_stats_enabled)
	echo 1 >/proc/sys/kernel/bpf_stats_enabled
	runs "$tool_pid" >"$tmp/runs.before"
	"$@"
	runs "$tool_pid" >"$tmp/runs.after"
	echo "$stats" >/proc/sys/kernel/bpf_stats_enabled
	join "$tmp/runs.before" "$tmp/runs.after"
}

# --- a kick alone ---------------------------------------------------------------------------------
# This machine changes its pace by half for seconds, which is 20 times what is looked for. So two
# VMs alike take turns of a few ms: one is traced, its twin is not; and the same again without the
# tool. What the difference between them grew by is what the tool added. All in CPU time of the VMM:
# other load does not count.

# tiny_start option...: a fresh VM; $vm_pid, $vm_to, $vm_from.
tiny_start() {
	local line task
	{ coproc TINY { urgent "$tiny_vmm" "$@" 2>"$tmp/tiny.err"; }; } 2>/dev/null
	vm_pid=$TINY_PID
	exec {vm_to}>&"${TINY[1]}" {vm_from}<&"${TINY[0]}"
	read -rt 10 line <&"$vm_from" || { cat "$tmp/tiny.err"; exit 1; }
	for task in /proc/"$vm_pid"/task/*; do
		case $(<"$task/comm") in
		*loop*) taskset -pc $(($(nproc --all) - 1)) "${task##*/}" ;;
		*) taskset -pc 0 "${task##*/}" ;;
		esac >/dev/null
	done
}

# tiny_burst TO FROM KICKS: $kick_ns, what one kick took of a CPU; $guest_ns, what it took the guest
# until it went on, by its own clock.
tiny_burst() {
	local line
	echo "$tiny_command $3" >&"$1"
	read -rt 60 line <&"$2" || { echo "tiny_vmm: no answer"; exit 1; }
	kick_ns=$((${line##*cpu_ns=} / $3))
	line=${line##*in_kicks_ns=}
	guest_ns=$((${line%% *} / $3))
}

# tiny_turns FILE KIND: what a kick of the VM took more than one of its twin; and in FILE.guest, its
# guest. The twin's go to .twin.
tiny_turns() {
	local ns in_guest
	for _ in $(seq "$turns"); do
		tiny_burst "$to_tiny" "$from_tiny" "$kicks"
		ns=$kick_ns in_guest=$guest_ns
		tiny_burst "$to_twin" "$from_twin" "$kicks"
		echo $((ns - kick_ns)) >>"$1.$2"
		echo "$kick_ns" >>"$1.$2.twin"
		echo $((in_guest - guest_ns)) >>"$1.guest.$2"
		echo "$guest_ns" >>"$1.guest.$2.twin"
	done
}

# tiny_others: for a kick of a VM that is not traced, our programs' own time as BPF counts it, ns,
# and their runs.
tiny_others() {
	runs_while tiny_burst "$to_twin" "$from_twin" 5000 |
		awk '{ns += $5 - $3; runs += $4 - $2} END {print ns / 5000, runs / 5000}'
}

# What the kernel's accounting adds to each run of a BPF program, ns, as the tool measured it. It is
# no cost of the program: the accounting is off but for samples (user/trace/run_time.h).
run_clock() { report_value .tracer.run_clock_ns; }

# tiny_round TOOL FILE option...: fresh VMs kick with and without the tool.
tiny_round() {
	local tool=$1 file=$2 ok= others=
	shift 2
	tiny_start "$@"
	twin_pid=$vm_pid to_twin=$vm_to from_twin=$vm_from
	tiny_start "$@"
	tiny_pid=$vm_pid to_tiny=$vm_to from_tiny=$vm_from
	tiny_turns "$file" "untraced.$tool"
	if tool_attach "$tool" "$tiny_pid"; then
		tiny_turns "$file" "$tool"
		[ "$tool" = handoff ] && others=$(tiny_others)
		tool_detach
		[ "$others" ] && awk -v clock="$(run_clock)" '{print $1 - $2 * clock}' \
			<<<"$others" >>"$file.others"
		ok=1
	fi
	echo end >&"$to_tiny"
	echo end >&"$to_twin"
	wait "$tiny_pid" "$twin_pid" 2>/dev/null
	tiny_pid= twin_pid=
	exec {to_tiny}>&- {from_tiny}<&- {to_twin}>&- {from_twin}<&-
	[ $ok ]
}

# added FILE TOOL: to a kick, ns, and the noise of that.
added() {
	[ -s "$1.$2" ] && echo "$(centre <"$1.$2")" "$(centre <"$1.untraced.$2")" |
		awk '{printf "%.0f %.0f", $1 - $3, sqrt($2 ^ 2 + $4 ^ 2)}'
}

# bench_kick NAME COMMAND KICKS option...: all tools in turn, $ROUNDS times.
bench_kick() {
	local name=$1 tool
	tiny_command=$2 kicks=$3
	shift 3
	for _ in $(seq "$rounds"); do
		for tool in "${tools[@]}"; do
			tiny_round "$tool" "$tmp/$name" "$@" || could_not "$tool"
		done
	done
	kick_rows "$title" "$name"
	[ -s "$tmp/$name.others" ] || return 0
	printf '  and of a VM beside it that is not traced %8.0f ns\n' \
		"$(median <"$tmp/$name.others")"
}

# kick_rows TITLE NAME: untraced, and what each tool adds.
kick_rows() {
	printf '%-42s %8.0f ns untraced\n' "$1" "$(cat "$tmp/$2".untraced.*.twin | median)"
	for tool in "${tools[@]}"; do
		printf '  + %-38s %8.0f +- %.0f ns a kick\n' "$(tool_label "$tool")" \
			$(added "$tmp/$2" "$tool")
	done
}

# --- QEMU -----------------------------------------------------------------------------------------
# testbeds.md D. QMP on standard input and output; nothing to connect to. The last one started is
# the one talked to: $qemu_pid, $to_qemu, $from_qemu.
qemu_start() {
	local exits=$1
	{ coproc QEMU { urgent "$qemu" -M microvm,pcie=on -bios qboot.rom -net none -vga none \
		-accel kvm -cpu host,-arch-capabilities -m 256 -display none -serial null \
		-monitor none -no-reboot -kernel "$guest" \
		-append "ecam=0xe0000000 bars=0xc0000000 rw=randread $exits" \
		-object iothread,id=io0,poll-max-ns=0 \
		-blockdev null-co,node-name=d0,size=67108864,read-zeroes=off \
		-device virtio-blk-pci,drive=d0,iothread=io0,disable-legacy=on,id=vblk0 \
		-qmp stdio 2>"$tmp/qemu.err"; }; } 2>/dev/null
	qemu_pid=$QEMU_PID
	exec {to_qemu}>&"${QEMU[1]}" {from_qemu}<&"${QEMU[0]}"
	qmp qmp_capabilities
}

qemu_stop() {
	kill "$qemu_pid"
	exec {to_qemu}>&- {from_qemu}<&-
	wait "$qemu_pid" 2>/dev/null
	qemu_pid=
}

# qmp COMMAND: its answer is in $answer.
qmp() {
	echo "{\"execute\": \"$1\"}" >&"$to_qemu"
	while read -rt 10 answer <&"$from_qemu"; do
		case $answer in *'"return"'* | *'"error"'*) return ;; esac
	done
	echo "QEMU does not answer:"
	cat "$tmp/qemu.err"
	exit 1
}

# turn: requests per second of one VM that runs for $window s, by QEMU's own count, in $iops.
turn() {
	local begin time count
	qmp cont
	qmp query-blockstats
	begin=${EPOCHREALTIME/./}
	requests
	count=$requests
	settle "$window"
	qmp query-blockstats
	time=$((${EPOCHREALTIME/./} - begin))
	requests
	iops=$(((requests - count) * 1000000 / time))
	qmp stop
}

# The other one of the two VMs is talked to.
swap_qemus() {
	local pid=$qemu_pid to=$to_qemu from=$from_qemu
	qemu_pid=$other_pid to_qemu=$to_other from_qemu=$from_other
	other_pid=$pid to_other=$to from_other=$from
}

# qemu_turns TOOL FILE: requests per second of the VM that is traced and of its twin, in turns. Only
# ours has a goal within 3 %, which takes many.
qemu_turns() {
	local mine n=$turns
	[ "$1" = handoff ] || n=$((turns / 5 + 1))
	shift
	for _ in $(seq "$n"); do
		turn
		mine=$iops
		swap_qemus
		turn
		swap_qemus
		echo "$mine" >>"$1"
		echo "$iops" >>"$1.twin"
	done
}

# Of the disk, which is the last in $answer: $requests. No process is started for it: turns are
# short.
requests() {
	[[ $answer =~ .*\"rd_operations\":\ ([0-9]+) ]] && requests=${BASH_REMATCH[1]}
}

# Threads stay where they are, so that windows are alike: the vCPU on the first CPU, the iothread
# on the last.
pin() {
	local vcpu io
	qmp query-cpus-fast
	vcpu=$(jq '.return[0]["thread-id"]' <<<"$answer")
	qmp query-iothreads
	io=$(jq '.return[0]["thread-id"]' <<<"$answer")
	taskset -pc 0 "$vcpu" >/dev/null
	taskset -pc $(($(nproc --all) - 1)) "$io" >/dev/null
}

bench_qemu() {
	local tool side begun line="iodepth=${DEPTH:-4} noevent=1 runtime=3600s"
	qemu_start "$line"
	pin
	qmp stop
	other_pid=$qemu_pid to_other=$to_qemu from_other=$from_qemu
	qemu_start "$line"
	pin
	settle 2
	qmp stop
	for _ in $(seq "$rounds"); do
		for tool in "${tools[@]}"; do
			for side in 0 1; do
				served
				begun=$requests
				tool_attach "$tool" "$qemu_pid" || { could_not "$tool"; break; }
				qemu_turns "$tool" "$tmp/iops.$tool.$side"
				tool_detach
				[ "$tool" = handoff ] && count_kicks "$begun"
				swap_qemus
			done
		done
	done
	qemu_stop
	swap_qemus
	qemu_stop
	for tool in "${tools[@]}"; do
		printf "requests/s under QEMU: %-28s traced/untraced %.4f +- %.4f\n" \
			"$(tool_label "$tool")" $(kept "$tool")
	done
	printf '%62s of %.0f\n' "" "$(cat "$tmp"/iops.*.twin | median)"
}

# served: $requests of the VM that is talked to, so far.
served() {
	qmp query-blockstats
	requests
}

# count_kicks REQUESTS: it had served so many when tracing began; a line of the kicks that handoff
# saw, and of the requests meanwhile.
count_kicks() {
	served
	echo "$(report_value '[.queues[].kicks] | add') $((requests - $1))" >>"$tmp/kicks"
}

# kicks_per_second: of the VMs while they ran.
kicks_per_second() {
	awk -v iops="$(cat "$tmp"/iops.*.twin 2>/dev/null | median)" '
		NF == 2 {kicks += $1; n += $2}
		END {if (n) printf "%.0f kicks/s", iops * kicks / n; else print "some kicks/s"}' \
		<(cat "$tmp/kicks" 2>/dev/null)
}

# kept TOOL: the share of requests per second that is left with it, and the noise of that. Each of
# the two was traced while the other was not: by what one of them is faster, one share is too high
# and the other as much too low, so their mean (geometric) is left. What the hooks' filters cost the
# twin too is not in it.
kept() {
	[ -s "$tmp/iops.$1.1" ] && echo "$(share "$tmp/iops.$1.0")" "$(share "$tmp/iops.$1.1")" |
		awk '{kept = sqrt($1 * $3)
			printf "%.4f %.4f", kept, kept / 2 * sqrt(($2 / $1) ^ 2 + ($4 / $3) ^ 2)}'
}

# share FILE: of its twin's requests per second.
share() { paste "$1" "$1.twin" | awk '$2 > 0 {print $1 / $2}' | centre; }

# --- the idle VM ----------------------------------------------------------------------------------
# switches PID: of all its threads, both kinds.
switches() { cat /proc/"$1"/task/*/status | awk '/ctxt_switches/ {n += $2} END {print n}'; }

# Its guest has halted for good; what is left is QEMU's main loop, and everybody else: hooks on
# switches, wakes and reads run for every task of the machine while they are attached.
bench_idle() {
	local before after
	qemu_start "requests=1000"
	settle 2
	tool_attach handoff "$qemu_pid" || { could_not handoff; qemu_stop; return; }
	before=$(switches "$qemu_pid")
	runs_while settle 2 >"$tmp/runs"
	after=$(switches "$qemu_pid")
	bpftool prog show | sed -n 's/^\([0-9]*\):.* name \([^ ]*\) .*/\1 \2/p' | sort >"$tmp/names"
	tool_detach
	qemu_stop
	echo "An idle VM, traced: its threads switched $(((after - before) / 2)) times a second;" \
		"BPF programs that ran, of all tasks:"
	join "$tmp/names" "$tmp/runs" | awk -v clock="$(run_clock)" '
		$5 > $3 {now = ($6 - $4 - clock * ($5 - $3)) / 2000; us += now
			printf "  %-16s %8.0f runs/s %8.1f us/s\n", $2, ($5 - $3) / 2, now}
		END {printf "  together %.4f %% of a CPU\n", us / 1e4}'
}

# goal TEXT "VALUE NOISE" LIMIT SIGN: a line that says whether it was reached: the value is at most
# (SIGN 1) or at least (-1) the limit. Within the noise of it nothing was shown.
goal() {
	awk -v text="$1" -v known="$2" -v limit="$3" -v sign="$4" 'BEGIN {
		if (known !~ /^-?[0-9]/) {
			printf "goal: %s: not measured\n", text
			exit
		}
		split(known, v, " ")
		over = sign * (v[1] - limit)
		said = "NOT SHOWN: within the noise"
		if (over <= -v[2])
			said = "reached"
		else if (over >= v[2])
			said = "MISSED"
		printf "goal: %s: %s +- %s, %s\n", text, v[1], v[2], said }'
}

# kick_goal NAME: what a kick of that row costs more, with what the twin pays too.
kick_goal() {
	[ -s "$tmp/$1.others" ] && echo "$(added "$tmp/$1" handoff)" "$(median <"$tmp/$1.others")" |
		awk '{printf "%.0f %.0f", $1 + $3, $2}'
}

report_value() { jq -r "$1 // empty" "$tmp/handoff.json" 2>/dev/null; }

# asked PART: it is to be measured.
asked() { [[ " $parts " = *" $1 "* ]]; }

# kept_at KICKS NAME: the share of a vCPU's time that is left to it at so many kicks a second, by
# what a kick of that row costs: where each request is a kick, that of its requests.
kept_at() {
	kick_goal "$2" | awk -v kicks="$1" 'NF {
		printf "%.4f %.4f", 1 - $1 * kicks / 1e9, $2 * kicks / 1e9 }'
}

if asked kick; then
	title="A kick that wakes nobody"
	bench_kick alone kick 100 --style none
fi
# Most of that time an idle CPU wakes up while the guest looks whether it was served, which counts:
# so this row is the noisy one. It has all that is traced from the kick to its interrupt, at both
# sides; its guest alone has what the kick itself takes longer, with the wake in it. No goals.
if asked service; then
	title="A kick and its service by a thread asleep"
	bench_kick served go 50 --style epoll --sync
	kick_rows "  of that the guest, until it goes on" served.guest
fi
if asked requests; then
	bench_qemu
	own=$(report_value '.tracer.kick_ns | round')
	echo "handoff's own figure under QEMU, all that it runs for a kick: ${own:-unknown} ns"
fi
rm -f "$tmp/handoff.json"
if asked idle; then
	bench_idle
fi
goal "at most 700 ns added to a kick that wakes nobody" "$(kick_goal alone)" 700 1
# Not a rate that was run: where a kick takes 30 to 40 us, no VM sends as many.
goal "at least 0.97 of a vCPU's time at 100,000 kicks/s" "$(kept_at 100000 alone)" 0.97 -1
goal "at least 0.97 of the requests, at $(kicks_per_second)" "$(kept handoff)" 0.97 -1
