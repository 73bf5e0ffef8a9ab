#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `handoff trace --qmp`: names from the socket, those of a device that is plugged in while it runs,
# and a socket that goes away. The VM is the tiny one, the socket a server of ours.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/trace_cli.sh"
. "$(dirname "$0")/../lib/tiny.sh"

# devices NAME...: one at each page from 0xd0000000 on.
devices() {
	local address=$((0xd0000000)) sep=
	{
		echo '[{"bus": 0, "devices": ['
		for name; do
			echo "$sep{\"bus\": 0, \"slot\": 1, \"function\": 0, \"qdev_id\": \"$name\",
				\"id\": {\"vendor\": 6900, \"device\": 4161},
				\"regions\": [{\"bar\": 4,
				\"size\": 4096, \"address\": $address, \"type\": \"memory\"}]}"
			address=$((address + 4096)) sep=,
		done
		echo ']}]'
	} >"$tmp/devices.new"
	mv "$tmp/devices.new" "$tmp/devices"
}

# serve option...: a QMP server on $tmp/qmp.
serve() {
	rm -f "$tmp/qmp"
	perl "$(dirname "$0")/../lib/qmp_server.pl" "$tmp/qmp" "$tmp/devices" "$@" &
	server=$!
	vms+=($server)
	wait_for 10 test -S "$tmp/qmp" || skip_all "no perl with sockets"
}
end_server() {
	kill -9 $server
	wait $server 2>/dev/null
	rm "$tmp/qmp"
}

devices plugged0
serve

# started NAME: an interval later.
started() {
	"$handoff" trace --interval 0.1 -p $tiny_pid --qmp "$tmp/qmp" --json "$tmp/$1.json" \
		>"$tmp/$1.out" 2>"$tmp/$1.err" &
	tracer=$!
	wait_for 60 grep -q 'plugged0.0' "$tmp/$1.out"
}

tiny_start first --queues 2 --late 1 --spacing 4096
vms+=($tiny_pid)
started named
check "the device has its name" grep -q ' plugged0\.0 > ' "$tmp/named.out"
devices plugged0 plugged1
tiny first add
check "one that is plugged in gets its own" wait_for 20 grep -q ' plugged1\.0 > ' "$tmp/named.out"
tiny first go 100
kill -INT $tracer
wait $tracer
check "exit 0" equal $? 0
check "no complaint" equal "$(cat "$tmp/named.err")" ""
check "names are exact in the report" holds named \
	'[.queues[] | [.device, .queue, .name_evidence]]
		== [["plugged0", 0, "exact"], ["plugged1", 0, "exact"]]'
check "kicks of both are there" holds named '[.queues[].kicks] == [100, 100]'
tiny_end first

devices plugged0
tiny_start second --queues 2 --late 1 --spacing 4096
vms+=($tiny_pid)
started gone
end_server
tiny second add
check "a socket that is gone is said" wait_for 20 grep -q -- '--qmp: .*names stay' "$tmp/gone.err"
tiny second go 100
kill -INT $tracer
wait $tracer
check "a socket that is gone: exit 0" equal $? 0
check "a socket that is gone is said once" equal "$(wc -l <"$tmp/gone.err")" 1
check "a socket that is gone: the name is a guess" holds gone \
	'[.queues[].name_evidence] == ["exact", "inferred"] and [.queues[].kicks] == [100, 100]'

failure "no socket" "--qmp: " "$handoff" trace -p $tiny_pid --qmp "$tmp/qmp"
tiny_end second

# It is not asked once only, when the queue comes.
devices plugged0
serve
tiny_start third --queues 2 --late 1 --spacing 4096
vms+=($tiny_pid)
started back
end_server
tiny third add
wait_for 20 grep -q -- '--qmp: .*names stay' "$tmp/back.err"
devices plugged0 plugged1
serve
tiny third go 100
check "a socket that is back is asked again" wait_for 40 grep -q ' plugged1\.0 > ' "$tmp/back.out"
kill -INT $tracer
wait $tracer
check "a socket that is back: names are exact" holds back \
	'[.queues[].name_evidence] == ["exact", "exact"]'

# Whose socket is it? Thread 1 is none of the VMM's.
echo '[{"thread-id": 1}]' >"$tmp/devices.query-cpus-fast"
failure "the socket of another VM: trace" "another VM's socket" \
	"$handoff" trace -p $tiny_pid --qmp "$tmp/qmp"
failure "the socket of another VM: ls" "another VM's socket" \
	"$handoff" ls -p $tiny_pid --qmp "$tmp/qmp"
end_server

# A thousand objects, half a second each: Ctrl-C is not heard meanwhile.
rm "$tmp/devices.query-cpus-fast"
serve slow
before=$(date +%s)
failure "a slow server" "its answers took longer than" \
	timeout 60 "$handoff" trace -p $tiny_pid --qmp "$tmp/qmp"
check "a slow server is left within seconds" test $(($(date +%s) - before)) -le 15
end_server
tiny_end third

# A VMM in a container has threads of other numbers there, which are those that QMP tells. What it
# calls them may not reach a terminal as it is.
inner() { awk '/^NSpid:/ {print $NF}' "/proc/$inside/task/$1/status"; }
mkfifo "$tmp/inside.in"
unshare --pid --fork --kill-child "$tiny_vmm" <"$tmp/inside.in" >"$tmp/inside" 2>&1 &
unshare=$!
vms+=($unshare)
exec 9>"$tmp/inside.in"
if wait_for 20 grep -q '^ready' "$tmp/inside"; then
	inside=$(pgrep -P $unshare)
	vms+=("$inside")
	loop=$(grep -lx tiny-loop0 /proc/$inside/task/*/comm | cut -d/ -f5)
	echo '[{"thread-id": 1}]' >"$tmp/devices.query-cpus-fast"
	echo "[{\"id\": \"io\\u001b0\", \"thread-id\": $(inner $loop)}]" \
		>"$tmp/devices.query-iothreads"
	serve
	"$handoff" trace -p $inside --duration 1 --qmp "$tmp/qmp" --json "$tmp/inside.json" \
		>"$tmp/inside.out" 2>"$tmp/inside.err"
	check "a VMM in a container: its socket is its own" equal "$?$(cat "$tmp/inside.err")" 0
	check "a VMM in a container: its loop has its name, and our number" holds inside \
		".loops[] | select(.id == \"io?0\").tid == $loop"
	"$handoff" ls -p $inside --qmp "$tmp/qmp" >"$tmp/inside.ls" 2>&1
	check "a VMM in a container: ls takes it as well" equal $? 0
	end_server
	failure "inside a container" "run it in the host's pid namespace" \
		unshare --pid --fork --mount-proc "$handoff" trace
	failure "inside a container: ls" "run it in the host's pid namespace" \
		unshare --pid --fork --mount-proc "$handoff" ls
else
	skip "a VMM in a container" "no pid namespace: $(head -n 1 "$tmp/inside")"
fi
exec 9>&-

done_testing
