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

devices plugged0
perl "$(dirname "$0")/../lib/qmp_server.pl" "$tmp/qmp" "$tmp/devices" &
server=$!
vms+=($server)
wait_for 10 test -S "$tmp/qmp" || skip_all "no perl with sockets"

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
kill -9 $server
wait $server 2>/dev/null
rm "$tmp/qmp"
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

done_testing
