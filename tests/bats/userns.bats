#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# User namespaces: whose the container's files are, inside and on the host.

load helpers

setup_file() {
	# The shared image store is on a file system that can't be id-mapped; so one without it.
	export CONTAINERS_STORAGE_CONF=$BATS_FILE_TMPDIR/storage.conf
	mkdir -p /run/containers/storage-own
	mount -t tmpfs tmpfs /run/containers/storage-own
	printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' /run/containers/storage-own/graph \
		/run/containers/storage-own/run > "$CONTAINERS_STORAGE_CONF"
	podman import --quiet "$IMAGES/busybox.tar" localhost/own
	grep -q '^containers:' /etc/subuid || echo 'containers:1000000:1000000' >> /etc/subuid
	grep -q '^containers:' /etc/subgid || echo 'containers:1000000:1000000' >> /etc/subgid
}

teardown_file() {
	podman rmi --force localhost/own
	umount -R /run/containers/storage-own/graph/overlay 2>/dev/null || true
	umount -l /run/containers/storage-own
}

setup() {
	setup_common
}

teardown() {
	teardown_common
}

@test "podman --uidmap: root inside is the mapped user on the host, pids and files" {
	mkdir "$BATS_TEST_TMPDIR/d" && chown 200000:200000 "$BATS_TEST_TMPDIR/d"
	echo theirs > "$BATS_TEST_TMPDIR/d/theirs" && chmod 644 "$BATS_TEST_TMPDIR/d/theirs"
	pod run -d --name u1 --uidmap 0:200000:65536 -v "$BATS_TEST_TMPDIR/d:/d" localhost/own \
		sh -c 'id -u; cat /proc/self/uid_map; echo x > /d/root; mkdir /d/dir; chown 5:6 /d/dir; stat -c %u /d/theirs
			echo x 2>/dev/null >> /d/theirs || echo denied; echo again > /dev/stdout; sleep 1000'
	wait_for 40 test -e "$BATS_TEST_TMPDIR/d/dir"
	wait_for 10 sh -c 'podman logs u1 2>&1 | grep -q again'
	[ "$(stat -c %u:%g "$BATS_TEST_TMPDIR/d/root")" = 200000:200000 ]
	[ "$(stat -c %u:%g "$BATS_TEST_TMPDIR/d/dir")" = 200005:200006 ]
	pid=$(pod inspect --format '{{.State.Pid}}' u1)
	[ "$(stat -c %u "/proc/$pid")" = 200000 ]
	awk '$1 == 0 && $2 == 200000 && $3 == 65536 {found = 1} END {exit !found}' "/proc/$pid/uid_map"
	say_run pod logs u1
	[ "${lines[0]}" = 0 ]
	[[ "${lines[1]}" =~ 0\ +200000\ +65536 ]]
	[ "${lines[2]}" = 65534 ]
	[ "${lines[3]}" = denied ]
	[ "$(pod exec u1 id -u)" = 0 ]
	pod exec -u 7 u1 sh -c 'echo y > /tmp/seven; stat -c %u /tmp/seven'
	pod rm --force --time 0 u1
}

@test "podman --userns=auto runs with ids of its own" {
	say_run pod run --rm --userns=auto localhost/own sh -c 'touch /made; stat -c %u:%g /made; cat /proc/self/uid_map'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 0:0 ]
	[[ ! "${lines[1]}" =~ ^\ *0\ +0\  ]]
}

@test "a user namespace that nobody gave ids has the caller as root" {
	make_bundle "$BATS_TEST_TMPDIR/b" cat /proc/self/uid_map
	edit_config "$BATS_TEST_TMPDIR/b" '.linux.namespaces += [{type: "user"}]'
	say_run volt run --bundle "$BATS_TEST_TMPDIR/b" c1
	[ "$status" -eq 0 ]
	[ "$(xargs <<< "$output")" = "0 0 1" ]
}

