#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The timeline of a start in the debug log.

load helpers

setup() {
	setup_common
	make_bundle "$BATS_TEST_TMPDIR/b" true
}

teardown() {
	teardown_common
}

@test "--debug tells when a start reached which point, in order, and how often the guest was left" {
	log=$BATS_TEST_TMPDIR/log
	say_run volt --debug --log "$log" run --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	cat "$log"
	last=0
	for point in "processes started" "VM created" "kernel loaded" "first instruction of the guest" \
		"kernel of the guest started" "the agent, started" "hello of the agent" \
		"container prepared" "exec of the process" "exit of a process"; do
		at=$(sed -n "s/.*timeline: *\([0-9]*\)\.[0-9]* ms  .*$point.*/\1/p" "$log")
		[ -n "$at" ]
		# who logs first of two roles is chance, the rest happens one after the other
		[ "$point" = "VM created" ] || [ "$at" -ge "$last" ]
		last=$at
	done
	grep -q 'timeline: [1-9][0-9]* exits from guest mode' "$log"
}
