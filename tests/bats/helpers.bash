# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# helpers.bash - what the behaviour tests share
#
# Tests run as root in a machine with a working KVM (tests/vm/run). $VOLT is the
# runtime, $IMAGES has busybox.tar and debian.tar. Each test leaves nothing
# behind: teardown checks it.

VOLT=${VOLT:-$PWD/build/volt-runc}
IMAGES=${IMAGES:-$PWD/build/images}
TESTDATA=$(dirname "${BASH_SOURCE[0]}")/testdata

# Nothing may hang: a guest in an emulated machine needs some seconds, on a busy host a minute.
LIMIT=${LIMIT:-300}

# volt [ARG]... - the runtime, with a state directory of this test run
volt() {
	timeout -k 10 "$LIMIT" "$VOLT" --root "$VOLT_ROOT" "$@"
}

# pod [ARG]... - podman with our runtime
pod() {
	: > "$BATS_TEST_TMPDIR/podman.used"
	timeout -k 10 "$LIMIT" podman --runtime "$VOLT" "$@"
}

# say_run COMMAND... - like bats' run, and prints command, status and output for the log
say_run() {
	run "$@"
	# shellcheck disable=SC2154 # run sets them
	printf '$ %s\n-> %s\n%s\n' "$*" "$status" "$output"
}

# fails COMMAND... - it does. (A "! COMMAND" that succeeds ends no test, unless it is the last line.)
fails() {
	if "$@"; then
		echo "succeeded: $*"
		return 1
	fi
}

# make_bundle DIR ARG... - a bundle whose process is ARG...; root file system from busybox
make_bundle() {
	local dir=$1
	shift
	mkdir -p "$dir/rootfs"
	tar -C "$dir/rootfs" -xf "$IMAGES/busybox.tar"
	gojq '.process.args = $ARGS.positional' "$TESTDATA/config.json" --args -- "$@" > "$dir/config.json"
}

# create BUNDLE ID [OPTION]... - create with streams that go nowhere; what it says goes to the test's log
create() {
	local bundle=$1 id=$2 status=0
	shift 2
	volt create --bundle "$bundle" "$@" "$id" < /dev/null > "$BATS_TEST_TMPDIR/create.log" 2>&1 || status=$?
	cat "$BATS_TEST_TMPDIR/create.log"
	return "$status"
}

# edit_config DIR JQ-FILTER [JQ-ARG]... - change a bundle's config.json
edit_config() {
	local dir=$1 filter=$2
	shift 2
	gojq "$@" "$filter" "$dir/config.json" > "$dir/config.json.new"
	mv "$dir/config.json.new" "$dir/config.json"
}

status_of() {
	volt state "$1" | gojq -r .status
}

pid_of() {
	volt state "$1" | gojq -r .pid
}

# wait_for SECONDS COMMAND... - until it succeeds; emulated machines on busy hosts get some times longer
wait_for() {
	local end=$((SECONDS + 6 * $1))
	shift
	until "$@"; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "waited in vain for: $*"
			return 1
		fi
		sleep 0.1
	done
}

has_status() {
	[ "$(status_of "$1")" = "$2" ]
}

wait_for_status() {
	wait_for 30 has_status "$1" "$2"
}

# logs_have CONTAINER TEXT - in what podman kept of its output
logs_have() {
	podman logs "$1" 2>&1 | grep -qF "$2"
}

# roles - pids of all processes of ours
roles() {
	pgrep -f '^volt-(shim|vmm|fs|net|relay): ' || true
}

# role_pid ROLE ID
role_pid() {
	pgrep -f "^volt-$1: $2\$"
}

no_roles() {
	[ -z "$(roles)" ]
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

# no_traces - nothing of ours is left in any namespace
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

# wipe_namespaces - all that have a name
wipe_namespaces() {
	local ns
	for ns in $(ip netns list | cut -d' ' -f1); do
		ip netns delete "$ns"
	done
	rm -f /run/netns/*
}

# vhost_device on|off - as a host that has it, or not
vhost_device() {
	if [ "$1" = on ]; then
		modprobe vhost_net
		[ -e /dev/vhost-net ] || mknod /dev/vhost-net c 10 238
	else
		modprobe -r vhost_net 2> /dev/null || true
		rm -f /dev/vhost-net
	fi
}

# inventory - everything a container could leave behind. Forks are dear in an emulated machine.
inventory() {
	local id parent dev root point rest
	echo "state:" "$VOLT_ROOT"/* /run/volt-runc/*
	while read -r id parent dev root point rest; do
		[[ $point == */containers/storage* ]] || echo "mount: $point $id $parent $dev $root ${rest:+}"
	done < /proc/self/mountinfo
	# what podman makes for itself, once: its parent, the one exec moves conmon to, its probe
	for point in /sys/fs/cgroup/*/ /sys/fs/cgroup/libpod_parent/*/; do
		[[ $point == *'*'* || $point == */libpod_parent/ || $point == */libpod_parent/conmon/ ||
			$point == */podman_probe/ ]] ||
			echo "cgroup: $point"
	done
	echo "links:" /sys/class/net/*
	echo "shm:" /dev/shm/*
}

setup_common() {
	VOLT_ROOT=$BATS_TEST_TMPDIR/state
	mkdir -p "$VOLT_ROOT" && chmod 700 "$VOLT_ROOT"
	inventory > "$BATS_TEST_TMPDIR/inventory.before"
}

# delete_all - the containers of this test
delete_all() {
	local dir
	for dir in "$VOLT_ROOT"/*; do
		[ ! -d "$dir" ] || volt delete --force "${dir##*/}" || true
	done
}

# What a test forgot is removed; what the runtime forgot is a failure.
teardown_common() {
	delete_all
	if [ -e "$BATS_TEST_TMPDIR/podman.used" ]; then
		podman --runtime "$VOLT" rm --all --force --time 0 >/dev/null 2>&1 || true
	fi
	wait_for 20 no_roles || {
		echo "left processes: $(pgrep -af '^volt-')"
		return 1
	}
	inventory > "$BATS_TEST_TMPDIR/inventory.after"
	diff "$BATS_TEST_TMPDIR/inventory.before" "$BATS_TEST_TMPDIR/inventory.after"
}
