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

candidates=("$@")
for c in "${candidates[@]}"; do
	echo "bench: network of $c" >&2
	rm -f "$results/$c"
	tests/bench/counted.sh "$build" tests/bench/net.sh "$c" >&2
done
printf '%-18s' network
printf ' %10s' "${candidates[@]}"
printf '\n'
row stream-in MB/s
row stream-out MB/s
row streams-in MB/s
row streams-out MB/s
row answer us
row packets-in /s
row packets-out /s
