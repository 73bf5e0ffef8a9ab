#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The load guest under a VMM that is not ours: QEMU boots the same ELF, and its one result line and
# its exit code must tell the truth. Needs qemu-system-x86_64 and /dev/kvm. Prints TAP.
set -u

elf=${HANDOFF_BUILD:-build}/guest/load.elf
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
image=$work/disk.img
out=$work/out
tests=0

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

command -v qemu-system-x86_64 >/dev/null || skip_all "qemu-system-x86_64 is not installed"
[ -r /dev/kvm ] && [ -w /dev/kvm ] || skip_all "/dev/kvm cannot be opened"

# run MACHINE DISK "WORDS" [DEVICE OPTIONS]: the console goes to $out, the exit code to $code.
# q35 has firmware that places BARs and switches ECAM on, and takes 3 s; microvm leaves both to us.
# QEMU ends with 2 * code + 1 of the guest's code, which sees to it that 0 means QEMU failed.
run() {
	local board words=$3 backend=$2
	case $1 in
	q35) board=(-M q35) ;;
	microvm)
		board=(-M microvm,pcie=on -bios qboot.rom)
		words="ecam=0xe0000000 bars=0xc0000000 $words" ;;
	esac
	[ "$backend" = null ] && backend=driver=null-co,size=67108864,read-zeroes=off
	[ "$backend" = file ] && backend=driver=file,filename=$image,discard=unmap
	timeout 60 qemu-system-x86_64 "${board[@]}" -net none -vga none -accel kvm \
		-cpu host,-arch-capabilities -m "${memory:-256}" -display none -serial stdio \
		-monitor none -no-reboot -kernel "$elf" -append "$words" \
		-object iothread,id=io0,poll-max-ns=32768 -blockdev "node-name=d0,$backend" \
		-device "virtio-blk-pci,drive=d0,iothread=io0,disable-legacy=on${4:-}" \
		-device isa-debug-exit,iobase=0xf4,iosize=4 </dev/null >"$out" 2>&1
	code=$?
}

# The value of a key in the result line.
value() {
	sed -n "s/^handoff-guest: result .* \{0,1\}\b$1=\([^ ]*\).*/\1/p" "$out"
}

# expect CODE KEY=VALUE...: right exit code, one result line, and these values in it. VALUE + means
# any number but 0.
expect() {
	local want=$1 line pair got
	shift
	[ "$code" = "$want" ] || { echo "# exit code $code, expected $want"; return 1; }
	for line in ready result; do
		[ "$(grep -c "^handoff-guest: $line " "$out")" = 1 ] && continue
		echo "# not one $line line"
		return 1
	done
	for pair; do
		got=$(value "${pair%%=*}")
		case ${pair#*=} in
		+) [ -n "$got" ] && [ "$got" != 0 ] && continue ;;
		"$got") continue ;;
		esac
		echo "# ${pair%%=*}=$got, expected ${pair#*=}"
		return 1
	done
}

verdict() {
	local status=$? # of the command before
	tests=$((tests + 1))
	if [ $status = 0 ]; then
		echo "ok $tests - $1"
		return
	fi
	sed 's/^/# /' "$out"
	echo "not ok $tests - $1"
}

truncate -s 64M "$image"
echo 1..13

# The line of the project's notes on test beds: firmware, ECAM, an iothread that polls.
run q35 null "rw=randread bs=4k iodepth=1 requests=5000"
expect 1 requests=5000 reads=5000 bytes=20480000 errors=0 stalls=0 kicks=+ lat_p50_ns=+ iops=+
verdict test_qemu_guest__boots_on_q35_and_reports

# What nobody asked for in particular: bursts and pauses, for the time given, in little memory.
memory=64 run microvm null "runtime=500ms"
expect 1 rw=randread iodepth=1 errors=0 stalls=0 kicks=+ && [ "$(value runtime_ns)" -ge 490000000 ]
verdict test_qemu_guest__default_load_fits_64_mib

# Interrupts: it halts and is woken, and none gets lost.
run microvm null "rw=randread iodepth=4 requests=5000 completion=irq"
expect 1 requests=5000 errors=0 irqs=+ halts=+ irqs_missed=0 stalls=0
verdict test_qemu_guest__sleeps_until_interrupts

# Each queue is kicked and answers by a vector of its own.
run microvm null "rw=randread iodepth=4 requests=8000 completion=irq" ,num-queues=4
expect 1 queues=4 requests=8000 errors=0 kicks_q0=+ kicks_q1=+ kicks_q2=+ kicks_q3=+ \
	irqs_q0=+ irqs_q1=+ irqs_q2=+ irqs_q3=+ irqs_missed=0
verdict test_qemu_guest__uses_every_queue

# All kinds of requests in one run, and every block holds in the end what was written last.
run microvm file "rw=randrw bs=4k iodepth=32 requests=20000 verify=crc32c flush=100 discard=13 \
zeroes=17"
expect 1 errors=0 verify_errors=0 verify_reads=+ reads=+ writes=+ flushes=+ discards=+ zeroes=+
verdict test_qemu_guest__verifies_what_it_wrote

# Resets with requests in flight: what was dropped holds its old content or its new one.
run microvm file "rw=randrw bs=8k segs=4 indirect=1 iodepth=32 requests=20000 verify=crc32c \
resets=20 completion=irq"
expect 1 errors=0 verify_errors=0 resets=20 dropped=+ irqs_missed=0 stalls=0
verdict test_qemu_guest__resets_under_load

# The same by flags instead of event indices.
run microvm file "rw=randwrite bs=4k noevent=1 iodepth=8 requests=5000 verify=crc32c resets=5 \
completion=irq"
expect 1 errors=0 verify_errors=0 resets=5 irqs_missed=0 stalls=0
verdict test_qemu_guest__works_without_event_idx

# The packed ring of another's making: chains that end out of order, tables, resets, both ways of
# asking for events.
for words in "iodepth=32 segs=3" "iodepth=32 segs=3 noevent=1" "iodepth=64 indirect=1 segs=4"; do
	run microvm file "rw=randrw bs=8k requests=10000 verify=crc32c completion=irq resets=5 \
$words" ,packed=on
	expect 1 errors=0 verify_errors=0 resets=5 irqs_missed=0 stalls=0 &&
		grep -q ' ring=packed ' "$out"
	verdict "test_qemu_guest__speaks_packed_${words//[ =]/_}"
done

# A disk that forgets must not pass for one that remembers.
run microvm driver=null-co,size=67108864,read-zeroes=on \
	"rw=randwrite bs=4k requests=1000 verify=crc32c"
expect 9 writes=1000 verify_errors=+
verdict test_qemu_guest__finds_lost_writes

# Configuration by ports, and BARs where no firmware put them, above 4 GiB.
run q35 null "rw=randread requests=1000 ecam=0 movebars=high completion=irq"
expect 1 requests=1000 errors=0 irqs=+ && grep -q 'config=ports' "$out"
verdict test_qemu_guest__moves_bars_above_4_gib

# A word it does not know: one line that names it, and an exit code of failure.
run microvm null "rw=randread thinktim=20us"
[ "$code" = 5 ] && [ "$(grep -c handoff-guest "$out")" = 1 ] &&
	grep -q '^handoff-guest: error: thinktim=20us: unknown word$' "$out"
verdict test_qemu_guest__names_a_bad_word
