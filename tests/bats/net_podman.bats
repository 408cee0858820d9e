#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# podman's networks: what is published, named and bridged for a container works for a VM.
# In a subnet that was used before podman goes on counting: who expects an address has one to himself.
# as long as: 41

load helpers

PROBE=${VOLT%/*}/probes/netprobe

setup() {
	# What podman mounts for itself, once.
	ip netns add warmup && ip netns delete warmup
	setup_common
	SERVER=
}

teardown() {
	[ -z "$SERVER" ] || kill "$SERVER" || true
	podman --runtime "$VOLT" rm --all --force --time 0 > /dev/null 2>&1 || true
	podman network prune --force > /dev/null 2>&1 || true
	ip link delete par1 2> /dev/null || true
	teardown_common
}

# serve NAME [OPTION]... - a detached container that echoes TCP and UDP on port 7000
serve() {
	local name=$1
	shift
	pod run -d --name "$name" -v "$PROBE:/netprobe:ro" "$@" localhost/busybox /netprobe serve 7000
}

# probe NETWORK ARG... - the probe in a VM of its own
probe() {
	local net=$1
	shift
	pod run --rm --network "$net" -v "$PROBE:/netprobe:ro" localhost/busybox /netprobe "$@"
}

# host_serves - the same echo on the host, on port 7001
host_serves() {
	"$PROBE" serve 7001 < /dev/null > /dev/null 2>&1 3>&- &
	SERVER=$!
}

address_of() {
	pod inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1"
}

exists() {
	[ -e "$1" ]
}

answers() {
	"$PROBE" tcp "$1" "$2" 1 2> /dev/null
}

# plain ARG... - podman with a runtime that makes containers without a VM
plain() {
	timeout -k 10 "$LIMIT" podman --runtime crun "$@"
}

# from NAME ARG... - the probe in the VM NAME
from() {
	local name=$1
	shift
	pod exec "$name" /netprobe "$@"
}

@test "a bridge: VM and host, VM and VM, VM and plain container, by TCP, UDP and ping; published ports" {
	local other bridge
	podman network create --subnet 10.77.0.0/24 --ipv6 --subnet fd77::/64 n1
	serve c1 --network n1 --ip 10.77.0.2 --ip6 fd77::2 --cap-add NET_RAW -p 8080:7000/tcp -p 5353:7000/udp
	serve c2 --network n1 --ip 10.77.0.3 --ip6 fd77::3
	plain run -d --name plain --network n1 --ip 10.77.0.4 --ip6 fd77::4 --cap-add NET_RAW -v "$PROBE:/netprobe:ro" \
		localhost/busybox /netprobe serve 7000
	host_serves
	for other in 10.77.0.2 fd77::2; do
		wait_for 60 answers "$other" 7000
		"$PROBE" tcp "$other" 7000 1000000
		"$PROBE" udp "$other" 7000 1400 5
		busybox ping -c 1 -W 10 "$other"
		from c2 tcp "$other" 7000 1000000
		from c2 udp "$other" 7000 1400 5
		plain exec plain /netprobe tcp "$other" 7000 100000
		plain exec plain /netprobe udp "$other" 7000 1400 5
		plain exec plain ping -c 1 -W 10 "$other"
	done
	# and the other way: the VM is the client of the host, of a VM, of something plain
	pod exec c1 sh -e -c 'for to in 10.77.0.1%7001 fd77::1%7001 10.77.0.3%7000 fd77::3%7000 10.77.0.4%7000 fd77::4%7000; do
		/netprobe tcp "${to%\%*}" "${to#*%}" 100000
		/netprobe udp "${to%\%*}" "${to#*%}" 1400 5
		ping -c 1 -W 10 "${to%\%*}"
	done'
	"$PROBE" tcp 10.77.0.1 8080 100000
	"$PROBE" udp 10.77.0.1 5353 1400 5
	bridge=$(podman network inspect n1 --format '{{.NetworkInterface}}')
	exists "/sys/class/net/$bridge"
	pod rm -f -t 0 c1
	pod rm -f -t 0 c2
	pod rm -f -t 0 plain
	fails exists "/sys/class/net/$bridge"
	podman network rm n1
}

@test "macvlan, beside a bridge" {
	ip link add par1 type veth peer name rap1
	ip addr add 10.79.0.1/24 dev rap1
	ip link set par1 up
	ip link set rap1 up
	podman network create -d macvlan -o parent=par1 --subnet 10.79.0.0/24 n1
	podman network create --subnet 10.76.0.0/24 n2
	serve srv --network n1 --network n2
	plain run -d --name plain --network n1 --ip 10.79.0.9 -v "$PROBE:/netprobe:ro" localhost/busybox /netprobe serve 7000
	host_serves
	wait_for 60 answers 10.79.0.2 7000
	"$PROBE" tcp 10.79.0.2 7000 1000000
	"$PROBE" udp 10.79.0.2 7000 1400 5
	busybox ping -c 1 -W 10 10.79.0.2
	"$PROBE" tcp 10.76.0.2 7000 100000
	plain exec plain /netprobe udp 10.79.0.2 7000 1400 5
	from srv tcp 10.79.0.1 7001 1000000
	from srv udp 10.79.0.9 7000 1400 5
	from srv udp 10.76.0.1 7001 1400 5
	pod rm -f -t 0 srv plain
	podman network rm n1 n2
}

@test "a network of one's own: names, IPv6, two networks at once" {
	podman network create --subnet 10.77.0.0/24 --ipv6 --subnet fd77::/64 n1
	podman network create --subnet 10.78.0.0/24 n2
	serve srv --network n1,n2
	wait_for 60 answers 10.77.0.2 7000
	"$PROBE" tcp fd77::2 7000 10000
	"$PROBE" tcp 10.78.0.2 7000 10000
	say_run pod exec srv ip -o addr
	[[ "$output" == *eth0*10.7[78].0.2* ]]
	[[ "$output" == *eth1*10.7[78].0.2* ]]
	probe n1 tcp srv 7000 10000
	probe n2 udp srv 7000 1000 3
	# a name that only the caller knows, by the /etc/hosts that is mounted
	say_run pod run --rm --network n1 --add-host called:10.77.0.2 -v "$PROBE:/netprobe:ro" localhost/busybox \
		sh -c 'cat /etc/hosts; /netprobe tcp called 7000 1000 && echo reached'
	[ "$status" -eq 0 ]
	[[ $output =~ 10.77.0.2[[:space:]]+called ]]
	[[ $output == *reached ]]
	pod rm -f -t 0 srv
	podman network rm n1 n2
}

# has_address NAME TEXT
has_address() {
	pod exec "$1" ip -o addr | grep -qF "$2"
}

has_no_address() {
	! has_address "$@"
}

@test "network connect and disconnect of a running container" {
	podman network create --subnet 10.77.0.0/24 n1
	podman network create --subnet 10.78.0.0/24 n2
	# An address by name: the engine goes on counting from the last network of this name.
	serve srv --network n1 --ip 10.77.0.2
	wait_for 60 answers 10.77.0.2 7000
	pod network connect --ip 10.78.0.9 n2 srv
	wait_for 5 answers 10.78.0.9 7000
	probe n2 tcp srv 7000 10000
	pod network disconnect n1 srv
	wait_for 5 has_no_address srv 10.77.0.
	"$PROBE" tcp 10.78.0.9 7000 10000
	pod network connect n1 srv
	wait_for 5 has_address srv 10.77.0.
	probe n1 tcp srv 7000 10000
	pod rm -f -t 0 srv
	podman network rm n1 n2
}

@test "no network, another's network, the host's network" {
	say_run pod run --rm --network none localhost/busybox ip -o link
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 1 ]
	say_run pod run --rm --network host localhost/busybox true
	[ "$status" -ne 0 ]
	[[ "$output" == *"a virtual machine can't use the host's network"* ]]
	serve c1 --network podman
	wait_for 60 answers "$(address_of c1)" 7000
	say_run pod run --rm --network container:c1 -v "$PROBE:/netprobe:ro" localhost/busybox /netprobe tcp 127.0.0.1 7000 100000
	[ "$status" -eq 0 ]
	answers "$(address_of c1)" 7000
}

@test "a pod: its containers have one network, and end one by one" {
	pod pod create --name p1 --network podman
	serve c1 --pod p1
	infra=$(podman pod inspect p1 | gojq -r .InfraContainerID)
	wait_for 60 answers "$(address_of "$infra")" 7000
	[ "$(pgrep -c -f '^volt-vmm: ')" -eq 1 ]
	say_run pod run --rm --pod p1 -v "$PROBE:/netprobe:ro" localhost/busybox /netprobe tcp 127.0.0.1 7000 100000
	[ "$status" -eq 0 ]
	pod run -d --name c2 --pod p1 localhost/busybox sleep 1000
	pod rm -f -t 0 c1
	[ "$(pod exec c2 echo on)" = on ]
	[ "$(pod exec c2 hostname)" = p1 ]
	pod pod stop -t 0 p1
	pod pod start p1
	[ "$(pod exec c2 echo on)" = on ]
	pod pod rm -f -t 0 p1
}

@test "kill -9 of each process leaves no tap, and podman rm leaves nothing" {
	local role
	for role in vmm fs shim net; do
		serve "c-$role" --network podman
		ns=/proc/$(pod inspect --format '{{.State.Pid}}' "c-$role")/ns/net
		touch "$BATS_TEST_TMPDIR/ns-$role"
		mount --bind "$ns" "$BATS_TEST_TMPDIR/ns-$role"
		nsenter --net="$BATS_TEST_TMPDIR/ns-$role" ip -brief link | grep -q '^volt0'
		kill -9 "$(role_pid "$role" "$(pod inspect --format '{{.Id}}' "c-$role")")"
		wait_for 20 no_roles
		nsenter --net="$BATS_TEST_TMPDIR/ns-$role" ip -brief link > "$BATS_TEST_TMPDIR/links"
		[ "$(grep -c ^volt "$BATS_TEST_TMPDIR/links")" -eq 0 ]
		umount "$BATS_TEST_TMPDIR/ns-$role"
		pod rm -f -t 0 "c-$role"
	done
}
