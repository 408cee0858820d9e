#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The verb doctor, on a host that can run containers and on one that was made unable to.

load helpers

setup() {
	setup_common
}

teardown() {
	teardown_common
}

@test "doctor finds nothing wrong where containers run" {
	say_run volt doctor
	[ "$status" -eq 0 ]
	[[ $output == *"containers can be run on this host"* ]]
	[[ $output != *$'\nbad '* ]]
	say_run volt doctor --format json
	[ "$status" -eq 0 ]
	[ "$(gojq -r .ok <<< "$output")" = true ]
	[ "$(gojq -r '[.items[].name] | join(" ")' <<< "$output")" != "" ]
	[ "$(gojq -r '.items[] | select(.name == "guest") | .verdict' <<< "$output")" = ok ]
	[ "$(gojq -r '.items[] | select(.name == "kernel") | .verdict' <<< "$output")" = ok ]
	say_run volt doctor --kvm
	[ "$status" -eq 0 ]
}

# What a mount namespace hides is missing for one command only.
without() {
	local path=$1
	shift
	# shellcheck disable=SC2016 # the inner shell's
	unshare --mount sh -c 'mount --bind /dev/null "$0" && exec "$@"' "$path" \
		"$VOLT" --root "$VOLT_ROOT" "$@"
}

# A /dev of its own, with all but one node.
without_kvm() {
	# shellcheck disable=SC2016 # the inner shell's
	unshare --mount sh -c 'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && exec "$@"' - \
		"$VOLT" --root "$VOLT_ROOT" "$@"
}

@test "doctor says that /dev/kvm is missing" {
	say_run without_kvm doctor
	[ "$status" -eq 1 ]
	[[ $output == *"bad   kvm "*"open '/dev/kvm': No such file or directory"* ]]
	[[ $output == *"containers can not be run on this host"* ]]
	say_run without_kvm doctor --format json
	[ "$status" -eq 1 ]
	[ "$(gojq -r .ok <<< "$output")" = false ]
	say_run without_kvm doctor --kvm
	[ "$status" -eq 1 ]
}

@test "doctor looks whether /dev/kvm is a KVM, and the kernel a kernel" {
	say_run without /dev/kvm doctor
	[ "$status" -eq 1 ]
	[[ $output == *"bad   capabilities "*"not a KVM device"* ]]
	say_run without "$(dirname "$VOLT")/guest/vmlinux" doctor
	[ "$status" -eq 1 ]
	[[ $output == *"bad   kernel "* ]]
	[[ $output == *"ok    guest "* ]]
	say_run without "$(dirname "$VOLT")/guest/initramfs" doctor
	[ "$status" -eq 1 ]
	[[ $output == *"bad   initramfs "* ]]
}

@test "doctor refuses what it doesn't know" {
	say_run volt doctor --format xml
	[ "$status" -ne 0 ]
	[[ $output == *"neither text nor json"* ]]
}
