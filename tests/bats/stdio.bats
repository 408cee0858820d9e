#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Standard streams: any kind of file, any amount, each direction on its own.

load helpers

setup() {
	setup_common
	make_bundle "$BATS_TEST_TMPDIR/b" cat
}

teardown() {
	teardown_common
}

@test "100 MB through podman run -i cat come out unchanged" {
	head -c 100000000 /dev/urandom > "$BATS_TEST_TMPDIR/in"
	want=$(sha256sum < "$BATS_TEST_TMPDIR/in")
	LIMIT=1500
	got=$(pod run --rm -i localhost/busybox cat < "$BATS_TEST_TMPDIR/in" | sha256sum)
	[ "$got" = "$want" ]
}

@test "pipes: end of file goes in, end of file comes out" {
	got=$(printf 'one\ntwo\n' | volt run --bundle "$BATS_TEST_TMPDIR/b" c1 | tr '\n' ,)
	[ "$got" = one,two, ]
}

@test "regular files as all three streams" {
	edit_config "$BATS_TEST_TMPDIR/b" '.process.args = ["sh", "-c", "cat; echo err >&2"]'
	echo content > "$BATS_TEST_TMPDIR/in"
	volt run --bundle "$BATS_TEST_TMPDIR/b" c1 < "$BATS_TEST_TMPDIR/in" > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err"
	[ "$(cat "$BATS_TEST_TMPDIR/out")" = content ]
	[ "$(cat "$BATS_TEST_TMPDIR/err")" = err ]
}

@test "/dev/null as all three streams" {
	volt run --bundle "$BATS_TEST_TMPDIR/b" c1 < /dev/null > /dev/null 2>&1
	[ "$(stat -c %u:%t:%T /dev/null)" = 0:1:3 ]
	# each is the guest's own, which needs no way across
	edit_config "$BATS_TEST_TMPDIR/b" '.process.args = ["sh", "-c", "readlink /proc/self/fd/0; stat -Lc %u:%g /proc/self/fd/1"]
		| .process.user = {uid: 7, gid: 8}'
	[ "$(volt run --bundle "$BATS_TEST_TMPDIR/b" c1 < /dev/null)" = $'/dev/null\n7:8' ]
	edit_config "$BATS_TEST_TMPDIR/b" '.process.args = ["sleep", "1000"]'
	create "$BATS_TEST_TMPDIR/b" c1
	volt start c1
	[ "$(volt exec c1 sh -c 'readlink /proc/self/fd/0; echo lost >&2' < /dev/null 2> /dev/null)" = /dev/null ]
	[ "$(volt exec --preserve-fds 1 c1 readlink /proc/self/fd/3 3> /dev/null < /dev/null)" = /dev/null ]
}

@test "sockets as streams" {
	edit_config "$BATS_TEST_TMPDIR/b" '.process.args = ["sh", "-c", "read line; echo got $line"]'
	got=$(echo hello | socat -t 60 - EXEC:"$VOLT --root $VOLT_ROOT run --bundle $BATS_TEST_TMPDIR/b c1",socktype=1)
	[ "$got" = "got hello" ]
}

@test "a terminal's slave as streams" {
	edit_config "$BATS_TEST_TMPDIR/b" '.process.args = ["sh", "-c", "read line; echo got $line"]'
	say_run sh -c "echo hello | script -qec '$VOLT --root $VOLT_ROOT run --bundle $BATS_TEST_TMPDIR/b c1' /dev/null"
	[[ "$output" == *"got hello"* ]]
}

@test "closed streams are no streams" {
	edit_config "$BATS_TEST_TMPDIR/b" '.process.args = ["sh", "-c", "cat; echo still alive > /marker"]'
	volt run --bundle "$BATS_TEST_TMPDIR/b" c1 <&- >&- 2>&-
	[ "$(cat "$BATS_TEST_TMPDIR/b/rootfs/marker")" = "still alive" ]
}

@test "a reader that closes early ends the writer with SIGPIPE" {
	edit_config "$BATS_TEST_TMPDIR/b" '.process.args = ["sh", "-c", "yes; echo $? > /status"]'
	got=$(volt run --bundle "$BATS_TEST_TMPDIR/b" c1 | head -n 1)
	[ "$got" = y ]
	wait_for 30 no_roles
	[ "$(cat "$BATS_TEST_TMPDIR/b/rootfs/status")" = 141 ]
}

@test "stdout can be opened again by path" {
	edit_config "$BATS_TEST_TMPDIR/b" '.process.args = ["sh", "-c", "echo again > /dev/stdout; echo log > /dev/stderr"]'
	got=$(volt run --bundle "$BATS_TEST_TMPDIR/b" c1 2>/dev/null < /dev/null)
	[ "$got" = again ]
}

@test "the writer of stdin gets SIGPIPE when the process closed it" {
	# it ends only after the writer has
	edit_config "$BATS_TEST_TMPDIR/b" '.process.args = ["sh", "-c", "exec <&-; until [ -e /ended ]; do sleep 0.2; done"]'
	(
		status=0
		timeout "$LIMIT" yes || status=$?
		echo "$status" > "$BATS_TEST_TMPDIR/b/rootfs/ended"
	) | "$VOLT" --root "$VOLT_ROOT" run --bundle "$BATS_TEST_TMPDIR/b" c1 # timeout would hold the pipe
	[ "$(cat "$BATS_TEST_TMPDIR/b/rootfs/ended")" -eq 141 ]
}

