#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# net.sh - networks side by side: bytes, packets and answers per second, in one run
#
# Inside the machine of tests/vm/run. The same static server runs as a plain container (crun on a
# veth), in our VM on a veth, with and without vhost-net, and in QEMU's microvm with our kernel on a
# tap, with and without vhost-net. The client is on the host. "in" is towards the server.
# Numbers of an emulated machine compare within one run only.
#
# environment: BUILD, MS (each figure's time, default 3000), CANDIDATES (default: all)
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
MS=${MS:-3000}
LIMIT=$((MS * 20 / 1000 + 60)) # seconds until a candidate is given up
CANDIDATES=${CANDIDATES:-crun volt volt-vhost qemu qemu-vhost}
volt=$PWD/$BUILD/volt-runc
bench=$PWD/$BUILD/probes/netbench
work=$(mktemp -d)
qemu=
trap 'rm -rf "$work"' EXIT

modprobe -a tun vhost_net 2> /dev/null || true
[ -e /dev/vhost-net ] || mknod /dev/vhost-net c 10 238
mkdir -p "$work/state" "$work/results"
chmod 700 "$work/state"

# cable - a namespace "bench" with eth0 = 10.9.1.2; 10.9.1.1 is ours
cable() {
	ip netns add bench
	ip link add host1 type veth peer name eth0 netns bench
	ip addr add 10.9.1.1/24 dev host1
	ip link set host1 up
	ip -n bench link set lo up
	ip -n bench addr add 10.9.1.2/24 dev eth0
	ip -n bench link set eth0 up
}

# bundle [JQ-FILTER] - the server, in that namespace
bundle() {
	mkdir -p "$work/b/rootfs"
	tar -C "$work/b/rootfs" -xf "$BUILD/images/busybox.tar"
	cp "$bench" "$work/b/rootfs/netbench"
	gojq '.process.args = ["/netbench", "serve", "7000"]
		| (.linux.namespaces[] | select(.type == "network")).path = "/run/netns/bench"' \
		tests/bats/testdata/config.json | gojq "${1:-.}" > "$work/b/config.json"
}

start_crun() {
	cable
	bundle
	crun --root "$work/crun" --cgroup-manager cgroupfs run --detach --bundle "$work/b" bench
}

stop_crun() {
	crun --root "$work/crun" --cgroup-manager cgroupfs delete --force bench
	ip netns delete bench
}

start_volt() {
	cable
	bundle "${1:-.}"
	"$volt" --root "$work/state" run --detach --bundle "$work/b" bench
}

stop_volt() {
	"$volt" --root "$work/state" delete --force bench
	ip netns delete bench
}

start_volt-vhost() {
	start_volt '.annotations["dev.volt.net.vhost"] = "on"'
}

stop_volt-vhost() {
	stop_volt
}

start_qemu() {
	local vhost=${1:-off}
	mkdir -p "$work/ir/bin" "$work/ir/proc" "$work/ir/sys"
	tar -C "$work/ir" -xf "$BUILD/images/busybox.tar"
	cp "$bench" "$work/ir/netbench"
	printf '#!/bin/busybox sh\nip link set lo up\nip addr add 10.9.1.2/24 dev eth0\nip link set eth0 up\nexec /netbench serve 7000\n' \
		> "$work/ir/init"
	chmod 755 "$work/ir/init"
	(cd "$work/ir" && find . | cpio --quiet -o -H newc) > "$work/ir.cpio"
	ip tuntap add dev host1 mode tap vnet_hdr
	ip addr add 10.9.1.1/24 dev host1
	ip link set host1 up
	qemu-system-x86_64 -M microvm,acpi=off,pit=off,pic=off,rtc=off,isa-serial=off -accel kvm -cpu host -smp 1 \
		-m 512 -nodefaults -no-user-config -display none -no-reboot -kernel "$BUILD/guest/vmlinux" \
		-initrd "$work/ir.cpio" -append "quiet panic=-1 reboot=t rdinit=/init" \
		-netdev "tap,id=n0,ifname=host1,script=no,downscript=no,vhost=$vhost" \
		-device virtio-net-device,netdev=n0 \
		-global virtio-mmio.force-legacy=false < /dev/null > "$work/qemu.log" 2>&1 &
	qemu=$!
}

stop_qemu() {
	kill -KILL "$qemu"
	wait "$qemu" || true
	ip link delete host1
}

start_qemu-vhost() {
	start_qemu on
}

stop_qemu-vhost() {
	stop_qemu
}

await_server() {
	local i
	for i in $(seq 100); do
		if timeout 20 "$bench" reach 10.9.1.2 7000 > /dev/null 2>&1; then
			return
		fi
		sleep 0.2
	done
	echo "bench: no server after $i tries" >&2
	cat "$work/qemu.log" >&2 || true
	return 1
}

value() {
	awk -v name="$2" '$1 == name { print $2; n++ } END { if (!n) print 0 }' "$work/results/$1"
}

# row NAME UNIT - a figure of all candidates
row() {
	local c
	printf '%-12s %-5s' "$1" "$2"
	for c in $CANDIDATES; do
		printf ' %12s' "$(value "$c" "$1")"
	done
	printf '\n'
}

for c in $CANDIDATES; do
	if "start_$c" > "$work/start.log" 2>&1 && await_server; then
		timeout "$LIMIT" "$bench" measure 10.9.1.2 7000 "$MS" > "$work/results/$c" || echo "bench: $c failed" >&2
		sed "s/^/# $c: /" "$work/results/$c" >&2
	else
		echo "bench: $c did not start" >&2
		cat "$work/start.log" >&2
		touch "$work/results/$c"
	fi
	"stop_$c" > /dev/null 2>&1 || true
done

echo "network, $MS ms each"
printf '%-18s' ""
# shellcheck disable=SC2086 # words
printf ' %12s' $CANDIDATES
printf '\n'
row stream-in MB/s
row stream-out MB/s
row streams-in MB/s
row streams-out MB/s
row answer us
row packets-in /s
row packets-out /s
