#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `handoff run --qmp` as a script drives it, with socat: every command and event, what ends a run
# and leaves of the socket, and clients that behave badly.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/qmp.sh"
handoff=${HANDOFF:?is set by make}

[ -w /dev/kvm ] || skip_all "no access to /dev/kvm"
command -v socat >/dev/null || skip_all "socat is not installed"
loop_of() { jq -r ".return[] | select(.queues != []).id" <<<"$line"; }
two_loops=(--iothread io0,poll-max-ns=5000 --iothread io1
	--blk null,size=64M,iothread=io0,delay=10us)
load=(--load "rw=randrw iodepth=32 runtime=600" --duration 600)

qmp_vm main "${two_loops[@]}" "${load[@]}"
check "the socket is its owner's alone" equal "$(stat -c %a "$socket")" 600
qmp_open
check "it greets" equal "$(jq -c '.QMP.capabilities' <<<"$greeting")" '[]'
check "before the negotiation nothing goes" qmp_fails query-status "" CommandNotFound Expecting
check "qmp_capabilities" qmp_returns qmp_capabilities "" . '{}'
echo '{"execute": "query-status", "id": "x"}' >&"$qmp_to"
qmp_line
check "ids come back" equal "$(jq -c .id <<<"$line")" '"x"'
check "query-version" qmp_returns query-version "" .package \
	"\"handoff $("$handoff" --version | tr -dc 0-9.)\""
check "query-commands names all" qmp_returns query-commands "" \
	'[.[].name] | contains(["query-version", "query-status", "stop", "cont", "quit",
		"system_powerdown", "query-commands", "query-iothreads", "qom-list", "qom-get",
		"qom-set", "query-block", "query-blockstats", "query-named-block-nodes",
		"object-add", "object-del", "x-blockdev-set-iothread", "x-handoff-query-loops"])' \
	true
check "an unknown command" qmp_fails nope "" CommandNotFound nope
check "an unexpected argument" qmp_fails stop '{"x": 1}' GenericError "'x' is unexpected"

# iothreads
check "query-iothreads" qmp_returns query-iothreads "" 'map([.id, ."poll-max-ns"])' \
	'[["io0",5000],["io1",64000]]'
check "an iothread's thread is one of the VMM's" test -d \
	"/proc/$(pgrep -P $vm)/task/$(jq '.return[0]."thread-id"' <<<"$line")"
check "qom-list /objects" qmp_returns qom-list '{"path": "/objects"}' '[.[].name]' \
	'["type","io0","io1"]'
check "qom-list of an iothread" qmp_returns qom-list '{"path": "/objects/io0"}' '[.[].name]' \
	"$(jq -c . <<<'["type", "poll-max-ns", "poll-grow", "poll-shrink", "poll-weight",
		"poll-latency-percent", "poll-policy"]')"
check "qom-get by a partial path" qmp_returns qom-get \
	'{"path": "io0", "property": "poll-max-ns"}' . 5000
check "qom-get of a child" qmp_returns qom-get '{"path": "/objects", "property": "io0"}' . \
	'"/objects/io0"'
# set PROPERTY VALUE: reads back, and is what the loop itself works with.
set_and_get() {
	local object='"path": "/objects/io0", "property": "'$1'"'
	qmp_returns qom-set "{$object, \"value\": $2}" . '{}' &&
		qmp_returns qom-get "{$object}" . "$2" &&
		wait_for 10 in_force "$@"
}
in_force() {
	qmp_returns x-handoff-query-loops "" ".[] | select(.id == \"io0\").\"$1\"" "$2"
}
for setting in "poll-max-ns 100000" "poll-grow 3" "poll-shrink 4" "poll-weight 5" \
	"poll-latency-percent 50" 'poll-policy "break-even"' 'poll-policy "qemu"'; do
	check "qom-set $setting" set_and_get $setting
done
check "X_HANDOFF_IOTHREAD_CHANGED" qmp_event X_HANDOFF_IOTHREAD_CHANGED
check "it has all settings" equal "$(jq -c '.data | [.property, .id, ."poll-max-ns",
	."poll-grow", ."poll-shrink", ."poll-weight", ."poll-policy"]' <<<"$event")" \
	'["poll-policy","io0",100000,3,4,5,"qemu"]'
property='"path": "/objects/io0", "property": "poll-max-ns"'
check "a wrong type" qmp_fails qom-set "{$property, \"value\": \"x\"}" GenericError \
	"expected: integer"
check "out of range" qmp_fails qom-set "{$property, \"value\": -1}" GenericError "in range [0, "
check "a policy that is none" qmp_fails qom-set \
	'{"path": "/objects/io0", "property": "poll-policy", "value": "frob"}' GenericError frob
check "no such object" qmp_fails qom-get '{"path": "/objects/no", "property": "type"}' \
	DeviceNotFound "'/objects/no' not found"
check "no such property" qmp_fails qom-get '{"path": "/objects/io0", "property": "no"}' \
	GenericError "'iothread.no' not found"
