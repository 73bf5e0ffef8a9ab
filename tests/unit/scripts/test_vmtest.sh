#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# scripts/vmtest and vm/initramfs without a boot: a QEMU of our own stands in, and a kernel package
# with a handful of crafted modules.
. "$(dirname "$0")/../../lib/tap.sh"
PATH=$PATH:/usr/sbin:/sbin
type -P mkfs.ext4 setpriv perl >/dev/null || skip_all "mkfs.ext4, setpriv or perl is missing"

export HANDOFF_CACHE=$tmp/cache TMPDIR=$tmp
kernel=$HANDOFF_CACHE/linux-6.1
modules=$kernel/lib/modules/6.1.0-test
mkdir -p "$kernel/boot" "$modules/kernel" "$HANDOFF_CACHE/package-busybox-static/bin" "$tmp/bin"
echo kernel >"$kernel/boot/vmlinuz-6.1.0-test"
printf '#!/bin/sh\necho sh\necho jq\n' >"$HANDOFF_CACHE/package-busybox-static/bin/busybox"
chmod +x "$HANDOFF_CACHE/package-busybox-static/bin/busybox"
printf '%s\n' kernel/virtio_pci.ko kernel/virtio_console.ko >"$modules/modules.builtin"
module() {
	printf 'ELF\0license=GPL\0depends=%s\0name=%s\0' "$2" "$1" >"$modules/kernel/$1.ko"
}
module virtio_blk ""
module irqbypass ""
module kvm irqbypass
module kvm-amd kvm,ccp
module ccp ""
xz "$modules/kernel/ccp.ko"

# Prints the names in an archive and, with a name, what is in it.
unpack() {
	perl -e 'my ($file, $want) = @ARGV; open(F, "<:raw", $file); local $/; my $a = <F>;
		for (my $at = 0; substr($a, $at, 6) eq "070701";) {
			my @h = map { hex } unpack "x6(A8)13", substr $a, $at, 110;
			my $name = substr $a, $at + 110, $h[11] - 1;
			my $data = $at + 110 + $h[11]; $data += -$data % 4;
			printf "%o %s\n", $h[1], $name unless defined $want;
			print substr $a, $data, $h[6] if defined $want && $name eq $want;
			$at = $data + $h[6]; $at += -$at % 4;
		}' "$@"
}

make_archive() {
	out=$(scripts/vm/initramfs -o "$tmp/archive" -i scripts/vm/init "$@" 2>&1)
	status=$?
}

make_archive -k "$kernel" -m kvm_amd -m virtio_pci "$BASH:/bin/bash" README.md:/some/where/file
check "an archive is written" equal "$status$out" 0
names=$(unpack "$tmp/archive")
check "modules come with what they depend on, in order" equal \
	"$(unpack "$tmp/archive" modules/order)" "$(printf '%s\n' irqbypass kvm ccp kvm_amd)"
check "packed modules are unpacked" contains \
	"$(unpack "$tmp/archive" modules/ccp.ko | tr '\0' ' ')" "license=GPL"
check "the init is executable" contains "$names" "100755 init"
check "a program brings its libraries" contains "$names" "libc.so.6"
check "/bin is /usr/bin, as on Debian" contains "$names" "100755 usr/bin/bash"
check "a file gets its folders" contains "$names" "40755 some/where"
check "and keeps its bytes" equal "$(unpack "$tmp/archive" some/where/file | md5sum)" \
	"$(md5sum <README.md)"

make_archive -k "$kernel" -m nonsense
check "a module that is not there is named" contains "$status $out" \
	"1 initramfs: $kernel has no module nonsense"
make_archive /no/such/file
check "so is a file" contains "$status $out" "1 initramfs: /no/such/file: No such file"

