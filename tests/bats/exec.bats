#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# exec: further processes in a container, their streams, signals, rights and ends.

load helpers

setup() {
	setup_common
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
	create "$BATS_TEST_TMPDIR/b" c1
}

teardown() {
	teardown_common
}

started() {
	volt start c1
}

# in_guest PATTERN - does a process of the container have this command line?
in_guest() {
	volt exec c1 ps -o args | grep -v 'ps -o' | grep -q -- "$1"
}

not_in_guest() {
	! in_guest "$1"
}

@test "streams and exit code go straight through" {
	started
	say_run volt exec c1 sh -c 'echo out; echo err >&2; exit 7'
	[ "$status" -eq 7 ]
	[[ "$output" == *out* ]]
	[[ "$output" == *err* ]]
	[ "$(echo hello | volt exec c1 cat)" = hello ]
	[ "$(head -c 3000000 /dev/urandom | tee "$BATS_TEST_TMPDIR/in" | volt exec c1 cat | sha256sum)" = "$(sha256sum < "$BATS_TEST_TMPDIR/in")" ]
}

@test "it runs in the guest, in the container's namespaces" {
	started
	say_run volt exec c1 sh -c 'uname -r; hostname; test "$(readlink /proc/1/ns/pid)" = "$(readlink /proc/self/ns/pid)" && echo 1; tr "\0" " " < /proc/1/cmdline'
	[[ "${lines[0]}" == *volt* ]]
	[ "${lines[1]}" = volt ]
	[ "${lines[2]}" = 1 ]
	[[ "${lines[3]}" == "sleep 1000"* ]]
}

