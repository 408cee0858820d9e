#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Terminals: size, line discipline, job control, hang-up, in the foreground and through podman.
# as long as: 7

load helpers

setup() {
	setup_common
	make_bundle "$BATS_TEST_TMPDIR/b" sh
	edit_config "$BATS_TEST_TMPDIR/b" '.process.terminal = true'
}

teardown() {
	teardown_common
}

# in_terminal ROWS COLS COMMAND - COMMAND on a terminal of that size; its stdin is ours
in_terminal() {
	timeout -k 10 "$LIMIT" script -qec "stty rows $1 cols $2; $3" /dev/null
}

run_c1() {
	echo "$VOLT --root $VOLT_ROOT run --bundle $BATS_TEST_TMPDIR/b c1"
}

args() {
	edit_config "$BATS_TEST_TMPDIR/b" '.process.args = ["sh", "-c", $script]' --arg script "$1"
}

@test "run in the foreground: a terminal with the caller's size, exit code through" {
	args 'tty; stty size; test -t 0 && test -t 1 && test -t 2; exit $((40 + $?))'
	say_run in_terminal 40 100 "stty -g > $BATS_TEST_TMPDIR/before; $(run_c1); status=\$?; stty -g > $BATS_TEST_TMPDIR/after; exit \$status" < /dev/null
	[ "$status" -eq 40 ]
	cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after" # it was raw meanwhile
	[[ "$output" == *"/dev/"* ]]
	[[ "$output" == *"40 100"* ]]
}

# ready - has the guest made its mark? (its root is ours)
ready() {
	[ -e "$BATS_TEST_TMPDIR/b/rootfs/ready" ]
}

# when_ready COMMAND... - run it once the guest is ready
when_ready() {
	wait_for 60 ready && "$@"
}

# end, ended - of the one who reads from a terminal, for those who write to it
end() {
	touch "$BATS_TEST_TMPDIR/ended"
}

ended() {
	[ -e "$BATS_TEST_TMPDIR/ended" ]
}

@test "a changed window size reaches the guest and raises WINCH there" {
	args 'trap "stty size; exit 0" WINCH; touch /ready; while :; do sleep 0.1; done'
	# a job in the background has another stdin
	resize="until [ -e $BATS_TEST_TMPDIR/b/rootfs/ready ]; do sleep 0.2; done; stty -F \$tty rows 51 cols 133"
	say_run in_terminal 24 80 "tty=\$(tty); ($resize) & $(run_c1)" < /dev/null
	[[ "$output" == *"51 133"* ]]
}

@test "output of a process that ends at once is not lost" {
	args 'seq 1 5000'
	say_run in_terminal 24 80 "$(run_c1)" < /dev/null
	[[ "$output" == *$'4999\r\n5000'* ]]
}

@test "the guest's line discipline: echo, Ctrl-C interrupts the foreground job" {
	args 'trap "echo interrupted; exit 3" INT; touch /ready; while :; do sleep 0.1; done'
	output=$( (when_ready printf '\003'; wait_for 60 ended) | (in_terminal 24 80 "$(run_c1)"; end))
	echo "$output"
	[[ "$output" == *"^C"* ]]
	[[ "$output" == *interrupted* ]]
}

@test "exec -t: a second terminal, with its own size" {
	edit_config "$BATS_TEST_TMPDIR/b" '.process.terminal = false | .process.args = ["sleep", "1000"]'
	create "$BATS_TEST_TMPDIR/b" c1
	volt start c1
	say_run in_terminal 33 77 "$VOLT --root $VOLT_ROOT exec -t c1 sh -c 'tty; stty size; exit 6'" < /dev/null
	[ "$status" -eq 6 ]
	[[ "$output" == *"/dev/pts/"* ]]
	[[ "$output" == *"33 77"* ]]
}

@test "a terminal needs somebody to take it" {
	say_run create "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 1 ]
	[[ "$output" == *"cannot allocate tty if runc will detach without setting console socket"* ]]
}

@test "podman run -t and exec -t" {
	say_run pod run --rm -t localhost/busybox sh -c 'test -t 0 && echo is a tty'
	[[ "$output" == *"is a tty"* ]]
	pod run -dt --name p1 localhost/busybox sleep 1000
	say_run pod exec -t p1 sh -c 'test -t 1 && tty'
	[[ "$output" == *"/dev/pts/"* ]]
	pod rm -f -t 0 p1
}

@test "podman logs of a terminal container, attach and detach" {
	pod run -dt --name p1 localhost/busybox sh -c 'echo hello; read line; echo got $line; exit 4'
	wait_for 20 logs_have p1 hello
	# what is typed before it is attached is lost
	(until ended; do echo typed; sleep 1; done) |
		(timeout "$LIMIT" script -qec "podman --runtime $VOLT attach p1" /dev/null; end)
	[ "$(pod wait p1)" = 4 ]
	logs_have p1 "got typed"
	pod rm p1
}
