#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The VM in the container's place: a network namespace as an engine prepares it, without an engine.
# as long as: 22

load helpers
load net_helpers

# How much of what: little in an emulated machine, where a connection takes a tenth of a second. And after how
# many ms a guest has its namespace's news: within a second is the promise.
if grep -q 'model name.*QEMU TCG' /proc/cpuinfo; then
	CONNS=200 BYTES=4000000 FLOOD=10000 NEWS=5000
else
	CONNS=10000 BYTES=1073741824 FLOOD=1000000 NEWS=1000
fi
# How many connections at once, and KiB of memory that may come: the thread sanitizer keeps a shadow of
# what was touched, and in an emulated machine it is slower than TCP's patience with a thousand.
CROWD=1000 GROWTH=1024
if grep -q __tsan_init "$VOLT"; then
	CROWD=200 GROWTH=8192
fi

setup() {
	setup_net
}

teardown() {
	teardown_net
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
		ip neigh > /neigh; ip rule > /rule; ip route show table 100 > /route100
		cd /proc/sys/net && cat ipv4/ip_forward ipv4/ip_local_port_range ipv4/conf/eth0/arp_ignore \
			ipv4/conf/default/rp_filter ipv6/conf/eth0/hop_limit core/somaxconn | paste -sd, > /sysctl'
	edit_config "$B" '.linux.sysctl = {"net.ipv4.ip_forward": "1", "net.ipv4.ip_local_port_range": "40000 40999",
		"net.ipv4.conf.eth0.arp_ignore": "1", "net/ipv4/conf/default/rp_filter": "2",
		"net.ipv6.conf.eth0.hop_limit": "33", "net.core.somaxconn": "77"}'
	say_run volt run --bundle "$B" c1 < /dev/null
	[ "$status" -eq 0 ]
	cat "$B"/rootfs/{link,addr,route,route6,neigh,rule,route100,sysctl}
	grep -q "eth0: <.*UP.*mtu 1500" "$B/rootfs/link"
	grep -q "link/ether $(ip -n n1 -j link show eth0 | gojq -r '.[0].address')" "$B/rootfs/link"
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
	[ "$(cat "$B/rootfs/sysctl")" = "$(printf '1,40000\t40999,1,2,33,77')" ]
}

