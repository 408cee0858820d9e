#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The virtual machine as seen from inside: memory, processors, devices, users, namespaces.
# as long as: 14

load helpers

setup() {
	setup_common
	make_bundle "$BATS_TEST_TMPDIR/b" true
}

teardown() {
	teardown_common
}

# guest SCRIPT - run a shell script in a VM of this test's bundle
guest() {
	edit_config "$BATS_TEST_TMPDIR/b" '.process.args = ["sh", "-c", $script]' --arg script "$1"
	say_run volt run --bundle "$BATS_TEST_TMPDIR/b" c1
}

@test "a sparse guest of 6 GiB boots and sees all of it" {
	edit_config "$BATS_TEST_TMPDIR/b" '.annotations = {"dev.volt.memory": "6144"}'
	guest 'awk "/MemTotal/ {print \$2}" /proc/meminfo'
	[ "$status" -eq 0 ]
	[ "$output" -gt $((5900 * 1024)) ]
}

@test "four vCPUs can be asked for" {
	edit_config "$BATS_TEST_TMPDIR/b" '.annotations = {"dev.volt.vcpus": "4"}'
	guest nproc
	[ "$status" -eq 0 ]
	[ "$output" = 4 ]
}

@test "the process has exactly the capabilities, groups, limits and umask of config.json" {
	edit_config "$BATS_TEST_TMPDIR/b" '.process.user = {uid: 1000, gid: 1001, umask: 23, additionalGids: [7, 8]} |
		.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}] | .process.oomScoreAdj = 321'
	guest 'grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)" /proc/self/status; umask; ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj'
	[ "$status" -eq 0 ]
	[[ "$output" == *"Uid:"?"1000"?"1000"?"1000"?"1000"* ]]
	[[ "$output" == *"Gid:"?"1001"?"1001"?"1001"?"1001"* ]]
	[[ "$output" == *"Groups:"?"7 8"* ]]
	[[ "$output" == *"CapEff:"?"0000000000000000"* ]]
	[[ "$output" == *"CapBnd:"?"0000000020000421"* ]]
	[[ "$output" == *"NoNewPrivs:"?"1"* ]]
	[[ "$output" == *$'0027\n100\n200\n321' ]]
}

@test "masked and read-only paths are" {
	guest 'cat /proc/kcore 2>&1 | wc -c; echo 1 2>/dev/null > /proc/sys/kernel/panic || echo read-only; ls /sys/firmware | wc -l'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" -lt 100 ]
	[ "${lines[1]}" = read-only ]
	[ "${lines[2]}" = 0 ]
}

@test "a seccomp profile of config.json works in the guest" {
	edit_config "$BATS_TEST_TMPDIR/b" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
		syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95}]}'
	guest 'mkdir /tmp/x; grep Seccomp: /proc/self/status'
	[ "$status" -eq 0 ]
	[[ "$output" == *"not supported"* ]]
	[[ "$output" == *"Seccomp:"?"2"* ]]
}

@test "a profile older than the runtime's own calls does no harm" {
	# execve's path is looked up under it; the shell's own start takes no more than this
	edit_config "$BATS_TEST_TMPDIR/b" '.process.noNewPrivileges = false | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
		architectures: ["SCMP_ARCH_X86_64"],
		syscalls: [{names: ["faccessat2", "getcwd", "memfd_create", "pidfd_open"], action: "SCMP_ACT_ERRNO"}]}'
	guest 'echo works'
	[ "$status" -eq 0 ]
	[ "$output" = works ]
	edit_config "$BATS_TEST_TMPDIR/b" '.process.args = ["/bin/busybox", "echo", "by path"]'
	say_run volt --debug run --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 0 ]
	[[ "$output" == *"by path"* ]]
	[[ "$output" == *"seccomp filter flags: 4"* ]]
}

@test "links, renames, holes, appends and unlinked files behave on the shared root" {
	guest 'set -e; cd /tmp; echo a > f; ln f g; mv f h; echo b >> g; cat h; ln -s h s; readlink s
		dd if=/dev/zero of=big bs=1 seek=1000000 count=1 2>/dev/null; stat -c %s big
		exec 3<> gone; rm gone; echo kept >&3; readlink /proc/self/fd/3 | grep -c deleted
		mkdir -p d/e; rmdir d/e; touch -d @1000 h; stat -c %Y h; chmod 4755 h; stat -c %a h; sync'
	[ "$status" -eq 0 ]
	[ "$output" = $'a\nb\nh\n1000001\n1\n1000\n4755' ]
}

@test "a symbolic link in the root to a file of the host leads nowhere" {
	ln -s /etc/hostname "$BATS_TEST_TMPDIR/b/rootfs/leak"
	ln -s ../../../../../../etc/shadow "$BATS_TEST_TMPDIR/b/rootfs/leak2"
	guest 'cat /leak /leak2; echo done'
	[[ "$output" == *"can't open '/leak'"* ]]
	[[ "$output" == *"can't open '/leak2'"* ]]
}

@test "processes of the roles have no capabilities they don't need, a filter, and an empty view" {
	edit_config "$BATS_TEST_TMPDIR/b" '.process.args = ["sleep", "1000"]'
	create "$BATS_TEST_TMPDIR/b" c1
	volt start c1
	for role in shim vmm; do
		grep -qx $'CapEff:\t0000000000000000' "/proc/$(role_pid "$role" c1)/status"
		grep -qx $'CapBnd:\t0000000000000000' "/proc/$(role_pid "$role" c1)/status"
	done
	for role in shim vmm fs net; do
		pid=$(role_pid "$role" c1)
		for task in /proc/"$pid"/task/*; do
			grep -qx $'Seccomp:\t2' "$task/status"
			grep -qx $'NoNewPrivs:\t1' "$task/status"
		done
	done
	# mknod, sys_admin, net_admin, sys_ptrace are not among what the file server keeps.
	caps=$((16#$(awk '/CapEff/ {print $2}' "/proc/$(role_pid fs c1)/status")))
	[ $((caps & (1 << 27 | 1 << 21 | 1 << 12 | 1 << 19))) -eq 0 ]
	[ -z "$(ls -A "/proc/$(role_pid vmm c1)/root/")" ]
	[ "$(cd "/proc/$(role_pid fs c1)/root/" && echo *)" = "mounts rootfs" ]
	[ "$(wc -l < "/proc/$(role_pid vmm c1)/mountinfo")" -eq 1 ]
	volt delete --force c1
}

@test "a memory hog is killed inside the guest, with exit code 137" {
	edit_config "$BATS_TEST_TMPDIR/b" '.linux.resources.memory.limit = 67108864 |
		.mounts += [{destination: "/hog", type: "tmpfs", source: "tmpfs", options: ["size=500m"]}]'
	guest 'exec dd if=/dev/zero of=/hog/x bs=1M count=500'
	[ "$status" -eq 137 ]
}
