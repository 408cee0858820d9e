#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The verb sandbox: what docs/SANDBOX.md says of each role, read back from the kernel.

load helpers

setup() {
	setup_common
}

teardown() {
	teardown_common
}

# of ROLE FILTER - FILTER (gojq) for each thread of a role, sorted, each value once
of() {
	gojq -r --arg role "$1" "[.threads[] | select(.role == \$role) | $2] | unique | join(\" \")" "$BATS_TEST_TMPDIR/json"
}

# AppArmor's, where the host has it: of the shim, which callers take for the container.
with_profile() {
	edit_config "$BATS_TEST_TMPDIR/b" '.process.apparmorProfile = "volt-none-such"'
	[ "$(cat /sys/module/apparmor/parameters/enabled)" = Y ] || return 0
	say_run volt create --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 1 ]
	[[ $output == *"unable to apply apparmor profile 'volt-none-such': it is not loaded"* ]]
	apparmor_parser --replace --skip-cache <<-EOF
		profile volt-test flags=(attach_disconnected,mediate_deleted) {
			file,
			capability,
			network,
			signal,
			deny mount,
		}
	EOF
	edit_config "$BATS_TEST_TMPDIR/b" '.process.apparmorProfile = "volt-test"'
}

profile_holds() {
	[ "$(cat /sys/module/apparmor/parameters/enabled)" = Y ] || return 0
	[ "$(cat "/proc/$(role_pid shim c1)/attr/apparmor/current")" = "volt-test (enforce)" ]
	[ "$(cat "/proc/$(role_pid vmm c1)/attr/apparmor/current")" = unconfined ]
	volt exec --detach --pid-file "$BATS_TEST_TMPDIR/pid" c1 sleep 1000 < /dev/null > /dev/null 2>&1
	[ "$(cat "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/attr/apparmor/current")" = "volt-test (enforce)" ]
	say_run volt exec --apparmor volt-none-such c1 true
	[ "$status" -eq 255 ]
	[[ $output == *"it is not loaded"* ]]
}

@test "sandbox --show tells for each role and thread what the kernel says of its cage" {
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
	with_profile
	create "$BATS_TEST_TMPDIR/b" c1
	volt start c1
	profile_holds
	say_run volt sandbox --show c1
	[ "$status" -eq 0 ]
	[[ $output == *"ROLE "*"NAMESPACES OF ITS OWN"* ]]
	[[ $output == *"Landlock: "* ]]

	volt sandbox --show c1 --format json > "$BATS_TEST_TMPDIR/json"
	cat "$BATS_TEST_TMPDIR/json"
	for role in shim vmm fs net; do
		[ "$(of $role .pid)" = "$(role_pid $role c1)" ]
		[ "$(of $role .noNewPrivs)" = true ]
		[ "$(of $role .seccomp)" = filter ]
	done
	# nothing at all is left to these
	for role in shim vmm; do
		[ "$(of $role '.capabilities | length')" = 0 ]
		[ "$(of $role '.bounding | length')" = 0 ]
	done
	[ "$(of fs '.bounding | sort | join(",")')" = \
		CAP_CHOWN,CAP_DAC_OVERRIDE,CAP_FOWNER,CAP_FSETID,CAP_SETFCAP,CAP_SETGID,CAP_SETUID ]
	[ "$(of fs '.capabilities - .bounding | length')" = 0 ]
	# a vCPU thread has the start's filter and its own; the main thread likewise
	[ "$(of vmm '.seccompFilters >= 2')" = true ]
	[ "$(gojq '[.threads[] | select(.role == "vmm")] | length' "$BATS_TEST_TMPDIR/json")" -ge 2 ]
	# an empty root, and a user that nobody else is
	[ "$(of vmm .mounts)" = 1 ]
	[[ $(of vmm .uid) =~ ^[0-9]+$ ]] # all threads the same
	[ "$(of vmm .uid)" -ge $((0x70000000)) ]
	[ "$(of shim .uid)" = 0 ]
	for role in vmm fs; do
		[[ " $(of $role '.namespaces | join(" ")') " == *" mnt "* ]]
		[[ " $(of $role '.namespaces | join(" ")') " == *" net "* ]]
		[[ " $(of $role '.namespaces | join(" ")') " == *" pid "* ]]
	done

	volt kill c1 KILL
	wait_for_status c1 stopped
	say_run volt sandbox --show c1
	[ "$status" -ne 0 ]
	[[ $output == *"container not running"* ]]
	volt delete c1
	say_run volt sandbox --show c1
	[[ $output == *"container does not exist"* ]]
}

