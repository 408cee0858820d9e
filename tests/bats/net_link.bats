#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a VM says on its link, and hears there: groups, routers, and frames that nobody made but the test.
# as long as: 6

load helpers
load net_helpers

setup() {
	setup_net
	pids=()
}

teardown() {
	[ "${#pids[@]}" -eq 0 ] || kill "${pids[@]}" || true
	ip link delete br0 2> /dev/null || true
	ip link delete par1 2> /dev/null || true
	teardown_net
}

# bundle_with PROGRAM... - in n1, with all powers over its network, and these probes; B is its directory
bundle_with() {
	bundle_in "$B" n1 sh -c "$WATCHER"
	[ $# -eq 0 ] || cp "$@" "$B/rootfs/"
	edit_config "$B" '.process.capabilities[] |= . + ["CAP_NET_ADMIN", "CAP_NET_RAW"]'
	edit_config "$B" '.annotations["dev.volt.vcpus"] = "1"' # one queue keeps an order
}

# ready DEVICE [IP-OPTION]... - it has a link-local address that it may use
ready() {
	ip "${@:2}" -6 -oneline addr show dev "$1" scope link | grep -v tentative | grep -q fe80
}

# group_on PORT GROUP - the bridge has heard of a member there
group_on() {
	bridge mdb show dev br0 | grep -q "port $1 grp $2 "
}

@test "multicast both ways, IPv4 and IPv6, by a bridge that snoops and by macvlan" {
	local group
	make_bridge
	port n1 2
	ip link add par1 type veth peer name rap1
	ip addr add 10.9.2.1/24 dev rap1
	ip link set par1 up
	ip link set rap1 up
	ip link add link par1 name eth1 netns n1 type macvlan mode bridge
	ip -n n1 addr add 10.9.2.2/24 dev eth1
	ip -n n1 link set eth1 up
	wait_for 10 ready eth1 -n n1
	wait_for 10 ready eth0 -n n1
	bundle_with "$CAST"
	edit_config "$B" '.process.args = ["/netcast", "serve", "7000",
		"239.1.2.3%eth0", "ff02::4:1%eth0", "239.1.2.4%eth1", "ff02::4:2%eth1"]'
	start_in "$B" c1
	"$CAST" serve 7001 239.9.9.1%br0 ff02::9:1%br0 239.9.9.2%rap1 ff02::9:2%rap1 < /dev/null 3>&- &
	pids+=($!)
	for group in 239.1.2.3%br0 ff02::4:1%br0 239.1.2.4%rap1 ff02::4:2%rap1; do
		"$CAST" ask 7000 "$group" 3
	done
	# by its reports, not because bridges without a member send everywhere
	wait_for 5 group_on host2 239.1.2.3
	wait_for 5 group_on host2 ff02::4:1
	volt exec c1 sh -e -c 'for group in 239.9.9.1%eth0 ff02::9:1%eth0 239.9.9.2%eth1 ff02::9:2%eth1; do
		/netcast ask 7001 "$group" 3
	done' < /dev/null
	volt events --stats c1 | gojq -e '[.data.network_policy[].spoofed.packets] == [0, 0]'
}

# seen LINE - the listener has
seen() {
	grep -qxF "$1" "$BATS_TEST_TMPDIR/seen"
}

