#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Fields of config.json that are seen from inside: scheduling, personality, clocks, propagation.

load helpers

setup() {
	setup_common
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
}

teardown() {
	teardown_common
}

@test "scheduler, ioPriority, personality, timeOffsets, rootfsPropagation and the cgroup namespace" {
	edit_config "$BATS_TEST_TMPDIR/b" '.process.scheduler = {policy: "SCHED_BATCH", nice: 5}
		| .process.ioPriority = {class: "IOPRIO_CLASS_IDLE", priority: 0}
		| .linux.personality = {domain: "LINUX32"}
		| .linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 1000000, nanosecs: 0}}
		| .linux.rootfsPropagation = "shared"
		| .mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"]}]
		| .process.args = ["sh", "-c", "cut -d\\  -f 19,41 /proc/self/stat; ionice; uname -m; cut -d. -f1 /proc/uptime; grep -m1 \\ /\\  /proc/self/mountinfo; cat /proc/self/cgroup"]'
	say_run volt run --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "5 3" ] # nice; SCHED_BATCH
	[[ "${lines[1]}" == idle* ]]
	[ "${lines[2]}" = i686 ]
	[ "${lines[3]}" -ge 1000000 ]
	[[ "${lines[4]}" == *shared:* ]]
	[ "${lines[5]}" = "0::/" ]
}

@test "exec: CPU affinity; a CPU that isn't there is an error" {
	edit_config "$BATS_TEST_TMPDIR/b" '.annotations = {"dev.volt.vcpus": "2"}'
	create "$BATS_TEST_TMPDIR/b" c1
	volt start c1
	gojq '.process | .args = ["grep", "Cpus_allowed_list", "/proc/self/status"] | .execCPUAffinity = {initial: "0", final: "1"}' \
		"$BATS_TEST_TMPDIR/b/config.json" > "$BATS_TEST_TMPDIR/p"
	say_run volt exec --process "$BATS_TEST_TMPDIR/p" c1
	[ "$status" -eq 0 ]
	[[ "$output" == *1 ]]
	gojq '.execCPUAffinity = {final: "40"}' "$BATS_TEST_TMPDIR/p" > "$BATS_TEST_TMPDIR/q"
	say_run volt exec --process "$BATS_TEST_TMPDIR/q" c1
	[ "$status" -ne 0 ]
	[[ "$output" == *"CPU affinity"* ]]
}

@test "what can't be honoured is refused by name" {
	for field in '.linux.intelRdt = {closID: "x"}' '.linux.netDevices = {eth7: {}}' \
		'.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0"}' '.linux.personality = {domain: "LINUX", flags: ["x"]}' \
		'.process.scheduler = {policy: "SCHED_NONSENSE"}' '.linux.seccomp = {defaultAction: "SCMP_ACT_NOTIFY"}' \
		'.linux.resources.cpu = {realtimeRuntime: 5}'; do
		cp "$BATS_TEST_TMPDIR/b/config.json" "$BATS_TEST_TMPDIR/keep"
		edit_config "$BATS_TEST_TMPDIR/b" "$field"
		say_run volt create --bundle "$BATS_TEST_TMPDIR/b" c1 < /dev/null
		[ "$status" -eq 1 ]
		name=${field%% = *}
		name=${name##*.}
		[[ "$output" == *"$name"* ]]
		[ -z "$(volt list -q)" ]
		cp "$BATS_TEST_TMPDIR/keep" "$BATS_TEST_TMPDIR/b/config.json"
	done
}

@test "checkBeforeUpdate: a limit below what is used is refused" {
	edit_config "$BATS_TEST_TMPDIR/b" '.linux.resources.memory = {limit: 268435456} | .process.args = ["sh", "-c",
		"dd if=/dev/zero of=/dev/shm/x bs=1M count=32 2>/dev/null; touch /ready; sleep 1000"]'
	create "$BATS_TEST_TMPDIR/b" c1
	volt start c1
	wait_for 30 test -e "$BATS_TEST_TMPDIR/b/rootfs/ready"
	echo '{"memory": {"limit": 16777216, "checkBeforeUpdate": true}}' > "$BATS_TEST_TMPDIR/r"
	say_run volt update --resources "$BATS_TEST_TMPDIR/r" c1
	[ "$status" -eq 1 ]
	[[ "$output" == *"unable to set memory limit to 16777216 (current usage: "* ]]
	[ "$(status_of c1)" = running ]
}
