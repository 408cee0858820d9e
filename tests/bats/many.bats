#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Many containers: one after another, and at once.
# as long as: 22

load helpers

setup() {
	setup_common
}

teardown() {
	teardown_common
}

@test "30 containers one after another, all answers right" {
	make_bundle "$BATS_TEST_TMPDIR/b" sh -c 'echo answer-$N; exit $N'
	for n in $(seq 1 30); do
		edit_config "$BATS_TEST_TMPDIR/b" '.process.env = (.process.env | map(select(startswith("N=") | not))) + ["N=\($n)"]' --arg n "$n"
		run volt run --bundle "$BATS_TEST_TMPDIR/b" "c$n"
		[ "$status" -eq "$n" ]
		[ "$output" = "answer-$n" ]
	done
	[ -z "$(ls "$VOLT_ROOT")" ]
}

@test "8 podman containers at once, all answers right" {
	: > "$BATS_TEST_TMPDIR/podman.used"
	for n in 1 2 3 4 5 6 7 8; do
		(
			status=0
			timeout -k 10 900 podman --runtime "$VOLT" run --rm localhost/busybox sh -c "echo answer-$n; exit $n" \
				> "$BATS_TEST_TMPDIR/out.$n" 2> "$BATS_TEST_TMPDIR/err.$n" || status=$?
			echo "$status" > "$BATS_TEST_TMPDIR/status.$n"
		) 3>&- &
	done
	wait
	for n in 1 2 3 4 5 6 7 8; do
		cat "$BATS_TEST_TMPDIR/err.$n"
		[ "$(cat "$BATS_TEST_TMPDIR/out.$n")" = "answer-$n" ]
		[ "$(cat "$BATS_TEST_TMPDIR/status.$n")" = "$n" ]
	done
}
