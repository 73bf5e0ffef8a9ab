#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The live screen in a real terminal (tmux): tables, keys, resize, quit with the summary, a
# terminal left as it was.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/terminal.sh"
handoff=${HANDOFF:?is set by make}

[ -w /dev/kvm ] || skip_all "no access to /dev/kvm"
"$handoff" doctor >/dev/null 2>&1 ||
	skip_all "this host cannot trace: $("$handoff" doctor | grep ^BAD | head -n 1)"

command="$handoff run --trace --duration 60 --interval 0.2 --blk null,size=64M"
terminal_run 110 45 "$command"
trap 'terminal_end; rm -rf "$tmp"' EXIT

check "the stage table appears" wait_for 20 shows "STAGE"
check "ten stages are on it" wait_for 5 shows "enter "
check "the queue has arrivals" wait_for 10 eval 'screen | grep -qE "^disk0\.0 +main +[1-9]"'
keys '?'
check "? explains the outcomes" wait_for 5 shows "a spinning loop saw the work"
keys '?'
keys s
check "s sorts" wait_for 5 shows "sort: arrivals"
keys w
check "w shows the whole run" wait_for 5 shows "whole run"
keys p
check "p pauses" wait_for 5 shows "PAUSED"
keys p
tm resize-window -t live -x 70 -y 20
check "a small window is drawn, not overrun" wait_for 5 eval \
	'! shows PAUSED && shows STAGE && [ "$(screen | wc -L)" -le 70 ]'
tm resize-window -t live -x 110 -y 60
check "a larger one again" wait_for 5 shows "KICKS"
keys q
check "q ends with exit 0" wait_for 20 shows "exit status 0"
check "and the summary stands in the terminal" shows "losses: none"
check "no VM is left" not pgrep -f "^$command"

done_testing
