# SPDX-License-Identifier: BSD-2-Clause
# For benchmarks: the two sides of a comparison are run in turn, several times in one go, and only
# their ratio is told, since a figure of this machine means nothing on another. Sourced by
# bench_*.sh.

handoff=${HANDOFF:?is set by make}
rounds=${ROUNDS:-7} # each side
tmp=$(mktemp -d "${TMPDIR:-/tmp}/handoff-bench.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# guest_value KEY: of the last `measure`.
guest_value() { jq -r ".guest.$1" "$tmp/report.json"; }

# measure arguments of `handoff run`...: one run, its report in $tmp/report.json.
measure() {
	"$handoff" run --json "$tmp/report.json" "$@" >"$tmp/out" 2>&1 || {
		cat "$tmp/out"
		exit 1
	}
}

median() { sort -n | awk \
	'{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }

# centre: of numbers, their median and twice its standard error (0.93 quartile ranges / sqrt(n), as
# of a normal law): what is smaller than that is noise.
centre() { sort -g | awk '{v[NR] = $1} END {if (NR) print v[int((NR + 1) / 2)],
	1.86 * (v[int((3 * NR + 3) / 4)] - v[int((NR + 3) / 4)]) / sqrt(NR)}'; }

# ratio FILE FILE: the median of the ratios of the pairs. A pair was run back to back: a machine
# that changes its pace now and then (a host that moves our CPUs between its own) changes it
# between pairs, seldom within one.
ratio() { paste "$1" "$2" 2>/dev/null | awk '{printf "%.3f\n", $1 / $2}' | median; }

# row "what" FILE FILE: medians of the two sides, and their ratio.
row() {
	local a b
	a=$(median <"$2")
	b=$(median <"$3")
	awk -v what="$1" -v a="$a" -v b="$b" -v ratio="$(ratio "$2" "$3")" \
		'BEGIN { printf "%-58s %10.0f %10.0f   ratio %.3f\n", what, a, b, ratio }'
}
