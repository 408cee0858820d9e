#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# How a VM's frames get through: by as many queues as it has vCPUs, in large pieces or small, by the vmm or
# the host's kernel.
# as long as: 6

load helpers
load net_helpers

BULK=${VOLT%/*}/probes/netbulk

setup() {
	setup_net
}

teardown() {
	teardown_net
}

# bulk_in VCPUS - B serves bulk on port 7000 in n1; so does the host on port 7001
bulk_in() {
	bundle_in "$B" n1 /netbulk serve 7000
	cp "$BULK" "$NIC" "$B/rootfs/"
	edit_config "$B" '.annotations["dev.volt.vcpus"] = $n' --arg n "$1"
	"$BULK" serve 7001 < /dev/null > /dev/null 2>&1 3>&- &
	# shellcheck disable=SC2034 # for the teardown
	SERVER=$!
}

bulk_answers() {
	"$BULK" put "$1" "$2" 1 > /dev/null 2>&1
}

# uses - "NAME VALUE" for each queue: tx0… how often the guest announced frames, rx0… frames that the host sent
uses() {
	in_guest /nic counts eth0 | sed -n 's/^\(tx[0-9][0-9]*\)_kicks/\1/p'
	tc -n n1 -s qdisc show dev volt0 | awk '/^qdisc/ { at = $4 == "parent" ? $5 : "" }
		/ Sent / && at ~ /^:/ { print "rx" substr(at, 2) - 1, $4 }'
}

# use_of FILE NAME
use_of() {
	awk -v name="$2" '$1 == name { print $2 }' "$1"
}

# crossed NAMESPACE DEVICE rx|tx - "BYTES FRAMES" so far
crossed() {
	ip ${1:+-n "$1"} -json -statistics link show "$2" | gojq -r ".[0].stats64.$3 | \"\(.bytes) \(.packets)\""
}

# mean NAMESPACE DEVICE rx|tx COMMAND... - leaves in MEAN the mean length of frames that cross it meanwhile
mean() {
	local what=("$1" "$2" "$3") before after
	shift 3
	read -ra before < <(crossed "${what[@]}")
	"$@"
	read -ra after < <(crossed "${what[@]}")
	MEAN=$(((after[0] - before[0]) / (after[1] - before[1])))
	echo "mean length of frames, ${what[*]}: $MEAN"
}

# bad_sums COMMAND... - how many checksums the stack that it runs in found wrong: of IPv4, TCP and UDP, and of IPv6
bad_sums() {
	"$@" cat /proc/net/snmp /proc/net/snmp6 | awk '
		/InCsumErrors/ { for (i = 1; i <= NF; i++) if ($i == "InCsumErrors") at = i; next }
		at { n += $at; at = 0 }
		/^(Udp|Icmp)6InCsumErrors/ { n += $2 }
		END { print n + 0 }'
}

in_guest() {
	volt exec c1 "$@" < /dev/null
}

# much_both_ways - in streams and datagrams; leaves the mean lengths of frames, in IN for those that the VM
# is given, in OUT for those that arrive from it
much_both_ways() {
	mean n1 volt0 tx "$BULK" put 10.9.1.2 7000 3000000
	IN=$MEAN
	mean "" host1 rx in_guest /netbulk put fd09:1::1 7001 3000000
	OUT=$MEAN
	"$BULK" sizes 10.9.1.2 7000 1 4000 1333
	in_guest /netbulk sizes fd09:1::1 7001 1 4000 1333
	[ "$(bad_sums env)" -eq "$BAD_HERE" ]
	[ "$(bad_sums in_guest)" -eq 0 ]
}

@test "a queue pair for each vCPU, all in use; large frames where both ends take them, right sums where not" {
	local cpu queue
	cable n1 1
	bulk_in 3
	edit_config "$B" '.process.capabilities[] |= . + ["CAP_NET_ADMIN"]'
	start_in "$B" c1
	wait_for 60 bulk_answers 10.9.1.2 7000
	[ "$(in_guest ls /sys/class/net/eth0/queues | paste -sd' ')" = "rx-0 rx-1 rx-2 tx-0 tx-1 tx-2" ]
	uses > "$BATS_TEST_TMPDIR/before"
	for cpu in 0 1 2; do
		in_guest taskset -c "$cpu" /netbulk put 10.9.1.1 7001 300000
	done
	uses > "$BATS_TEST_TMPDIR/after"
	paste "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	[ "$(wc -l < "$BATS_TEST_TMPDIR/after")" -eq 6 ]
	for queue in tx0 tx1 tx2 rx0 rx1 rx2; do
		[ $(($(use_of "$BATS_TEST_TMPDIR/after" "$queue") - $(use_of "$BATS_TEST_TMPDIR/before" "$queue"))) -ge 3 ]
	done

	BAD_HERE=$(bad_sums env)
	much_both_ways # a slow stream has two segments in a frame, a fast one tens
	[ "$IN" -gt 1600 ]
	[ "$OUT" -gt 1600 ]
	# The cable's ends do nothing: the host's kernel sums up and segments, before it and after the tap.
	"$NIC" offload host1 off
	ip netns exec n1 "$NIC" offload eth0 off
	much_both_ways
	[ "$IN" -le 1514 ]
	[ "$OUT" -le 1514 ]
	"$NIC" offload host1 on
	ip netns exec n1 "$NIC" offload eth0 on
	# The guest does it.
	in_guest /nic offload eth0 off
	much_both_ways
	[ "$IN" -gt 1600 ]
	[ "$OUT" -le 1514 ]
}

# same_traffic - what has to work whoever serves the queues
same_traffic() {
	wait_for 60 bulk_answers 10.9.1.2 7000
	"$BULK" put 10.9.1.2 7000 1000000
	"$BULK" get fd09:1::2 7000 1000000
	"$BULK" churn 10.9.1.2 7000 20 10
	in_guest /netbulk put fd09:1::1 7001 1000000
	in_guest /netbulk sizes 10.9.1.1 7001 1 65507 16376
	busybox ping -c 1 -W 10 10.9.1.2
}

# kernel_threads - how many of the vmm's queues the host's kernel serves
kernel_threads() {
	threads_of "$(role_pid vmm c1)" | awk '/^vhost-/ { n++ } END { print n + 0 }'
}

@test "vhost-net if there is one: the vmm serves the queues where not, and nothing else differs" {
	cable n1 1
	bulk_in 2
	edit_config "$B" '.annotations["dev.volt.net.vhost"] = "auto"'
	vhost_device off
	start_in "$B" c1
	same_traffic
	[ "$(kernel_threads)" -eq 0 ]
	volt delete --force c1
	vhost_device on
	start_in "$B" c1
	same_traffic
	[ "$(kernel_threads)" -eq 2 ]
}
