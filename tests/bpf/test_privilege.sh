#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Without privilege: `handoff run` works, --trace says which capability is missing and leaves no
# VM; without /dev/kvm one line says so.
. "$(dirname "$0")/../lib/tap.sh"
handoff=${HANDOFF:?is set by make}

[ -w /dev/kvm ] || skip_all "no access to /dev/kvm"
[ "$(id -u)" = 0 ] || skip_all "needs root, to take its capabilities away"
command -v setpriv >/dev/null || skip_all "setpriv is not installed"

# Still the owner of /dev/kvm, but without a single capability.
powerless() {
	setpriv --bounding-set=-all --inh-caps=-all "$@"
}

powerless "$handoff" run --blk null,size=64M \
	--load "rw=randread requests=100" >"$tmp/out" 2>"$tmp/err"
check "run works without capabilities" equal $? 0

powerless "$handoff" run --trace --duration 30 >"$tmp/out" 2>"$tmp/err"
check "--trace: exit 1" equal $? 1
check "--trace: names the capability" contains "$(tr '[:upper:]' '[:lower:]' <"$tmp/err")" "cap_bpf"
check "--trace: says how to get it" contains "$(cat "$tmp/err")" "root"
check "--trace: one line" equal "$(wc -l <"$tmp/err")" 1
check "--trace: no VM is left" not pgrep -f "$handoff run --trace --duration 30"

powerless "$handoff" doctor >"$tmp/out" 2>"$tmp/err"
check "doctor: exit 1" equal $? 1
check "doctor: says so" contains "$(cat "$tmp/out")" "cannot work here"

check "doctor: exit 0 with privilege" "$handoff" doctor
check "doctor --json is JSON" sh -c "'$handoff' doctor --json | jq -e '.stages | length == 10'"

# An option that doctor misses is really off.
missed_are_off() {
	"$handoff" doctor | awk '$2 ~ /^CONFIG_/ {print $2}' | tr / '\n' | while read -r option; do
		zgrep -q "^$option=[ym]" /proc/config.gz && echo "$option is set" && return 1
	done
	return 0
}
if [ -r /proc/config.gz ]; then
	check "doctor: options it misses are off" missed_are_off
	check "doctor: options are compared" contains "$("$handoff" doctor)" "kernel options"
else
	skip "doctor: options it misses are off" "this kernel has no /proc/config.gz"
fi

# A mount namespace of its own, in which /dev/kvm is an ordinary file without rights.
if unshare -m true 2>/dev/null; then
	unshare -m sh -c "mount -t tmpfs none /dev && '$handoff' run --blk null,size=64M" \
		>"$tmp/out" 2>"$tmp/err"
	check "no /dev/kvm: exit 1" equal $? 1
	check "no /dev/kvm: says so" contains "$(cat "$tmp/err")" "/dev/kvm"
else
	skip "no /dev/kvm" "no mount namespaces here"
fi

done_testing