@test "passed descriptors: pipes at a start, a socket at exec, each direction ends by itself; files are refused" {
	local b=$BATS_TEST_TMPDIR/b out=$BATS_TEST_TMPDIR/out
	make_bundle "$b" sh -c 'echo $LISTEN_FDS $LISTEN_PID >&4; cat <&3 >&4; exec 3<&- 4>&-; sleep 1000'
	# shellcheck disable=SC2016 # expanded there
	timeout -k 10 "$LIMIT" bash -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"' - "$VOLT" --root "$VOLT_ROOT" run --detach \
		--preserve-fds 1 --bundle "$b" c1 3< <(echo through) 4> >(cat > "$out"; echo end >> "$out") < /dev/null > /dev/null
	wait_for 20 grep -qx end "$out"
	[ "$(cat "$out")" = "$(printf '1 1\nthrough\nend')" ]
	# socat ends its side of the socket when its input is at its end; then the answer comes.
	cat > "$b/x" <<-EOF
		#!/bin/sh
		exec "$VOLT" --root "$VOLT_ROOT" exec --preserve-fds 1 c1 sh -c 'x=\$(cat <&3); echo "\$x" >&3' < /dev/null
	EOF
	chmod +x "$b/x"
	echo there and back | timeout -k 10 "$LIMIT" socat -t 300 - "EXEC:$b/x,fdin=3,fdout=3" > "$out"
	[ "$(cat "$out")" = "there and back" ]
	# Who reads from a pipe learns of its end when the process closes it, not when exec ends.
	rm "$out"
	# Nobody else may hold the pipe: neither timeout nor a shell that waits for a function.
	"$VOLT" --root "$VOLT_ROOT" exec --preserve-fds 1 c1 \
		sh -c 'echo out >&3; exec 3>&-; until test -e /stop; do sleep 0.2; done' \
		3> >(cat > "$out"; echo end >> "$out") < /dev/null > /dev/null &
	wait_for 20 grep -qx end "$out"
	[ "$(cat "$out")" = "$(printf 'out\nend')" ]
	touch "$b/rootfs/stop"
	wait $!
	say_run volt exec --preserve-fds 1 c1 true 3< "$out"
	[ "$status" -eq 255 ]
	[[ "$output" == *"descriptor 3 is a file of the host"* ]]
	volt delete --force c1
}

@test "socket activation: whoever connects to systemd's listeners reaches the process in the microVM" {
	local b=$BATS_TEST_TMPDIR/b probe=${VOLT%/*}/probes/netprobe
	make_bundle "$b" /netprobe activated 3
	cp "$probe" "$b/rootfs/netprobe"
	systemd-socket-activate -l 127.0.0.1:7105 -l '[::1]:7106' -l "$b/s" \
		"$VOLT" --root "$VOLT_ROOT" run --bundle "$b" c1 < /dev/null > "$b/log" 2>&1 3>&- &
	wait_for 20 test -S "$b/s"
	"$probe" tcp 127.0.0.1 7105 2000000 # the first one, which starts it
	"$probe" tcp ::1 7106 300000
	"$probe" conns 127.0.0.1 7105 300 100
	"$probe" crowd 127.0.0.1 7105 200
	# An end of one direction gets through, and the answer comes after it.
	[ "$(echo there and back | timeout -k 10 "$LIMIT" socat -t 300 - "UNIX-CONNECT:$b/s")" = "there and back" ]
	# The same for a process of exec, which ends with its container.
	systemd-socket-activate -l 127.0.0.1:7107 \
		"$VOLT" --root "$VOLT_ROOT" exec --preserve-fds 1 c1 sh -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec /netprobe activated 1' \
		< /dev/null > "$b/log2" 2>&1 3>&- &
	wait_for 20 sh -c 'ss -ltnH "sport = :7107" | grep -q .'
	"$probe" tcp 127.0.0.1 7107 100000
	# One that doesn't read what it is sent holds up no end, and one that is open is closed.
	socat -u OPEN:/dev/zero TCP:127.0.0.1:7107 > /dev/null 2>&1 3>&- &
	sleep 1
	volt kill c1 KILL
	wait
	# Nobody listens any more.
	say_run "$probe" tcp 127.0.0.1 7105 1
	[ "$status" -ne 0 ]
	say_run socat -u "UNIX-CONNECT:$b/s" -
	[ "$status" -ne 0 ]
	# podman and conmon hand them on.
	systemd-socket-activate -E CONTAINERS_CONF -E CONTAINERS_STORAGE_CONF -l 127.0.0.1:7108 \
		podman --runtime "$VOLT" run --rm --name act --network none -v "$probe:/netprobe:ro" \
		localhost/busybox /netprobe activated 1 < /dev/null > "$b/log3" 2>&1 3>&- &
	wait_for 20 sh -c 'ss -ltnH "sport = :7108" | grep -q .'
	"$probe" tcp 127.0.0.1 7108 100000
	pod rm -f -t 0 act
	wait
}

@test "output of a process that ends at once is never lost" {
	edit_config "$BATS_TEST_TMPDIR/b" '.process.args = ["sh", "-c", "dd if=/dev/zero bs=1000 count=700 2>/dev/null"]'
	n=$(volt run --bundle "$BATS_TEST_TMPDIR/b" c1 < /dev/null | (sleep 5; wc -c))
	[ "$n" = 700000 ]
}