@test "a user namespace by path has that namespace's mappings" {
	make_bundle "$BATS_TEST_TMPDIR/a" sleep 1000
	edit_config "$BATS_TEST_TMPDIR/a" '.linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 300000, size: 1000}]
		| .linux.gidMappings = [{containerID: 0, hostID: 300000, size: 1000}]'
	chown -R 300000:300000 "$BATS_TEST_TMPDIR/a/rootfs"
	create "$BATS_TEST_TMPDIR/a" a1
	make_bundle "$BATS_TEST_TMPDIR/b" sh -c 'touch /file; cat /proc/self/gid_map'
	edit_config "$BATS_TEST_TMPDIR/b" '.linux.namespaces += [{type: "user", path: $p}]' --arg p "/proc/$(pid_of a1)/ns/user"
	chown -R 300000:300000 "$BATS_TEST_TMPDIR/b/rootfs"
	say_run volt run --bundle "$BATS_TEST_TMPDIR/b" b1
	[ "$status" -eq 0 ]
	[[ "$output" =~ 0\ +300000\ +1000 ]]
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/b/rootfs/file")" = 300000 ]
}

@test "an id-mapped mount shows files as the container's" {
	mkdir "$BATS_TEST_TMPDIR/d"
	mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/d" # overlayfs has no id-mapped mounts
	echo x > "$BATS_TEST_TMPDIR/d/f"
	make_bundle "$BATS_TEST_TMPDIR/a" sh -c 'stat -c %u /d/f; touch /d/new'
	edit_config "$BATS_TEST_TMPDIR/a" '.linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 300000, size: 1000}]
		| .linux.gidMappings = [{containerID: 0, hostID: 300000, size: 1000}]
		| .mounts += [{destination: "/d", type: "bind", source: $d, options: ["bind", "idmap"]}]' --arg d "$BATS_TEST_TMPDIR/d"
	chown -R 300000:300000 "$BATS_TEST_TMPDIR/a/rootfs"
	say_run volt run --bundle "$BATS_TEST_TMPDIR/a" a1
	[ "$status" -eq 0 ]
	[ "$output" = 0 ]
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/d/new")" = 0 ]
	umount "$BATS_TEST_TMPDIR/d"
}

# podman makes its network between create and start. Its root has power over it, as outside of a VM: low
# ports, raw sockets, addresses; and what comes later comes to where it is.
@test "podman --uidmap with a network of one's own" {
	ip netns add warmup && ip netns delete warmup
	inventory > "$BATS_TEST_TMPDIR/inventory.before"
	podman network create --subnet 10.79.0.0/24 n1
	podman network create --subnet 10.80.0.0/24 n2
	pod run -d --name u1 --uidmap 0:200000:65536 --network n1 --cap-add NET_RAW,NET_ADMIN --sysctl net.ipv4.ip_forward=1 \
		localhost/own sh -c 'ip -o addr; ls /sys/class/net; cat /proc/sys/net/ipv4/ip_forward
			ping -c 1 -W 20 10.79.0.1; ip addr add 10.99.0.1/32 dev lo; ip -o addr show lo
			echo ready; while :; do nc -l -p 80 -e echo from-the-guest; done'
	wait_for 60 logs_have u1 ready
	wait_for 20 sh -c 'busybox nc -w 5 10.79.0.2 80 < /dev/null | grep -q from-the-guest'
	say_run pod logs u1
	[[ "$output" == *"eth0"*"inet 10.79.0.2/24"* ]]
	[[ "$output" == *"eth0"$'\n'"lo"$'\n1\n'* ]]
	[[ "$output" == *"1 packets received"* ]]
	[[ "$output" == *"inet 10.99.0.1/32"* ]]
	pod rm --force --time 0 u1
	pod run -d --name u2 --uidmap 0:200000:65536 --network n1 localhost/own sleep 1000
	pod network connect n2 u2
	wait_for 5 sh -c 'podman --runtime "$0" exec u2 ip -o addr | grep -q "eth1.*inet 10.80.0.2/24"' "$VOLT"
	pod rm --force --time 0 u2
	podman network rm n1 n2
}
