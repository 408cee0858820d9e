#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# events: the guest's figures as JSON.

load helpers

setup() {
	setup_common
	make_bundle "$BATS_TEST_TMPDIR/b" sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=20 2> /dev/null; sleep 1000'
	edit_config "$BATS_TEST_TMPDIR/b" '.linux.resources = {memory: {limit: 134217728}, pids: {limit: 50}}'
	create "$BATS_TEST_TMPDIR/b" c1
	volt start c1
}

teardown() {
	teardown_common
}

memory_above() {
	[ "$(volt events --stats c1 | gojq .data.memory.usage.usage)" -gt "$1" ]
}

@test "--stats prints the figures of the container's cgroup in the guest once" {
	wait_for 20 memory_above 20000000
	volt events --stats c1 > "$BATS_TEST_TMPDIR/e"
	cat "$BATS_TEST_TMPDIR/e"
	[ "$(wc -l < "$BATS_TEST_TMPDIR/e")" = 1 ]
	gojq -e '.type == "stats" and .id == "c1"' "$BATS_TEST_TMPDIR/e"
	gojq -e '.data.memory.usage.limit == 134217728' "$BATS_TEST_TMPDIR/e"
	gojq -e '.data.memory.raw.shmem >= 20971520' "$BATS_TEST_TMPDIR/e"
	gojq -e '.data.pids.current >= 1 and .data.pids.limit == 50' "$BATS_TEST_TMPDIR/e"
	gojq -e '.data.cpu.usage.total > 0' "$BATS_TEST_TMPDIR/e"
}

@test "without --stats they come again and again, until the end" {
	volt events --interval 1s c1 > "$BATS_TEST_TMPDIR/e" &
	sleep 4
	volt kill c1 KILL
	wait_for_status c1 stopped
	wait
	[ "$(gojq -s length "$BATS_TEST_TMPDIR/e")" -ge 2 ]
}

@test "refusals: stopped container, bad interval" {
	say_run volt events --interval 0 c1
	[ "$status" -eq 1 ]
	volt kill c1 KILL
	wait_for_status c1 stopped
	say_run volt events --stats c1
	[ "$status" -eq 1 ]
	[[ "$output" == *"not running"* ]]
}
