#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run-unit.sh - runs unit test programs (TAP) and sums up
#
# usage: run-unit.sh PROGRAM...
#
# A program that fails, crashes, or runs no test at all counts as failed. Skipped
# tests are counted; with VOLT_MUST_WORK=1 they fail. The last line is
# "unit: N passed, N failed, N skipped"; the counts also go to $VOLT_RESULTS/unit
# when that is set.
set -u

passed=0 failed=0 skipped=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

for program in "$@"; do
	name=$(basename "$program")
	CMOCKA_MESSAGE_OUTPUT=TAP timeout 300 "$program" > "$log" 2>&1
	status=$?
	ok=$(grep -c '^ok ' "$log")
	skip=$(grep -ci '^ok .*# *skip' "$log")
	bad=$(grep -c '^not ok ' "$log")
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
	fi
	if [ "$ok" -eq 0 ] && [ "$bad" -eq 0 ]; then
		echo "$name: no test was run"
		bad=1
	fi
	if [ "$bad" -gt 0 ]; then
		sed "s/^/    /" "$log"
		echo "$name: FAILED (exit status $status)"
	else
		printf '%-28s %3d ok%s\n' "$name" "$((ok - skip))" "$([ "$skip" -gt 0 ] && echo ", $skip skipped")"
	fi
	passed=$((passed + ok - skip))
	failed=$((failed + bad))
	skipped=$((skipped + skip))
done

if [ "${VOLT_MUST_WORK:-0}" = 1 ] && [ "$skipped" -gt 0 ]; then
	echo "skipped tests count as failures here"
	failed=$((failed + skipped))
	skipped=0
fi
[ -z "${VOLT_RESULTS:-}" ] || echo "$passed $failed $skipped" > "$VOLT_RESULTS/unit"
echo "unit: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