@test "of raw frames with another's addresses none gets to a listener on the bridge" {
	local mac other=02:00:00:00:be:ef line
	make_bridge
	port n1 2
	port n2 3
	ip -n n1 addr add fd09:1::2/64 dev eth0 nodad
	mac=$(mac_of eth0 -n n1)
	bundle_with "$FRAME"
	cat > "$BATS_TEST_TMPDIR/foreign" <<-EOF
		udp $other 10.9.1.2 10.9.1.1 1001
		udp $mac 10.9.1.66 10.9.1.1 1002
		udp $other fd09:1::2 fd09:1::1 1003
		udp $mac fd09:1::66 fd09:1::1 1004
		udp $mac fe80::66 fd09:1::1 1005
		arp $mac $mac 10.9.1.66
		arp $mac $other 10.9.1.2
		arp $other $other 10.9.1.2
		na $mac fd09:1::66 fd09:1::66
		na $mac fd09:1::2 fd09:1::66
		na $other fd09:1::2 fd09:1::2
	EOF
	cat > "$B/rootfs/own" <<-EOF
		udp $mac 10.9.1.2 10.9.1.1 2001
		udp $mac fd09:1::2 fd09:1::1 2002
		arp $mac $mac 10.9.1.2
		na $mac fd09:1::2 fd09:1::2
	EOF
	ip netns exec n2 "$FRAME" watch eth0 > "$BATS_TEST_TMPDIR/seen" < /dev/null 3>&- &
	pids+=($!)
	# From anybody else it would see them.
	wait_for 10 sh -c "'$FRAME' send br0 < '$BATS_TEST_TMPDIR/foreign'; grep -q ' 1005$' '$BATS_TEST_TMPDIR/seen'"
	while read -r line; do
		wait_for 5 seen "$line"
	done < "$BATS_TEST_TMPDIR/foreign"
	start_in "$B" c1
	: > "$BATS_TEST_TMPDIR/seen"
	cp "$BATS_TEST_TMPDIR/foreign" "$B/rootfs/foreign"
	before=$(spoofed c1)
	volt exec c1 sh -c '/netframe send eth0 < /foreign && /netframe send eth0 < /own' < /dev/null
	while read -r line; do
		wait_for 10 seen "$line"
	done < "$B/rootfs/own"
	cat "$BATS_TEST_TMPDIR/seen"
	while read -r line; do
		fails seen "$line"
	done < "$BATS_TEST_TMPDIR/foreign"
	echo "spoofed: $before, then $(spoofed c1)"
	[ $(($(spoofed c1) - before)) -eq "$(wc -l < "$BATS_TEST_TMPDIR/foreign")" ]
}

spoofed() {
	volt events --stats "$1" | gojq '.data.network_policy[0].spoofed.packets'
}

# advertise DEVICE PREFIX ROUTER VALID PREFERRED - as a router on the host would, with DEVICE's addresses
advertise() {
	local link
	link=$(ip -6 -oneline addr show dev "$1" scope link | sed 's/.*inet6 \(.*\)\/64.*/\1/')
	echo "ra $(mac_of "$1") $link $2/64 $3 $4 $5" | "$FRAME" send "$1"
}

# peer_says TEXT - the same of the namespace next to the VM, which has the host's stack
peer_says() {
	{ ip -n n2 -oneline addr && ip -n n2 -6 route; } | grep -qE "$1"
}

# both_say TEXT... - VM and neighbour, in one line that matches
both_say() {
	grep -qE "$1" "$B/rootfs/now" && peer_says "$1"
}

neither_says() {
	! grep -qE "$1" "$B/rootfs/now" && fails peer_says "$1"
}

@test "a router's advertisements: taken and given up as by a plain container" {
	local learnt
	make_bridge
	port n1 2
	port n2 3
	more_cable n1 4
	ip netns exec n1 sysctl -qw net.ipv6.conf.eth4.accept_ra=0
	ip addr add fd66::1/64 dev br0 nodad
	bundle_with
	start_in "$B" c1
	host_serves 7001
	wait_for 10 ready br0
	wait_for 10 ready host4
	wait_for 10 guest_says "$B" "scope link"
	advertise host4 fd68:: 1800 3600 1800 # not listened to
	advertise br0 fd66:: 1800 3600 1800
	wait_for 10 both_say "eth0 +inet6 fd66::[0-9a-f:]+/64 scope global"
	wait_for 10 both_say "^default via fe80::.* dev eth0"
	guest_is_silent_about "$B" fd68::
	volt exec c1 /netprobe udp fd66::1 7001 1400 3 < /dev/null
	learnt=$(sed -n 's/.*inet6 \(fd66:[^/]*\).*/\1/p' "$B/rootfs/now")
	ip netns exec n2 "$PROBE" udp fd66::1 7001 100 1
	busybox ping -6 -c 1 -W 10 "$learnt"
	# taken back: the route at once, an address (RFC 4862, 5.5.3) is no longer preferred
	advertise br0 fd66:: 0 3600 0
	wait_for 10 neither_says "^default via fe80"
	wait_for 10 both_say "eth0 +inet6 fd66::.*deprecated"
	# and what isn't renewed ends
	advertise br0 fd67:: 0 8 8
	wait_for 10 both_say "eth0 +inet6 fd67::"
	wait_for 20 neither_says "eth0 +inet6 fd67::"
}