# left ROLE PID - it is left with what docs/SANDBOX.md says; of vcpu all its threads
left() {
	"${VOLT%/*}/tests/test_sbx_left" check "$1" "$2"
}

# in_terminal ARG... - the runtime, in the foreground on a terminal, in the background
in_terminal() {
	script -qec "$VOLT --root $VOLT_ROOT $*" /dev/null < /dev/null > "$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
}

# shows CONTAINER ROLE - there is one now
shows() {
	volt sandbox --show "$1" --format json > "$BATS_TEST_TMPDIR/json" && [ -n "$(of "$2" .pid)" ]
}

@test "each process of a container, net and those in the foreground too, is left with what docs/SANDBOX.md has" {
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
	edit_config "$BATS_TEST_TMPDIR/b" '.process.terminal = true'
	in_terminal run --bundle "$BATS_TEST_TMPDIR/b" c1
	wait_for 30 shows c1 relay
	in_terminal exec -t c1 sleep 1000
	wait_for 30 shows c1 proxy
	cat "$BATS_TEST_TMPDIR/json"
	for role in shim vmm fs net; do
		left "$role" "$(of "$role" .pid)"
		[ "$(of "$role" .pid)" = "$(role_pid "$role" c1)" ]
	done
	left vcpu "$(of vmm .pid)"
	# the shim of an exec stays in the caller's namespaces, as proxies do
	left proxy "$(of exec .pid)"
	left proxy "$(of relay .pid)"
	wait_for 20 left proxy "$(of proxy .pid)" # it is one once its process runs
	fails left fs "$(of net .pid)"
	fails left proxy $$
	# the network that net follows is the container's, and neither the host's nor the vmm's
	network=$(readlink "/proc/$(of net .pid)/ns/net")
	[ "$network" = "$(readlink "/proc/$(of shim .pid)/ns/net")" ]
	[ "$network" != "$(readlink /proc/self/ns/net)" ]
	[ "$network" != "$(readlink "/proc/$(of vmm .pid)/ns/net")" ]
	[ -z "$(ls -A "/proc/$(of net .pid)/root")" ]
	say_run volt sandbox --show c1
	for role in relay exec proxy; do
		[[ $output == *$'\n'"$role "* ]]
	done
	[[ $output == *"It doesn't show whom that holds"* ]]
	volt delete --force c1
	wait
}

@test "of a container in another one's VM, the processes that serve it are shown" {
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
	create "$BATS_TEST_TMPDIR/b" c1
	volt start c1
	make_bundle "$BATS_TEST_TMPDIR/c" sleep 1000
	edit_config "$BATS_TEST_TMPDIR/c" '(.linux.namespaces[] | select(.type == "network")).path = "/proc/\($pid)/ns/net"' \
		--argjson pid "$(pid_of c1)"
	create "$BATS_TEST_TMPDIR/c" c2
	shows c2 vmm
	cat "$BATS_TEST_TMPDIR/json"
	[ "$(of shim .pid)" = "$(role_pid shim c2)" ]
	[ "$(of fs .pid)" = "$(role_pid fs c2)" ]
	[ "$(of vmm .pid)" = "$(role_pid vmm c1)" ]
	[ "$(of net .pid)" = "$(role_pid net c1)" ]
	for role in shim vmm fs net; do
		left "$role" "$(of "$role" .pid)"
	done
	volt delete --force c2
	volt delete --force c1
}

@test "--vmm-user says who the vmm is, and devices work for whoever it is" {
	make_bundle "$BATS_TEST_TMPDIR/b" sh -c 'echo in > /made && cat /made'
	say_run volt --vmm-user nobody run --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -ne 0 ]
	[[ $output == *"option '--vmm-user': 'nobody' is neither auto, none nor a user id"* ]]
	say_run volt --vmm-user 12345 run --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 0 ]
	[ "$output" = in ]
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/b/rootfs/made")" = 0 ]

	make_bundle "$BATS_TEST_TMPDIR/d" sleep 1000
	volt --vmm-user none create --bundle "$BATS_TEST_TMPDIR/d" c1 < /dev/null > /dev/null 2>&1
	[ "$(stat -c %u "/proc/$(role_pid fs c1)")" = 0 ]
	volt sandbox --show c1 --format json > "$BATS_TEST_TMPDIR/json"
	[ "$(of vmm .uid)" = 0 ]
}
