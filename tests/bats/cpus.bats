#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What needs a host with two processors.
# machine: --cpus 2

load helpers

setup() {
	setup_common
}

teardown() {
	teardown_common
}

@test "--cpus 2 gives two processors, --cpus 1 one" {
	say_run pod run --rm --cpus 2 localhost/busybox nproc
	[ "$output" = 2 ]
	say_run pod run --rm --cpus 1 localhost/busybox nproc
	[ "$output" = 1 ]
}
