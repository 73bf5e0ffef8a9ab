#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# scripts/vm/fetch: which package it takes, what it keeps, and what it says when it cannot. An apt
# of our own stands in.
. "$(dirname "$0")/../../lib/tap.sh"

export HANDOFF_CACHE=$tmp/cache
mkdir "$tmp/bin"
cat >"$tmp/bin/apt-cache" <<'E'
#!/bin/bash
case ${!#} in
linux-image-cloud-amd64) echo "Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)" ;;
linux-image-6.12-cloud-amd64)
	echo "Depends: kmod, linux-image-6.12.117+deb12-cloud-amd64 (= 6.12.117-1)" ;;
linux-image-6.1.0-50-cloud-amd64) echo "Depends: kmod, linux-base" ;;
tool) echo "Depends: libtool" ;;
esac
E
cat >"$tmp/bin/apt-get" <<E
#!/bin/bash
echo "\$*" >>"$tmp/apt.log"
while [[ \$1 == -* && \$1 != --simulate ]]; do [ "\$1" = -o ] && shift; shift; done
case \$1 in
update)
	echo "W: Target Packages is configured multiple times"
	[ ! -e "$tmp/no-network" ] || echo "W: Failed to fetch the lists" ;;
install | --simulate) echo "Inst libtool (1)"; echo "Inst tool (1)" ;;
download)
	[ ! -e "$tmp/no-network" ] || { echo "E: Failed to fetch it"; exit 100; }
	shift
	if [ -e "$tmp/half" ]; then
		rm "$tmp/half"
		touch replaced.deb
		exit 100
	fi
	for package; do touch "\$package.deb"; done ;;
esac
E
cat >"$tmp/bin/dpkg-deb" <<'E'
#!/bin/bash
read -rt 0.2 <> <(:)
mkdir -p "$3" && echo "$2" >>"$3/unpacked"
E
chmod +x "$tmp"/bin/*
PATH=$tmp/bin:$PATH

run() {
	rm -f "$tmp/apt.log"
	out=$(scripts/vm/fetch "$@" 2>"$tmp/err")
	status=$?
	err=$(cat "$tmp/err")
}
holds() {
	sed 's|.*/||; s|.deb$||' "$HANDOFF_CACHE/$1/unpacked" | tr '\n' ' '
}

run kernel 6.1
check "6.1 is found by the general package" equal "$status $out $(holds linux-6.1)" \
	"0 $HANDOFF_CACHE/linux-6.1 linux-image-6.1.0-56-cloud-amd64 "
run kernel 6.12
check "6.12 by its own" equal "$(holds linux-6.12)" "linux-image-6.12.117+deb12-cloud-amd64 "
run kernel 6.1.0-50
check "an exact one by its name" equal "$(holds linux-6.1.0-50)" \
	"linux-image-6.1.0-50-cloud-amd64 "
touch "$tmp/half"
run package tool
check "of a download that broke off nothing is left" equal "$status $(holds package-tool)" \
	"0 libtool tool "
rm -r "$HANDOFF_CACHE/package-tool"
run package tool
check "a package comes with what is missing" equal "$(holds package-tool)" "libtool tool "

touch "$tmp/no-network"
run kernel 6.1
check "what was fetched needs no network" equal "$status$err" 0
check "nor apt" not test -e "$tmp/apt.log"
run kernel 6.1.0-5
check "a version is not taken for the beginning of one" equal "$status" 1
run kernel 6
check "nor its own beginning" equal "$status" 1
run package tool2
check "without a network it says so" equal "$status $(tail -n 1 "$tmp/err")" \
	"1 fetch: package tool2: Failed to fetch the lists"
rm "$tmp/no-network"
run kernel 4.4
check "an unknown kernel: one line" equal "$status $err" \
	"1 fetch: kernel 4.4: apt knows no such package"
run kernel ../../etc
check "a version is no path" contains "$status $err" "is no version"

rm -rf "$HANDOFF_CACHE/linux-6.1"
mkdir "$HANDOFF_CACHE/.fetch.killed"
scripts/vm/fetch kernel 6.1 >"$tmp/one" 2>/dev/null &
scripts/vm/fetch kernel 6.1 >"$tmp/two" 2>/dev/null
wait
check "two at once: both have it" equal "$(cat "$tmp/one" "$tmp/two" | sort -u)" \
	"$HANDOFF_CACHE/linux-6.1"
check "and it was unpacked once" equal "$(wc -l <"$HANDOFF_CACHE/linux-6.1/unpacked")" 1
check "what a killed one left is gone" not compgen -G "$HANDOFF_CACHE/.fetch.*"
done_testing
