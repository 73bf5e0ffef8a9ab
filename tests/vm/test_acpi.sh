#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ACPI, to an unmodified Linux as our guest on a stock kernel as our host: what it finds by our
# tables, and that pvpanic alone, and the keyboard controller's reset, end a run. The guest's side
# is in acpi_init.sh; powering off and the other ways to end are in test_linux_guest.sh.
. "$(dirname "$0")/machine.sh"

folder=$(need kernel "$kernel")
mkdir "$tmp/guest"
scripts/vm/initramfs -o "$tmp/guest/initrd" -i tests/vm/acpi_init.sh -k "$folder" \
	-m pvpanic-mmio -b "$(need package busybox-static)/bin/busybox"
cp "$folder"/boot/vmlinuz-* "$tmp/guest/bzImage"

# guest NAME WORD...: an end line with its exit code behind its console and its log.
inside='
guest() {
	name=$1
	shift
	timeout 120 "$HANDOFF" run --kernel /guest/bzImage --initrd /guest/initrd --cpus 2 \
		--append "console=ttyS0 quiet panic=-1 $*" </dev/null >console 2>talk
	code=$?
	tr -d "\r" <console | sed "s/^/$name: /"
	sed "s/^/$name log: /" talk
	echo "$name ended $code"
}
cd /var/tmp
guest tables task=tables
guest clocks task=old_clocks no-kvmclock lapic=notscdeadline clocksource=acpi_pm reboot=k
'
# One CPU: the two of a guest then wait for each other no longer than a time slice.
machine --cpus 1 --timeout 400 --add "$tmp/guest:/guest" -- bash -c "$inside" >"$tmp/out"
check "the machine ran to its end" equal $? 0

# Each check of the guest's is one of ours.
replay() {
	local line n=0
	while read -r line; do
		case $line in
		"ok - "* | "not ok - "*)
			n=$((n + 1)) tests=$((tests + 1))
			echo "${line%% - *} $tests - $1: ${line#* - }"
			;;
		"# "*) echo "$line" ;;
		esac
	done < <(sed -n "s/^$1: //p" "$tmp/out")
	check "$1: all checks were made" grep -q "^$1: checked $n\$" "$tmp/out"
}

ended() {
	grep -q "^$1 ended $2\$" "$tmp/out" || {
		grep "^$1" "$tmp/out"
		return 1
	}
}

replay tables
check "pvpanic ends a run by exit 8" ended tables 8
# Without the reason if the other CPU was printing: pvpanic comes before the kernel waits for that.
check "which is told" grep -q "^tables log: handoff: the guest's kernel panicked" "$tmp/out"
replay clocks
check "the keyboard controller's reset ends a run by exit 7" ended clocks 7
done_testing
