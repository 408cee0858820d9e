# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is for those who load it
#
# net_helpers.bash - network namespaces as an engine prepares them, for tests that do without one

PROBE=${VOLT%/*}/probes/netprobe
CAST=${VOLT%/*}/probes/netcast
FRAME=${VOLT%/*}/probes/netframe
NIC=${VOLT%/*}/probes/nic

setup_net() {
	ip netns add warmup && ip netns delete warmup # what it mounts for itself, once
	setup_common
	B=$BATS_TEST_TMPDIR/b
	SERVER= # what the teardown ends
}

teardown_net() {
	# shellcheck disable=SC2086 # there may be more than one
	[ -z "$SERVER" ] || kill $SERVER || true
	ip link delete br0 2> /dev/null || true
	# The runtime's own traces go before the namespaces that would take them along.
	delete_all
	no_traces
	wipe_namespaces
	teardown_common
}

# make_bridge - br0 = 10.9.1.1 and fd09:1::1, until the teardown
make_bridge() {
	ip link add br0 type bridge
	ip addr add 10.9.1.1/24 dev br0
	ip addr add fd09:1::1/64 dev br0 nodad
	ip link set br0 up
}

# port NAME NUMBER - a namespace NAME on the bridge, with eth0 = 10.9.1.NUMBER; hostNUMBER is the bridge's end
port() {
	local ns=$1 n=$2
	ip netns add "$ns"
	ip link add "host$n" type veth peer name eth0 netns "$ns"
	ip link set "host$n" master br0 up
	ip -n "$ns" link set lo up
	ip -n "$ns" addr add "10.9.1.$n/24" dev eth0
	ip -n "$ns" link set eth0 up
}

# mac_of DEVICE [IP-OPTION]...
mac_of() {
	ip "${@:2}" -json link show "$1" | gojq -r '.[0].address'
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

threads_of() {
	cat /proc/"$1"/task/*/comm
}

# more_cable NS NUMBER - one more interface in it, as an engine makes one
more_cable() {
	local ns=$1 n=$2
	ip link add "host$n" type veth peer name "eth$n" netns "$ns"
	ip addr add "10.9.$n.1/24" dev "host$n"
	ip link set "host$n" up
	ip -n "$ns" addr add "10.9.$n.2/24" dev "eth$n"
	ip -n "$ns" link set "eth$n" up
}

# Shows its network again and again. A name alone doesn't tell: both files are replaced as a whole.
WATCHER='while :; do { /netprobe clock; ip -o addr; ip route; ip -6 route; } > /new; mv /new /now; sleep 0.1; done'

# guest_says DIR TEXT - the last snapshot of the guest's interfaces and routes has it
guest_says() {
	grep -qF "$2" "$1/rootfs/now"
}

guest_is_silent_about() {
	! guest_says "$@"
}
