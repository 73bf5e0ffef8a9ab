# SPDX-License-Identifier: BSD-2-Clause
# A command in a real terminal (tmux), after tap.sh. What it shows and what is typed.
command -v tmux >/dev/null || skip_all "tmux is not installed"
export LC_ALL=C.UTF-8
terminals=0
tm() { tmux -S "$terminal" "$@"; }
screen() { tm capture-pane -p -t live; }
shows() { screen | grep -qF -- "$1"; }
keys() { tm send-keys -t live "$@"; }

# terminal_run COLUMNS ROWS COMMAND: its exit status is shown when it has ended. A server for each:
# one that is ending takes a new session along.
terminal_run() {
	terminal=$tmp/tmux$((terminals += 1))
	tm -u -f /dev/null new-session -d -s live -x "$1" -y "$2" \
		"$3; echo exit status \$?; cat" || skip_all "tmux cannot start a session"
}
# All there are.
terminal_end() {
	for terminal in "$tmp"/tmux*; do
		tm kill-server 2>/dev/null
	done
}
