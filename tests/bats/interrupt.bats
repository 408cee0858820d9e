#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is half made when something fails, or somebody interrupts, is undone.

load helpers

setup() {
	setup_common
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
}

teardown() {
	teardown_common
}

has_role() {
	pgrep -f "^volt-$1: c1\$" > /dev/null
}

# interrupted SIGNAL VERB [COMMAND...] - send it once COMMAND succeeds, or while the guest boots; the
# container must be gone with the command
interrupted() {
	local when=(has_role vmm)
	[ $# -lt 3 ] || when=("${@:3}")
	"$VOLT" --root "$VOLT_ROOT" "$2" --bundle "$BATS_TEST_TMPDIR/b" c1 < /dev/null > "$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
	wait_for 30 "${when[@]}"
	kill "-$1" $!
	run wait $!
	cat "$BATS_TEST_TMPDIR/log"
	[ "$status" -ne 0 ]
	grep -q "interrupted by a signal" "$BATS_TEST_TMPDIR/log"
	[ -z "$(ls "$VOLT_ROOT")" ]
	no_roles
}

@test "run and create that are interrupted leave nothing" {
	interrupted TERM run
	interrupted TERM create
	interrupted HUP run
}

@test "create that is interrupted while a hook runs ends it, and leaves nothing" {
	edit_config "$BATS_TEST_TMPDIR/b" '.hooks = {
		createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "exec sleep 7731"]}]}'
	interrupted TERM create pgrep -f "^sleep 7731\$"
	fails pgrep -f "^sleep 7731\$"
}

@test "poststop hooks follow a create that failed after its hooks" {
	mkdir "$BATS_TEST_TMPDIR/out"
	edit_config "$BATS_TEST_TMPDIR/b" '.process.args = ["/no/such/program"] | .hooks = {
		createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "cat > \($out)/created"]}],
		poststop: [{path: "/bin/sh", args: ["sh", "-c", "cat > \($out)/stopped"]}]}' --arg out "$BATS_TEST_TMPDIR/out"
	say_run volt create --bundle "$BATS_TEST_TMPDIR/b" c1 < /dev/null
	[ "$status" -eq 1 ]
	gojq -e '.id == "c1" and .status == "creating"' "$BATS_TEST_TMPDIR/out/created"
	gojq -e '.id == "c1" and .status == "stopped" and .pid == 0' "$BATS_TEST_TMPDIR/out/stopped"
	[ -z "$(ls "$VOLT_ROOT")" ]
}

@test "state asks the vmm; list shows what has no state" {
	create "$BATS_TEST_TMPDIR/b" c1
	cp "$VOLT_ROOT/c1/state.json" "$BATS_TEST_TMPDIR/state.json"
	volt start c1
	cp "$BATS_TEST_TMPDIR/state.json" "$VOLT_ROOT/c1/state.json" # a start killed before its note
	[ "$(status_of c1)" = running ]
	volt pause c1
	cp "$BATS_TEST_TMPDIR/state.json" "$VOLT_ROOT/c1/state.json"
	[ "$(status_of c1)" = paused ]
	volt resume c1
	[ "$(status_of c1)" = running ]
	mkdir -m 700 "$VOLT_ROOT/half"
	[ "$(volt list -q | sort | tr '\n' ' ')" = "c1 half " ]
	volt list --format json | gojq -e 'map(select(.id == "half")) | .[0].status == "stopped"'
	volt delete --force half
	volt delete --force c1
}
