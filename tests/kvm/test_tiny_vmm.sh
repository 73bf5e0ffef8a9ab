#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The tiny VMM tells the truth: what its guest counts is what its consumers got, in every style.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/tiny.sh"

[ -w /dev/kvm ] || skip_all "no access to /dev/kvm"

# holds NAME "jq expression that must be true"
holds() {
	jq -e "$2" "$tmp/$1.truth" >/dev/null || {
		cat "$tmp/$1.truth" "$tmp/$1.tiny"
		return 1
	}
}

# run NAME COMMANDS option...: commands are separated by commas.
run() {
	local name=$1 commands=$2 command
	shift 2
	tiny_start "$name" "$@" || return
	for command in ${commands//,/ }; do
		tiny "$name" "${command//=/ }" || return
	done
	tiny_end "$name"
}

served='.posts == .served and .irqs == .serves and .irqs_taken <= .irqs and .irqs_taken > 0'
for style in epoll ppoll uring-poll uring-read read busy spin adaptive; do
	check "$style: runs" run $style go,go=50 --style $style --kicks 200
	check "$style: all posts are served" holds $style \
		".queues[0] | .posts == 250 and $served"
done
for style in epoll ppoll uring-poll uring-read read busy; do
	check "$style: each post was a kick, and all kicks were read" holds $style \
		'.queues[0] | .kicks == 250 and .sum == .kicks and .reads <= .sum'
done
check "spin: each post was a kick, which nobody read" holds spin \
	'.queues[0] | .kicks == 250 and .reads == 0 and .spin_hits == .serves'
check "adaptive: the kicks there were have been read" holds adaptive \
	'.queues[0] | .kicks <= 250 and .sum == .kicks'

all='[.queues[] | .kicks == 100 and '$served'] | all'
check "several queues and vCPUs: run" run queues go=100 --queues 4 --vcpus 2 --style epoll,busy
check "several queues and vCPUs: each has its own kicks" holds queues "$all"
check "one address: runs" run match go=100 --queues 3 --datamatch --len 4
check "one address: each value has its own kicks" holds match \
	"($all) and ([.queues[].gpa] | unique | length == 1)"
check "ports: run" run ports go=100 --queues 2 --pio --datamatch
check "ports: each value has its own kicks" holds ports "$all"
check "no ioeventfd: runs" run user go=100 --queues 2 --userspace
check "no ioeventfd: each kick is the vCPU's" holds user \
	"($all) and ([.queues[] | .user_kicks == 100 and .reads == 0] | all)"
check "KVM_SIGNAL_MSI: runs" run msi go=100 --irq msi --sync
check "KVM_SIGNAL_MSI: each kick is answered by an interrupt, and the guest takes them" holds msi \
	".queues[0] | .kicks == 100 and .irqs == 100 and $served"
check "consumers in a child: run" run child go=100 --consumer-process --style epoll,read --queues 2
check "consumers in a child: all are served, by others" holds child \
	"($all) and .consumer_pid != 0 and ([.queues[].tid != 0] | all)"
check "late queues and a reset: run" run changes go=100,add,go=50,reset,go=50 --queues 3 --late 1 \
	--style uring-read,epoll,read
check "late queues and a reset: no kick is missed" holds changes \
	'([.queues[] | .sum == .kicks] | all) and
		(.queues | map(.kicks) == [200, 200, 100])'
check "a loop that stops: runs" run stops go=100,freeze,kick=20,cont,drain
check "a loop that stops: it takes all at once" holds stops \
	'.queues[0] | .sum == .kicks and .kicks == 120'
check "never drained: runs" run never go=100,go=100 --queues 2 --never-drain 1
check "never drained: one queue is served, the other never" holds never \
	'[.queues[] | [.kicks, .served, .sum]] == [[200, 200, 200], [200, 0, 0]]'
check "churn: runs" run churn go --churn
check "churn: the queue does not mind" holds churn \
	'.churns > 0 and .stray == 0 and (.queues[0] | .kicks == 1000 and .sum == 1000)'

done_testing
