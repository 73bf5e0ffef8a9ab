#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The tests of tests/bpf on a stock kernel: each program through its verifier, within its
# budget, the values right.
. "$(dirname "$0")/machine.sh"

mapfile -t programs < <(built_tests bpf)
check "there are some" test ${#programs[@]} -gt 0
machine --timeout 1700 tests/vm/programs.sh "${programs[@]}"
status=$?
check "the machine ran to its end" equal $status 0
done_testing
