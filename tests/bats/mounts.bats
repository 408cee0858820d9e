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
	fails grep -q "$t/up" /proc/self/mountinfo
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

@test "a tmpfs has the mode of what it covers; read-only ones are filled first" {
	make_bundle "$BATS_TEST_TMPDIR/b" sh -c 'stat -c %a /covers /own /new; grep " /dev " /proc/mounts; echo > /dev/null
		touch /dev/x /covers/x 2>&1; ls /dev/pts /covers/below > /dev/null && echo there'
	mkdir -m 712 "$BATS_TEST_TMPDIR/b/rootfs/covers"
	edit_config "$BATS_TEST_TMPDIR/b" '(.mounts[] | select(.destination == "/dev")).options += ["ro"] | .mounts += [
		{destination: "/covers", type: "tmpfs", source: "tmpfs", options: ["ro"]},
		{destination: "/covers/below", type: "tmpfs", source: "tmpfs"},
		{destination: "/own", type: "tmpfs", source: "tmpfs", options: ["mode=700"]},
		{destination: "/new", type: "tmpfs", source: "tmpfs"}]'
	say_run volt run --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 0 ]
	[ "${lines[*]:0:3}" = "712 700 1777" ]
	[[ "${lines[3]}" == "tmpfs /dev tmpfs ro,"* ]]
	[[ "${lines[4]}" == *"/dev/x: Read-only file system" ]]
	[[ "${lines[5]}" == *"/covers/x: Read-only file system" ]]
	[ "${lines[6]}" = there ]
}

@test "proc is not mounted over a link; a directory that is made has its parent's group" {
	make_bundle "$BATS_TEST_TMPDIR/b" stat -c '%a %g' /s/a /s/a/b
	mkdir "$BATS_TEST_TMPDIR/b/rootfs/s" && chgrp 77 "$BATS_TEST_TMPDIR/b/rootfs/s" && chmod 2755 "$BATS_TEST_TMPDIR/b/rootfs/s"
	edit_config "$BATS_TEST_TMPDIR/b" '.mounts += [{destination: "/s/a/b/c", type: "tmpfs", source: "tmpfs"}]'
	say_run volt run --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$output" = $'2755 77\n2755 77' ]
	rm -rf "$BATS_TEST_TMPDIR/b/rootfs/proc" && ln -s /tmp "$BATS_TEST_TMPDIR/b/rootfs/proc"
	say_run volt run --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -ne 0 ]
	[[ "$output" == *"must be mounted on ordinary directory"* ]]
	[ -z "$(volt list -q)" ]
}

@test "a bind onto /dev is left alone, however its place is written; copy-symlink makes links" {
	make_bundle "$BATS_TEST_TMPDIR/b" sh -c 'ls /dev; readlink /link'
	mkdir "$BATS_TEST_TMPDIR/d"
	touch "$BATS_TEST_TMPDIR/d/mine" "$BATS_TEST_TMPDIR/d/ptmx"
	ln -s /nowhere/at/all "$BATS_TEST_TMPDIR/link"
	edit_config "$BATS_TEST_TMPDIR/b" '.mounts = [(.mounts[] | select(.destination | startswith("/dev") | not)),
		{destination: "/dev/.//", type: "bind", source: ($dir + "/d"), options: ["bind", "rw"]},
		{destination: "/link", type: "bind", source: ($dir + "/link"), options: ["bind", "copy-symlink"]}]' \
		--arg dir "$BATS_TEST_TMPDIR"
	say_run volt run --bundle "$BATS_TEST_TMPDIR/b" c1 < /dev/null
	[ "$status" -eq 0 ]
	[ "$output" = $'mine\nptmx\n/nowhere/at/all' ]
	[ "$(ls "$BATS_TEST_TMPDIR/d")" = $'mine\nptmx' ]
	[ -f "$BATS_TEST_TMPDIR/d/ptmx" ]
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

# A file server that was taken over has no say in it.
@test "a read-only root is read-only for the file server's process, and binds in it are not" {
	mkdir "$BATS_TEST_TMPDIR/vol"
	make_bundle "$BATS_TEST_TMPDIR/b" sh -c 'echo more > /v/new; touch /x 2>&1; sleep 1000'
	edit_config "$BATS_TEST_TMPDIR/b" '.root.readonly = true | .mounts +=
		[{"destination": "/v", "type": "bind", "source": $V, "options": ["bind"]}, {"destination": "/new/point", "type": "tmpfs", "source": "tmpfs"}]' \
		--arg V "$BATS_TEST_TMPDIR/vol"
	create "$BATS_TEST_TMPDIR/b" c1
	cat "/proc/$(role_pid fs c1)/mountinfo"
	grep -q ' /rootfs ro,' "/proc/$(role_pid fs c1)/mountinfo"
	grep -q ' /mounts/0 rw,' "/proc/$(role_pid fs c1)/mountinfo"
	[ -d "$BATS_TEST_TMPDIR/b/rootfs/new/point" ]
	volt start c1
	wait_for 30 test -e "$BATS_TEST_TMPDIR/vol/new"
	volt delete --force c1
}
