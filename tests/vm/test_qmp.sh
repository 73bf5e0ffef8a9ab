#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# QMP and an unmodified Linux as our guest: stopped for longer than its watchdogs wait, it goes on
# without a complaint; its power button is pressed, and it turns itself off. The guest's side is in
# qmp_init.sh.
. "$(dirname "$0")/machine.sh"

socat=$(type -P socat) || skip_all "socat is not installed"
folder=$(need kernel "$kernel")
mkdir "$tmp/guest"
scripts/vm/initramfs -o "$tmp/guest/initrd" -i tests/vm/qmp_init.sh -k "$folder" -m button \
	-b "$(need package busybox-static)/bin/busybox"
cp "$folder"/boot/vmlinuz-* "$tmp/guest/bzImage"

# What QMP answered, the guest's console, and the exit code.
inside='
cd /var/tmp
timeout -k 10 200 "$HANDOFF" run --qmp unix:/var/tmp/qmp --kernel /guest/bzImage \
	--initrd /guest/initrd --append "console=ttyS0 quiet" </dev/null >console 2>talk &
vm=$!
pause() {
	kill -0 $vm 2>/dev/null && read -rt "$1" <> <(:)
	kill -0 $vm 2>/dev/null
}
while ! grep -q waiting console && pause 0.5; do :; done
{
	echo "{\"execute\": \"qmp_capabilities\"}{\"execute\": \"stop\"}"
	pause 30
	echo "{\"execute\": \"cont\"}{\"execute\": \"system_powerdown\"}"
	while pause 0.5; do :; done
} | socat - unix:/var/tmp/qmp | tr -d "\r" | sed "s/^/qmp: /"
wait $vm
code=$?
tr -d "\r" <console
echo
sed "s/^/log: /" talk
echo "ended $code"
'
boot() {
	machine --timeout 400 --add "$tmp/guest:/guest" --add "$socat" -- bash -c "$inside" \
		>"$tmp/out"
}
again_if_hung boot
check "the machine ran to its end" equal $? 0
replay "Linux $kernel" <"$tmp/out"
check "the guest has turned itself off: exit 0" grep -qx "ended 0" "$tmp/out"
for event in STOP RESUME POWERDOWN; do
	check "$event" grep -q "^qmp: .*\"event\": \"$event\"" "$tmp/out"
done
check "the end is the guest's" grep -q '^qmp: .*"guest": true, "reason": "guest-shutdown"' \
	"$tmp/out"
done_testing
