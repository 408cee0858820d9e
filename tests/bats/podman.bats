#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# podman with our runtime: what a person types.
# as long as: 6

load helpers

setup() {
	setup_common
}

teardown() {
	teardown_common
}

@test "podman run prints our kernel's release, not the host's" {
	say_run pod run --rm localhost/busybox uname -r
	[ "$status" -eq 0 ]
	[[ "$output" == *volt* ]]
	[ "$output" != "$(uname -r)" ]
}

@test "a Debian image runs perl and python in the microVM" {
	say_run pod run --rm localhost/debian perl -e 'printf "%d %s\n", 6 * 7, $^O'
	[ "$status" -eq 0 ]
	[ "$output" = "42 linux" ]
	say_run pod run --rm localhost/debian python3 -c 'import os; print(os.uname().release)'
	[ "$status" -eq 0 ]
	[[ "$output" == *volt* ]]
}

@test "exit codes 0 and 7 pass through run" {
	pod run --rm localhost/busybox true
	say_run pod run --rm localhost/busybox sh -c 'exit 7'
	[ "$status" -eq 7 ]
}

@test "a missing program is 127, a program that can't be executed is 126" {
	say_run pod run --rm localhost/busybox no-such-program
	[ "$status" -eq 127 ]
	say_run pod run --rm localhost/busybox /etc/passwd
	[ "$status" -eq 126 ]
}

@test "kill -9 gives 137 and SIGTERM gives 143 through podman wait" {
	pod run -d --name c9 localhost/busybox sleep 1000
	pod kill --signal KILL c9
	[ "$(pod wait c9)" = 137 ]
	pod rm c9
	# As PID 1, sleep ignores TERM; with --init it doesn't.
	pod run -d --name c15 localhost/busybox sh -c 'sleep 1000 & trap "kill -TERM $!" TERM; echo ready; wait $!; wait $!'
	wait_for 30 logs_have c15 ready
	pod kill --signal TERM c15
	[ "$(pod wait c15)" = 143 ]
	pod rm c15
}

@test "a shell killed by its own signal reports it" {
	# "Terminated" comes by stderr, another pipe than the number's: each in its own time.
	say_run pod run --rm localhost/busybox sh -c 'sh -c "kill -TERM \$\$"; echo $?'
	[ "$status" -eq 0 ]
	grep -qx 143 <<< "$output"
}

@test "podman stop ends a container that handles TERM at once and KILLs one that doesn't" {
	pod run -d --name c1 localhost/busybox sh -c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.2; done'
	wait_for 30 logs_have c1 ready
	pod stop --time 30 c1
	[ "$(pod inspect --format '{{.State.ExitCode}}' c1)" = 5 ]
	pod rm c1
	pod run -d --name c2 localhost/busybox sleep 1000
	pod stop --time 1 c2
	[ "$(pod inspect --format '{{.State.ExitCode}}' c2)" = 137 ]
	pod rm c2
}

@test "podman logs has what a detached container wrote, stdout and stderr apart" {
	pod run --name c1 localhost/busybox sh -c 'echo to-out; echo to-err >&2' > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err"
	[ "$(cat "$BATS_TEST_TMPDIR/out")" = to-out ]
	[ "$(cat "$BATS_TEST_TMPDIR/err")" = to-err ]
	[ "$(pod logs c1 2>/dev/null)" = to-out ]
	[ "$(pod logs c1 2>&1 >/dev/null)" = to-err ]
	pod rm c1
}

@test "environment, working directory, user and host name are the caller's" {
	say_run pod run --rm -e GREETING=hello -w /var -u 1000:1000 --hostname boxy localhost/busybox \
		sh -c 'echo "$GREETING $(pwd) $(id -u):$(id -g) $(hostname)"'
	[ "$status" -eq 0 ]
	[ "$output" = "hello /var 1000:1000 boxy" ]
}

