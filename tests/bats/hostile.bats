#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Guests that attack: a kernel of our own that has nothing else to do (tests/guests), and storms in a container.
# as long as: 12

load helpers

# What the processes of one container may allocate, in KiB, and open; guest RAM is no private memory.
# Whoever can be made to take more than this fails, and with it the test.
ALLOCATE=65536
OPEN=2048

# A log never has more of a guest than the last 8 KiB of its console, with some words before each line.
LOG_MAX=65536
# Lines of the kernel's log, 900 bytes each; timer interrupts 20 us apart, in each of some processes.
if grep -q 'model name.*QEMU TCG' /proc/cpuinfo; then
	LOG_LINES=400 TICKS=200000
else
	LOG_LINES=5000 TICKS=1000000
fi

setup() {
	ip netns add warmup && ip netns delete warmup # what it mounts for itself, once
	setup_common
	neighbours=
	VOLT_BUILD=$(dirname "$VOLT")
}

teardown() {
	local loop
	delete_all
	no_traces
	wipe_namespaces
	for loop in $(losetup -nO NAME); do
		losetup --detach "$loop"
	done
	# what the host's kernel says when something of it broke
	fails grep -E 'BUG:|Oops|general protection|WARNING:|hung task' <(dmesg)
	teardown_common
}

# hostile_bundle - a bundle, and an installation whose kernel is the attacker
hostile_bundle() {
	make_bundle "$BATS_TEST_TMPDIR/h" true
	edit_config "$BATS_TEST_TMPDIR/h" '.annotations = {"dev.volt.memory": "64", "dev.volt.boot_timeout": "100"}'
	install -D -t "$BATS_TEST_TMPDIR/i" "$VOLT"
	install -D -m 644 "$VOLT_BUILD/guests/hostile" "$BATS_TEST_TMPDIR/i/guest/vmlinux"
}

# annotate NAME VALUE - change one of the hostile bundle's annotations
annotate() {
	edit_config "$BATS_TEST_TMPDIR/h" '.annotations[$name] = $value' --arg name "dev.volt.$1" --arg value "$2"
}

# in_n1 DIR - the bundle's network is that of the namespace n1
in_n1() {
	edit_config "$1" '(.linux.namespaces[] | select(.type == "network")).path = "/run/netns/n1"'
}

# disk N ACCESS - a disk of 8,192 sectors for the hostile bundle: the image disk.N, as a loop device
disk() {
	[ -e "/dev/loop$1" ] || mknod "/dev/loop$1" b 7 "$1"
	head -c 4194304 /dev/zero | tr '\0' "$1" > "$BATS_TEST_TMPDIR/disk.$1"
	losetup "/dev/loop$1" "$BATS_TEST_TMPDIR/disk.$1"
	edit_config "$BATS_TEST_TMPDIR/h" '.linux.devices += [{path: ("/dev/v" + $n), type: "b", major: 7, minor: ($n | tonumber)}]
		| .linux.resources.devices += [{allow: true, type: "b", major: 7, minor: ($n | tonumber), access: $access}]' \
		--arg n "$1" --arg access "$2"
}

# count_sources - count what arrives at the host's end of the cable: as our guest's, and as that of 02:66:...
count_sources() {
	local mac
	mac=$(ip -n n1 -o link show eth0 | sed 's/.*link.ether \([0-9a-f:]*\) .*/\1/')
	tc qdisc add dev host1 clsact
	tc filter add dev host1 ingress pref 1 protocol all u32 match u16 0x0266 0xffff at -8 action ok
	tc filter add dev host1 ingress pref 2 protocol all u32 match u16 "0x${mac:0:2}${mac:3:2}" 0xffff at -8 action ok
}

# counted PREF - how many those were: 1 forged, 2 the guest's own
counted() {
	tc -s filter show dev host1 ingress pref "$1" | sed -n 's/.*Sent [0-9]* bytes \([0-9]*\) pkt.*/\1/p'
}

# bounded COMMAND... - with limits on memory and descriptors of all processes that it starts
bounded() (
	ulimit -d "$ALLOCATE"
	ulimit -n "$OPEN"
	"$@"
)

# obey WORD... - what the next hostile guest does
obey() {
	echo "$*" > "$BATS_TEST_TMPDIR/i/guest/initramfs"
}

