# SPDX-License-Identifier: BSD-2-Clause
# QEMU with the load guest in it, for tests that trace it: started but stopped, its own trace events
# in a log. Needs $tmp and $build (the load guest's folder is $build/guest).
#
# microvm: firmware (qboot) that leaves the disk alone, so that every kick is the guest's.

# For a machine where all share one slow CPU: how many times longer than usual to wait for it, and
# how far it gives way to others.
qemu_slow=1 qemu_nice=
# Not empty: before all that is not real-time, where a spin must have its CPU.
qemu_realtime=
qemu_null=driver=null-co,size=67108864,read-zeroes=off

qemu_log=()
for event in run_poll_handlers_begin run_poll_handlers_end virtio_queue_notify \
	virtio_blk_handle_read virtio_blk_handle_write virtio_notify virtio_notify_irqfd; do
	qemu_log+=(-trace "$event")
done

# qemu_start NAME "WORDS" OPTION...: its number in $qemu; it waits for qemu_go. Files $tmp/NAME.*:
# out (the console), log (trace events), qmp (a socket).
qemu_start() {
	local name=$1 words=$2
	shift 2
	rm -f "$tmp/$name."{in,out,pid,log,qmp,console}
	mkfifo "$tmp/$name.in" "$tmp/$name.out"
	# Both ends of both: nobody waits for anybody to open, and no test for a dead QEMU.
	exec {qemu_to}<>"$tmp/$name.in" {qemu_from}<>"$tmp/$name.out"
	(
		[ ! "$qemu_realtime" ] || chrt -r -p 1 "$BASHPID" >/dev/null
		[ ! "$qemu_nice" ] || renice -n "$qemu_nice" -p "$BASHPID" >/dev/null
		exec timeout $((60 * qemu_slow)) qemu-system-x86_64 -S -M microvm,pcie=on \
			-bios qboot.rom -net none -vga none -accel kvm \
			-cpu host,-arch-capabilities -m 64 -display none -serial stdio \
			-monitor none -no-reboot -kernel "$build/guest/load.elf" \
			-append "ecam=0xe0000000 bars=0xc0000000 $words" \
			-chardev "pipe,id=control,path=$tmp/$name" -mon control,mode=control \
			-qmp "unix:$tmp/$name.qmp,server=on,wait=off" \
			-msg timestamp=on "${qemu_log[@]}" -D "$tmp/$name.log" \
			-pidfile "$tmp/$name.pid" -device isa-debug-exit,iobase=0xf4,iosize=4 "$@"
	) </dev/null >"$tmp/$name.console" 2>&1 &
	qemu_timeout=$!
	qemu_says >/dev/null || return
	qemu_asks qmp_capabilities >/dev/null || return
	qemu=$(<"$tmp/$name.pid")
}

qemu_says() {
	local line
	read -rt $((20 * qemu_slow)) -u "$qemu_from" line && echo "$line"
}

# qemu_asks COMMAND [ARGUMENTS]: what it returns, as JSON. Events that come first are dropped.
qemu_asks() {
	local line arguments=${2:-"{}"}
	echo "{\"execute\": \"$1\", \"arguments\": $arguments}" >&"$qemu_to"
	while line=$(qemu_says); do
		case $line in
		'{"return":'*) jq -c .return <<<"$line" && return ;;
		'{"error":'*) echo "$line" && return 1 ;;
		esac
	done
	echo "QEMU does not answer $1"
	return 1
}

# The number of an iothread's thread.
qemu_thread_of() {
	qemu_asks query-iothreads | jq ".[] | select(.id == \"$1\") | .\"thread-id\""
}

# How many requests its disks have read.
qemu_requests() {
	qemu_asks query-blockstats | jq '[.[].stats.rd_operations] | add'
}

# Of these in a second, by the time that it really was: who asks waits for a CPU, too, and for up to
# a second where a real-time guest spins on each. At depth 1 a request takes as long as one has.
qemu_rate() {
	local before after since=$EPOCHREALTIME
	before=$(qemu_requests)
	sleep 1
	after=$(qemu_requests)
	awk -v n=$((after - before)) -v since="$since" -v till="$EPOCHREALTIME" \
		'BEGIN { printf "%.0f\n", n / (till - since) }'
}

qemu_go() {
	qemu_asks cont >/dev/null
}

# Its exit code when it has ended: 1 means that the guest says all is well.
qemu_wait() {
	wait "$qemu_timeout" 2>/dev/null
	local code=$?
	exec {qemu_to}>&- {qemu_from}>&-
	return $code
}

qemu_kill() {
	kill -9 "$qemu"
	qemu_wait
}

# guest_value NAME KEY: of the guest's result line.
guest_value() {
	sed -n "s/^handoff-guest: result .* \{0,1\}\b$2=\([^ ]*\).*/\1/p" "$tmp/$1.console"
}
