#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Guests that attack: a kernel of our own that has nothing else to do (tests/guests), and storms in a container.
# as long as: 8

load helpers

# What the processes of one container may allocate, in KiB, and open; guest RAM is no private memory.
# Whoever can be made to take more than this fails, and with it the test.
ALLOCATE=65536
OPEN=2048

# A log never has more of a guest than the last 8 KiB of its console, with some words before each line.
LOG_MAX=65536
# Lines of the kernel's log, 900 bytes each.
if grep -q 'model name.*QEMU TCG' /proc/cpuinfo; then
	LOG_LINES=400
else
	LOG_LINES=5000
fi

setup() {
	setup_common
	neighbours=
	VOLT_BUILD=$(dirname "$VOLT")
}

teardown() {
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
	storm_exec ticks 20000
	[ "$status" -eq 0 ]
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
