#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Random verbs from several callers at once, and kill -9 of anything: all answers fit together.
# as long as: 4
#
# environment: SOAK_N (containers), SOAK_SEED; `make soak` sets them

load helpers

setup() {
	setup_common
}

teardown() {
	teardown_common
}

@test "four callers do random things to the same containers, some of them are killed: every answer is consistent" {
	local dir=$BATS_TEST_TMPDIR status=0
	make_bundle "$dir/long" sh -c 'trap "exit 3" TERM; sleep 100000 & wait'
	make_bundle "$dir/short" sh -c 'exit 7'
	for b in long short; do
		edit_config "$dir/$b" '.linux.resources.memory.limit = 67108864'
	done
	mkdir "$dir/calls"
	"$SOAK" "$VOLT" "$VOLT_ROOT" "$dir/long" "$dir/short" "$dir/calls" "${SOAK_N:-8}" "${SOAK_SEED:-1}" 3>&- > "$dir/said" 2>&1 || status=$?
	[ -z "${RESULTS:-}" ] || cp "$dir/calls/said.bin" "$RESULTS/" # for soak --judge
	grep -E '^(soak|done)' "$dir/said" | sed 's/^/# /' >&3
	cat "$dir/said"
	[ "$status" -eq 0 ]
	[ -z "$(ls "$VOLT_ROOT")" ]
}
