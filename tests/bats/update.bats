#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# update: limits that change while the container lives.
# as long as: 12

load helpers

setup() {
	setup_common
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
	edit_config "$BATS_TEST_TMPDIR/b" '.linux.resources = {memory: {limit: 268435456}, cpu: {quota: 100000, period: 100000}}
		| .mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"]}]'
	create "$BATS_TEST_TMPDIR/b" c1
	volt start c1
}

teardown() {
	teardown_common
}

in_cgroup() {
	volt exec c1 cat "/sys/fs/cgroup/$1"
}

@test "options change memory, cpu and pids in the guest" {
	volt update --memory 128m --pids-limit 30 --cpu-quota 50000 c1
	[ "$(in_cgroup memory.max)" = 134217728 ]
	[ "$(in_cgroup pids.max)" = 30 ]
	[ "$(in_cgroup cpu.max)" = "50000 100000" ]
	volt update --memory 256m --pids-limit -1 c1
	[ "$(in_cgroup memory.max)" = 268435456 ]
	[ "$(in_cgroup pids.max)" = max ]
	[ "$(in_cgroup cpu.max)" = "50000 100000" ]
}

@test "a resources file, or standard input" {
	echo '{"memory": {"limit": 201326592}, "cpu": {"shares": 0, "quota": 0, "period": 0}, "blockIO": {"weight": 0}}' > "$BATS_TEST_TMPDIR/r"
	volt update --resources "$BATS_TEST_TMPDIR/r" c1
	[ "$(in_cgroup memory.max)" = 201326592 ]
	[ "$(in_cgroup cpu.max)" = "100000 100000" ]
	echo '{"pids": {"limit": 77}}' | volt update --resources=- c1
	[ "$(in_cgroup pids.max)" = 77 ]
}

@test "the host's cgroup follows in cpu" {
	cgroup=/sys/fs/cgroup$(awk -F: '$1 == 0 {print $3}' "/proc/$(pid_of c1)/cgroup")
	volt update --cpu-quota 30000 --cpu-period 60000 c1
	[ "$(cat "$cgroup/cpu.max")" = "30000 60000" ]
	# what isn't asked for stays, in the same file too
	volt update --cpu-quota 20000 c1
	[ "$(cat "$cgroup/cpu.max")" = "20000 60000" ]
	volt update --cpu-period 80000 c1
	[ "$(cat "$cgroup/cpu.max")" = "20000 80000" ]
	[ "$(in_cgroup cpu.max)" = "20000 80000" ]
	volt update --cpu-burst 10000 c1
	[ "$(cat "$cgroup/cpu.max.burst")" = 10000 ]
	volt update --cpu-burst 0 c1
	[ "$(cat "$cgroup/cpu.max.burst")" = 0 ]
}

@test "what can't change is refused, and nothing changes" {
	say_run volt update --memory 1g --pids-limit 5 c1
	[ "$status" -eq 1 ]
	[[ "$output" == *"its size is fixed"* ]]
	[ "$(in_cgroup pids.max)" = max ]
	echo '{"hugepageLimits": [{"pageSize": "2MB", "limit": 1}]}' > "$BATS_TEST_TMPDIR/r"
	say_run volt update --resources "$BATS_TEST_TMPDIR/r" c1
	[ "$status" -eq 1 ]
	[[ "$output" == *hugepageLimits* ]]
	say_run volt update --memory lots c1
	[ "$status" -eq 1 ]
	volt kill c1 KILL
	wait_for_status c1 stopped
	say_run volt update --memory 64m c1
	[ "$status" -eq 1 ]
	[[ "$output" == *"container not running"* ]]
}

