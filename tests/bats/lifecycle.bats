#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The verbs create, start, state, kill, delete, run, list on a bundle made by hand.

load helpers

setup() {
	setup_common
}

teardown() {
	teardown_common
}

@test "create, start, kill and delete take a container through its states" {
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
	create "$BATS_TEST_TMPDIR/b" c1 --pid-file "$BATS_TEST_TMPDIR/pid"
	[ "$(status_of c1)" = created ]
	[ "$(cat "$BATS_TEST_TMPDIR/pid")" = "$(pid_of c1)" ]
	kill -0 "$(pid_of c1)"
	volt start c1
	[ "$(status_of c1)" = running ]
	volt kill c1 TERM
	# PID 1 without a handler ignores TERM, in a microVM as anywhere.
	has_status c1 running
	volt kill c1 KILL
	wait_for_status c1 stopped
	volt delete c1
	run volt state c1
	[ "$status" -ne 0 ]
	[[ "$output" == *"does not exist"* ]]
}

@test "TERM stops a process that handles it, as the README shows" {
	make_bundle "$BATS_TEST_TMPDIR/b" sh -c 'trap "exit 3" TERM; touch /ready; while :; do sleep 0.1; done'
	create "$BATS_TEST_TMPDIR/b" c1
	volt start c1
	wait_for 30 test -e "$BATS_TEST_TMPDIR/b/rootfs/ready"
	volt kill c1 TERM
	wait_for_status c1 stopped
	volt delete c1
}

@test "the process does not run before start" {
	make_bundle "$BATS_TEST_TMPDIR/b" sh -c 'echo ran > /marker'
	create "$BATS_TEST_TMPDIR/b" c1
	sleep 1
	[ ! -e "$BATS_TEST_TMPDIR/b/rootfs/marker" ]
	volt start c1
	wait_for_status c1 stopped
	[ "$(cat "$BATS_TEST_TMPDIR/b/rootfs/marker")" = ran ]
	volt delete c1
}

@test "run passes exit codes and output through" {
	make_bundle "$BATS_TEST_TMPDIR/b" sh -c 'echo out; echo err >&2; exit 7'
	say_run volt run --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 7 ]
	[[ "$output" == *out* ]]
	[[ "$output" == *err* ]]
}

@test "the guest runs our kernel, as PID 1 of its own namespace" {
	make_bundle "$BATS_TEST_TMPDIR/b" sh -c 'uname -r; echo $$; hostname; ls /proc | grep -c "^[0-9]"; ls /sys/class/net'
	say_run volt run --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == *volt* ]]
	[ "${lines[0]}" != "$(uname -r)" ]
	[ "${lines[1]}" = 1 ]
	[ "${lines[2]}" = volt ]
	[ "${lines[3]}" -le 4 ]
	[ "${lines[*]:4}" = lo ]
}

@test "a second create with the same id fails and leaves the first alone" {
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
	create "$BATS_TEST_TMPDIR/b" c1
	run volt create --bundle "$BATS_TEST_TMPDIR/b" c1 < /dev/null
	[ "$status" -ne 0 ]
	[[ "$output" == *"container with given ID already exists"* ]]
	[ "$(status_of c1)" = created ]
	volt delete --force c1
}

@test "errors name the object: missing bundle, missing executable, unknown id, unknown flag" {
	say_run volt create --bundle "$BATS_TEST_TMPDIR/nowhere" c1
	[ "$status" -eq 1 ]
	[[ "$output" == *nowhere* ]]

	make_bundle "$BATS_TEST_TMPDIR/b" no-such-program
	say_run volt create --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 1 ]
	[[ "$output" == *'no-such-program\": executable file not found in $PATH'* ]]
	[ ! -e "$VOLT_ROOT/c1" ]

	make_bundle "$BATS_TEST_TMPDIR/b2" /etc/passwd
	say_run volt create --bundle "$BATS_TEST_TMPDIR/b2" c1
	[ "$status" -eq 1 ]
	[[ "$output" == *"permission denied"* ]]

	for verb in state start kill delete; do
		say_run volt "$verb" nobody
		[ "$status" -eq 1 ]
		[[ "$output" == *"does not exist"* ]]
	done
	volt delete --force nobody

	say_run volt create --no-such-flag c1
	[ "$status" -eq 1 ]
	[[ "$output" == *"--no-such-flag"* ]]
}

@test "errors go to the JSON log as exactly one object" {
	log=$BATS_TEST_TMPDIR/log
	run volt --log "$log" --log-format json state nobody
	[ "$status" -eq 1 ]
	[ "$(gojq -s length "$log")" = 1 ]
	[ "$(gojq -r .level "$log")" = error ]
	[[ "$(gojq -r .msg "$log")" == *"does not exist"* ]]
	date -d "$(gojq -r .time "$log")"
}

@test "a running container needs --force to be deleted, a stopped one can't be killed" {
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
	create "$BATS_TEST_TMPDIR/b" c1
	volt start c1
	say_run volt delete c1
	[ "$status" -ne 0 ]
	[[ "$output" == *"not stopped"* ]]
	say_run volt start c1
	[[ "$output" == *"cannot start an already running container"* ]]
	volt kill c1 9
	wait_for_status c1 stopped
	say_run volt kill c1 9
	[ "$status" -ne 0 ]
	[[ "$output" == *"container not running"* ]]
	volt delete c1
}

@test "what may be said to a stopped container; delete of all that match" {
	local id
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
	for id in web-1 web-2 db; do
		create "$BATS_TEST_TMPDIR/b" "$id"
	done
	volt kill db KILL
	wait_for_status db stopped
	volt kill --all db KILL # all of none
	say_run volt ps db
	[ "$status" -eq 0 ]
	[[ "$output" == *PID* ]]
	[ "${#lines[@]}" -eq 1 ]
	[ "$(volt ps --format json db)" = "[]" ]
	say_run volt delete --force --regex 'web-('
	[ "$status" -eq 1 ]
	[[ "$output" == *"regular expression 'web-('"* ]]
	volt delete --force --regex '^web-'
	[ "$(volt list -q)" = db ]
	volt delete --regex nobody
	volt delete db
}

@test "list shows containers as a table and as JSON" {
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
	create "$BATS_TEST_TMPDIR/b" c1
	say_run volt list
	[[ "${lines[0]}" == ID*PID*STATUS*BUNDLE* ]]
	[[ "${lines[1]}" == c1*created* ]]
	[ "$(volt list -q)" = c1 ]
	[ "$(volt list --format json | gojq -r '.[0].id')" = c1 ]
	volt delete --force c1
}

@test "version and help answer what callers parse" {
	run volt --version
	[[ "${lines[0]}" =~ ^volt-runc\ version\ [0-9]+\.[0-9]+\.[0-9]+ ]]
	[[ "${lines[1]}" == "commit: "* ]]
	[[ "${lines[2]}" == "spec: 1."* ]]
	run volt --help
	[ "$status" -eq 0 ]
	[[ "$output" == *create* ]]
}
