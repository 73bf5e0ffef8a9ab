# SPDX-License-Identifier: BSD-2-Clause
# The tiny VMM (tests/tiny) for test scripts, after tap.sh. `tiny_start NAME option...` starts one
# that is ready to kick, its process in $tiny_pid and its consumers' in $tiny_consumer;
# `tiny NAME command...` has it obey one of its commands; `tiny_end NAME` ends it and leaves what
# really happened in $tmp/NAME.truth. --help of the program tells the rest.
tiny_vmm=${HANDOFF_BUILD:?is set by make}/tests/tiny_vmm
declare -A tiny_in tiny_out

# tiny_line NAME: its next line is in $line.
tiny_line() {
	line=
	read -rt 300 -u "${tiny_out[$1]}" line || {
		echo "$1 has nothing to say"
		cat "$tmp/$1.tiny"
		return 1
	}
}

tiny_start() {
	local name=$1 in out line
	shift
	rm -f "$tmp/$name.tiny-in" "$tmp/$name.tiny-out"
	mkfifo "$tmp/$name.tiny-in" "$tmp/$name.tiny-out" || return
	"$tiny_vmm" "$@" <"$tmp/$name.tiny-in" >"$tmp/$name.tiny-out" 2>"$tmp/$name.tiny" &
	tiny_pid=$!
	exec {in}>"$tmp/$name.tiny-in" {out}<"$tmp/$name.tiny-out"
	tiny_in[$name]=$in tiny_out[$name]=$out
	tiny_line "$name" || return
	tiny_consumer=${line#*consumer=}
}

tiny() {
	local name=$1 line
	shift
	# In a process of its own, which SIGPIPE may end.
	(echo "$*" >&"${tiny_in[$name]}")
	tiny_line "$name" && contains "$line" "done ${1%% *} "
}

tiny_end() {
	local name=$1 line in=${tiny_in[$1]} out=${tiny_out[$1]}
	(echo end >&"$in")
	tiny_line "$name" && echo "$line" >"$tmp/$name.truth"
	exec {in}>&- {out}<&-
	[ -s "$tmp/$name.truth" ]
}