@test "hooks: startContainer in the guest, poststart and poststop on the host, each with the state" {
	mkdir "$BATS_TEST_TMPDIR/out"
	make_bundle "$BATS_TEST_TMPDIR/h" sleep 1000
	edit_config "$BATS_TEST_TMPDIR/h" '.hooks = {
		startContainer: [{path: "/bin/sh", args: ["sh", "-c", "cat > /state.start; uname -r > /release"]}],
		poststart: [{path: "/bin/sh", args: ["sh", "-c", "cat > \($out)/poststart"]}],
		poststop: [{path: "/bin/sh", args: ["sh", "-c", "cat > \($out)/poststop"]}]}' --arg out "$BATS_TEST_TMPDIR/out"
	create "$BATS_TEST_TMPDIR/h" h1
	[ ! -e "$BATS_TEST_TMPDIR/h/rootfs/state.start" ]
	volt start h1
	gojq -e '.id == "h1" and .status == "created"' "$BATS_TEST_TMPDIR/h/rootfs/state.start"
	grep volt "$BATS_TEST_TMPDIR/h/rootfs/release"
	gojq -e '.id == "h1" and .status == "running"' "$BATS_TEST_TMPDIR/out/poststart"
	[ ! -e "$BATS_TEST_TMPDIR/out/poststop" ]
	volt delete --force h1
	gojq -e '.id == "h1" and .status == "stopped" and .pid == 0' "$BATS_TEST_TMPDIR/out/poststop"
}

@test "startContainer hooks: the process's environment, its filter, and their last words" {
	make_bundle "$BATS_TEST_TMPDIR/h" true
	edit_config "$BATS_TEST_TMPDIR/h" '.process.env += ["WHAT=of the process"] | .hooks = {
		startContainer: [{path: "/bin/sh", args: ["sh", "-c", "echo \"$WHAT\" > /what"]},
			{path: "/bin/sh", args: ["sh", "-c", "echo no luck >&2; exit 3"]}]}'
	say_run volt run --bundle "$BATS_TEST_TMPDIR/h" h1
	[ "$status" -ne 0 ]
	[[ "$output" == *"error running startContainer hook #1: exit status 3: no luck"* ]]
	[ "$(cat "$BATS_TEST_TMPDIR/h/rootfs/what")" = "of the process" ]
	edit_config "$BATS_TEST_TMPDIR/h" '.hooks = {startContainer: [{path: "/bin/mkdir", args: ["mkdir", "/new"]}]}
		| .process.noNewPrivileges = true | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
		architectures: ["SCMP_ARCH_X86_64"], syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_KILL_PROCESS"}]}'
	say_run volt run --bundle "$BATS_TEST_TMPDIR/h" h2
	[ "$status" -ne 0 ]
	[[ "$output" == *"error running startContainer hook #0: signal: bad system call"* ]]
}

@test "hooks of the host have our environment unless they name theirs; a failing one is named by its number" {
	make_bundle "$BATS_TEST_TMPDIR/h" true
	edit_config "$BATS_TEST_TMPDIR/h" '.hooks = {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "[ \"$WHAT\" = ours ]"]},
		{path: "/bin/sh", args: ["sh", "-c", "[ \"$WHAT\" = theirs ]"], env: ["WHAT=theirs"]},
		{path: "/bin/sh", args: ["sh", "-c", "echo why >&2; exit 9"]}]}'
	WHAT=ours say_run volt create --bundle "$BATS_TEST_TMPDIR/h" h1
	[ "$status" -eq 1 ]
	[[ "$output" == *"error running createRuntime hook #2: "*"exit code 9: why"* ]]
	edit_config "$BATS_TEST_TMPDIR/h" '.hooks = {prestart: [{path: "/bin/sh", args: ["sh", "-c", "grep -q created"]}],
		poststop: [{path: "/bin/false"}]}'
	say_run volt run --bundle "$BATS_TEST_TMPDIR/h" h1
	[ "$status" -eq 0 ]
	[[ "$output" == *"poststop hook failed with exit code 1"* ]]
}

@test "a failing poststart hook fails start and ends the container" {
	make_bundle "$BATS_TEST_TMPDIR/h" sleep 1000
	edit_config "$BATS_TEST_TMPDIR/h" '.hooks = {poststart: [{path: "/bin/sh", args: ["sh", "-c", "echo no luck >&2; exit 1"]}]}'
	create "$BATS_TEST_TMPDIR/h" h1
	say_run volt start h1
	[ "$status" -eq 1 ]
	[[ "$output" == *"poststart hook"* ]]
	say_run volt state h1 # it is removed, as the specification wants it
	[ "$status" -eq 1 ]
	[[ "$output" == *"does not exist"* ]]
}
