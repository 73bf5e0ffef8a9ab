#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# scripts/run-tests: nothing that went wrong may be counted as passed.
. "$(dirname "$0")/../../lib/tap.sh"
runner=$PWD/scripts/run-tests

# A test program that prints its standard input and exits with $2.
program() {
	{
		echo '#!/bin/bash'
		echo "cat <<'END'"
		cat
		echo END
		echo "exit $2"
	} >"$tmp/$1"
	chmod +x "$tmp/$1"
}

run() {
	(cd "$tmp" && "$runner" -t "${limit:-60}" -l logs "$@" >out 2>&1)
	status=$?
	last=$(tail -n 1 "$tmp/out")
	out=$(cat "$tmp/out")
}

program good 0 <<'E'
1..2
ok 1 - a
ok 2 - b
E
program bad 1 <<'E'
1..2
ok 1 - a
not ok 2 - b
E
program skipping 0 <<'E'
1..2
ok 1 - a
# no /dev/kvm here
not ok 2 # SKIP b
E
program short 0 <<'E'
1..3
ok 1 - a
E
program long 0 <<'E'
1..1
ok 1 - a
ok 2 - b
E
program silent 0 </dev/null
program lying 3 <<'E'
1..1
ok 1 - a
E
program all 0 <<'E'
1..0 # SKIP no gdb
E
printf '#!/bin/bash\necho 1..1\necho ok 1\nkill -9 $$\n' >"$tmp/killed"
printf '#!/bin/bash\necho 1..1\necho ok 1\nexec sleep 600\n' >"$tmp/hanging"
chmod +x "$tmp/killed" "$tmp/hanging"

run good
check "a good program passes" equal "$status $last" "0 2 passed, 0 failed, 0 skipped"

run good bad
check "cases are counted, not programs" equal "$status $last" "1 3 passed, 1 failed, 0 skipped"
check "the log of a failed program is shown" contains "$out" "not ok 2 - b"

run skipping
check "cmocka's skip is a skip" equal "$status $last" "0 1 passed, 0 failed, 1 skipped"
check "a skip's reason is shown" contains "$out" "skipped: b: no /dev/kvm here"

run good all
check "a program that cannot run is a skip" equal "$status $last" \
	"0 2 passed, 0 failed, 1 skipped"

run short
check "missing tests fail" equal "$status $last" "1 1 passed, 1 failed, 0 skipped"

run long
check "so do more than planned" equal "$status $last" "1 2 passed, 1 failed, 0 skipped"

run silent
check "a program without a plan fails" equal "$status $last" "1 0 passed, 1 failed, 0 skipped"

run lying
check "a failing exit status fails" equal "$status $last" "1 1 passed, 1 failed, 0 skipped"

run killed
check "a killed program fails" equal "$status $last" "1 1 passed, 1 failed, 0 skipped"

limit=1 run hanging
check "a hanging program fails" equal "$status $last" "1 1 passed, 1 failed, 0 skipped"
check "and is said to have timed out" contains "$out" "timed out after 1 s"

printf '#!/bin/bash\nexec %s ./silent ./all ./short\n' "$PWD/tests/vm/programs.sh" >"$tmp/inside"
chmod +x "$tmp/inside"
run inside
check "in a machine too: one without a plan fails, and missing tests" \
	equal "$status $last" "1 1 passed, 2 failed, 1 skipped"

run all
check "a run without any test executed fails" equal "$status $last" \
	"1 0 passed, 0 failed, 1 skipped"

printf '#!/bin/bash\necho "1..$#"\nfor i; do echo "ok $i"; done\n' >"$tmp/counting"
# Two of it at a time meet, one alone does not.
cat >"$tmp/meeting" <<'E'
#!/bin/bash
echo 1..1
touch "here.$1"
for _ in {1..50}; do
	[ -e "here.$2" ] && echo ok 1 - met && exit
	read -rt 0.1 <> <(:)
done
echo not ok 1 - alone
E
chmod +x "$tmp/counting" "$tmp/meeting"

run good "counting 1 2 3"
check "a program gets its arguments" equal "$status $last" "0 5 passed, 0 failed, 0 skipped"
check "and has a log of its own" test -s "$tmp/logs/counting-1-2-3.log"

run good -j 2 "meeting 1 2" "meeting 2 1"
check "-j 2 runs two at a time" equal "$status $last" "0 4 passed, 0 failed, 0 skipped"

run -j 2 bad "counting 1" -v good
check "each is judged, whichever ends first" equal "$status $last" \
	"1 4 passed, 1 failed, 0 skipped"
check "-v shows the logs of those behind it" contains "$out" "ok 2 - b"

run -x good
check "an unknown option is an error" equal "$status" 255

"$runner" -l "$tmp/logs" "$tmp/hanging" >"$tmp/out" 2>&1 &
pid=$!
wait_for 10 test -s "$tmp/logs/$tmp/hanging.log"
kill $pid
wait $pid
check "interrupted, it ends" equal $? 130
check "and so does what it ran" wait_for 10 not pgrep -f "$tmp/hanging"

run ./missing
check "a program that is not there fails" equal "$status $last" "1 0 passed, 1 failed, 0 skipped"
done_testing
