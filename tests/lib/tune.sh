# SPDX-License-Identifier: BSD-2-Clause
# For tests of `handoff tune`, after tap.sh: VMs (and trace_cli.sh for these), and what it has told,
# in $tmp/NAME.json, .out and .err.

# served NAME POLL-MAX-NS LOAD: a VM whose disk an iothread serves, which spins by QEMU's rule.
served() {
	"$handoff" run --qmp "unix:$tmp/$1.qmp" --iothread "io0,poll-max-ns=$2,policy=qemu" \
		--blk null,size=64M,iothread=io0 --load "rw=randread runtime=600 $3" \
		>"$tmp/$1.vm" 2>&1 &
	watcher=$!
	wait_for 20 grep -q ready "$tmp/$1.vm"
	vmm=$(pgrep -P $watcher)
	vms+=("$watcher" "$vmm")
}

# says NAME "jq expression of the loop io0 that must be true"
says() {
	jq -e ".loops[] | select(.id == \"io0\") | $2" "$tmp/$1.json" >/dev/null || {
		jq -c '.loops[] | del(.curve)' "$tmp/$1.json"
		cat "$tmp/$1.out" "$tmp/$1.err"
		return 1
	}
}

# caught: the VM has another setting than 0, and $tuner, which may put it back the next moment,
# stands still. Needs set_is.
caught() {
	set_is gt 0 && kill -STOP $tuner || return
	set_is gt 0 && return
	kill -CONT $tuner
	return 1
}

# predicted NAME MAX-NS: hit share, the mean of $tmp/NAME.before.json and .after.json.
predicted() {
	jq -nr --argjson max "$2" --slurpfile b "$tmp/$1.before.json" \
		--slurpfile a "$tmp/$1.after.json" '
		[$a, $b | .[0].loops[] | select(.id == "io0") | .curve[] |
			select(.max_ns == $max) | .hit_share] | add / length'
}
# What is predicted comes true when the setting is made, within 5 points of hits. For tests that
# have `round MAX-NS`, which predicts, measures, predicts, and prints hit shares: predicted,
# measured, the latter -1 where the guest asked for nothing meanwhile: so long a pause of one round
# may be the host's, and says nothing of hits. One that could not is a failure.
#
# On a steep part a microsecond more of a wake is many points, and this host's wakes change from
# second to second: what counts is the mean of rounds, four of them, or eight or twelve.
comes_true() {
	local try rounds=$tmp/rounds
	: >"$rounds"
	for ((try = 1; try <= 12; try++)); do
		round "$1" >>"$rounds"
		[ $((try % 4)) -ne 0 ] || ! awk '
			NF == 2 && $2 < 0 { paused++; next }
			{ apart += $1 - $2; bad += NF != 2; n++ }
			END { exit !(n && paused < 2 && !bad && apart < 0.05 * n &&
				apart > -0.05 * n) }' \
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
# check_honest "LOAD" MAX-NS: there are times in which the host's pace changes by more than what is
# asked for; then nothing can be shown, and that is said.
check_honest() {
	local shown="$1: poll-max-ns $2 does as predicted, within 5 points" apart
	if comes_true "$2" || { pace_changed >/dev/null && comes_true "$2"; }; then
		check "$shown" true
	elif apart=$(pace_changed); then
		skip "$shown" "the host changes its pace: hits predicted from $apart"
	else
		check "$shown" tell_rounds
	fi
	awk '{ printf "%s%.3f %.3f", NR == 1 ? "# predicted, measured: " : ", ", $1, $2 }
		END { print "" }' "$tmp/rounds"
}
