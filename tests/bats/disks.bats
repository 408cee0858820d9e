#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Block devices of the host as disks of the machine.

load helpers

setup() {
	setup_common
	modprobe loop 2>/dev/null || true
	[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237
	dd if=/dev/zero of="$BATS_TEST_TMPDIR/image" bs=1M count=4 2>/dev/null
	printf 'on the host' | dd of="$BATS_TEST_TMPDIR/image" conv=notrunc 2>/dev/null
	for i in 0 1 2 3 4 5 6 7; do
		[ -e "/dev/loop$i" ] || mknod "/dev/loop$i" b 7 "$i"
	done
	loop=$(losetup --find --show "$BATS_TEST_TMPDIR/image")
	major=$((0x$(stat -c %t "$loop")))
	minor=$((0x$(stat -c %T "$loop")))
}

teardown() {
	[ -z "${loop:-}" ] || losetup --detach "$loop"
	teardown_common
}

# with_disk ACCESS SCRIPT - run it in a container that has the loop device as /dev/xvda
with_disk() {
	make_bundle "$BATS_TEST_TMPDIR/b" sh -c "$2"
	edit_config "$BATS_TEST_TMPDIR/b" '.linux.devices = [{path: "/dev/xvda", type: "b", major: $major, minor: $minor, fileMode: 432}]
		| .linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "b", major: $major, minor: $minor, access: $access}]' \
		--argjson major "$major" --argjson minor "$minor" --arg access "$1"
	say_run volt run --bundle "$BATS_TEST_TMPDIR/b" c1
}

@test "a block device is read and written through virtio-blk" {
	# shellcheck disable=SC2016 # the guest's shell
	with_disk rwm 'head -c 11 /dev/xvda; echo; stat -c "%F %a" /dev/xvda; blockdev --getsize64 /dev/xvda 2>/dev/null || wc -c < /dev/xvda
		printf "in the guest" | dd of=/dev/xvda bs=512 seek=8 conv=sync,fsync 2>/dev/null; echo $?'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "on the host" ]
	[ "${lines[1]}" = "block special file 660" ]
	[ "${lines[2]}" = 4194304 ]
	[ "${lines[3]}" = 0 ]
	blockdev --flushbufs "$loop"
	[ "$(dd if="$loop" bs=512 skip=8 count=1 2>/dev/null | tr -d '\0')" = "in the guest" ]
}

@test "without the right to write it can't be written to" {
	with_disk r 'head -c 11 /dev/xvda; echo x > /dev/xvda || echo refused'
	[ "$status" -eq 0 ]
	[[ "$output" == *"on the host"*refused* ]]
	[ "$(head -c 11 "$loop")" = "on the host" ]
}

@test "a device that the host doesn't have is named" {
	minor=12345
	with_disk rwm true
	[ "$status" -eq 1 ]
	[[ "$output" == *"/dev/xvda"*"$major:12345"* ]]
	minor=0
}
