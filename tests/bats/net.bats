#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The VM in the container's place: a network namespace as an engine prepares it, without an engine.

load helpers

PROBE=${VOLT%/*}/probes/netprobe

setup() {
	setup_common
	B=$BATS_TEST_TMPDIR/b
	SERVER=
}

teardown() {
	[ -z "$SERVER" ] || kill "$SERVER" || true
	# The runtime's own traces go before the namespaces that would take them along.
	local id
	for id in $(ls "$VOLT_ROOT" 2>/dev/null); do
		volt delete --force "$id" || true
	done
	no_traces
	wipe_namespaces
	teardown_common
}

wipe_namespaces() {
	local ns
	for ns in $(ip netns list | cut -d' ' -f1); do
		ip netns delete "$ns"
	done
	rm -f /run/netns/*
	if mountpoint -q /run/netns; then
		umount -l /run/netns
	fi
}

# Nothing of ours in any namespace that still is.
no_traces() {
	local ns
	for ns in $(ip netns list | cut -d' ' -f1); do
		wait_for 5 no_taps "$ns" || return 1
		if tc -n "$ns" qdisc show | grep ingress; then
			echo "an ingress qdisc is left in $ns"
			return 1
		fi
	done
}

no_taps() {
	[ "$(ip -n "$1" -brief link | grep -c '^volt')" -eq 0 ]
}

# cable NAME NUMBER [MTU] - a namespace NAME with eth0 = 10.9.NUMBER.2 and fd09:NUMBER::2; .1 is the host's
cable() {
	local ns=$1 n=$2 mtu=${3:-1500}
	ip netns add "$ns"
	ip link add "host$n" mtu "$mtu" type veth peer name eth0 netns "$ns" mtu "$mtu"
	ip addr add "10.9.$n.1/24" dev "host$n"
	ip addr add "fd09:$n::1/64" dev "host$n" nodad
	ip link set "host$n" up
	ip -n "$ns" link set lo up
	ip -n "$ns" addr add "10.9.$n.2/24" dev eth0
	ip -n "$ns" addr add "fd09:$n::2/64" dev eth0 nodad
	ip -n "$ns" link set eth0 up
	ip -n "$ns" route add default via "10.9.$n.1"
	ip -n "$ns" route add default via "fd09:$n::1"
}

# bundle_in DIR NS ARG... - a bundle whose network namespace is NS, with the probe in it
bundle_in() {
	local dir=$1 ns=$2
	shift 2
	make_bundle "$dir" "$@"
	cp "$PROBE" "$dir/rootfs/netprobe"
	edit_config "$dir" '(.linux.namespaces[] | select(.type == "network")).path = $P' --arg P "/run/netns/$ns"
}

start_in() {
	create "$1" "$2"
	volt start "$2"
}

host_serves() {
	"$PROBE" serve "$1" < /dev/null > /dev/null 2>&1 3>&- &
	SERVER=$!
}

exists() {
	[ -e "$1" ]
}

# answers ADDRESS PORT - does a server run there already?
answers() {
	"$PROBE" tcp "$1" "$2" 1 2> /dev/null
}

@test "the guest has the interface, addresses and routes the engine set up" {
	cable n1 1
	ip -n n1 route add 192.0.2.0/24 via 10.9.1.7 metric 77 mtu 1300
	ip -n n1 route add 198.51.100.1 dev eth0 scope link
	ip -n n1 route add blackhole 203.0.113.0/24
	ip -n n1 route add 192.0.2.128/25 via 10.200.0.1 dev eth0 onlink
	ip -n n1 neigh add 10.9.1.9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent
	ip -n n1 rule add from 10.9.1.0/24 table 100 priority 500
	ip -n n1 route add default via 10.9.1.8 table 100
	bundle_in "$B" n1 sh -c '
		ip link > /link; ip addr > /addr; ip route > /route; ip -6 route > /route6
		ip neigh > /neigh; ip rule > /rule; ip route show table 100 > /route100; touch /done'
	say_run volt run --bundle "$B" c1 < /dev/null
	[ "$status" -eq 0 ]
	cat "$B"/rootfs/{link,addr,route,route6,neigh,rule,route100}
	grep -q "eth0: <.*UP.*mtu 1500" "$B/rootfs/link"
	grep -q "link/ether $(ip -n n1 -j link show eth0 | jq -r '.[0].address')" "$B/rootfs/link"
	[ "$(grep -c link/ "$B/rootfs/link")" -eq 2 ]
	grep -q "inet 10.9.1.2/24.*eth0" "$B/rootfs/addr"
	grep -q "inet6 fd09:1::2/64 scope global" "$B/rootfs/addr"
	[ "$(grep -c "tentative\|noprefixroute" "$B/rootfs/addr")" -eq 0 ]
	grep -q "inet 127.0.0.1/8" "$B/rootfs/addr"
	grep -q "^default via 10.9.1.1 dev eth0" "$B/rootfs/route"
	grep -q "^10.9.1.0/24 dev eth0.*src 10.9.1.2" "$B/rootfs/route"
	grep -q "^192.0.2.0/24 via 10.9.1.7 dev eth0.*metric 77" "$B/rootfs/route"
	grep -q "^198.51.100.1 dev eth0" "$B/rootfs/route"
	grep -q "203.0.113.0/24" "$B/rootfs/route"
	grep -q "^192.0.2.128/25 via 10.200.0.1 dev eth0" "$B/rootfs/route"
	grep -q "^default via fd09:1::1 dev eth0" "$B/rootfs/route6"
	grep -q "10.9.1.9.*02:00:00:00:00:09.*PERMANENT" "$B/rootfs/neigh"
	grep -q "500:.*from 10.9.1.0/24 lookup 100" "$B/rootfs/rule"
	grep -q "^default via 10.9.1.8" "$B/rootfs/route100"
}

@test "TCP and UDP work both ways, over IPv4 and IPv6" {
	cable n1 1
	host_serves 7001
	bundle_in "$B" n1 sh -c '
		/netprobe serve 7000 &
		/netprobe tcp 10.9.1.1 7001 2000000 && /netprobe tcp fd09:1::1 7001 2000000 &&
		/netprobe udp 10.9.1.1 7001 1400 20 && /netprobe udp fd09:1::1 7001 1 20 && touch /out-ok
		wait'
	start_in "$B" c1
	wait_for 60 exists "$B/rootfs/out-ok"
	"$PROBE" tcp 10.9.1.2 7000 2000000
	"$PROBE" tcp fd09:1::2 7000 2000000
	"$PROBE" udp 10.9.1.2 7000 1400 20
	"$PROBE" udp fd09:1::2 7000 1400 20
	"$PROBE" udp 10.9.1.2 7000 65507 3
	busybox ping -c 2 -W 10 10.9.1.2
	volt delete --force c1
	no_traces
}
