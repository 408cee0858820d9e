#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh - runs fuzz targets for some time each, and says how far they got
#
# usage: run.sh BUILD-DIR SECONDS [TARGET]...
#
# Inputs found stay in BUILD-DIR/corpus/TARGET, beside the committed ones in tests/fuzz/corpus;
# what breaks a target is left in BUILD-DIR/crash/TARGET-*. All targets run even when one fails.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$1 seconds=$2
shift 2
failed=0

if [ $# -eq 0 ]; then
	for program in "$build"/fuzz/fuzz_*; do
		[[ $program == *.d ]] || set -- "$@" "$(basename "$program" | sed 's/^fuzz_//')"
	done
fi
mkdir -p "$build/crash"
for target in "$@"; do
	mkdir -p "$build/corpus/$target"
	log=$build/corpus/$target.log
	if "$build/fuzz/fuzz_$target" -max_total_time="$seconds" -print_final_stats=1 -timeout=30 \
		-rss_limit_mb=2048 -artifact_prefix="$PWD/$build/crash/$target-" -max_len=4096 \
		"$PWD/$build/corpus/$target" "$PWD/tests/fuzz/corpus/$target" > "$log" 2>&1; then
		result=ok
	else
		result="FAILED, see $log"
		failed=1
	fi
	# "#123 DONE cov: 45 ft: 67 corp: 8/9b exec/s: 10 rss: 11Mb"
	printf '%-12s %10s inputs, coverage %s: %s\n' "$target" \
		"$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
		"$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)" "$result"
done
exit "$failed"