check "not writable" qmp_fails qom-set \
	'{"path": "/objects/io0", "property": "type", "value": "x"}' GenericError "not writable"
check "object-add" qmp_returns object-add \
	'{"qom-type": "iothread", "id": "io2", "poll-max-ns": 7}' . '{}'
check "it is there" qmp_returns query-iothreads "" '.[2] | [.id, ."poll-max-ns"]' '["io2",7]'
check "twice" qmp_fails object-add '{"qom-type": "iothread", "id": "io2"}' GenericError duplicate
check "of a type that is none" qmp_fails object-add '{"qom-type": "no", "id": "a"}' GenericError \
	"does not accept value 'no'"
check "with a bad id" qmp_fails object-add '{"qom-type": "iothread", "id": "a b"}' GenericError \
	"letters, digits"
check "one in use stays" qmp_fails object-del '{"id": "io0"}' GenericError "is in use"
check "one that is none" qmp_fails object-del '{"id": "no"}' GenericError "not found"

# disks
check "query-block" qmp_returns query-block "" \
	'.[0] | [.device, .inserted.drv, .inserted.image."virtual-size", .inserted.ro]' \
	'["disk0","delay",67108864,false]'
check "query-named-block-nodes" qmp_returns query-named-block-nodes "" \
	'map([."node-name", .drv])' '[["disk0","delay"],["disk0.file","null"]]'
# move_to ID: the disk is there afterwards, and works.
move_to() {
	qmp_returns x-blockdev-set-iothread "{\"node-name\": \"${2-disk0}\", \"iothread\": $1}" . \
		'{}' && qmp x-handoff-query-loops || return
	equal "\"$(loop_of)\"" "${1/null/\"main\"}" && works_on
}
requests() { jq '[.return[].queues[].requests] | add' <<<"$line"; }
has_more_than() { qmp x-handoff-query-loops && [ "$(requests)" -gt "$1" ]; }
works_on() {
	qmp x-handoff-query-loops && wait_for 20 has_more_than "$(requests)"
}
check "to the main loop" move_to null
check "to another iothread" move_to '"io1"'
check "by the node below" move_to '"io2"' disk0.file
check "X_HANDOFF_DEVICE_HANDED_OVER" qmp_event X_HANDOFF_DEVICE_HANDED_OVER
check "from, to, how long" equal \
	"$(jq -c '.data | [.device, .from, .to, ."duration-ns" > 0]' <<<"$event")" \
	'["disk0","io1","io2",true]'
check "no such node" qmp_fails x-blockdev-set-iothread '{"node-name": "no", "iothread": null}' \
	GenericError "node-name='no'"
check "no such iothread" qmp_fails x-blockdev-set-iothread \
	'{"node-name": "disk0", "iothread": "no"}' GenericError "Cannot find iothread no"
check "an iothread that nobody uses any more goes" qmp_returns object-del '{"id": "io0"}' . '{}'

# the run
check "query-status" qmp_returns query-status "" '[.running, .status]' '[true,"running"]'
check "stop" qmp_returns stop "" . '{}'
check "STOP" qmp_event STOP
check "stopped, query-blockstats adds up" qmp_returns query-blockstats "" \
	'.[0].stats | .rd_operations > 0 and .rd_bytes == .rd_operations * 4096 and
		.wr_bytes == .wr_operations * 4096 and .failed_rd_operations == 0' true
check "it is paused" qmp_returns query-status "" '[.running, .status]' '[false,"paused"]'
qmp query-blockstats
before=$line
read -rt 0.3 <> <(:)
qmp query-blockstats
check "and its disk stands still" equal "$line" "$before"
check "cont" qmp_returns cont "" . '{}'
check "RESUME" qmp_event RESUME
check "and it works on" works_on
check "system_powerdown" qmp_returns system_powerdown "" . '{}'
check "POWERDOWN" qmp_event POWERDOWN
check "no kick was stuck in all that" not grep -q STUCK "$tmp/events"

# one at a time; bad company
mkfifo "$tmp/second.in"
exec 8<>"$tmp/second.in"
socat -t 30 - "unix:$socket" <"$tmp/second.in" >"$tmp/second" 2>&1 &
second=$!
check "a second client waits" qmp_returns query-status "" .running true
check "and hears nothing" equal "$(cat "$tmp/second")" ""
qmp_close
check "until the first one is gone" wait_for 20 grep -q '"QMP"' "$tmp/second"
echo '{"execute": "qmp_capabilities"}' >&8
check "then it is served" wait_for 20 grep -q '"return"' "$tmp/second"
kill $second
exec 8>&-

head -c 300000 /dev/urandom | timeout 60 socat -t 0.2 - "unix:$socket" >/dev/null 2>&1
yes '[[[[[[[[[[[[[' | head -c 300000 | timeout 60 socat -t 0.2 - "unix:$socket" >/dev/null 2>&1
{ printf '{"execute": "'; head -c 300000 /dev/zero | tr '\0' a; } |
	timeout 60 socat -t 0.2 - "unix:$socket" >/dev/null 2>&1
