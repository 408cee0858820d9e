#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# nets.sh - networks side by side: net.sh of all candidates, and a table
#
# usage: nets.sh BUILD [CANDIDATE...]
set -eu
cd "$(dirname "$0")/../.."
build=$1
shift
[ $# -gt 0 ] || set -- crun volt volt-vhost qemu qemu-veth qemu-vhost
results=$build/results/bench-net

# value CANDIDATE FIGURE
value() {
	awk -v name="$2" '$1 == name { print $2; n++ } END { if (!n) print "-" }' "$results/$1"
}

# row FIGURE UNIT
row() {
	local c
	printf '%-12s %-5s' "$1" "$2"
	for c in "${candidates[@]}"; do
		printf ' %10s' "$(value "$c" "$1")"
	done
	printf '\n'
}

# ratios FIGURE UNIT - ours over each candidate's; of times theirs over ours, so that more is better everywhere
ratios() {
	local c
	printf '%-18s' "$1"
	for c in "${candidates[@]}"; do
		printf ' %10s' "$(awk -v ours="$(value volt "$1")" -v theirs="$(value "$c" "$1")" -v unit="$2" 'BEGIN {
			if (ours + 0 == 0 || theirs + 0 == 0) print "-"
			else printf "%.2f", unit == "us" ? theirs / ours : ours / theirs }')"
	done
	printf '\n'
}

# table TITLE ROW - all figures, by a function that prints one
table() {
	printf '%-18s' "$1"
	printf ' %10s' "${candidates[@]}"
	printf '\n'
	"$2" stream-in MB/s
	"$2" stream-out MB/s
	"$2" streams-in MB/s
	"$2" streams-out MB/s
	"$2" answer us
	"$2" packets-in /s
	"$2" packets-out /s
}

candidates=("$@")
for c in "${candidates[@]}"; do
	echo "bench: network of $c" >&2
	rm -f "$results/$c"
	tests/bench/counted.sh "$build" tests/bench/net.sh "$c" >&2
done
table network row
[[ " ${candidates[*]} " != *" volt "* ]] || table "volt is as good, x" ratios
