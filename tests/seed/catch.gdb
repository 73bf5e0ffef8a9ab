# SPDX-License-Identifier: BSD-2-Clause
# Settings to catch a stack of the VMM, the child of `handoff run`: see test_seed.sh.
set pagination off
set confirm off
set width 0
set debuginfod enabled off
set print address off
set print frame-arguments none
set print thread-events off
set follow-fork-mode child
set detach-on-fork on
set breakpoint pending on
handle SIGUSR1 nostop noprint pass
