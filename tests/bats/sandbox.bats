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

# of ROLE FILTER - FILTER (jq) for each thread of a role, sorted, each value once
of() {
	jq -r --arg role "$1" "[.threads[] | select(.role == \$role) | $2] | unique | join(\" \")" "$BATS_TEST_TMPDIR/json"
}

@test "sandbox --show tells for each role and thread what the kernel says of its cage" {
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
	create "$BATS_TEST_TMPDIR/b" c1
	volt start c1
	say_run volt sandbox --show c1
	[ "$status" -eq 0 ]
	[[ $output == *"ROLE "*"NAMESPACES OF ITS OWN"* ]]
	[[ $output == *"Landlock: "* ]]

	volt sandbox --show c1 --format json > "$BATS_TEST_TMPDIR/json"
	cat "$BATS_TEST_TMPDIR/json"
	for role in shim vmm fs; do
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
	[ "$(jq '[.threads[] | select(.role == "vmm")] | length' "$BATS_TEST_TMPDIR/json")" -ge 2 ]
	# an empty root
	[ "$(of vmm .mounts)" = 1 ]
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