@test "options change what the configuration says" {
	started
	say_run volt exec --cwd /tmp -e A=1 --env=B=2 --user 1000:1001 -g 44 c1 sh -c 'pwd; echo $A$B; id -u; id -g; id -G'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = /tmp ]
	[ "${lines[1]}" = 12 ]
	[ "${lines[2]}" = 1000 ]
	[ "${lines[3]}" = 1001 ]
	[[ "${lines[4]}" == *44* ]]
	say_run volt exec -c CAP_NET_RAW c1 grep '^CapEff' /proc/self/status
	[ $((0x${output##*[[:space:]]} & 0x2000)) -ne 0 ]
	say_run volt exec c1 grep '^CapEff' /proc/self/status
	[ $((0x${output##*[[:space:]]} & 0x2000)) -eq 0 ]
}

@test "a cgroup beneath the container's" {
	volt delete --force c1
	edit_config "$BATS_TEST_TMPDIR/b" '.mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["rw"]}]'
	create "$BATS_TEST_TMPDIR/b" c1
	started
	volt exec c1 mkdir /sys/fs/cgroup/sub
	[ "$(volt exec --cgroup /sub c1 cat /proc/self/cgroup)" = 0::/sub ]
	[ "$(volt exec --cgroup cpu,memory:sub c1 cat /proc/self/cgroup)" = 0::/sub ]
	[ "$(volt exec --cgroup / c1 cat /proc/self/cgroup)" = 0::/ ]
	say_run volt exec --cgroup other c1 true
	[ "$status" -eq 255 ]
	[[ "$output" == *"adding pid to cgroup 'other'"*"no such file or directory"* ]]
	say_run volt exec --cgroup ../.. c1 true
	[ "$status" -eq 255 ]
	[[ "$output" == *"bad sub cgroup path"* ]]
}

@test "a process file says all of it" {
	started
	echo '{"args":["sh","-c","echo $X; pwd; id -u"],"env":["PATH=/bin","X=file"],"cwd":"/etc","user":{"uid":33,"gid":33}}' > "$BATS_TEST_TMPDIR/p.json"
	say_run volt exec --process "$BATS_TEST_TMPDIR/p.json" c1
	[ "$status" -eq 0 ]
	[ "$output" = $'file\n/etc\n33' ]
}

@test "detached: the pid is a child of the caller, its exit status the process's" {
	started
	cat > "$BATS_TEST_TMPDIR/caller" <<-END
		"$VOLT" --root "$VOLT_ROOT" exec -d --pid-file "$BATS_TEST_TMPDIR/pid" c1 sh -c 'sleep 2; exit 9' < /dev/null > /dev/null 2>&1 || exit 1
		kill -0 "\$(cat "$BATS_TEST_TMPDIR/pid")"
	END
	sh -e "$BATS_TEST_TMPDIR/caller"
	pid=$(cat "$BATS_TEST_TMPDIR/pid")
	[[ "$pid" =~ ^[0-9]+$ ]]
	[[ "$(tr '\0' ' ' < "/proc/$pid/cmdline")" == "volt-shim: c1"* ]]
	[[ "$(volt ps --format json c1)" == "[$(pid_of c1),$pid]" ]]
	wait_for 30 no_process "$pid"
	[ "$(volt ps --format json c1)" = "[$(pid_of c1)]" ]
}

no_process() {
	! kill -0 "$1" 2> /dev/null || [ "$(awk '{print $3}' "/proc/$1/stat")" = Z ]
}

@test "signals to its shim reach the process; a killed shim kills it" {
	started
	volt exec -d --pid-file "$BATS_TEST_TMPDIR/p1" c1 sh -c 'trap "echo term > /got; exit 0" TERM; touch /trapped; while :; do sleep 0.1; done' < /dev/null > /dev/null 2>&1
	wait_for 30 test -e "$BATS_TEST_TMPDIR/b/rootfs/trapped"
	kill -TERM "$(cat "$BATS_TEST_TMPDIR/p1")"
	wait_for 20 test -s "$BATS_TEST_TMPDIR/b/rootfs/got"
	volt exec -d --pid-file "$BATS_TEST_TMPDIR/p2" c1 sleep 7777 < /dev/null > /dev/null 2>&1
	in_guest 'sleep 7777'
	kill -KILL "$(cat "$BATS_TEST_TMPDIR/p2")"
	wait_for 20 not_in_guest 'sleep 7777'
	[ "$(status_of c1)" = running ]
}

@test "a killed process is 128 and its signal" {
	started
	say_run volt exec c1 sh -c 'kill -KILL $$'
	[ "$status" -eq 137 ]
	say_run volt exec c1 sh -c 'kill -TERM $$'
	[ "$status" -eq 143 ]
}

@test "failures are told before it returns, with 255" {
	started
	say_run volt exec c1 no-such-program
	[ "$status" -eq 255 ]
	[[ "$output" == *no-such-program*'executable file not found in $PATH'* ]]
	say_run volt exec -d --pid-file "$BATS_TEST_TMPDIR/pid" c1 /etc/passwd
	[ "$status" -eq 255 ]
	[[ "$output" == *"permission denied"* ]]
	[ ! -e "$BATS_TEST_TMPDIR/pid" ]
	say_run volt exec --cwd /nowhere c1 true
	[ "$status" -eq 255 ]
	[[ "$output" == *nowhere* ]]
	say_run volt exec nobody true
	[ "$status" -eq 255 ]
	[[ "$output" == *"does not exist"* ]]
	say_run volt exec --preserve-fds 1 c1 true 3< /etc/passwd
	[ "$status" -eq 255 ]
	say_run volt exec -t -d c1 true
	[ "$status" -eq 255 ]
	[[ "$output" == *"console socket"* ]]
	# All of it left nothing behind.
	[ "$(volt ps --format json c1)" = "[$(pid_of c1)]" ]
	[ "$(pgrep -cf '^volt-shim: c1 \(exec\)')" = 0 ]
}

@test "created containers take execs, stopped ones don't" {
	[ "$(volt exec c1 echo early)" = early ]
	started
	volt kill c1 KILL
	wait_for_status c1 stopped
	say_run volt exec c1 true
	[ "$status" -eq 255 ]
	[[ "$output" == *"cannot exec in a stopped container"* ]]
}

@test "all execs end with the container" {
	started
	for i in 1 2 3; do
		volt exec -d --pid-file "$BATS_TEST_TMPDIR/p$i" c1 sleep 5000 < /dev/null > /dev/null 2>&1
	done
	volt kill c1 KILL
	wait_for_status c1 stopped
	for i in 1 2 3; do
		wait_for 10 no_process "$(cat "$BATS_TEST_TMPDIR/p$i")"
	done
}

@test "20 at once" {
	started
	pids=
	for i in $(seq 20); do
		volt exec c1 sh -c "sleep 1; exit $i" < /dev/null > /dev/null &
		pids="$pids $!"
	done
	i=0
	for pid in $pids; do
		i=$((i + 1))
		status=0
		wait "$pid" || status=$?
		[ "$status" -eq "$i" ]
	done
}

@test "podman exec: streams, exit codes, 126 and 127, detached" {
	pod run -d --name p1 localhost/busybox sleep 1000
	[ "$(echo in | pod exec -i p1 cat)" = in ]
	say_run pod exec p1 sh -c 'exit 5'
	[ "$status" -eq 5 ]
	say_run pod exec p1 no-such-program
	[ "$status" -eq 127 ]
	say_run pod exec p1 /etc/passwd
	[ "$status" -eq 126 ]
	[ "$(pod exec -u 1000 -w /tmp -e A=b p1 sh -c 'echo $(id -u) $PWD $A')" = "1000 /tmp b" ]
	pod exec -d p1 sh -c 'echo later > /later'
	wait_for 20 pod exec p1 test -s /later
	pod rm -f -t 0 p1
}

@test "fifty processes at once, each with its own output and status" {
	make_bundle "$BATS_TEST_TMPDIR/m" sleep 1000
	create "$BATS_TEST_TMPDIR/m" m1
	volt start m1
	# shellcheck disable=SC2034 # helpers.bash reads it
	LIMIT=600
	for i in $(seq 50); do
		{
			status=0
			volt exec m1 sh -c "echo out-$i; exit $i" > "$BATS_TEST_TMPDIR/out.$i" 2> "$BATS_TEST_TMPDIR/err.$i" 3>&- || status=$?
			echo "$status" > "$BATS_TEST_TMPDIR/status.$i"
		} &
	done
	wait
	for i in $(seq 50); do
		[ "$(cat "$BATS_TEST_TMPDIR/out.$i")" = "out-$i" ] || {
			cat "$BATS_TEST_TMPDIR/err.$i"
			return 1
		}
		[ "$(cat "$BATS_TEST_TMPDIR/status.$i")" = "$i" ]
	done
}