@test "a sysctl turns IPv6 off where the engine gave addresses of it; IPv4 is still followed" {
	cable n1 1
	bundle_in "$B" n1 sh -c "$WATCHER"
	edit_config "$B" '.linux.sysctl = {"net.ipv6.conf.all.disable_ipv6": "1"}'
	start_in "$B" c1
	wait_for 30 guest_says "$B" "default via 10.9.1.1"
	guest_is_silent_about "$B" inet6
	ip -n n1 addr add fd09:1::3/64 dev eth0 nodad
	ip -n n1 route add 192.0.2.0/24 via 10.9.1.1
	wait_for 5 guest_says "$B" 192.0.2.0/24
	guest_is_silent_about "$B" inet6
	more_cable n1 2
	wait_for 5 guest_says "$B" "eth2    inet 10.9.2.2/24"
	guest_is_silent_about "$B" inet6
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

@test "a network that a hook makes, as docker does, is there when the process starts" {
	make_bundle "$B" sh -c 'ip -4 -o addr > /addr'
	cat > "$BATS_TEST_TMPDIR/hook" <<-'HOOK'
		#!/bin/sh
		pid=$(gojq -r .pid)
		ip link add hosth type veth peer name eth0 netns "$pid"
		ip addr add 10.9.9.1/24 dev hosth && ip link set hosth up
		nsenter --net=/proc/$pid/ns/net sh -c 'ip addr add 10.9.9.2/24 dev eth0 && ip link set eth0 up'
	HOOK
	chmod +x "$BATS_TEST_TMPDIR/hook"
	edit_config "$B" '.hooks.prestart = [{path: $P, env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}]' \
		--arg P "$BATS_TEST_TMPDIR/hook"
	say_run volt run --bundle "$B" c1 < /dev/null
	[ "$status" -eq 0 ]
	grep -q "inet 10.9.9.2/24.*eth0" "$B/rootfs/addr"
}

@test "what can't be had is refused: the host's network, a namespace with a VM, a foreign policy" {
	make_bundle "$B" true
	edit_config "$B" 'del(.linux.namespaces[] | select(.type == "network"))'
	say_run volt run --bundle "$B" c1 < /dev/null
	[ "$status" -ne 0 ]
	[[ "$output" == *"can't use the host's network"* ]]

	cable n1 1
	bundle_in "$BATS_TEST_TMPDIR/b1" n1 sleep 1000
	start_in "$BATS_TEST_TMPDIR/b1" c1
	ip -n n1 -brief link | grep -q ^volt0
	bundle_in "$BATS_TEST_TMPDIR/b2" n1 true
	mkdir -m 700 "$BATS_TEST_TMPDIR/other"
	say_run "$VOLT" --root "$BATS_TEST_TMPDIR/other" run --bundle "$BATS_TEST_TMPDIR/b2" c2 < /dev/null
	[ "$status" -ne 0 ]
	[[ "$output" == *"belongs to another VM already (its tap is 'volt0')"* ]]
	tc -n n1 qdisc show dev eth0 | grep -q ingress # the first one's is still there
	volt delete --force c1

	cable n2 2
	tc -n n2 qdisc add dev eth0 ingress
	bundle_in "$BATS_TEST_TMPDIR/b3" n2 true
	say_run volt run --bundle "$BATS_TEST_TMPDIR/b3" c3 < /dev/null
	[ "$status" -ne 0 ]
	[[ "$output" == *"network interface 'eth0' has a traffic policy"* ]]
	tc -n n2 qdisc show dev eth0 | grep -q ingress # not ours to remove
	tc -n n2 qdisc del dev eth0 ingress
}

@test "kill -9 of everything leaves no tap; delete or the next VM removes the rest" {
	local role
	cable n1 1
	bundle_in "$B" n1 sleep 1000
	start_in "$B" c1
	for role in vmm fs shim; do
		kill -9 "$(role_pid "$role" c1)" || true
	done
	wait_for 20 no_roles
	no_taps n1
	bundle_in "$BATS_TEST_TMPDIR/b2" n1 /netprobe serve 7000
	start_in "$BATS_TEST_TMPDIR/b2" c2
	wait_for 60 answers 10.9.1.2 7000
	kill -9 "$(role_pid vmm c2)"
	wait_for 20 no_roles
	volt delete --force c2
	volt delete --force c1
	no_traces

	# nobody is left who could remove it, and no VM follows
	bundle_in "$BATS_TEST_TMPDIR/b3" n1 sleep 1000
	start_in "$BATS_TEST_TMPDIR/b3" c3
	one_tap n1
	tc -n n1 filter show dev eth0 ingress | grep -q volt0
	pids=()
	for role in shim vmm fs net; do
		pids+=("$(role_pid "$role" c3)")
	done
	kill -9 "${pids[@]}"
	wait_for 20 no_roles
	[ "$(status_of c3)" = stopped ]
	volt delete c3
	no_taps n1
	[ -z "$(tc -n n1 filter show dev eth0 ingress)" ]
	[ "$(tc -n n1 qdisc show dev eth0 | grep -c -e ingress -e clsact)" -eq 0 ]
	[ -z "$(ls "$VOLT_ROOT")" ]
	# what is the engine's is still there
	ip -n n1 -o addr show dev eth0 | grep -q 10.9.1.2/24
	busybox ping -c 1 -W 10 10.9.1.2
}

@test "all sizes of datagrams, fragments too; MTU 1280 and 9000" {
	local size mtu n=1
	for mtu in 1280 9000; do
		cable "n$n" "$n" "$mtu"
		bundle_in "$BATS_TEST_TMPDIR/b$n" "n$n" sh -c 'ip link show eth0 > /link; exec /netprobe serve 7000'
		start_in "$BATS_TEST_TMPDIR/b$n" "c$n"
		wait_for 60 answers "10.9.$n.2" 7000
		grep -q "mtu $mtu" "$BATS_TEST_TMPDIR/b$n/rootfs/link"
		for size in 1 17 1199 1252 1253 1472 1473 8972 8973 32768 65507; do
			"$PROBE" udp "10.9.$n.2" 7000 "$size" 3
		done
		for size in 1 1232 1233 1452 1453 8952 8953 32768 65507 65527; do
			"$PROBE" udp "fd09:$n::2" 7000 "$size" 3
		done
		"$PROBE" tcp "10.9.$n.2" 7000 3000000
		volt delete --force "c$n"
		n=$((n + 1))
	done
}

@test "many connections, many at once; a pause keeps them" {
	cable n1 1
	bundle_in "$B" n1 /netprobe serve 7000
	edit_config "$B" '.process.rlimits[0] = {type: "RLIMIT_NOFILE", hard: 8192, soft: 8192}'
	start_in "$B" c1
	wait_for 60 answers 10.9.1.2 7000
	"$PROBE" conns 10.9.1.2 7000 "$CONNS" 0
	"$PROBE" crowd 10.9.1.2 7000 "$CROWD"
	"$PROBE" tcp 10.9.1.2 7000 "$BYTES" 3>&- &
	probe=$!
	sleep 0.3
	volt pause c1
	sleep 1
	kill -0 "$probe"
	volt resume c1
	wait "$probe"
}

# floods - frames that came from the flooding guest so far
floods() {
	cat /sys/class/net/host2/statistics/rx_packets
}

# rounds - of the flood that are over
rounds() {
	wc -l < <(cat "$B/rootfs/rounds" 2> /dev/null)
}

# private - KiB of the flooding VM's vmm that are its own
private() {
	awk '/^RssAnon/ { print $2 }' "/proc/$(role_pid vmm c1)/status"
}

@test "a flood from inside a guest costs its vmm no memory, and others on the bridge keep answering" {
	local before now most frames looks busy
	make_bridge
	port n1 2
	port n2 3
	port n3 4
	# datagrams that nobody takes, and beginnings of connections that are refused, until it is killed
	bundle_in "$B" n1 sh -c 'while :; do
		/netprobe flood 10.9.1.1 9 100 '"$((FLOOD / 4))"'; /netprobe syn 10.9.1.1 9 '"$((FLOOD / 40))"'
		echo over >> /rounds
	done'
	bundle_in "$BATS_TEST_TMPDIR/b2" n2 /netprobe serve 7000
	start_in "$BATS_TEST_TMPDIR/b2" c2
	wait_for 60 answers 10.9.1.3 7000
	ip netns exec n3 "$PROBE" serve 7000 < /dev/null > /dev/null 2>&1 3>&- &
	SERVER=$!
	start_in "$B" c1
	before=$(private) most=0 looks=0 busy=0
	while [ "$(rounds)" -lt 4 ]; do
		frames=$(floods)
		"$PROBE" udp 10.9.1.3 7000 1000 2 # a VM,
		busybox ping -q -c 1 -W 10 10.9.1.3 > /dev/null
		"$PROBE" tcp 10.9.1.4 7000 10000 # something plain
		now=$(private)
		[ "$now" -le "$most" ] || most=$now
		[ $(($(floods) - frames)) -lt 10 ] || busy=$((busy + 1))
		looks=$((looks + 1))
	done
	volt kill c1 KILL
	wait_for_status c1 stopped
	echo "$looks looks, $busy in the flood; frames: $(floods); anonymous memory of the vmm: $before KiB, then at most $most KiB"
	[ "$busy" -ge 3 ]
	[ $((2 * busy)) -ge "$looks" ]
	[ "$(floods)" -ge "$FLOOD" ]
	[ $((most - before)) -lt "$GROWTH" ]
	"$PROBE" tcp 10.9.1.3 7000 100000
	volt delete c1
}

@test "frames with another's address don't leave the guest" {
	local before
	cable n1 1
	host_serves 7001
	bundle_in "$B" n1 sleep 1000
	edit_config "$B" '.process.capabilities[] |= . + ["CAP_NET_ADMIN", "CAP_NET_RAW"]'
	start_in "$B" c1
	volt exec c1 /netprobe udp 10.9.1.1 7001 10 1 < /dev/null
	volt exec c1 sh -c 'ip addr add 10.9.1.66/32 dev eth0; ip route replace 10.9.1.0/24 dev eth0 src 10.9.1.66' < /dev/null
	before=$(dropped n1)
	say_run volt exec c1 timeout 5 /netprobe udp 10.9.1.1 7001 10 1 < /dev/null
	[ "$status" -ne 0 ]
	[ "$(dropped n1)" -gt "$before" ]
	volt events --stats c1 > "$BATS_TEST_TMPDIR/e"
	gojq -c .data.network_interfaces,.data.network_policy "$BATS_TEST_TMPDIR/e"
	gojq -e '.data.network_interfaces[0] | .Name == "eth0" and .RxPackets > 0 and .RxBytes > 10 and .TxPackets > 0 and .TxErrors == 0' "$BATS_TEST_TMPDIR/e"
	gojq -e '.data.network_policy[0] | .spoofed.packets > 0 and .spoofed.bytes >= 38 and (has("refused") | not)' "$BATS_TEST_TMPDIR/e"
	volt exec c1 sh -c 'ip route replace 10.9.1.0/24 dev eth0 src 10.9.1.2; /netprobe udp 10.9.1.1 7001 10 1' < /dev/null
	volt exec c1 ip link set eth0 address 02:00:00:00:be:ef < /dev/null
	before=$(dropped n1)
	say_run volt exec c1 timeout 5 /netprobe udp 10.9.1.1 7001 10 1 < /dev/null
	[ "$status" -ne 0 ]
	[ "$(dropped n1)" -gt "$before" ]
}

# Frames that the last filter at the tap of namespace $1 has dropped.
dropped() {
	tc -n "$1" -s filter show dev volt0 ingress | awk '/action.*drop/ { d = 1 } d && /Sent/ { n += $4; d = 0 } END { print n + 0 }'
}

@test "an allow-list: the guest sends to what is on it, and nowhere else" {
	cable n1 1
	ip addr add 10.9.1.5/24 dev host1
	host_serves 7001
	for port in 7002 53; do
		"$PROBE" serve "$port" < /dev/null > /dev/null 2>&1 3>&- &
		SERVER="$SERVER $!"
	done
	echo nameserver 10.9.1.1 > "$BATS_TEST_TMPDIR/resolv.conf"
	bundle_in "$B" n1 sh -c '
		/netprobe tcp 10.9.1.1 7001 1000 && /netprobe udp 10.9.1.1 7001 100 2 && touch /allowed
		/netprobe udp fd09:1::1 7001 100 2 && touch /allowed6
		/netprobe udp 10.9.1.1 53 100 2 && /netprobe tcp 10.9.1.1 53 1000 && touch /name-server
		timeout 5 /netprobe tcp 10.9.1.5 7001 10 && touch /other-address
		timeout 5 /netprobe tcp 10.9.1.5 53 10 && touch /no-name-server
		timeout 5 /netprobe udp 10.9.1.1 7002 10 1 && touch /other-port
		touch /done; sleep 1000'
	edit_config "$B" '.annotations["dev.volt.net.egress"] = "10.9.1.1:7001,[fd09:1::]/64,dns"
		| .mounts += [{destination: "/etc/resolv.conf", type: "bind", source: $r, options: ["bind", "ro"]}]' \
		--arg r "$BATS_TEST_TMPDIR/resolv.conf"
	start_in "$B" c1
	wait_for 90 exists "$B/rootfs/done"
	[ -e "$B/rootfs/allowed" ]
	[ -e "$B/rootfs/allowed6" ]
	[ -e "$B/rootfs/name-server" ]
	[ ! -e "$B/rootfs/other-address" ]
	[ ! -e "$B/rootfs/no-name-server" ]
	[ ! -e "$B/rootfs/other-port" ]
	[ "$(dropped n1)" -gt 0 ]
	volt events --stats c1 > "$BATS_TEST_TMPDIR/e"
	gojq -c .data.network_policy "$BATS_TEST_TMPDIR/e"
	gojq -e '.data.network_policy[0] | [.allowed[].entry] == ["10.9.1.1:7001", "[fd09:1::]/64", "dns"]' "$BATS_TEST_TMPDIR/e"
	gojq -e '.data.network_policy[0] | .allowed[0].bytes > 1000 and .allowed[1].packets >= 2 and .allowed[2].packets >= 6' "$BATS_TEST_TMPDIR/e"
	gojq -e '.data.network_policy[0] | .refused.packets >= 3' "$BATS_TEST_TMPDIR/e"
	volt delete --force c1
	edit_config "$B" '.annotations["dev.volt.net.egress"] = "example.org"'
	say_run volt run --bundle "$B" c2 < /dev/null
	[ "$status" -ne 0 ]
	[[ "$output" == *"'example.org' is neither an address or network"* ]]
}

@test "linux.netDevices moves an interface in, with its addresses, under its new name" {
	ip link add veth-a type veth peer name veth-b
	ip addr add 10.9.8.1/24 dev veth-b && ip link set veth-b up
	ip addr add 10.9.8.2/24 dev veth-a && ip addr add fd09:8::2/64 dev veth-a nodad
	make_bundle "$B" sh -c 'ip -o addr > /addr; exec /netprobe tcp 10.9.8.1 7001 10000'
	cp "$PROBE" "$B/rootfs/netprobe"
	host_serves 7001
	edit_config "$B" '.linux.netDevices["veth-a"] = {name: "net0"}'
	say_run volt run --bundle "$B" c1 < /dev/null
	[ "$status" -eq 0 ]
	grep -q "net0.*inet 10.9.8.2/24" "$B/rootfs/addr"
	grep -q "net0.*inet6 fd09:8::2/64" "$B/rootfs/addr"
	edit_config "$B" '.linux.netDevices = {nosuch: {}}'
	say_run volt run --bundle "$B" c2 < /dev/null
	[ "$status" -ne 0 ]
	[[ "$output" == *"linux.netDevices: move 'nosuch'"* ]]
	ip link delete veth-b 2> /dev/null || true

	# a create that fails later gives it back: the program is looked for when all else is done
	ip link add veth-a type veth peer name veth-b
	ip link set veth-b up
	ip addr add 10.9.8.2/24 dev veth-a && ip link set veth-a up
	make_bundle "$BATS_TEST_TMPDIR/b3" /nosuch
	edit_config "$BATS_TEST_TMPDIR/b3" '.linux.netDevices["veth-a"] = {name: "net0"}'
	say_run volt create --bundle "$BATS_TEST_TMPDIR/b3" c3 < /dev/null
	[ "$status" -ne 0 ]
	[[ "$output" == *"/nosuch"* ]]
	ip -o addr show dev veth-a | grep "inet 10.9.8.2/24"
	ip -o link show dev veth-a | grep "<.*[<,]UP[,>]"
	[ "$(tc qdisc show dev veth-a | grep -c ingress)" -eq 0 ]
	ip link delete veth-b
}

@test "vhost-net: the same network, served by the host's kernel; without it the caller is told, or not" {
	cable n1 1
	host_serves 7001
	bundle_in "$B" n1 sh -c '
		/netprobe tcp 10.9.1.1 7001 2000000 && /netprobe udp fd09:1::1 7001 1400 10 && touch /out-ok
		exec /netprobe serve 7000'
	edit_config "$B" '.annotations += {"dev.volt.net.vhost": "on", "dev.volt.vcpus": "2"}'
	vhost_device off
	say_run volt create --bundle "$B" c1 < /dev/null
	[ "$status" -ne 0 ]
	[[ "$output" == *"dev.volt.net.vhost"*"open '/dev/vhost-net': No such file"* ]]
	no_traces
	vhost_device on
	start_in "$B" c1
	wait_for 60 exists "$B/rootfs/out-ok"
	wait_for 60 answers 10.9.1.2 7000
	threads_of "$(role_pid vmm c1)" # since Linux 6.4 those of the kernel are among them
	[ "$(threads_of "$(role_pid vmm c1)" | grep -c ^vhost-)" -eq 2 ]
	volt sandbox --show c1 > "$BATS_TEST_TMPDIR/show"
	"$PROBE" tcp 10.9.1.2 7000 4000000 3>&- &
	probe=$!
	volt pause c1
	volt resume c1
	wait "$probe"
	"$PROBE" tcp fd09:1::2 7000 100000
	"$PROBE" udp 10.9.1.2 7000 65507 3
	"$PROBE" crowd 10.9.1.2 7000 50
	volt kill c1 KILL
	wait_for_status c1 stopped
	volt delete c1
	no_traces
}

# disk N - a loop device as the guest's /dev/vN
disk() {
	local image=$BATS_TEST_TMPDIR/image$1
	[ -e "/dev/loop$1" ] || mknod "/dev/loop$1" b 7 "$1"
	truncate -s 1M "$image"
	echo "disk $1" | dd of="$image" conv=notrunc 2> /dev/null
	losetup "/dev/loop$1" "$image"
	edit_config "$B" '.linux.devices += [{path: ("/dev/v" + $n), type: "b", major: 7, minor: ($n | tonumber)}]
		| .linux.resources.devices += [{allow: true, type: "b", major: 7, minor: ($n | tonumber), access: "rwm"}]' --arg n "$1"
}

@test "pasta's tap: out through its gateway, and in by a port that it forwards" {
	ip netns add n1
	ip link add up0 type veth peer name up1
	ip addr add 10.9.77.1/24 dev up0
	ip link set up0 up
	ip link set up1 up
	ip route add default via 10.9.77.254 dev up0 # it wants a way out to take after
	pasta --runas 0 --config-net -4 -i up0 -a 10.9.77.5 -n 24 -g 10.9.77.254 -t 7300 -u none -T none -U none \
		--netns /run/netns/n1 -f > "$BATS_TEST_TMPDIR/pasta" 2>&1 3>&- &
	pasta=$!
	host_serves 7001
	wait_for 20 sh -c 'ip -n n1 route | grep -q ^default'
	bundle_in "$B" n1 sh -c '/netprobe tcp 10.9.77.254 7001 200000 && touch /out; exec /netprobe serve 7300'
	start_in "$B" c1
	wait_for 60 exists "$B/rootfs/out"
	wait_for 60 answers 10.9.77.1 7300
	"$PROBE" tcp 10.9.77.1 7300 200000
	volt delete --force c1
	kill "$pasta"
	wait "$pasta" || true
	ip link delete up0
}

@test "all a machine may have: macvlan, ipvlan, slirp4netns' tap and others, eight in all, and four disks" {
	local n
	# two cables to a neighbour's namespace, each shared with it
	ip netns add far
	ip netns add n1
	for n in 0 1; do
		ip link add "par$n" type veth peer name "rap$n"
		ip link set "par$n" up
		ip link set "rap$n" up
	done
	ip link add link par0 name eth0 netns n1 type macvlan mode bridge
	ip link add link par0 name far0 netns far type macvlan mode bridge
	ip link add link par1 name eth1 netns n1 type ipvlan mode l2
	ip link add link par1 name far1 netns far type ipvlan mode l2
	for n in 0 1; do
		ip -n n1 addr add "10.9.2$n.2/24" dev "eth$n"
		ip -n n1 link set "eth$n" up
		ip -n far addr add "10.9.2$n.1/24" dev "far$n"
		ip -n far link set "far$n" up
	done
	modprobe dummy numdummies=0 # as systemd's modprobe.d has it; else one is made here with the module
	for n in 3 4 5 6 7; do
		ip -n n1 link add "eth$n" type dummy
		ip -n n1 addr add "10.9.3$n.2/24" dev "eth$n"
		ip -n n1 link set "eth$n" up
	done
	slirp4netns --configure --netns-type=path --ready-fd=4 /run/netns/n1 tap0 4> "$BATS_TEST_TMPDIR/ready" > /dev/null 2>&1 3>&- &
	slirp=$!
	wait_for 20 test -s "$BATS_TEST_TMPDIR/ready"
	host_serves 7001
	ip netns exec far "$PROBE" serve 7002 < /dev/null > /dev/null 2>&1 3>&- &
	far=$!

	bundle_in "$B" n1 sh -c '
		for n in 0 1; do
			/netprobe tcp 10.9.2$n.1 7002 200000 && /netprobe udp 10.9.2$n.1 7002 1400 5 && touch /eth$n-ok
		done
		/netprobe tcp 10.0.2.2 7001 200000 && touch /tap0-ok
		for n in 0 1 2 3; do
			head -c 7 /dev/v$n
		done > /disks
		ip -o addr > /addr
		exec /netprobe serve 7000'
	for n in 0 1 2 3; do
		disk "$n"
	done
	start_in "$B" c1
	wait_for 60 exists "$B/rootfs/addr"
	wait_for 60 ip netns exec far "$PROBE" tcp 10.9.20.2 7000 1
	ip netns exec far "$PROBE" tcp 10.9.20.2 7000 200000
	ip netns exec far "$PROBE" tcp 10.9.21.2 7000 200000
	cat "$B/rootfs/addr" "$B/rootfs/disks"
	[ "$(grep -c "inet 10\." "$B/rootfs/addr")" -eq 8 ]
	[ "$(cat "$B/rootfs/disks")" = "$(printf 'disk %d\n' 0 1 2 3)" ]
	[ -e "$B/rootfs/eth0-ok" ]
	[ -e "$B/rootfs/eth1-ok" ]
	[ -e "$B/rootfs/tap0-ok" ]
	# whose address isn't the guest's doesn't leave by these, either
	volt events --stats c1 | gojq -e '[.data.network_policy[] | select(.spoofed.packets == 0)] | length == 8'
	volt delete --force c1
	for n in 0 1 2 3; do
		losetup --detach "/dev/loop$n"
	done
	kill "$slirp" "$far"

	ip netns delete n1
	ip netns add n1
	ip link add link par1 name eth0 netns n1 type ipvlan mode l3
	say_run volt create --bundle "$B" c2 < /dev/null
	[ "$status" -ne 0 ]
	[[ "$output" == *"'eth0' is an ipvlan in a routed mode"* ]]
	ip link delete par0
	ip link delete par1
}

# guest_has_news SINCE DIR TEXT - the snapshot that says so is of soon after SINCE, ns; all clocks are the host's
guest_has_news() {
	local at ms
	wait_for 5 guest_says "$2" "$3"
	read -r at < "$2/rootfs/now"
	ms=$(((at - $1) / 1000000))
	echo "news after $ms ms: $3"
	[ "$ms" -gt "-$NEWS" ] # or else it's the clocks that differ
	[ "$ms" -lt "$NEWS" ]
}

@test "networks come and go while the container runs, and their filters with them" {
	cable n1 1
	bundle_in "$B" n1 sh -c "$WATCHER"
	start_in "$B" c1
	wait_for 30 guest_says "$B" 10.9.1.2
	since=$("$PROBE" clock)
	more_cable n1 2
	guest_has_news "$since" "$B" "eth2    inet 10.9.2.2/24"
	host_serves 7001
	volt exec c1 /netprobe tcp 10.9.2.1 7001 100000
	volt exec c1 /netprobe tcp 10.9.1.1 7001 100000
	[ "$(ip -n n1 -brief link | grep -c ^volt)" -eq 2 ]
	# what the engine changes on an interface the guest has already
	since=$("$PROBE" clock)
	ip -n n1 route add 192.0.2.0/24 via 10.9.2.1
	guest_has_news "$since" "$B" "192.0.2.0/24 via 10.9.2.1 dev eth2"
	since=$("$PROBE" clock)
	ip -n n1 addr del 10.9.1.2/24 dev eth0 && ip -n n1 addr add 10.9.1.3/24 dev eth0
	guest_has_news "$since" "$B" "eth0    inet 10.9.1.3/24"
	volt exec c1 /netprobe tcp 10.9.1.1 7001 1000 # by the filters its new address may leave
	# through a pause, too
	volt pause c1
	ip -n n1 link delete eth2
	volt resume c1
	wait_for 2 guest_is_silent_about "$B" eth2
	guest_is_silent_about "$B" 192.0.2.0/24
	wait_for 5 one_tap n1
	for i in 1 2 3 4 5 6; do # more often than there are slots
		more_cable n1 3
		wait_for 2 guest_says "$B" 10.9.3.2
		ip -n n1 link delete eth3
		wait_for 2 guest_is_silent_about "$B" eth3
	done
	volt exec c1 /netprobe tcp 10.9.1.1 7001 1000
	# one that has to be asked for multicast frames, but only as long as the VM is there
	modprobe dummy numdummies=0
	ip -n n1 link add eth4 type dummy
	ip -n n1 addr add 10.9.4.2/24 dev eth4
	ip -n n1 link set eth4 up
	wait_for 2 guest_says "$B" 10.9.4.2
	ip -n n1 link show eth4 | grep -q ALLMULTI
	volt kill c1 KILL
	wait_for_status c1 stopped
	volt delete c1
	! ip -n n1 link show eth4 | grep -q ALLMULTI || return 1
}

@test "what an interface becomes: a larger MTU, fewer addresses, another address of its own" {
	cable n1 1
	bundle_in "$B" n1 sh -c "$WATCHER"
	start_in "$B" c1
	wait_for 30 guest_says "$B" 10.9.1.2
	host_serves 7001
	# More than its device was made for can't be had, and keeps nothing else from being had.
	ip link set host1 mtu 9000 && ip -n n1 link set eth0 mtu 9000
	more_cable n1 2
	wait_for 2 guest_says "$B" "eth2    inet 10.9.2.2/24"
	# Of several addresses the first one goes, as a host with systemd has it.
	ip netns exec n1 sysctl -qw net.ipv4.conf.all.promote_secondaries=1
	ip -n n1 addr add 10.9.1.5/24 dev eth0
	wait_for 2 guest_says "$B" "eth0    inet 10.9.1.5/24"
	ip -n n1 addr del 10.9.1.2/24 dev eth0
	wait_for 2 guest_is_silent_about "$B" 10.9.1.2
	guest_says "$B" "eth0    inet 10.9.1.5/24"
	volt exec c1 /netprobe tcp 10.9.1.1 7001 1000
	# Another hardware address is another device; the old one's frames have nowhere to go.
	ip -n n1 link set eth0 address 02:00:00:00:00:77
	wait_for 5 guest_links "$B" c1 02:00:00:00:00:77
	wait_for 5 taps_are n1 2
	wait_for 2 guest_says "$B" "eth0    inet 10.9.1.5/24"
	volt exec c1 /netprobe tcp 10.9.1.1 7001 1000
	# While it is paused only the last word counts.
	volt pause c1
	for i in 1 2 3 4 5 6; do
		ip -n n1 route add "198.51.100.$i/32" dev eth0
		sleep 0.3
	done
	volt resume c1
	wait_for 5 guest_says "$B" 198.51.100.6
	volt delete --force c1
}

@test "what somebody set in the namespace is so in the guest, unless config.json says otherwise" {
	cable n1 1
	ip netns exec n1 sysctl -qw net.core.somaxconn=77 net.ipv4.ip_forward=1 net.ipv4.tcp_keepalive_time=123 \
		net.ipv4.ip_unprivileged_port_start=80 net.ipv4.conf.eth0.arp_ignore=2 net.ipv6.conf.eth0.hop_limit=33
	ip netns exec n1 sysctl -qw net.ipv4.conf.eth0.forwarding=0
	show='cd /proc/sys/net; grep . core/somaxconn ipv4/ip_forward ipv4/tcp_keepalive_time ipv4/ip_unprivileged_port_start \
		ipv4/conf/eth0/arp_ignore ipv4/conf/lo/arp_ignore ipv4/conf/eth0/forwarding ipv6/conf/eth0/hop_limit'
	bundle_in "$B" n1 sh -c "$show > /sysctls"
	edit_config "$B" '.linux.sysctl = {"net.ipv4.tcp_keepalive_time": "99"}'
	say_run volt run --bundle "$B" c1 < /dev/null
	[ "$status" -eq 0 ]
	cat "$B/rootfs/sysctls"
	[ "$(cut -d: -f2 "$B/rootfs/sysctls" | tr '\n' ' ')" = "77 1 99 80 2 0 0 33 " ]
	# in a user namespace the network is one of its own, in the guest, too
	edit_config "$B" '.linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
	chown -R 100000:100000 "$B/rootfs"
	say_run volt run --bundle "$B" c2 < /dev/null
	[ "$status" -eq 0 ]
	cat "$B/rootfs/sysctls"
	[ "$(cut -d: -f2 "$B/rootfs/sysctls" | tr '\n' ' ')" = "77 1 99 80 2 0 0 33 " ]
}

# carrier_is DIR WHAT - the last snapshot of a guest's eth0 says so
carrier_is() {
	[ "$(cat "$1/rootfs/carrier")" = "$2" ]
}

@test "the guest sees a cable that is pulled out at the other end, and plugged in again" {
	cable n1 1
	ip link set host1 down # so there is none at create
	bundle_in "$B" n1 sh -c '
		while :; do { cat /sys/class/net/eth0/carrier; ip link show eth0 | grep -o NO-CARRIER; } > /new
		mv /new /carrier; sleep 0.1; done'
	start_in "$B" c1
	wait_for 30 carrier_is "$B" $'0\nNO-CARRIER'
	ip link set host1 up
	wait_for 5 carrier_is "$B" 1
	busybox ping -c 2 -W 10 10.9.1.2
	ip link set host1 down
	wait_for 5 carrier_is "$B" $'0\nNO-CARRIER'
	ip link set host1 up
	wait_for 5 carrier_is "$B" 1
	busybox ping -c 2 -W 10 10.9.1.2
	ip addr add fd09:1::1/64 dev host1 nodad # the host's own went with its end
	busybox ping -c 2 -W 10 fd09:1::2
	# an interface that comes without one, and gets it
	ip link add host2 type veth peer name eth2 netns n1
	ip -n n1 link set eth2 up
	wait_for 5 guest_links "$B" c1 "eth2: <NO-CARRIER"
	ip link set host2 up
	wait_for 5 guest_links "$B" c1 "eth2: <BROADCAST,MULTICAST,UP,LOWER_UP>"
	volt delete --force c1
}

guest_links() {
	volt exec "$2" ip link | grep -qF "$3"
}

taps_are() {
	[ "$(ip -n "$1" -brief link | grep -c '^volt')" -eq "$2" ]
}

one_tap() {
	[ "$(ip -n "$1" -brief link | grep -c '^volt')" -eq 1 ]
}

@test "a network that comes between create and start is there when the process starts" {
	make_bundle "$B" sh -c 'ip -o addr > /addr; ip route > /route; exec /netprobe tcp 10.9.4.1 7001 10000'
	cp "$PROBE" "$B/rootfs/netprobe"
	create "$B" c1
	# as buildah and newer dockers do: by the process that create left
	pid=$(pid_of c1)
	ip link add host4 type veth peer name eth0 netns "$pid"
	ip addr add 10.9.4.1/24 dev host4 && ip link set host4 up
	host_serves 7001
	nsenter --net="/proc/$pid/ns/net" sh -c '
		ip link set lo up; ip addr add 10.9.4.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.9.4.1'
	volt start c1
	wait_for_status c1 stopped
	cat "$B/rootfs/addr" "$B/rootfs/route"
	grep -q "inet 10.9.4.2/24.*eth0" "$B/rootfs/addr"
	grep -q "^default via 10.9.4.1 dev eth0" "$B/rootfs/route"
	[ "$(volt state c1 | gojq '."dev.volt.reason"')" = null ]
	volt delete c1
}

@test "kill -9 of create gives back what was moved in" {
	local i
	for i in 1 2 3; do
		ip link add veth-a type veth peer name veth-b
		ip link set veth-b up
		ip addr add 10.9.8.2/24 dev veth-a && ip link set veth-a up
		ip netns add n5 && ip -n n5 link set lo up
		bundle_in "$BATS_TEST_TMPDIR/k$i" n5 true
		edit_config "$BATS_TEST_TMPDIR/k$i" '.linux.netDevices["veth-a"] = {name: "net0"}'
		volt create --bundle "$BATS_TEST_TMPDIR/k$i" "k$i" < /dev/null > /dev/null 2>&1 3>&- &
		wait_for 10 role_pid net "k$i"
		pkill -9 -f -- "create --bundle $BATS_TEST_TMPDIR/k$i"
		wait_for 20 no_roles
		ip -o addr show dev veth-a | grep "inet 10.9.8.2/24"
		[ "$(tc qdisc show dev veth-a | grep -c ingress)" -eq 0 ]
		volt delete --force "k$i"
		ip link delete veth-b
		ip netns delete n5
	done
}

@test "the watcher of a namespace, alone" {
	run tests/run-unit.sh "${VOLT%/*}/tests/test_net_watch"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *" passed, 0 failed, 0 skipped"* ]]
}

is_locked() {
	! flock --nonblock "$1" true
}

@test "whoever may read a namespace's file, and locks it, doesn't hold up create" {
	cable n1 1
	bundle_in "$BATS_TEST_TMPDIR/b1" n1 true
	setpriv --reuid 65534 --regid 65534 --clear-groups \
		sh -c 'exec 9< /run/netns/n1; flock 9; exec sleep 1000' < /dev/null > /dev/null 2>&1 3>&- &
	holder=$!
	wait_for 20 is_locked /run/netns/n1
	volt run --bundle "$BATS_TEST_TMPDIR/b1" c1 < /dev/null
	is_locked /run/netns/n1
	kill "$holder"
}
