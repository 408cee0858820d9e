#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run-unit.sh - runs unit test programs (TAP) and sums up
#
# usage: run-unit.sh PROGRAM...
#
# A program that fails, crashes, or runs no test at all counts as failed. Skipped
# tests are counted; with VOLT_MUST_WORK=1 they fail. A reason to skip that lies in the
# build itself can be named in VOLT_SKIP_OK: such tests don't count. The last line is
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
	# cmocka 1.1 writes "not ok N # SKIP name" and a line "# skip: REASON" before it
	skip=$(grep -c '# SKIP ' "$log")
	ok=$(grep -v '# SKIP ' "$log" | grep -c '^ok ')
	bad=$(grep -v '# SKIP ' "$log" | grep -c '^not ok ')
	[ -z "${VOLT_SKIP_OK:-}" ] || skip=$((skip - $(grep -c "^# skip: $VOLT_SKIP_OK" "$log")))
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
		printf '%-28s %3d ok%s\n' "$name" "$ok" "$([ "$skip" -gt 0 ] && echo ", $skip skipped")"
	fi
	passed=$((passed + ok))
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