# attack WORDS TEXT... - create fails with each TEXT in its message, and leaves nothing. (A word is done when the next one
# begins, and the last lines of the console are in the message: "hostile: ports done".)
attack() {
	local words=$1 text status=0
	shift
	echo "attack: $words at $SECONDS s"
	obey "$words"
	VOLT=$BATS_TEST_TMPDIR/i/volt-runc bounded create "$BATS_TEST_TMPDIR/h" h1 || status=$?
	[ "$status" -eq 1 ]
	for text in "$@"; do
		grep -qF -e "$text" "$BATS_TEST_TMPDIR/create.log"
	done
	# whatever a guest says is text
	if LC_ALL=C grep -q $'[\001-\010\013-\037]' "$BATS_TEST_TMPDIR/create.log"; then
		return 1
	fi
	[ "$(ls "$VOLT_ROOT")" = "$neighbours" ]
	[ -n "$neighbours" ] || no_roles
}

# neighbour_start - a container that writes a number again and again
neighbour_start() {
	make_bundle "$BATS_TEST_TMPDIR/n" sh -c 'i=0; while :; do i=$((i + 1)); echo $i > /beat; sleep 0.1; done'
	create "$BATS_TEST_TMPDIR/n" neighbour
	volt start neighbour
	neighbours=neighbour
	neighbour_lives
}

beats_beyond() {
	local n
	read -r n 2> /dev/null < "$BATS_TEST_TMPDIR/n/rootfs/beat" && [ "$n" -gt "$1" ]
}

# neighbour_lives - its number grows
neighbour_lives() {
	local now
	read -r now < "$BATS_TEST_TMPDIR/n/rootfs/beat" || true # it may not be there, or be empty just now
	wait_for 20 beats_beyond "${now:-0}"
}

@test "registers, queues, doorbells, ports, memory: the guest's machine ends, nobody else's" {
	hostile_bundle
	neighbour_start
	attack "7 registers states doorbells ports reset" "guest kernel stopped (reset)" "hostile: ports done"
	attack "8 queues console triple" "guest kernel stopped (reset)" "Kernel panic - ?[2Jmade up"
	attack "9 vsock touch poweroff" "guest kernel stopped (power-off)" "hostile: touch done"
	annotate vcpus 2
	attack "10 race reset" "guest kernel stopped (reset)" "hostile: race done"
	annotate vcpus 1
	attack "wild" "guest kernel stopped"
	annotate boot_timeout 1
	attack "halt" "did not get ready within 1 s"
	attack "spin" "did not get ready within 1 s"
	neighbour_lives
	volt exec neighbour true
}

@test "networks and disks: lies to their devices harm nobody, and honest requests work after them" {
	hostile_bundle
	cable n1 1
	in_n1 "$BATS_TEST_TMPDIR/h"
	modprobe loop 2> /dev/null || true
	disk 5 rwm
	disk 6 r
	cp "$BATS_TEST_TMPDIR/disk.6" "$BATS_TEST_TMPDIR/disk.6.before"
	count_sources
	neighbour_start
	attack "11 devices registers net reset" "guest kernel stopped (reset)" "hostile: devices 3 19 26 4 5 1 2 2" "hostile: net done"
	echo "frames: forged $(counted 1), its own $(counted 2)"
	[ "$(counted 1)" -eq 0 ]
	[ "$(counted 2)" -gt 0 ]
	attack "12 blk reset" "guest kernel stopped (reset)" "hostile: blk done"
	cmp "$BATS_TEST_TMPDIR/disk.6" "$BATS_TEST_TMPDIR/disk.6.before"
	grep -q "the guest's own words" "$BATS_TEST_TMPDIR/disk.5"
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/disk.5")" -eq 4194304 ]
	attack "13 states queues doorbells net reset" "guest kernel stopped (reset)" "hostile: net done"
	annotate vcpus 2
	attack "14 race net blk reset" "guest kernel stopped (reset)" "hostile: blk done"
	attack "15 ticks lines ipis reset" "guest kernel stopped (reset)" "hostile: ipis done"
	cmp "$BATS_TEST_TMPDIR/disk.6" "$BATS_TEST_TMPDIR/disk.6.before"
	no_traces
	neighbour_lives
}

