#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# pause, resume and ps.
# as long as: 8

load helpers

setup() {
	setup_common
	make_bundle "$BATS_TEST_TMPDIR/b" sh -c 'i=0; while :; do i=$((i + 1)); echo $i > /count; sleep 0.1; done'
	edit_config "$BATS_TEST_TMPDIR/b" '.mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"]}]'
	create "$BATS_TEST_TMPDIR/b" c1
}

teardown() {
	teardown_common
}

count() {
	cat "$BATS_TEST_TMPDIR/b/rootfs/count" 2> /dev/null || echo 0
}

count_above() {
	[ "$(count)" -gt "$1" ]
}

@test "a paused container stands still and goes on" {
	volt start c1
	wait_for 20 count_above 3
	volt pause c1
	[ "$(status_of c1)" = paused ]
	before=$(count)
	sleep 2
	[ "$(count)" = "$before" ]
	volt resume c1
	[ "$(status_of c1)" = running ]
	wait_for 20 count_above "$((before + 3))"
}

@test "the guest's clock is right after a pause" {
	volt start c1
	volt pause c1
	sleep 4
	volt resume c1
	wait_for 20 clock_right
}

clock_right() {
	local guest
	guest=$(volt exec c1 date +%s)
	[ $((guest - $(date +%s))) -ge -2 ]
}

@test "refusals: twice, not paused, exec, start, stopped" {
	say_run volt resume c1
	[ "$status" -eq 1 ]
	[[ "$output" == *"not paused"* ]]
	volt start c1
	volt pause c1
	say_run volt pause c1
	[ "$status" -eq 1 ]
	say_run volt exec c1 true
	[ "$status" -eq 255 ]
	[[ "$output" == *"cannot exec in a paused container"* ]]
	say_run volt delete c1
	[ "$status" -eq 1 ]
	[[ "$output" == *"that is not stopped: paused"* ]]
	# what can wait until it goes on
	volt update --pids-limit 30 c1
	[ "$(status_of c1)" = paused ]
	volt exec --ignore-paused c1 cat /sys/fs/cgroup/pids.max < /dev/null > "$BATS_TEST_TMPDIR/later" 3>&- &
	sleep 1
	[ ! -s "$BATS_TEST_TMPDIR/later" ]
	volt resume c1
	wait $!
	[ "$(cat "$BATS_TEST_TMPDIR/later")" = 30 ]
	volt kill c1 KILL
	wait_for_status c1 stopped
	say_run volt pause c1
	[ "$status" -eq 1 ]
}

@test "a paused container can be killed, and deleted with force" {
	volt start c1
	volt pause c1
	volt kill c1 TERM
	[ "$(status_of c1)" = paused ]
	volt kill c1 KILL
	wait_for_status c1 stopped
	volt delete c1
	create "$BATS_TEST_TMPDIR/b" c2
	volt start c2
	volt pause c2
	volt delete --force c2
}

@test "a created container can be paused, too" {
	volt pause c1
	[ "$(status_of c1)" = paused ]
	volt resume c1
	[ "$(status_of c1)" = created ]
	volt start c1
	wait_for 20 count_above 1
}

# killed_before_its_note - a resume: what it changed holds, but the state file still says "paused"
killed_before_its_note() {
	cp "$VOLT_ROOT/c1/state.json" "$BATS_TEST_TMPDIR/state.json"
	volt resume c1
	cp "$BATS_TEST_TMPDIR/state.json" "$VOLT_ROOT/c1/state.json"
}

@test "a resume that was killed before its note keeps nobody out" {
	volt pause c1
	killed_before_its_note
	[ "$(status_of c1)" = created ]
	volt start c1
	volt pause c1
	killed_before_its_note
	[ "$(status_of c1)" = running ]
	volt exec c1 true
	volt exec --ignore-paused c1 true
	volt pause c1
	[ "$(status_of c1)" = paused ]
	volt resume c1
	volt exec c1 true
}

@test "ps shows the pids that stand for the container's processes" {
	volt start c1
	[ "$(volt ps --format json c1)" = "[$(pid_of c1)]" ]
	say_run volt ps c1
	[[ "${lines[0]}" == *PID* ]]
	[[ "${lines[1]}" == *" $(pid_of c1) "* ]]
	[ "${#lines[@]}" = 2 ]
	say_run volt ps c1 -o pid,comm
	[[ "${lines[1]}" == *volt-shim* ]]
	volt kill c1 KILL
	wait_for_status c1 stopped
	say_run volt ps c1
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" = 1 ]
}

@test "podman pause, unpause, rm -f of a paused container" {
	pod run -d --name p1 localhost/busybox sleep 1000
	pod pause p1
	[ "$(pod inspect -f '{{.State.Status}}' p1)" = paused ]
	pod unpause p1
	pod exec p1 true
	pod pause p1
	pod rm -f -t 0 p1
}

@test "features, spec, checkpoint" {
	volt features | gojq -e '.linux.namespaces | index("pid")'
	(cd "$BATS_TEST_TMPDIR" && mkdir s && volt spec --bundle s && gojq -e .process.args s/config.json)
	say_run volt spec --bundle "$BATS_TEST_TMPDIR/s"
	[ "$status" -eq 1 ]
	[[ "$output" == *"config.json exists"* ]]
	say_run volt checkpoint --help
	[ "$status" -ne 0 ]
	say_run volt restore --lsm-mount-context
	[ "$status" -ne 0 ]
	[[ "$output" != *"needs an argument"* ]]
}
