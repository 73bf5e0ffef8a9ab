#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The live screen of `handoff trace` with two VMs, in a real terminal (tmux): which VM it shows,
# keys to go from one to the other, one that ends, quit with both summaries.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/trace_cli.sh"
. "$(dirname "$0")/../lib/terminal.sh"

vm one --iothread io0
one=$vmm
vm two
two=$vmm two_watcher=$watcher
terminal_run 110 50 "$handoff trace -p $one -p $two --interval 0.2"
trap 'terminal_end; kill -9 "${vms[@]}" 2>/dev/null; rm -rf "$tmp"' EXIT

check "the first VM is shown" wait_for 60 shows " $one  VM 1 of 2"
check "its queue has arrivals" wait_for 10 eval 'screen | grep -qE "^disk0\.0 +main +[1-9]"'
check "what its kicks met" wait_for 5 eval 'screen | grep -qE "^KICKS +SENT +WOKE"'
check "its loops, and how they wait" wait_for 5 eval 'screen | grep -qE "^main +[0-9]+ "'
keys Tab
check "Tab shows the other" wait_for 5 shows " $two  VM 2 of 2"
keys Tab
check "Tab again the first" wait_for 5 shows " $one  VM 1 of 2"
keys p
check "p pauses" wait_for 5 shows "PAUSED"
keys n
check "n shows the other, and goes on" wait_for 5 eval "shows ' $two  VM 2 of 2' && ! shows PAUSED"
keys BTab
check "Shift-Tab goes back" wait_for 5 shows " $one  VM 1 of 2"
keys n '?'
check "? explains the marks" wait_for 5 shows "~ inferred"
keys '?'
end_vm $two_watcher
check "a VM that ends is marked" wait_for 20 shows "VMM ended"
check "and said at the bottom" wait_for 5 shows "$two has ended"
tm resize-window -t live -x 70 -y 20
check "a small window is drawn, not overrun" wait_for 5 eval \
	'shows STAGE && [ "$(screen | wc -L)" -le 70 ]'
tm resize-window -t live -x 110 -y 100
keys q
check "q ends with exit 0" wait_for 20 shows "exit status 0"
check "both summaries stand in the terminal" equal 2 \
	"$(screen | grep -c '^handoff: .*, [0-9.]* s on')"
check "what was said stands there too" shows "$two has ended"


# In a session of its own no SIGHUP comes from a terminal that goes away.
terminal=$tmp/tmux-lost
tm -u -f /dev/null new-session -d -s live -x 110 -y 50 \
	"setsid $handoff trace -p $one --interval 0.2; sleep 60"
check "without a terminal of its own it is live as well" wait_for 60 shows "STAGE"
tracer=$(pgrep -f "^$handoff trace -p $one --interval 0.2")
tm kill-server
check "a terminal that goes away ends it" wait_for 15 not kill -0 $tracer

done_testing
