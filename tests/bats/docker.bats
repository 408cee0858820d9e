#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Through docker: its daemon, its containerd, its network hook.
# as long as: 25

load helpers

setup_file() {
	export DOCKER_HOST=unix:///run/dk/docker.sock
	# a parent cgroup is made on the way and stays, as with runc
	mkdir -p /run/dk /sys/fs/cgroup/docker
	dockerd --host "$DOCKER_HOST" --data-root /run/dk/data --exec-root /run/dk/exec --pidfile /run/dk/pid \
		--storage-driver vfs --iptables=false --ip6tables=false --exec-opt native.cgroupdriver=cgroupfs \
		--add-runtime "volt=$VOLT" --default-runtime volt > /run/dk/log 2>&1 3>&- &
	wait_for 90 docker version
	docker import "$IMAGES/busybox.tar" busybox
}

teardown_file() {
	kill "$(cat /run/dk/pid)"
}

setup() {
	setup_common
}

teardown() {
	dk rm -f c1 d1 peer > /dev/null 2>&1
	dk network rm n1 n2 > /dev/null 2>&1
	pkill -x dnsd
	[ -z "$(ls -A /run/dk/exec/runtime-runc/moby 2> /dev/null)" ]
	teardown_common
}

dk() {
	timeout --foreground -k 10 "$LIMIT" docker "$@"
}

@test "docker run: output, exit code, our kernel, its own host name" {
	say_run dk run --rm --hostname box busybox sh -c 'echo hello; uname -r; hostname; exit 7'
	[ "$status" -eq 7 ]
	[[ "$output" == hello*-volt*box ]]
}

@test "docker run -i, and a missing program is 127" {
	say_run sh -c 'echo data | timeout 300 docker run --rm -i busybox cat'
	[ "$output" = data ]
	say_run dk run --rm busybox no-such-program
	[ "$status" -eq 127 ]
	[[ "$output" == *'exec: "no-such-program": executable file not found in $PATH'* ]]
}

@test "exec, top, stats, pause, logs and stop of a container" {
	dk run -d --name c1 busybox sh -c 'echo started; exec sleep 1000'
	say_run dk exec c1 sh -c 'echo from exec; exit 3'
	[ "$status" -eq 3 ]
	[ "$output" = "from exec" ]
	say_run script -qec "docker exec -it c1 sh -c 'tty; exit 4'" /dev/null < /dev/null
	[ "$status" -eq 4 ]
	[[ "$output" == *"/dev/pts/"* ]]
	[ "$(dk logs c1)" = started ]
	say_run dk top c1
	[ "$status" -eq 0 ]
	say_run dk stats --no-stream --format '{{.MemUsage}}' c1
	[[ "$output" =~ ^[1-9] ]]
	dk pause c1
	[ "$(dk inspect -f '{{.State.Status}}' c1)" = paused ]
	dk unpause c1
	[ "$(dk inspect -f '{{.State.Status}}' c1)" = running ]
	dk stop -t 1 c1
	[ "$(dk inspect -f '{{.State.ExitCode}}' c1)" = 137 ]
}

@test "the network that docker's hook makes reaches the VM" {
	say_run dk run --rm busybox sh -c 'ip -4 addr show eth0; ip route
		ping -c 1 -W 20 "$(ip route | sed -n "s/^default via \([^ ]*\).*/\1/p")"'
	[ "$status" -eq 0 ]
	[[ "$output" == *"inet "* ]]
	[[ "$output" == *" 0% packet loss"* ]]
}

@test "volumes, environment, user and memory limit; a terminal" {
	mkdir "$BATS_TEST_TMPDIR/d"
	echo content > "$BATS_TEST_TMPDIR/d/f"
	say_run dk run --rm -v "$BATS_TEST_TMPDIR/d:/d:ro" -e A=b -u 1000:1000 -w /d -m 128m busybox \
		sh -c 'cat f; echo $A; id -u; pwd; cat /sys/fs/cgroup/memory.max'
	[ "$status" -eq 0 ]
	[[ "$output" == *"$(printf '%s\n' content b 1000 /d 134217728)" ]] # after a warning of docker's
	say_run script -qec "docker run --rm -it busybox sh -c 'tty; exit 9'" /dev/null < /dev/null
	[ "$status" -eq 9 ]
	[[ "$output" == *"/dev/"* ]]
}

@test "on a network of its own docker's name server knows the other containers, and asks others" {
	dk network create --subnet 10.88.0.0/24 --gateway 10.88.0.1 n1
	dk run -d --runtime runc --network n1 --name peer busybox sleep 1000
	"${VOLT%/*}/probes/dnsd" "$BATS_TEST_TMPDIR/ready" 10.88.0.1 > "$BATS_TEST_TMPDIR/dnsd" 2>&1 3>&- &
	wait_for 20 test -e "$BATS_TEST_TMPDIR/ready"
	say_run dk run --rm --network n1 --dns 10.88.0.1 busybox sh -c 'cat /etc/resolv.conf
		nslookup peer | grep ^Addr; nslookup elsewhere.example | grep ^Addr
		for i in 1 2 3 4 5 6 7 8; do nslookup peer > /tmp/$i & done; wait; grep -l "Address.*: *10.88.0.2$" /tmp/? | wc -l'
	[ "$status" -eq 0 ]
	[[ "$output" == *"nameserver 127.0.0.11"* ]]
	[[ "$output" == *"Address"*" 10.88.0.2"* ]]
	[[ "$output" == *"Address"*" 192.0.2.77"* ]]
	[ "${lines[-1]}" = 8 ]
}

@test "docker network connect and disconnect, while the container runs" {
	dk network create --subnet 10.89.0.0/24 --gateway 10.89.0.1 n2
	dk run -d --name d1 busybox sleep 1000
	dk network connect --ip 10.89.0.7 n2 d1
	wait_for 5 sh -c 'docker exec d1 ip -o addr | grep -q "eth1.*inet 10.89.0.7/"'
	busybox ping -c 1 -W 20 10.89.0.7
	dk network disconnect n2 d1
	wait_for 5 sh -c '! docker exec d1 ip -o addr | grep -q 10.89.0.7'
	dk exec d1 ip -o addr show eth0
	dk rm -f d1
}
