#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Much of everything over a VM's network: long transfers, many connections, all sizes of datagrams.
# as long as: 9
#
# environment: NET_BIG_BYTES (each way), NET_BIG_CONNS (each way), NET_BIG_STEP (from one size of
# datagrams to the next); `make net-soak` sets them to what is not for every day in an emulated machine
#
# Not for a machine with --counted. Two of two guests hung there after a gigabyte: an interrupt came while they
# had interrupts off, in its own handler, which then waits for its own lock (handle_edge_irq, QEMU 7.2).

load helpers

BULK=${VOLT%/*}/probes/netbulk

if grep -q 'model name.*QEMU TCG' /proc/cpuinfo; then
	BYTES=8388608 CONNS=200 STEP=1999
else
	BYTES=1073741824 CONNS=10000 STEP=1
fi
BYTES=${NET_BIG_BYTES:-$BYTES} CONNS=${NET_BIG_CONNS:-$CONNS} STEP=${NET_BIG_STEP:-$STEP}
# shellcheck disable=SC2034 # helpers.bash reads it
LIMIT=7200 # exec runs for as long as what it runs

setup() {
	ip netns add warmup && ip netns delete warmup # what it mounts for itself, once
	setup_common
	B=$BATS_TEST_TMPDIR/b
	SERVER=
}

teardown() {
	local ns
	[ -z "$SERVER" ] || kill "$SERVER" || true
	volt delete --force c1 || true
	for ns in $(ip netns list | cut -d' ' -f1); do
		ip netns delete "$ns"
	done
	rm -f /run/netns/*
	teardown_common
}

# start_server [JQ-FILTER] - in the VM c1 and on the host
start_server() {
	make_bundle "$B" /netbulk serve 7000
	cp "$BULK" "$B/rootfs/netbulk"
	edit_config "$B" '(.linux.namespaces[] | select(.type == "network")).path = "/run/netns/n1"'
	edit_config "$B" "${1:-.}"
	create "$B" c1
	volt start c1
	"$BULK" serve 7001 < /dev/null > /dev/null 2>&1 3>&- &
	SERVER=$!
	wait_for 60 answers 10.9.1.2 7000
	wait_for 60 answers 10.9.1.1 7001
}

answers() {
	"$BULK" put "$1" "$2" 1 > /dev/null 2>&1
}

# host ARG... - the client on the host, the server in the VM
host() {
	say "host to VM" "$("$BULK" "$1" 10.9.1.2 7000 "${@:2}")"
}

# guest ARG... - the other way
guest() {
	say "VM to host" "$(volt exec c1 /netbulk "$1" 10.9.1.1 7001 "${@:2}" < /dev/null)"
}

# say TEXT... - into the log; of a test that takes an hour one wants to know how far it is
say() {
	echo "$*"
	[ -z "${NET_BIG_BYTES:-}" ] || echo "# $*" >&3
}

# private ROLE - KiB of memory that are its own; the guest's are shared
private() {
	awk '/^RssAnon/ { print $2 }' "/proc/$(role_pid "$1" c1)/status"
}

# much_of_everything - and our processes need no more memory after it than before
much_of_everything() {
	local vmm fs
	vmm=$(private vmm)
	fs=$(private fs)
	host put "$BYTES"
	host get "$BYTES"
	host churn "$CONNS" 16
	guest churn "$CONNS" 16
	host sizes 1 65507 "$STEP"
	# where one fragment becomes two, and two three
	host sizes 1465 1480 1
	host sizes 2945 2960 1
	say "KiB of the vmm: $vmm, then $(private vmm); of the fs: $fs, then $(private fs)"
	[ $(($(private vmm) - vmm)) -lt 2048 ]
	[ $(($(private fs) - fs)) -lt 2048 ]
}

@test "long transfers, thousands of connections, datagrams of all sizes" {
	cable n1 1
	start_server
	much_of_everything
}

@test "the same with vhost-net" {
	vhost_device on
	cable n1 1
	start_server '.annotations["dev.volt.net.vhost"] = "on"'
	much_of_everything
}