printf '{"execute": "qmp_capabi' | timeout 60 socat -t 0.2 - "unix:$socket" >/dev/null 2>&1
# Asks, and never reads an answer.
mkfifo "$tmp/deaf"
exec 9<>"$tmp/deaf"
socat -u "$tmp/deaf" "unix:$socket" 2>/dev/null &
deaf=$!
{
	echo '{"execute": "qmp_capabilities"}'
	yes '{"execute": "query-commands"}' | head -c 2000000
} >&9 2>/dev/null &
writer=$!
check "one that does not read is disconnected" wait_for 60 grep -q "it does not read" \
	"$tmp/main.err"
exec 9>&-
kill $deaf $writer 2>/dev/null
wait $deaf $writer 2>/dev/null
qmp_open
check "after all of them the next one is served" qmp_returns qmp_capabilities "" . '{}'
check "and the guest works" works_on
check "quit" qmp_returns quit "" . '{}'
check "SHUTDOWN" qmp_event SHUTDOWN
check "by whom" equal "$(jq -c .data <<<"$event")" '{"guest":false,"reason":"host-qmp-quit"}'
qmp_vm_wait
check "the run has ended well" equal $? 0
check "and the socket is gone" not test -e "$socket"
qmp_close

# another user, if we may let him in
if [ "$(id -u)" = 0 ]; then
	qmp_vm other "${two_loops[@]}" "${load[@]}"
	chmod 711 "$tmp"
	chmod 666 "$socket"
	setpriv --reuid=65534 --regid=65534 --clear-groups timeout 60 \
		socat -t 1 - "unix:$socket" </dev/null >"$tmp/foreign" 2>&1
	check "another user is not greeted" not grep -q QMP "$tmp/foreign"
	check "and is named" wait_for 20 \
		grep -q "user 65534's process .* was refused" "$tmp/other.err"
	kill -INT $vm
	qmp_vm_wait
else
	skip "another user is not greeted" "only root can be another user"
fi

# the socket's end, and its next beginning
qmp_vm signal "${two_loops[@]}" --blk null,size=64M,id=slow,ioeventfd=off "${load[@]}"
qmp_open
qmp qmp_capabilities
check "a disk that no loop serves" qmp_fails x-blockdev-set-iothread \
	'{"node-name": "slow", "iothread": "io1"}' DeviceNotActive ioeventfd=off
kill -INT $vm
check "SIGINT: SHUTDOWN" qmp_event SHUTDOWN
check "SIGINT: by whom" equal "$(jq -r .data.reason <<<"$event")" host-signal
qmp_vm_wait
check "SIGINT: exit 0" equal $? 0
check "SIGINT: the socket is gone" not test -e "$socket"
qmp_close

once() {
	"$handoff" run --qmp "$1" --blk null,size=64M --load requests=1 >"$tmp/out" 2>"$tmp/err"
}
qmp_vm again "${two_loops[@]}" "${load[@]}"
once "unix:$socket"
check "a socket in use is refused" equal "$? $(wc -l <"$tmp/err")" "1 1"
check "and called by its name" contains "$(cat "$tmp/err")" "QMP $socket: address in use"
kill -9 "$(pgrep -P $vm)"
qmp_vm_wait
check "a killed VMM leaves its socket" test -S "$socket"
# Its replacement, by the same path.
once "unix:$socket"
check "which the next one replaces" equal "$? $(cat "$tmp/err")" "0 "
check "and removes" not test -e "$socket"

# A file's name may be any bytes; JSON may not.
truncate -s 1M "$tmp/d"$'\xff'.img
qmp_vm odd --blk "$tmp/d"$'\xff'.img --blk null,size=64M "${load[@]}"
qmp_open
qmp qmp_capabilities
check "a file whose name is no UTF-8: query-block" qmp_returns query-block "" \
	'map([.device, .inserted.file])' "[[\"disk0\",\"$tmp/d?.img\"],[\"disk1\",\"null://\"]]"
check "its node" qmp_returns query-named-block-nodes "" 'map(."node-name")' '["disk0","disk1"]'
qmp quit
qmp_vm_wait
qmp_close

# The guest's own end, and kicks that nobody takes: handlers are held back soon after the start.
qmp_vm stuck --blk null,size=64M --load "rw=randread requests=50000" --fault hold=4s \
	--duration 60
qmp_open
qmp qmp_capabilities
check "X_HANDOFF_QUEUE_STUCK" qmp_event X_HANDOFF_QUEUE_STUCK
check "which, where, for how long" equal \
	"$(jq -c '.data | [.device, .queue, .loop, ."age-ns" >= 1000000000]' <<<"$event")" \
	'["disk0",0,"main",true]'
check "the guest's end: SHUTDOWN" qmp_event SHUTDOWN
check "the guest's end: by whom" equal "$(jq -c .data <<<"$event")" \
	'{"guest":true,"reason":"guest-shutdown"}'
qmp_vm_wait
qmp_close
check "it was told once" equal "$(grep -c STUCK "$tmp/events")" 1
done_testing