@test "vhost-net: what a guest says to the host's kernel harms nobody" {
	hostile_bundle
	cable n1 1
	in_n1 "$BATS_TEST_TMPDIR/h"
	vhost_device on
	annotate net.vhost on
	annotate vcpus 2
	count_sources
	neighbour_start
	attack "16 registers states doorbells net reset" "guest kernel stopped (reset)" "hostile: net done"
	attack "17 queues race net reset" "guest kernel stopped (reset)" "hostile: net done"
	[ "$(counted 1)" -eq 0 ]
	[ "$(counted 2)" -gt 0 ]
	no_traces
	neighbour_lives
}

# host_starts WORD... - a hostile machine in n1, which does WORD... when another container has joined it
host_starts() {
	obey agent-hosts joined "$@"
	hostile_volt create --bundle "$BATS_TEST_TMPDIR/h" h1 < /dev/null > /dev/null 2>&1
	hostile_volt start h1
}

@test "a machine that attacks the file server of a container that joined it" {
	local status=0
	hostile_bundle
	annotate vcpus 2
	cable n1 1
	in_n1 "$BATS_TEST_TMPDIR/h"
	make_bundle "$BATS_TEST_TMPDIR/c2" true
	in_n1 "$BATS_TEST_TMPDIR/c2"
	edit_config "$BATS_TEST_TMPDIR/c2" '.annotations = {"dev.volt.boot_timeout": "100"}'
	neighbour_start
	host_starts 18 states queues doorbells race reset
	create "$BATS_TEST_TMPDIR/c2" c2 || status=$?
	[ "$status" -eq 1 ]
	wait_for_status h1 stopped
	volt state h1 | gojq -r '."dev.volt.reason"' | grep "hostile: race done"
	wait_for 20 no_role_of h1
	wait_for 20 no_role_of c2
	[ ! -e "$VOLT_ROOT/c2" ]
	volt delete h1
	no_traces

	# which goes on as if nothing had been, and has no agent for the second
	edit_config "$BATS_TEST_TMPDIR/c2" '.annotations = {"dev.volt.boot_timeout": "1"}'
	host_starts 19 queues doorbells halt
	status=0
	create "$BATS_TEST_TMPDIR/c2" c2 || status=$?
	[ "$status" -eq 1 ]
	grep -q "did not get ready within 1 s" "$BATS_TEST_TMPDIR/create.log"
	[ "$(status_of h1)" = running ]
	wait_for 20 no_role_of c2
	volt delete --force h1
	wait_for 20 no_role_of h1
	no_traces
	neighbour_lives
}

@test "an agent that breaks its protocol: an error that names it" {
	hostile_bundle
	neighbour_start
	attack agent-version "the guest agent speaks protocol version 99"
	attack agent-exit "the end of a process that was never made"
	attack agent-refuses "no?such?luck"
	attack agent-replies "answered a request that was never made"
	attack agent-early 'msg="the agent sent a frame out of turn"'
	attack agent-twice 'msg="the agent sent a frame out of turn"'
	attack agent-request 'msg="the agent sent a request"'
	attack agent-length 'msg="the agent sent a malformed frame header"'
	attack agent-type 'msg="the agent sent a malformed frame header"'
	neighbour_lives
	volt exec neighbour true
}

# hostile_volt ARG... - the runtime whose guest is the attacker
hostile_volt() {
	VOLT=$BATS_TEST_TMPDIR/i/volt-runc bounded volt "$@"
}

@test "an agent that floods: log, output and memory are bounded, kill still ends it" {
	hostile_bundle
	obey agent-exits
	status=0
	hostile_volt --debug --log "$BATS_TEST_TMPDIR/log" run --bundle "$BATS_TEST_TMPDIR/h" h1 < /dev/null || status=$?
	[ "$status" -eq 3 ]
	grep -q "exit of a process" "$BATS_TEST_TMPDIR/log"
	[ "$(wc -l < "$BATS_TEST_TMPDIR/log")" -lt 200 ]

	# 64 MiB on its console
	obey console triple
	rm "$BATS_TEST_TMPDIR/log"
	status=0
	hostile_volt --debug --log "$BATS_TEST_TMPDIR/log" create --bundle "$BATS_TEST_TMPDIR/h" h1 \
		< /dev/null > "$BATS_TEST_TMPDIR/create.log" 2>&1 || status=$?
	[ "$status" -eq 1 ]
	grep -q "guest: .*Kernel panic - not" "$BATS_TEST_TMPDIR/log"
	wc -c "$BATS_TEST_TMPDIR/log" "$BATS_TEST_TMPDIR/create.log"
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/log")" -lt "$LOG_MAX" ]
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/create.log")" -lt 10000 ]
	[ -z "$(ls "$VOLT_ROOT")" ]

	# says yes to everything, writes without an end, obeys nothing
	obey agent-liar
	mkfifo "$BATS_TEST_TMPDIR/out"
	exec 9<> "$BATS_TEST_TMPDIR/out"
	hostile_volt create --bundle "$BATS_TEST_TMPDIR/h" h1 < /dev/null > "$BATS_TEST_TMPDIR/out" 9<&-
	# as much as somebody reads, and then it waits
	timeout "$LIMIT" head -c 1000000 <&9 3>&- 9<&- > "$BATS_TEST_TMPDIR/read" &
	hostile_volt start h1 9<&-
	[ "$(status_of h1)" = running ]
	wait $!
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/read")" = 1000000 ]
	hostile_volt kill h1 KILL 9<&-
	exec 9<&-
	wait_for_status h1 stopped
	wait_for 20 no_roles
	volt delete h1
}

