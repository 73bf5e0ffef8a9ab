# SPDX-License-Identifier: BSD-2-Clause
# TAP for test scripts: `check "sentence" command...` is a test, `skip "sentence" "why"` one that
# cannot run here, `skip_all "why"` ends a script that cannot run at all; `done_testing` last.
# $tmp is a folder of the script's own, removed when it ends.

tests=0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/handoff-test.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

check() {
	local name=$1
	shift
	tests=$((tests + 1))
	if "$@" >"$tmp/.output" 2>&1; then
		echo "ok $tests - $name"
	else
		echo "not ok $tests - $name"
		echo "# failed: $*"
		sed 's/^/# /' "$tmp/.output"
	fi
}

skip() {
	tests=$((tests + 1))
	echo "ok $tests - $1 # SKIP $2"
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

done_testing() {
	echo "1..$tests"
}

# wait_for SECONDS command...: tries it ten times a second until it succeeds. It gives up after four
# times as many: SECONDS are a quiet machine's, and who tests may have a busy one.
wait_for() {
	local left=$(($1 * 40))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $((left -= 1)) -gt 0 ] || return 1
		read -rt 0.1 <> <(:) || :
	done
}

# Conditions for check.
equal() {
	[ "$1" = "$2" ] || {
		echo "got: $1"
		echo "not: $2"
		return 1
	}
}

contains() {
	case $1 in
	*"$2"*) ;;
	*)
		echo "'$2' is not in: $1"
		return 1
		;;
	esac
}

not() {
	! "$@"
}
