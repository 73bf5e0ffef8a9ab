# SPDX-License-Identifier: BSD-2-Clause
# A running VM of ours and a QMP client by hand: socat as a process of its own. Needs $tmp and
# $handoff.

# qmp_vm NAME OPTION...: starts it, and returns when its socket is there, $socket. $vm is the
# command's process; its talk is in $tmp/NAME.err.
qmp_vm() {
	local name=$1
	shift
	socket=$tmp/$name.qmp
	"$handoff" run --qmp "unix:$socket" --console none "$@" \
		</dev/null >"$tmp/$name.out" 2>"$tmp/$name.err" &
	vm=$!
	wait_for 60 test -S "$socket"
}

# How the VM ended.
qmp_vm_wait() {
	wait "$vm"
}

# Connects; events come to $tmp/events, one a line. The greeting is in $greeting.
qmp_open() {
	coproc qmp_socat { exec socat -t 30 - "unix:$socket"; }
	exec {qmp_from}<&"${qmp_socat[0]}" {qmp_to}>&"${qmp_socat[1]}"
	qmp_client=$qmp_socat_PID
	eval "exec ${qmp_socat[0]}<&- ${qmp_socat[1]}>&-"
	: >"$tmp/events"
	qmp_line && greeting=$line
}

# The next line that is no event, in $line; without its CR.
qmp_line() {
	while IFS= read -rt "${1:-30}" -u "$qmp_from" line; do
		line=${line%$'\r'}
		case $line in
		*'"event": '*) echo "$line" >>"$tmp/events" ;;
		*) return 0 ;;
		esac
	done
	line=
	return 1
}

# qmp COMMAND [ARGUMENTS]: its answer in $line.
qmp() {
	echo "{\"execute\": \"$1\"${2:+, \"arguments\": $2}}" >&"$qmp_to"
	qmp_line
}

# qmp_event NAME: the last one of that name has come, and is in $event; else waits for it.
qmp_event() {
	local deadline=$((SECONDS + 30))
	while ! event=$(grep "\"event\": \"$1\"" "$tmp/events" | tail -1) || [ -z "$event" ]; do
		[ $SECONDS -lt $deadline ] || return 1
		qmp_line 1 || :
	done
}

# qmp_returns COMMAND ARGUMENTS FILTER WANTED: what jq makes of the answer.
qmp_returns() {
	qmp "$1" "$2" && equal "$(jq -c ".return | $3" <<<"$line")" "$4" || {
		echo "answer: $line"
		return 1
	}
}

# qmp_fails COMMAND ARGUMENTS CLASS WORDS
qmp_fails() {
	qmp "$1" "$2" && equal "$(jq -r .error.class <<<"$line")" "$3" &&
		contains "$(jq -r .error.desc <<<"$line")" "$4"
}

qmp_close() {
	exec {qmp_to}>&- {qmp_from}<&-
	kill "$qmp_client" 2>/dev/null
	wait "$qmp_client" 2>/dev/null
}
