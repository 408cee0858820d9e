#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Through containerd and its shim for runc, with ctr's --runc-binary.
# as long as: 14

load helpers

setup_file() {
	export CT_ADDRESS=/run/ct/containerd.sock
	# a parent cgroup is made on the way and stays, as with runc
	mkdir -p /run/ct/root /run/ct/rootfs /sys/fs/cgroup/default
	tar -C /run/ct/rootfs -xf "$IMAGES/busybox.tar"
	cat > /run/ct/config.toml <<- EOF
		version = 2
		root = "/run/ct/root"
		state = "/run/ct/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		address = "$CT_ADDRESS"
	EOF
	containerd --config /run/ct/config.toml > /run/ct/log 2>&1 3>&- &
	wait_for 60 ctr -a "$CT_ADDRESS" version
}

teardown_file() {
	pkill -x containerd
}

setup() {
	setup_common
}

teardown() {
	ct task kill -s 9 c1 2> /dev/null && wait_for 30 task_is stopped
	ct task rm c1 2> /dev/null
	ct c rm c1 2> /dev/null
	[ -z "$(ls -A /run/containerd/runc/default 2> /dev/null)" ]
	teardown_common
}

ct() {
	timeout --foreground -k 10 "$LIMIT" ctr -a "$CT_ADDRESS" "$@"
}

# run_c1 [OPTION]... -- ARG... - a container c1 of the busybox image
run_c1() {
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	ct run "${options[@]}" --env PATH=/bin --runc-binary "$VOLT" --rootfs /run/ct/rootfs c1 "$@"
}

task_is() {
	ct task ls | awk '$1 == "c1" {print tolower($3)}' | grep -qx "$1"
}

@test "ctr run: output, exit code, our kernel" {
	say_run run_c1 --rm -- sh -c 'echo hello; uname -r; exit 7'
	[ "$status" -eq 7 ]
	[[ "$output" == hello*-volt* ]]
}

@test "ctr run of a missing program fails with runc's words" {
	say_run run_c1 --rm -- no-such-program
	[ "$status" -ne 0 ]
	[[ "$output" == *'exec: "no-such-program": executable file not found in $PATH'* ]]
}

@test "exec, metrics, ps, pause, resume and kill of a task" {
	run_c1 -d -- sleep 1000
	task_is running
	say_run ct task exec --exec-id e1 c1 sh -c 'echo from exec; exit 3'
	[ "$status" -eq 3 ]
	[ "$output" = "from exec" ]

	say_run ct task metrics c1
	[ "$status" -eq 0 ]
	[[ "$output" =~ memory.usage\ +[1-9] ]]
	pid=$(ct task ls | awk '$1 == "c1" {print $2}')
	say_run ct task ps c1
	[[ "$output" == *"$pid"* ]]

	ct task pause c1
	task_is paused
	ct task resume c1
	task_is running

	ct task kill -s TERM c1 # PID 1 without a handler: nothing happens
	task_is running
	ct task kill -s KILL c1
	wait_for 30 task_is stopped
	say_run ct task rm c1
	[[ "$output" == *"exit code 137"* ]]
}

@test "a terminal, for run and for exec" {
	say_run script -qec "ctr -a $CT_ADDRESS run --rm -t --env PATH=/bin --runc-binary $VOLT --rootfs /run/ct/rootfs c1 sh -c 'tty; exit 9'" /dev/null < /dev/null
	[ "$status" -eq 9 ]
	[[ "$output" == *"/dev/"* ]]
	run_c1 -d -- sleep 1000
	say_run script -qec "ctr -a $CT_ADDRESS task exec -t --exec-id e2 c1 sh -c 'tty; exit 4'" /dev/null < /dev/null
	[ "$status" -eq 4 ]
	[[ "$output" == *"/dev/pts/"* ]]
}