# private_kib PID - memory that is its own; the guest's is shared
private_kib() {
	awk '/^RssAnon/ { print $2 }' "/proc/$1/status"
}

no_role_of() {
	[ -z "$(role_pid '[a-z]*' "$1")" ]
}

# storm_exec ARG... - a storm in container s1; its neighbour, and the container, answer afterwards
storm_exec() {
	echo "storm: $* at $SECONDS s"
	status=0
	output=$(volt exec s1 /storm "$@") || status=$?
	echo "-> $status $output"
	neighbour_lives
	[ "$(volt exec s1 echo alive)" = alive ]
}

@test "storms of processes, memory, files, timers and messages stay in the guest" {
	make_bundle "$BATS_TEST_TMPDIR/s" sleep 1000
	install -t "$BATS_TEST_TMPDIR/s/rootfs" "$VOLT_BUILD/probes/storm"
	mkdir "$BATS_TEST_TMPDIR/s/rootfs/many"
	edit_config "$BATS_TEST_TMPDIR/s" '.linux.resources = {memory: {limit: 67108864, swap: 67108864}, pids: {limit: 40}} |
		.linux.devices = [{path: "/dev/kmsg", type: "c", major: 1, minor: 11, fileMode: 438}] |
		.linux.sysctl = {"kernel.printk_devkmsg": "on\n"}'
	neighbour_start
	bounded volt --debug --log "$BATS_TEST_TMPDIR/log" create --bundle "$BATS_TEST_TMPDIR/s" s1 < /dev/null > /dev/null 2>&1
	bounded volt start s1
	vmm=$(role_pid vmm s1)

	storm_exec fork
	[ "$status" -eq 0 ]
	[ "$output" -gt 10 ]
	[ "$output" -lt 40 ]
	private=$(private_kib "$vmm")
	storm_exec ticks "$TICKS" 4
	[ "$status" -eq 0 ]
	echo "KiB of the vmm: $private, then $(private_kib "$vmm")"
	[ $(($(private_kib "$vmm") - private)) -lt 1024 ]
	# the vmm keeps the last of it, and writes none of it down while all is well
	private=$(private_kib "$vmm")
	logged=$(stat -c %s "$BATS_TEST_TMPDIR/log")
	storm_exec log "$LOG_LINES"
	[ "$status" -eq 0 ]
	echo "KiB of the vmm: $private, then $(private_kib "$vmm"); log: $logged, then $(stat -c %s "$BATS_TEST_TMPDIR/log")"
	[ $(($(private_kib "$vmm") - private)) -lt 1024 ]
	[ $(($(stat -c %s "$BATS_TEST_TMPDIR/log") - logged)) -lt 10000 ]
	storm_exec files /many
	[ "$status" -eq 0 ]
	[ "$output" -gt 100 ]
	storm_exec hog
	[ "$status" -eq 137 ]
	[ "$(role_pid vmm s1)" = "$vmm" ]
	# and at a bad end no more than CONSOLE_SEARCH_BYTES
	kill -9 "$(role_pid fs s1)"
	wait_for_status s1 stopped
	wait_for 20 no_role_of s1
	grep -q "guest: .*storm xxx" "$BATS_TEST_TMPDIR/log"
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/log")" -lt "$LOG_MAX" ]
	[ "$(grep "guest: " "$BATS_TEST_TMPDIR/log" | wc -c)" -gt 4000 ]
	neighbour_lives
}
