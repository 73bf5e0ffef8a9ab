#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a kick costs a vCPU here, as a number for scripts, and for a VM that asks once a minute.
. "$(dirname "$0")/../lib/tap.sh"

handoff=${HANDOFF:?is set by make}

[ -w /dev/kvm ] || skip_all "no access to /dev/kvm"

"$handoff" doctor --kick-exit >"$tmp/out" 2>"$tmp/err"
check "doctor --kick-exit: exit 0, nothing said" equal "$? $(cat "$tmp/err")" "0 "
check "doctor --kick-exit: one number" grep -qxE '[0-9]+' "$tmp/out"
# No exit of any CPU is done in 0.1 us, and none takes 10 ms.
check "doctor --kick-exit: ns" awk '{exit !(NR == 1 && $1 > 100 && $1 < 10000000)}' "$tmp/out"
"$handoff" doctor --kick-exit --json >"$tmp/out" 2>&1
check "doctor --kick-exit --json: the same in a document" \
	jq -e '.schema == "handoff.doctor/1" and .kick_exit_ns > 100' "$tmp/out"
"$handoff" doctor --kick-exit >/dev/full 2>"$tmp/err"
check "doctor --kick-exit: output into a full device fails" equal "$? $(wc -l <"$tmp/err")" "1 1"
done_testing
