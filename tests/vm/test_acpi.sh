#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ACPI, to an unmodified Linux as our guest on a stock kernel as our host: what it finds by our
# tables, and that pvpanic alone ends a run. The guest's side is in acpi_init.sh; powering off and
# the other ways to end are in test_linux_guest.sh.
. "$(dirname "$0")/machine.sh"

folder=$(need kernel "$kernel")
mkdir "$tmp/guest"
scripts/vm/initramfs -o "$tmp/guest/initrd" -i tests/vm/acpi_init.sh -k "$folder" \
	-m pvpanic-mmio -b "$(need package busybox-static)/bin/busybox"
cp "$folder"/boot/vmlinuz-* "$tmp/guest/bzImage"

# The guest's console, whose last line is cut short, then our log and exit code. A VMM that hangs is
# killed here, and fails the test.
inside='
cd /var/tmp
timeout -k 10 150 "$HANDOFF" run --kernel /guest/bzImage --initrd /guest/initrd --cpus 2 \
	--append "console=ttyS0 quiet panic=-1 lapic=notscdeadline" </dev/null >console 2>talk
code=$?
tr -d "\r" <console
echo
sed "s/^/log: /" talk
echo "ended $code"
'
# One CPU: the two of the guest then wait for each other no longer than a time slice.
boot() {
	machine --cpus 1 --timeout 300 --add "$tmp/guest:/guest" -- bash -c "$inside" >"$tmp/out"
}
again_if_hung boot
check "the machine ran to its end" equal $? 0

# Each check of the guest's is one of ours.
while read -r line; do
	case $line in
	"ok - "* | "not ok - "*)
		made=$((made + 1)) tests=$((tests + 1))
		echo "${line%% - *} $tests - ${line#* - }"
		;;
	"# "*) echo "$line" ;;
	esac
done <"$tmp/out"
check "the guest made all checks" grep -q "^checked $made\$" "$tmp/out"
check "pvpanic ends a run by exit 8" contains "$(cat "$tmp/out")" "ended 8"
check "which is told" grep -q "^log: handoff: the guest's kernel panicked: sysrq" "$tmp/out"
done_testing
