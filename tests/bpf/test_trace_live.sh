#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The live screen of `handoff trace` with two VMs, in a real terminal (tmux): which VM it shows,
# keys to go from one to the other, one that ends, quit with both summaries.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/trace_cli.sh"
command -v tmux >/dev/null || skip_all "tmux is not installed"

export LC_ALL=C.UTF-8
socket=$tmp/tmux
tm() { tmux -S "$socket" "$@"; }
screen() { tm capture-pane -p -t live; }
shows() { screen | grep -qF -- "$1"; }

vm one --iothread io0
one=$vmm
vm two
two=$vmm two_watcher=$watcher
tm -u -f /dev/null new-session -d -s live -x 110 -y 50 \
	"$handoff trace -p $one -p $two --interval 0.2; echo exit status \$?; cat" ||
	skip_all "tmux cannot start a session"
trap 'tm kill-server 2>/dev/null; tmux -S "$tmp/tmux" kill-server 2>/dev/null
	kill -9 "${vms[@]}" 2>/dev/null; rm -rf "$tmp"' EXIT

check "the first VM is shown" wait_for 60 shows " $one  VM 1 of 2"
check "its queue has arrivals" wait_for 10 eval 'screen | grep -qE "^disk0\.0 +main +[1-9]"'
check "what its kicks met" wait_for 5 eval 'screen | grep -qE "^KICKS +SENT +WOKE"'
check "its loops, and how they wait" wait_for 5 eval 'screen | grep -qE "^main +[0-9]+ "'
tm send-keys -t live Tab
check "Tab shows the other" wait_for 5 shows " $two  VM 2 of 2"
tm send-keys -t live Tab
check "Tab again the first" wait_for 5 shows " $one  VM 1 of 2"
tm send-keys -t live p
check "p pauses" wait_for 5 shows "PAUSED"
tm send-keys -t live n
check "n shows the other, and goes on" wait_for 5 eval "shows ' $two  VM 2 of 2' && ! shows PAUSED"
tm send-keys -t live BTab
check "Shift-Tab goes back" wait_for 5 shows " $one  VM 1 of 2"
tm send-keys -t live n '?'
check "? explains the marks" wait_for 5 shows "~ inferred"
tm send-keys -t live '?'
end_vm $two_watcher
check "a VM that ends is marked" wait_for 20 shows "VMM ended"
check "and said at the bottom" wait_for 5 shows "$two has ended"
tm resize-window -t live -x 70 -y 20
check "a small window is drawn, not overrun" wait_for 5 eval \
	'shows STAGE && [ "$(screen | wc -L)" -le 70 ]'
tm resize-window -t live -x 110 -y 100
tm send-keys -t live q
check "q ends with exit 0" wait_for 20 shows "exit status 0"
check "both summaries stand in the terminal" equal 2 \
	"$(screen | grep -c '^handoff: .*, [0-9.]* s on')"
check "what was said stands there too" shows "$two has ended"


# In a session of its own no SIGHUP comes from a terminal that goes away.
socket=$tmp/tmux2
tm -u -f /dev/null new-session -d -s live -x 110 -y 50 \
	"setsid $handoff trace -p $one --interval 0.2; sleep 60"
check "without a terminal of its own it is live as well" wait_for 60 shows "STAGE"
tracer=$(pgrep -f "^$handoff trace -p $one --interval 0.2")
tm kill-server
check "a terminal that goes away ends it" wait_for 15 not kill -0 $tracer

done_testing
