#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Containers that share a network namespace, hence a VM.
# as long as: 30

load helpers

setup() {
	ip netns add warmup && ip netns delete warmup # what it mounts for itself, once
	setup_common
	ip netns add pod
	B=$BATS_TEST_TMPDIR/b
}

teardown() {
	delete_all
	ip netns delete pod
	rm -f /run/netns/*
	teardown_common
}

# in_pod DIR ARG... - a bundle whose network namespace is the pod's
in_pod() {
	local dir=$1
	shift
	make_bundle "$dir" "$@"
	edit_config "$dir" '(.linux.namespaces[] | select(.type == "network")).path = "/run/netns/pod"'
}

# first ARG... - the container c1, whose VM it is
first() {
	in_pod "$B/c1" "$@"
	create "$B/c1" c1
	volt start c1
}

vmms() {
	pgrep -c -f '^volt-vmm: ' || true
}

gone() {
	[ -z "$(pgrep -f "^volt-[a-z]*: $1\$")" ]
}

@test "the second one runs in the first one's VM, with the same network and nothing else" {
	first sh -c 'touch /only-c1; nc -l -s 127.0.0.1 -p 99 -e echo hello & httpd -f -p 127.0.0.1:80 -h /; sleep 1000'
	echo index > "$B/c1/rootfs/index.html"
	in_pod "$B/c2" sh -c '
		wget -q -O - http://127.0.0.1/index.html
		ls /only-c1 2>&1; ps -o pid,args; hostname; cat /proc/self/cgroup; cat; echo wrong >&2; exit 7'
	edit_config "$B/c2" '.hostname = "second"'
	echo "from stdin" | {
		say_run volt run --bundle "$B/c2" c2
		[ "$status" -eq 7 ]
		[ "${lines[0]}" = index ]
		[[ "$output" == *"/only-c1: No such file"* ]]
		[[ "$output" != *httpd* ]]
		[[ "$output" == *second* ]]
		[[ "$output" == *"from stdin"*wrong* ]]
	}
	[ "$(vmms)" -eq 1 ]
	[ "$(status_of c1)" = running ]
	[ "$(ls "$VOLT_ROOT")" = c1 ]
}

@test "verbs are about the one container, not about the VM" {
	first sleep 1000
	in_pod "$B/c2" sh -c 'trap "exit 5" TERM; echo up > /up; sleep 1000 & wait'
	edit_config "$B/c2" '.linux.resources.memory.limit = 33554432 |
		.mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}]'
	create "$B/c2" c2 --pid-file "$B/pid"
	[ "$(cat "$B/pid")" = "$(pid_of c2)" ]
	[ "$(status_of c2)" = created ]
	[ "$(readlink "/proc/$(pid_of c1)/ns/net")" = "$(readlink "/proc/$(pid_of c2)/ns/net")" ]
	volt start c2
	wait_for 20 test -e "$B/c2/rootfs/up"
	[ "$(volt exec c2 cat /sys/fs/cgroup/memory.max)" = 33554432 ]
	[ "$(volt exec c2 cat /up)" = up ]
	[ "$(volt exec c1 sh -c 'ls /up 2>&1; ps' | grep -c "sleep 1000")" -eq 1 ]
	volt update --memory 16777216 c2
	[ "$(volt exec c2 cat /sys/fs/cgroup/memory.max)" = 16777216 ]
	volt events --stats c2 | gojq -e '.data.memory.usage.limit == 16777216'
	volt pause c2
	[ "$(status_of c2) $(status_of c1)" = "paused running" ]
	[ "$(volt exec c1 echo on)" = on ]
	say_run volt exec c2 true
	[[ "$output" == *"cannot exec in a paused container"* ]]
	volt resume c2
	[ "$(volt exec c2 echo on)" = on ]
	volt pause c1 # the others go on here, too
	[ "$(volt exec c2 echo on)" = on ]
	volt resume c1
	volt kill c2 TERM
	wait_for_status c2 stopped
	wait_for 20 gone c2
	[ "$(volt exec c1 echo on)" = on ]
	volt delete c2
	[ "$(ls "$VOLT_ROOT")" = c1 ]
}

@test "files: binds, a read-only root, ids of their own; a terminal" {
	first sleep 1000
	mkdir "$B/vol" && echo data > "$B/vol/file"
	in_pod "$B/c2" sh -c 'cat /v/file; echo more > /v/new; touch /x 2>&1; stat -c %u /v/file'
	edit_config "$B/c2" '.root.readonly = true | .mounts += [{"destination": "/v", "type": "bind", "source": $V, "options": ["bind"]}]' \
		--arg V "$B/vol"
	chown 77 "$B/vol/file"
	say_run volt run --bundle "$B/c2" c2 < /dev/null
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = data ]
	[[ "$output" == *"/x: Read-only file system"*77 ]]
	[ "$(cat "$B/vol/new")" = more ]
	in_pod "$B/c3" sh -c 'tty; [ -t 0 ] && echo terminal'
	edit_config "$B/c3" '.process.terminal = true'
	say_run script -q -e -c "$VOLT --root $VOLT_ROOT run --bundle $B/c3 c3" /dev/null
	[ "$status" -eq 0 ]
	[[ "$output" == *terminal* ]]
}

@test "namespaces of the first one by path: ipc, uts and pid" {
	first sleep 1000
	pid=$(pid_of c1)
	in_pod "$B/c2" sh -c 'ps -o args; for ns in ipc uts pid mnt; do readlink /proc/self/ns/$ns; done'
	for ns in ipc uts pid; do
		edit_config "$B/c2" '.linux.namespaces |= (map(select(.type != $N)) + [{"type": $N, "path": $P}])' \
			--arg N "$ns" --arg P "/proc/$pid/ns/$ns"
	done
	edit_config "$B/c2" 'del(.hostname)'
	say_run volt run --bundle "$B/c2" c2 < /dev/null
	[ "$status" -eq 0 ]
	[[ "$output" == *"sleep 1000"* ]]
	volt exec c1 sh -c 'for ns in ipc uts pid mnt; do readlink /proc/self/ns/$ns; done' > "$B/ns"
	for ns in ipc uts pid; do
		grep -q "$ns:" "$B/ns"
		[[ "$output" == *"$(grep "$ns:" "$B/ns")"* ]]
	done
	[[ "$output" != *"$(grep mnt: "$B/ns")"* ]]
	[ "$(volt exec c1 echo on)" = on ]
}

@test "as many as there is room for, again and again; what fails leaves the others alone" {
	local i
	first sleep 1000
	in_pod "$B/bad" /no/such/program
	in_pod "$B/c2" sleep 1000
	for i in 1 2 3 4 5; do
		say_run create "$B/bad" bad
		[ "$status" -ne 0 ]
		[[ "$output" == *"no such file or directory"* ]]
	done
	for i in 1 2 3 4; do
		create "$B/c2" "m$i"
	done
	say_run create "$B/c2" m5
	[ "$status" -ne 0 ]
	[[ "$output" == *"the network is that of container 'c1': its virtual machine has no room for another one"* ]]
	volt delete --force m3
	create "$B/c2" m5
	[ "$(volt list -q | tr '\n' ' ')" = "c1 m1 m2 m4 m5 " ]
	volt start m1
	[ "$(volt exec m1 echo on)" = on ]
}

@test "what a container in another one's VM can't have is refused" {
	first sleep 1000
	in_pod "$B/c2" true
	cp "$B/c2/config.json" "$B/plain"
	edit_config "$B/c2" '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 1000}]
		| .linux.gidMappings = .linux.uidMappings'
	say_run create "$B/c2" c2
	[[ "$output" == *"a container with a user namespace can't share the network of container 'c1'"* ]]
	gojq '.annotations."dev.volt.net.egress" = "10.0.0.0/8"' "$B/plain" > "$B/c2/config.json"
	say_run create "$B/c2" c2
	[[ "$output" == *"dev.volt.net.egress: the network is that of container 'c1'"* ]]
	cp "$B/plain" "$B/c2/config.json"
	volt pause c1
	say_run create "$B/c2" c2
	[[ "$output" == *"the network is that of container 'c1': container is paused"* ]]
	volt resume c1
	say_run volt run --bundle "$B/c2" c2 < /dev/null
	[ "$status" -eq 0 ]
	[ "$(ls "$VOLT_ROOT")" = c1 ]
}

@test "the end of the first one is the end of all; the end of a role is that of its container" {
	first sleep 1000
	in_pod "$B/c2" sleep 1000
	create "$B/c2" c2
	volt start c2
	kill -9 "$(role_pid fs c2)"
	wait_for_status c2 stopped
	volt delete c2
	[ "$(volt exec c1 echo on)" = on ]
	create "$B/c2" c2
	volt start c2
	kill -9 "$(role_pid shim c2)"
	wait_for_status c2 stopped
	volt delete c2
	create "$B/c2" c2
	volt start c2
	in_pod "$B/c3" sleep 1000
	volt run --bundle "$B/c3" c3 < /dev/null > "$B/said" 2>&1 3>&- &
	wait_for_status c3 running
	volt kill c1 KILL
	status=0
	wait $! || status=$?
	[ "$status" -eq 137 ]
	wait_for_status c2 stopped
	[[ "$(volt state c2 | gojq -r '."dev.volt.reason"')" == *"whose virtual machine it shares has ended" ]]
	volt delete c1
	volt delete c2
	volt delete --force c3
	wait_for 20 no_roles
}

@test "a vmm that is stopped: KILL and delete of a member leave the VM to the others" {
	# shellcheck disable=SC2034 # helpers.bash reads it
	local LIMIT=100 # of what would hang
	first sleep 1000
	in_pod "$B/c2" sleep 1000
	create "$B/c2" c2
	create "$B/c2" c3
	create "$B/c2" c4
	volt start c2
	kill -STOP "$(role_pid vmm c1)"
	volt kill c2 KILL
	[ "$(status_of c2)" = stopped ]
	volt delete c2
	gone c2
	volt delete --force c3
	gone c3
	[ "$(volt list -q | xargs)" = "c1 c4" ]
	[ "$(status_of c1)" = running ]
	kill -CONT "$(role_pid vmm c1)"
	[ "$(volt exec c1 echo on)" = on ]
	[ "$(status_of c4)" = created ]
	volt start c4
	[ "$(volt exec c4 echo on)" = on ]
	volt delete --force c4
}

@test "a place is given back, however early a create breaks off" {
	local i
	first sleep 1000
	in_pod "$B/c2" sleep 1000
	for i in 1 2 3 4 5 6; do
		# at different moments: before the machine knows of it, while its agent starts, ...
		timeout -s KILL "0.$((i * 15))" "$VOLT" --root "$VOLT_ROOT" create --bundle "$B/c2" "k$i" < /dev/null > /dev/null 2>&1 || true
		volt delete --force "k$i"
	done
	for i in 1 2 3 4; do
		create "$B/c2" "m$i"
	done
	for i in 1 2 3 4; do # all at once
		volt delete --force "m$i" 3>&- &
	done
	wait
	[ "$(ls "$VOLT_ROOT")" = c1 ]
	for i in 1 2 3 4; do # likewise
		create "$B/c2" "m$i" 3>&- &
	done
	wait
	[ "$(volt list -q | wc -l)" -eq 5 ]
	[ "$(volt exec c1 echo on)" = on ]
}

@test "networks and containers that join don't take each other's places" {
	local i
	first sleep 1000
	in_pod "$B/c2" sleep 1000
	for i in 1 2 3 4; do
		create "$B/c2" "m$i"
		volt start "m$i"
	done
	ip -n pod link add eth0 type dummy
	ip -n pod addr add 10.9.50.1/24 dev eth0
	ip -n pod link set eth0 up
	sleep 2 # nothing is there for it
	for i in 1 2 3 4; do
		[ "$(volt exec "m$i" ls /bin/busybox)" = /bin/busybox ]
	done
	volt delete --force m2
	wait_for 20 sh -c "$VOLT --root $VOLT_ROOT exec c1 ip -o addr | grep -q 10.9.50.1"
	say_run create "$B/c2" m5
	[ "$status" -ne 0 ]
	ip -n pod link delete eth0
	wait_for 20 create "$B/c2" m5
	volt start m5
	[ "$(volt exec m5 echo on)" = on ]
	[ "$(volt exec m1 echo on)" = on ]
}

@test "sockets that it was passed: heard while it lives, closed with it" {
	local probe=${VOLT%/*}/probes/netprobe i
	first sleep 1000
	in_pod "$B/c2" /netprobe activated 1
	cp "$probe" "$B/c2/rootfs/netprobe"
	for i in 1 2; do
		systemd-socket-activate -l "127.0.0.1:72$i" "$VOLT" --root "$VOLT_ROOT" run --bundle "$B/c2" c2 \
			< /dev/null > "$B/log" 2>&1 3>&- &
		wait_for 20 sh -c "ss -ltnH 'sport = :72$i' | grep -q ."
		"$probe" tcp 127.0.0.1 "72$i" 300000
		# one that doesn't read what it is sent, and is open at the end
		socat -u OPEN:/dev/zero "TCP:127.0.0.1:72$i" > /dev/null 2>&1 3>&- &
		sleep 1
		volt delete --force c2
		wait
	done
	[ "$(volt exec c1 echo on)" = on ]
}