# A QEMU that does what the machine would: the word that ends output is in the initramfs.
cat >"$tmp/bin/qemu-system-x86_64" <<'E'
#!/usr/bin/perl
my %fd = map { /^socket,id=(\w+),fd=(\d+)/ ? ($1, $2) : () } @ARGV;
my ($archive) = map { $ARGV[$_] eq '-initrd' ? $ARGV[$_ + 1] : () } 0 .. $#ARGV;
my %to = map { open(my $f, '>&=', $fd{$_}); $f->autoflush; ($_, $f) } keys %fd;
my $text = do { local $/; open(F, '<:raw', $archive); <F> };
my ($end) = $text =~ /^end='([^']*)'/m;
$text =~ /export [^\n]*\nexec '([^\n]*)'\n/ or die;
$_ = $1;
print { $to{log} } "Linux booted\n";
print { $to{err} } "talk\n$end";
if (/bytes/) {
	print { $to{out} } join '', map { chr } 0 .. 255;
	print { $to{out} } substr $end, 0, 9;
	select undef, undef, undef, 0.1;
	print { $to{out} } "\nend-of-output-no$end";
} elsif (/hang/) {
	sleep 100;
} elsif (/cut/) {
	print { $to{out} } "half";
	print { $to{control} } "exit 0\n";
	exit 0;
} elsif (/die/) {
	print { $to{log} } "[ 1.0] Kernel panic - not syncing: tired\n";
	exit 0;
} else {
	print { $to{out} } $end;
}
print { $to{control} } "file 0 5\nab\ncd", "exit 7\n";
sleep 100;
E
chmod +x "$tmp/bin/qemu-system-x86_64"
PATH=$tmp/bin:$PATH

run() {
	scripts/vmtest --build "$tmp" "$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
	err=$(cat "$tmp/err")
}

run -- true
check "the command's exit code is ours" equal "$status" 7
check "its standard error is ours" equal "$err" talk
run -- bytes
perl -e 'print map({ chr } 0 .. 255), "end-of-ou\nend-of-output-no"' >"$tmp/expected"
check "its output is, byte for byte" cmp "$tmp/out" "$tmp/expected"
run --get /x:"$tmp/got" -- true
check "a file is brought" equal "$status $(cat "$tmp/got")" "7 ab
cd"
run --get /x:"$tmp/got" --get /y:"$tmp/no" -- true
check "one that is not there is named" contains "$status $err" "/y: there is no such file"
run -- die
check "a panic is 125" equal "$status" 125
check "and shows the kernel's log" contains "$err" "kernel: Linux booted"
run -- cut
check "so is output that is cut short, whatever the exit code" equal "$status" 125
run --timeout 1 -- hang
check "too long is 124" equal "$status" 124
check "and shows the kernel's log too" contains "$err" "vmtest: timed out after 1 s"
check "no QEMU is left" not pgrep -f "$tmp/bin/qemu"
check "no file is left" not compgen -G "$tmp/vmtest.*"

scripts/vmtest --build "$tmp" -- hang >/dev/null 2>&1 &
pid=$!
wait_for 20 pgrep -f "$tmp/bin/qemu"
kill -9 $pid
wait $pid 2>/dev/null
check "killed, it takes QEMU along" wait_for 10 not pgrep -f "$tmp/bin/qemu"
check "and leaves no file" not compgen -G "$tmp/vmtest.*"

echo input >"$tmp/input"
{ run -- true; rest=$(cat); } <"$tmp/input"
check "standard input is not eaten" equal "$rest" input
run
check "nothing to run is an error" contains "$status $err" "125 vmtest: what to run?"
run --get x:y -- true
check "so is a file to bring without a path" contains "$status $err" "125 vmtest: --get x:y"
run --add /no/such/file -- true
check "and one to add that is not there" contains "$status $err" "125 initramfs: /no/such/file"
check "--list shows what is cached" contains "$(scripts/vmtest --list)" "6.1.0-test"
mkdir "$tmp/few"
ln -s "$(type -P perl)" "$(type -P cat)" "$tmp/few"
PATH=$tmp/few run -- true
check "without QEMU: one line" equal "$status $err" \
	"125 vmtest: qemu-system-x86_64 is not installed (scripts/deps test)"
run --help
check "--help is no failure" equal "$status" 0
done_testing
