#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# kill -9 of anything at any time: state tells the truth, delete --force leaves nothing.
# as long as: 12

load helpers

PROBES=${VOLT%/*}/probes

setup() {
	setup_common
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
}

teardown() {
	teardown_common
}

kill_role_and_check() {
	create "$BATS_TEST_TMPDIR/b" c1
	[ "$2" = created ] || volt start c1
	kill -9 "$(role_pid "$1" c1)"
	wait_for_status c1 stopped
	wait_for 20 no_roles
	say_run volt kill c1 TERM
	[ "$status" -ne 0 ]
	volt delete --force c1
	[ ! -e "$VOLT_ROOT/c1" ]
}

@test "kill -9 of the shim of a running container" {
	kill_role_and_check shim running
}

@test "kill -9 of the vmm of a running container" {
	kill_role_and_check vmm running
}

@test "kill -9 of the file server of a running container" {
	kill_role_and_check fs running
}

@test "kill -9 of each role of a created container" {
	for role in shim vmm fs net; do
		kill_role_and_check "$role" created
	done
}

@test "kill -9 of create at any moment leaves nothing that delete --force doesn't remove" {
	for delay in 0.01 0.05 0.1 0.2 0.4 0.8 1.2 1.6 2 2.5 3; do
		"$VOLT" --root "$VOLT_ROOT" create --bundle "$BATS_TEST_TMPDIR/b" c1 < /dev/null > /dev/null 2>&1 3>&- &
		sleep "$delay"
		kill -9 $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		if [ -e "$VOLT_ROOT/c1" ]; then
			run volt state c1
			[ "$status" -ne 0 ] || [[ "$(gojq -r .status <<< "$output")" =~ ^(creating|created|stopped)$ ]]
		fi
		volt delete --force c1
		wait_for 20 no_roles
		[ ! -e "$VOLT_ROOT/c1" ]
	done
}

@test "a failed create leaves nothing: bad mount source, bad option, missing rootfs" {
	edit_config "$BATS_TEST_TMPDIR/b" '.mounts += [{destination: "/x", type: "bind", source: "/no/such/dir", options: ["bind"]}]'
	say_run volt create --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 1 ]
	[[ "$output" == */no/such/dir* ]]
	[ ! -e "$VOLT_ROOT/c1" ]
	edit_config "$BATS_TEST_TMPDIR/b" '.mounts = [{destination: "/x", type: "no-such-fs", source: "x"}]'
	say_run volt create --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 1 ]
	[[ "$output" == *no-such-fs* ]]
	[ ! -e "$VOLT_ROOT/c1" ]
	edit_config "$BATS_TEST_TMPDIR/b" '.root.path = "nowhere"'
	say_run volt create --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 1 ]
	[[ "$output" == *nowhere* ]]
	[ ! -e "$VOLT_ROOT/c1" ]
	no_roles
}

@test "a guest that panics ends the container, with its last console lines" {
	edit_config "$BATS_TEST_TMPDIR/b" '.linux.readonlyPaths = [] | .linux.resources.memory.limit = 33554432 |
		.mounts += [{destination: "/hog", type: "tmpfs", source: "tmpfs", options: ["size=500m"]}] |
		.process.args = ["sh", "-c", "echo 2 > /proc/sys/vm/panic_on_oom; dd if=/dev/zero of=/hog/x bs=1M count=500"]'
	say_run volt run --keep --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 137 ]
	[[ "$output" == *"guest kernel stopped"*"Kernel panic"* ]]
	[ "$(status_of c1)" = stopped ]
	[[ "$(volt state c1)" == *"guest kernel stopped"* ]]
	volt delete c1
}

# asleep ROLE - all of its threads wait for something, and go on doing so
asleep() {
	for _ in 1 2 3 4 5; do
		if cat "/proc/$(role_pid "$1" c1)"/task/*/stat | sed 's/.*) //' | grep -q '^R'; then
			return 1
		fi
		sleep 0.1
	done
}

# The kernel unmounts a FUSE submount though its files are still being read, and then crashes.
@test "a container killed in the middle of a read ends with 137" {
	make_bundle "$BATS_TEST_TMPDIR/b" /farpage /ready
	cp "$PROBES/farpage" "$BATS_TEST_TMPDIR/b/rootfs/"
	"$VOLT" --root "$VOLT_ROOT" run --bundle "$BATS_TEST_TMPDIR/b" c1 \
		< /dev/null > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" 3>&- &
	run=$!
	wait_for 60 test -e "$BATS_TEST_TMPDIR/b/rootfs/ready"
	kill -STOP "$(role_pid fs c1)"
	volt kill c1 USR1
	wait_for 20 grep -q reading "$BATS_TEST_TMPDIR/out"
	wait_for 20 asleep vmm
	volt kill c1 KILL
	wait_for 20 asleep vmm
	kill -CONT "$(role_pid fs c1)"
	status=0
	wait "$run" || status=$?
	[ "$status" -eq 137 ]
	cat "$BATS_TEST_TMPDIR/err"
	[ ! -s "$BATS_TEST_TMPDIR/err" ] # a crash would be told here
}

# state_all N ID - as many at once, each of which waits for an answer
state_all() {
	local i
	for ((i = 0; i < $1; i++)); do
		volt state "$2" > "$BATS_TEST_TMPDIR/state.$i" 3>&- &
	done
	wait
	for ((i = 0; i < $1; i++)); do
		[ "$(gojq -r .status < "$BATS_TEST_TMPDIR/state.$i")" = running ] || return 1
	done
}

# Calls that were given up fill the backlog of its socket.
@test "a vmm that is stopped holds up no verb for long, and its container can be killed" {
	# shellcheck disable=SC2034 # helpers.bash reads it
	local LIMIT=60 # of what would hang
	make_bundle "$BATS_TEST_TMPDIR/b2" sleep 1000
	create "$BATS_TEST_TMPDIR/b" c1
	create "$BATS_TEST_TMPDIR/b2" c2
	volt start c1
	volt start c2
	kill -STOP "$(role_pid vmm c1)"
	state_all 70 c1
	[ "$(volt list --format json | gojq -r '.[] | .id + " " + .status' | sort | xargs)" = "c1 running c2 running" ]
	say_run volt kill c1 TERM
	[ "$status" -ne 0 ]
	[[ "$output" == *"vmm takes no calls"* ]]
	volt kill c1 KILL
	[ "$(status_of c1)" = stopped ]
	volt delete c1
	[ "$(volt exec c2 echo on)" = on ]
}
