#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The tests of tests/kvm on a stock kernel: the built-in guest under AMD's KVM.
. "$(dirname "$0")/machine.sh"

mapfile -t programs < <(built_tests kvm)
check "there are some" test ${#programs[@]} -gt 0
machine --timeout 1700 tests/vm/programs.sh "${programs[@]}"
status=$?
check "the machine ran to its end" equal $status 0
done_testing
