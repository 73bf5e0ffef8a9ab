# SPDX-License-Identifier: BSD-2-Clause
# For the tests of this folder, each called with the version of a stock kernel: `machine COMMAND...`
# runs a command on that kernel, `guest_initramfs` makes what a guest in there needs.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/tap.sh"
handoff=${HANDOFF:?is set by make}
build=${HANDOFF_BUILD:?is set by make}
kernel=${1:-6.1}

[ "$(uname -m)" = x86_64 ] || skip_all "the machine's programs are not x86_64"
for command in qemu-system-x86_64 mkfs.ext4 xz jq; do
	PATH=$PATH:/usr/sbin type -P $command >/dev/null || skip_all "$command is not installed"
done

# need KIND NAME: prints the folder of what vm/fetch fetches. A mirror out of reach is no failure.
need() {
	scripts/vm/fetch "$@" 2>"$tmp/fetch.err"
}
need kernel "$kernel" >/dev/null && need package busybox-static >/dev/null ||
	skip_all "$(tail -n 1 "$tmp/fetch.err")"

# built_tests FOLDER: the test programs built from tests/FOLDER.
built_tests() {
	find "$build/tests/$1" -maxdepth 1 -name 'test_*' -type f -perm -u+x | sort
}

machine() {
	scripts/vmtest --kernel "$kernel" --build "$build" "$@"
}

# again_if_hung COMMAND...: a command that calls `machine`, once more if it ended by the time limit.
# The machine itself stood still then, or the `timeout` in it would have ended whatever our program
# does: QEMU's nested TCG loses a timer now and then (seen twice, on 6.12). What its CPU did is on
# stderr.
again_if_hung() {
	local code=0
	"$@" || code=$?
	[ $code = 124 ] || return $code
	echo "# the machine hung: once more"
	"$@"
}

# guest_initramfs KERNEL-FOLDER FILE OPTION...: for a Linux guest of our VMM.
guest_initramfs() {
	local folder=$1 file=$2
	shift 2
	scripts/vm/initramfs -o "$file" -i tests/vm/guest_init.sh -k "$folder" -m virtio_pci \
		-m virtio_blk -b "$(need package busybox-static)/bin/busybox" "$@"
}

# replay NAME <CONSOLE: each check of a guest's is one of ours; "checked N" says that it made all.
replay() {
	local line n=0 said=
	while read -r line; do
		case $line in
		"ok - "* | "not ok - "*)
			n=$((n + 1)) tests=$((tests + 1))
			echo "${line%% - *} $tests - $1: ${line#* - }"
			;;
		"# "*) echo "$line" ;;
		"checked "*) said=${line#checked } ;;
		esac
	done
	check "$1: all checks were made" equal "$said" $n
}
