#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# --systemd-cgroup: containers in scopes that systemd makes. The test machine's process 1 is no
# systemd; a user manager, which makes scopes beneath its own cgroup, stands in for the system's.

load helpers

setup() {
	setup_common
}

teardown() {
	if [ -e "$BATS_TEST_TMPDIR/systemd.pid" ]; then
		kill -KILL "$(cat "$BATS_TEST_TMPDIR/systemd.pid")" || true
		rm -rf /run/systemd/private /run/systemd/system
		wait_for 10 no_cgroup /sys/fs/cgroup/manager
	fi
	teardown_common
}

# no_cgroup DIR - remove a cgroup with all below
no_cgroup() {
	[ ! -d "$1" ] || {
		echo 1 > "$1/cgroup.kill"
		find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
		[ ! -d "$1" ]
	}
}

# start_manager - a systemd that answers where the system's would
start_manager() {
	mkdir -p "$BATS_TEST_TMPDIR/run" /run/systemd/system /sys/fs/cgroup/manager # "booted with systemd"
	chmod 700 "$BATS_TEST_TMPDIR/run"
	# shellcheck disable=SC2016 # the inner shell's
	XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/run HOME=$BATS_TEST_TMPDIR/run setsid sh -c 'echo $$ > /sys/fs/cgroup/manager/cgroup.procs
		echo $$ > "$1/systemd.pid"
		exec /usr/lib/systemd/systemd --user --unit=basic.target --log-target=console' - "$BATS_TEST_TMPDIR" \
		> "$BATS_TEST_TMPDIR/systemd.log" 2>&1 3>&- < /dev/null &
	wait_for 30 test -S "$BATS_TEST_TMPDIR/run/systemd/private" || {
		cat "$BATS_TEST_TMPDIR/systemd.log"
		return 1
	}
	ln -s "$BATS_TEST_TMPDIR/run/systemd/private" /run/systemd/private
}

@test "without systemd the error says so, and nothing is left" {
	make_bundle "$BATS_TEST_TMPDIR/b" true
	edit_config "$BATS_TEST_TMPDIR/b" '.linux.cgroupsPath = "machine.slice:volt:s1"'
	say_run volt --systemd-cgroup create --bundle "$BATS_TEST_TMPDIR/b" s1 < /dev/null
	[ "$status" -eq 1 ]
	[[ "$output" == *"systemd doesn't answer"*"--cgroup-manager=cgroupfs"* ]]
	[ -z "$(volt list -q)" ]
}

@test "a container lives in its scope, update and delete go through systemd" {
	start_manager
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
	edit_config "$BATS_TEST_TMPDIR/b" '.linux.cgroupsPath = "volt-test.slice:volt:s1" | .linux.resources.cpu = {shares: 2048}
		| .linux.resources.memory = {limit: 134217728} | .annotations = {"org.systemd.property.CollectMode": "'"'inactive-or-failed'"'"}'
	volt --systemd-cgroup create --bundle "$BATS_TEST_TMPDIR/b" s1 < /dev/null > "$BATS_TEST_TMPDIR/log" 2>&1 || {
		cat "$BATS_TEST_TMPDIR/log" "$BATS_TEST_TMPDIR/systemd.log"
		return 1
	}
	cgroup=$(awk -F: '$1 == 0 {print $3}' "/proc/$(pid_of s1)/cgroup")
	[[ "$cgroup" == /manager/*/volt-test.slice/volt-s1.scope || "$cgroup" == /manager/volt.slice/volt-test.slice/volt-s1.scope ]]
	[ "$(cat "/sys/fs/cgroup$cgroup/cpu.weight")" = 79 ]
	[ "$(cat "/sys/fs/cgroup$cgroup/memory.max")" -gt 134217728 ]
	[ "$(wc -l < "/sys/fs/cgroup$cgroup/cgroup.procs")" = 4 ] # shim, vmm, fs and net
	export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/run
	[ "$(systemctl --user show -p ActiveState --value volt-s1.scope)" = active ]
	[ "$(systemctl --user show -p CollectMode --value volt-s1.scope)" = inactive-or-failed ]
	volt update --cpu-share 1024 s1
	[ "$(systemctl --user show -p CPUWeight --value volt-s1.scope)" = 39 ]
	[ "$(cat "/sys/fs/cgroup$cgroup/cpu.weight")" = 39 ]
	volt delete --force s1
	[ ! -d "/sys/fs/cgroup$cgroup" ]
	[ "$(systemctl --user show -p ActiveState --value volt-s1.scope)" = inactive ]
}