@test "volumes: a directory, and a single file read-only" {
	mkdir "$BATS_TEST_TMPDIR/d"
	echo from-host > "$BATS_TEST_TMPDIR/f"
	say_run pod run --rm -v "$BATS_TEST_TMPDIR/d:/d" -v "$BATS_TEST_TMPDIR/f:/f:ro" localhost/busybox \
		sh -c 'cat /f; echo from-guest > /d/new; echo x 2>/dev/null > /f || echo read-only'
	[ "$status" -eq 0 ]
	[[ "$output" == *from-host*read-only* ]]
	[ "$(cat "$BATS_TEST_TMPDIR/d/new")" = from-guest ]
	[ "$(cat "$BATS_TEST_TMPDIR/f")" = from-host ]
}

@test "--read-only makes the root file system read-only, --tmpfs is writable" {
	say_run pod run --rm --read-only --tmpfs /scratch localhost/busybox \
		sh -c 'touch /x 2>/dev/null && echo bad; touch /scratch/x && echo good; grep " /scratch " /proc/mounts'
	[ "$status" -eq 0 ]
	[[ "$output" == good*tmpfs* ]]
}

@test "--memory sizes the guest" {
	say_run pod run --rm --memory 128m localhost/busybox sh -c 'awk "/MemTotal/ {print \$2}" /proc/meminfo'
	[ "$status" -eq 0 ]
	# The limit is usable, and the VM is not much bigger than it.
	[ "$output" -gt $((128 * 1024)) ]
	[ "$output" -lt $((200 * 1024)) ]
}

@test "files written by uid 1000 belong to uid 1000 on the host" {
	mkdir "$BATS_TEST_TMPDIR/d"
	chmod 777 "$BATS_TEST_TMPDIR/d"
	pod run --rm -u 1000:1000 -v "$BATS_TEST_TMPDIR/d:/d" localhost/busybox \
		sh -c 'echo x > /d/file; mkdir /d/dir; ln -s file /d/link'
	for f in file dir link; do
		[ "$(stat -c %u:%g "$BATS_TEST_TMPDIR/d/$f")" = 1000:1000 ]
	done
}

@test "nothing of ours appears in the root file system" {
	pod create --name plain localhost/busybox true
	pod create --name ours localhost/busybox sh -c 'find / -xdev | sort'
	pod start --attach ours > "$BATS_TEST_TMPDIR/found"
	pod export plain | tar -t | sed 's#^\./##; s#/$##; s#^#/#' | sort > "$BATS_TEST_TMPDIR/image"
	# Mount points that any runtime makes, and what podman adds.
	grep -Ev '^/(proc|sys|dev|run|etc)(/|$)' "$BATS_TEST_TMPDIR/found" | grep -vx / > "$BATS_TEST_TMPDIR/a"
	grep -Ev '^/(proc|sys|dev|run|etc)(/|$)' "$BATS_TEST_TMPDIR/image" | grep -vx / > "$BATS_TEST_TMPDIR/b"
	diff "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
	run grep -i volt "$BATS_TEST_TMPDIR/found"
	[ "$status" -ne 0 ]
	# And on the host, where the container left its layer.
	run sh -c 'podman diff ours | grep -Ev "^[ACD] /(proc|sys|dev|run|etc)(/|$)"'
	[ -z "$output" ]
	pod rm plain ours
}

@test "podman ps, inspect and rm --force see a running container" {
	pod run -d --name c1 localhost/busybox sleep 1000
	[ "$(pod ps --format '{{.Names}}')" = c1 ]
	pid=$(pod inspect --format '{{.State.Pid}}' c1)
	kill -0 "$pid"
	pod rm --force --time 0 c1
	fails kill -0 "$pid" 2>/dev/null
}

@test "an interactive terminal works" {
	say_run timeout "$LIMIT" script -qec "podman --runtime $VOLT run -it --rm localhost/busybox sh -c 'tty; stty size; echo done'" /dev/null
	[ "$status" -eq 0 ]
	[[ "$output" == *"/dev/"* ]]
	[[ "$output" == *done* ]]
}
