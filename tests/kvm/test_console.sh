#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The guest's serial port on standard input and output: in pipes, in files, in a real terminal
# (tmux), which is as it was whatever ends the run.
. "$(dirname "$0")/../lib/tap.sh"
handoff=${HANDOFF:?is set by make}

[ -w /dev/kvm ] || skip_all "no access to /dev/kvm"
stdio=(run --console stdio --blk null,size=64M --load)

"$handoff" "${stdio[@]}" requests=100 </dev/null 2>"$tmp/err" | cat >"$tmp/out"
check "in a pipe: exit 0" equal "${PIPESTATUS[0]}" 0
check "in a pipe: nothing but the guest's on stdout" equal "$(cut -d' ' -f1-2 "$tmp/out")" \
	"handoff-guest: ready
handoff-guest: result"
check "in a pipe: the summary is on stderr" contains "$(cat "$tmp/err")" "QUEUE"
check "in a pipe: no talk of a terminal" not grep -q Ctrl-A "$tmp/err"
"$handoff" "${stdio[@]}" requests=100 </dev/null 2>"$tmp/err" | head -c 5 >"$tmp/out"
check "a reader that leaves: exit 0" equal "${PIPESTATUS[0]}" 0
check "a reader that leaves: no complaint" not grep -q "standard output" "$tmp/err"
"$handoff" "${stdio[@]}" requests=100 <&- 2>/dev/null >"$tmp/out"
check "without standard input: exit 0" equal $? 0
check "into a file: two lines" equal "$(wc -l <"$tmp/out")" 2
seq 100000 | "$handoff" "${stdio[@]}" requests=100 >"$tmp/out" 2>/dev/null
check "input that the guest does not read: exit 0" equal "${PIPESTATUS[1]}" 0
"$handoff" "${stdio[@]}" requests=100 </dev/null 2>"$tmp/err" >/dev/full
check "a full disk: exit 1" equal $? 1
check "a full disk: said once" equal "$(grep -c "No space left" "$tmp/err")" 1
"$handoff" run --console none --blk null,size=64M --load requests=100 --json - \
	>"$tmp/out" 2>"$tmp/err"
check "none: exit 0 and no line of the guest's" equal "$? $(cat "$tmp/err")" "0 "
check "none: its figures are in the report" jq -e '.guest.requests == 100' "$tmp/out"

# Nobody reads: the guest works on, and all is there for one who reads later.
mkfifo "$tmp/fifo"
exec 3<>"$tmp/fifo"
timeout 1 dd if=/dev/zero of="$tmp/fifo" oflag=nonblock bs=4096 2>/dev/null
"$handoff" run --console stdio --blk "$tmp/disk.img,size=1M" --load "rw=write requests=2000" \
	</dev/null >"$tmp/fifo" 2>"$tmp/err" &
watcher=$!
check "a full pipe: the guest writes to its disk" wait_for 20 \
	not cmp -s -n 1048576 "$tmp/disk.img" /dev/zero
check "a full pipe: the end waits for a reader" kill -0 $watcher
timeout 20 cat <&3 >"$tmp/late" &
reader=$!
wait $watcher
check "a full pipe, read late: exit 0" equal $? 0
check "a full pipe, read late: nothing is lost" wait_for 5 \
	grep -qa "handoff-guest: result" "$tmp/late"
kill $reader
exec 3>&-

command -v tmux >/dev/null || {
	skip "the terminal" "tmux is not installed"
	done_testing
	exit
}
export LC_ALL=C.UTF-8
socket=$tmp/tmux
tm() { tmux -S "$socket" "$@"; }
shows() { tm capture-pane -p -t console | grep -qF -- "$1"; }
tm -u -f /dev/null new-session -d -s console -x 110 -y 50 "cat" ||
	skip_all "tmux cannot start a session"
trap 'tm kill-server 2>/dev/null; rm -rf "$tmp"' EXIT

# window "command": a fresh terminal with a shell that runs it.
window() {
	tm respawn-pane -k -t console "stty -g >$tmp/before; $1; echo exit status \$?; cat" &&
		tty=$(tm display -p -t console '#{pane_tty}')
}
mode() { stty -F "$tty" -g; }
is_raw() { stty -F "$tty" -a | grep -q -- '-isig'; }
as_before() { [ "$(mode)" = "$(cat "$tmp/before")" ]; }
pids() {
	watcher=$(pgrep -of "^$command") && vmm=$(pgrep -P $watcher)
}

command="$handoff ${stdio[*]} runtime=60"
window "$command"
check "a terminal: the keys are told" wait_for 20 shows "Ctrl-A x ends the run"
check "a terminal: is raw" wait_for 5 is_raw
check "a terminal: the guest speaks" wait_for 10 shows "handoff-guest: ready"
tm send-keys -t console C-a h
check "a terminal: Ctrl-A h helps" wait_for 5 shows "Ctrl-A h shows this"
tm send-keys -t console C-c
tm send-keys -t console C-a x
check "a terminal: Ctrl-A x ends it, Ctrl-C did not" wait_for 20 shows "exit status 0"
check "a terminal: is as it was" as_before

for signal in TERM HUP INT; do
	window "$command"
	wait_for 20 is_raw
	pids
	kill -$signal $watcher
	check "SIG$signal: ends in order" wait_for 20 shows "exit status 0"
	check "SIG$signal: the terminal is as it was" as_before
done

window "$command"
wait_for 20 is_raw
pids
kill -9 $vmm
check "VMM killed: exit 1" wait_for 20 shows "exit status 1"
check "VMM killed: the terminal is as it was" as_before

window "$command --blk null,size=1G,id=disk0"
check "could not start: the terminal is as it was" wait_for 20 \
	eval 'shows "exit status 2" && as_before'

# Stopped from outside and continued by its shell.
window "bash --norc -i"
tm send-keys -t console "$command" Enter
wait_for 20 is_raw
pids
kill -TSTP -$watcher
check "stopped: the shell has the terminal" wait_for 10 eval 'shows Stopped && not is_raw'
tm send-keys -t console fg Enter
check "continued: it is raw again" wait_for 10 is_raw
tm send-keys -t console C-a x
check "continued: the keys work" wait_for 20 shows "losses:"
tm send-keys -t console "clear; $command &" Enter
check "started in the background: the guest speaks" wait_for 20 shows "handoff-guest: ready"
check "started in the background: the terminal is the shell's" not is_raw
tm send-keys -t console fg Enter
check "brought to the foreground: it is raw" wait_for 10 is_raw
tm send-keys -t console C-a x
check "brought to the foreground: the keys work" wait_for 20 shows "losses:"
tm send-keys -t console "exit 7" Enter
check "continued: the terminal is as it was" wait_for 10 eval 'shows "exit status 7" && as_before'

# A job in the background takes no input, leaves the terminal alone, and comes to its end.
window "bash --norc -i -c 'set -m; stty tostop; stty -g >$tmp/before; \
$handoff ${stdio[*]} requests=100 & wait \$!; echo ended with \$?'"
check "in the background: it ends by itself" wait_for 20 shows "ended with 0"
check "in the background: the terminal was left alone" as_before

done_testing
