#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# linux.resources beyond numbers: files of cgroup v2, in the guest and on the host.

load helpers

setup() {
	setup_common
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
	edit_config "$BATS_TEST_TMPDIR/b" '.mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"]}]'
}

teardown() {
	teardown_common
}

in_cgroup() {
	volt exec c1 cat "/sys/fs/cgroup/$1"
}

@test "unified: memory and pids in the guest, io on the host, cpu in both; update changes them" {
	edit_config "$BATS_TEST_TMPDIR/b" '.linux.resources = {unified: {"memory.high": "100663296", "pids.max": "55", "cpu.weight": "321"},
		blockIO: {weight: 1000}}'
	create "$BATS_TEST_TMPDIR/b" c1
	volt start c1
	cgroup=/sys/fs/cgroup$(awk -F: '$1 == 0 {print $3}' "/proc/$(pid_of c1)/cgroup")
	[ "$(in_cgroup memory.high)" = 100663296 ]
	[ "$(in_cgroup pids.max)" = 55 ]
	[ "$(in_cgroup cpu.weight)" = 321 ]
	[ "$(cat "$cgroup/cpu.weight")" = 321 ]
	[ "$(cat "$cgroup/memory.high")" = max ]
	[ "$(cat "$cgroup/io.weight")" = "default 10000" ]
	echo '{"unified": {"pids.max": "77"}}' | volt update --resources - c1
	[ "$(in_cgroup pids.max)" = 77 ]
	volt update --blkio-weight 10 c1
	[ "$(cat "$cgroup/io.weight")" = "default 1" ]
}

@test "a cgroup that somebody is in, or that is frozen, is refused" {
	edit_config "$BATS_TEST_TMPDIR/b" '.linux.cgroupsPath = "/shared/one"'
	create "$BATS_TEST_TMPDIR/b" c1
	say_run volt create --bundle "$BATS_TEST_TMPDIR/b" c2 < /dev/null
	[ "$status" -eq 1 ]
	[[ "$output" == *"container's cgroup is not empty: "* ]]
	[ "$(volt list -q)" = c1 ]
	[ "$(status_of c1)" = created ] # nobody ended it
	volt delete --force c1
	mkdir -p /sys/fs/cgroup/shared/one
	echo 1 > /sys/fs/cgroup/shared/one/cgroup.freeze
	say_run volt create --bundle "$BATS_TEST_TMPDIR/b" c2 < /dev/null
	[ "$status" -eq 1 ]
	[[ "$output" == *"container's cgroup unexpectedly frozen"* ]]
	rmdir /sys/fs/cgroup/shared/one /sys/fs/cgroup/shared
}

@test "a file that no cgroup has is an error that names it" {
	edit_config "$BATS_TEST_TMPDIR/b" '.linux.resources.unified = {"memory.nonsense": "1"}'
	say_run volt create --bundle "$BATS_TEST_TMPDIR/b" c1 < /dev/null
	[ "$status" -eq 1 ]
	[[ "$output" == *memory.nonsense* ]]
	edit_config "$BATS_TEST_TMPDIR/b" '.linux.resources = {blockIO: {throttleReadBpsDevice: [{major: 250, minor: 77, rate: 1}]}}'
	say_run volt create --bundle "$BATS_TEST_TMPDIR/b" c1 < /dev/null
	[ "$status" -eq 1 ]
	[[ "$output" == *"io.max"*"250:77"* ]]
	[ -z "$(volt list -q)" ]
}

# Every file the guest knows is an inode and an open file of the host's, paid for by the VM's cgroup there.
@test "a tree of more files than the host's memory limit has room for is walked" {
	edit_config "$BATS_TEST_TMPDIR/b" '.linux.resources.memory.limit = 33554432' # room for 14,000
	for dir in $(seq 25); do
		mkdir "$BATS_TEST_TMPDIR/b/rootfs/d$dir"
		(cd "$BATS_TEST_TMPDIR/b/rootfs/d$dir" && seq 640 | xargs touch)
	done
	create "$BATS_TEST_TMPDIR/b" c1
	volt start c1
	[ "$(volt exec c1 find / -xdev -name '[0-9]*' -path '/d*' -size 0 | wc -l)" = 16000 ]
	fs=$(pgrep -f "volt-fs: c1")
	known=$(find "/proc/$fs/fd" | wc -l)
	echo "$known files are known"
	[ "$known" -gt 8000 ]
	[ "$known" -lt 14200 ]
	volt exec c1 test -e /d25/640
	[ "$(status_of c1)" = running ]
}
