#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# scripts/deps on machines where things are missing: a PATH and an apt-get of our own stand in.
. "$(dirname "$0")/../../lib/tap.sh"
deps=$PWD/scripts/deps

# Copies of the script whose last words are commands no machine has, looked for in our PATH only.
mkdir "$tmp/bin"
sed -e 's|^PATH=.*|PATH=$HANDOFF_TEST_PATH:$PATH|' \
	-e 's|^test  cmd gdb .*|test cmd handoff-gdb handoff-gdb|' \
	-e 's|^test  cmd jq .*|test cmd handoff-jq handoff-jq|' "$deps" >"$tmp/deps"
export HANDOFF_TEST_PATH=$tmp/bin

# An apt-get that notes its arguments, and installs into the PATH unless told not to.
cat >"$tmp/bin/apt-get" <<E
#!/bin/bash
echo "\$*" >>"$tmp/apt.log"
[ "\$1" = install ] && [ ! -e "$tmp/no-network" ] || exit 0
for package; do
	case \$package in handoff-*) ln -sf /bin/true "$tmp/bin/\$package" ;; esac
done
E
chmod +x "$tmp/bin/apt-get"

run() {
	rm -f "$tmp/apt.log"
	out=$(bash "$tmp/deps" "$@" 2>&1)
	status=$?
}

if [ -n "$("$deps" test --print)" ]; then
	skip_all "packages are really missing here"
fi

run run
check "run does not need what only tests need" equal "$status$out" 0
check "nothing missing, nothing called" not test -e "$tmp/apt.log"

run test --print
check "--print lists what is missing" equal "$status $out" "0 handoff-gdb
handoff-jq"
check "and installs nothing" not test -e "$tmp/apt.log"

run nonsense
check "another word is a usage error" equal "$status" 2

if [ "$(id -u)" = 0 ]; then
	touch "$tmp/no-network"
	run test
	check "an installation that brings nothing fails" equal "$status" 1
	check "and says what is missing" contains "$out" "missing after installing: handoff-gdb"
	rm "$tmp/no-network"
	run test
	check "root installs what is missing" equal "$status" 0
	check "by one apt-get, without recommended packages" contains "$(cat "$tmp/apt.log")" \
		"install -y -q --no-install-recommends handoff-gdb handoff-jq"
else
	printf '#!/bin/bash\nexit 1\n' >"$tmp/bin/sudo"
	chmod +x "$tmp/bin/sudo"
	run test
	check "without root the command is said" contains "$status $out" \
		"sudo apt-get install --no-install-recommends handoff-gdb handoff-jq"
	skip "root installs what is missing" "not root"
fi
done_testing
