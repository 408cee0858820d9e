#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Mounts that are more than a directory of the host: overlays, parts of proc and sysfs.

load helpers

setup() {
	setup_common
}

teardown() {
	teardown_common
}

@test "overlay mounts have layers of the host, and show nowhere on it" {
	t=$BATS_TEST_TMPDIR/t
	mkdir "$t" && mount -t tmpfs tmpfs "$t" # a layer that can be written to
	mkdir "$t/up" "$t/work" "$BATS_TEST_TMPDIR/low"
	echo lower > "$BATS_TEST_TMPDIR/low/file"
	make_bundle "$BATS_TEST_TMPDIR/b" sh -c 'cat /o/file; echo changed > /o/file; touch /o/new; cat /r/file; touch /r/new 2>/dev/null || echo read-only'
	edit_config "$BATS_TEST_TMPDIR/b" '.mounts += [
		{destination: "/o", type: "overlay", source: "overlay", options: ["lowerdir=\($low)", "upperdir=\($t)/up", "workdir=\($t)/work"]},
		{destination: "/r", type: "overlay", source: "overlay", options: ["lowerdir=\($low):\($t)/work", "ro"]}]' \
		--arg low "$BATS_TEST_TMPDIR/low" --arg t "$t"
	say_run volt run --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 0 ]
	[ "$output" = $'lower\nlower\nread-only' ]
	[ "$(cat "$BATS_TEST_TMPDIR/low/file")" = lower ]
	[ "$(cat "$t/up/file")" = changed ]
	[ -e "$t/up/new" ]
	! grep -q "$t/up" /proc/self/mountinfo
	umount "$t"
}

@test "podman :O keeps the source as it was" {
	mkdir "$BATS_TEST_TMPDIR/d"
	echo old > "$BATS_TEST_TMPDIR/d/f"
	say_run pod run --rm -v "$BATS_TEST_TMPDIR/d:/d:O" localhost/busybox sh -c 'cat /d/f; echo new > /d/f; cat /d/f'
	[ "$status" -eq 0 ]
	[ "$output" = $'old\nnew' ]
	[ "$(cat "$BATS_TEST_TMPDIR/d/f")" = old ]
}

@test "parts of /proc and /sys are the guest's own" {
	make_bundle "$BATS_TEST_TMPDIR/b" sh -c 'cat /v; cat /k/osrelease; ls /c | head -1; stat -f -c %T /c; echo x > /k/hostname || true'
	edit_config "$BATS_TEST_TMPDIR/b" '.mounts += [
		{destination: "/v", type: "bind", source: "/proc/version", options: ["bind", "ro"]},
		{destination: "/k", type: "bind", source: "/proc/sys/kernel", options: ["rbind", "ro"]},
		{destination: "/c", type: "bind", source: "/sys/devices/system/cpu", options: ["rbind", "ro"]}]'
	say_run volt run --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == *volt* ]]
	[[ "${lines[1]}" == *volt* ]]
	[ "${lines[2]}" = cpu0 ]
	[ "${lines[3]}" = sysfs ]
}

@test "a read-only root is read-only for the guest's kernel, too, and has its mount points" {
	make_bundle "$BATS_TEST_TMPDIR/b" sh -c 'mount -o remount,rw / 2>/dev/null; touch /x 2>&1; ls -d /new/point; echo "$?"'
	edit_config "$BATS_TEST_TMPDIR/b" '.root.readonly = true | .process.noNewPrivileges = false
		| .process.capabilities = {bounding: ["CAP_SYS_ADMIN"], effective: ["CAP_SYS_ADMIN"], permitted: ["CAP_SYS_ADMIN"]}
		| .mounts += [{destination: "/new/point", type: "tmpfs", source: "tmpfs"}]'
	say_run volt run --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == *"Read-only file system"* ]]
	[ "${lines[1]}" = /new/point ]
	[ ! -e "$BATS_TEST_TMPDIR/b/rootfs/x" ]
}
