#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# net.sh - how fast the network of one candidate is: bytes, packets and answers per second
#
# usage: net.sh CANDIDATE
#
# Inside the machine of tests/vm/run. The client is on the host, "in" is towards the server, which
# is the same static program, from the same root file system, everywhere. A VM has one vCPU.
#
#   crun             a plain container on a veth
#   volt, volt-vhost our VM in place of that container, without and with vhost-net
#   qemu, qemu-vhost QEMU's microvm with our kernel on a tap of the host, without and with vhost-net
#   qemu-veth        as qemu, but where a container's VM has to be: its tap is redirected to the veth
#
# environment: BUILD, MS (each figure's time, default 300), FIGURES (default: all), AROUND (a command
# that the measurement becomes the arguments of). The result is $BUILD/results/bench-net/CANDIDATE.
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
MS=${MS:-300}
candidate=$1
volt=$PWD/$BUILD/volt-runc
bench=$PWD/$BUILD/probes/netbench
out=$BUILD/results/bench-net/$candidate
work=$(mktemp -d)
qemu=
trap 'rm -rf "$work"' EXIT

modprobe -a tun vhost_net 2> /dev/null || true
[ -e /dev/vhost-net ] || mknod /dev/vhost-net c 10 238
mkdir -p "$work/state" "$(dirname "$out")"
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
		| .annotations["dev.volt.vcpus"] = "1"
		| (.linux.namespaces[] | select(.type == "network")).path = "/run/netns/bench"' \
		tests/bats/testdata/config.json | gojq "${1:-.}" > "$work/b/config.json"
}

start_crun() {
	cable
	bundle
	crun --root "$work/crun" --cgroup-manager cgroupfs run --detach --bundle "$work/b" bench
}

start_volt() {
	cable
	bundle "${1:-.}"
	"$volt" --root "$work/state" run --detach --bundle "$work/b" bench
}

start_volt-vhost() {
	start_volt '.annotations["dev.volt.net.vhost"] = "on"'
}

# boot_qemu MAC TAP-OPTIONS [COMMAND...] - the server in a microvm
boot_qemu() {
	local mac=$1 tap=$2
	shift 2
	mkdir -p "$work/ir/bin" "$work/ir/proc" "$work/ir/sys"
	tar -C "$work/ir" -xf "$BUILD/images/busybox.tar"
	cp "$bench" "$work/ir/netbench"
	printf '#!/bin/busybox sh\nip link set lo up\nip addr add 10.9.1.2/24 dev eth0\nip link set eth0 up\nexec /netbench serve 7000\n' \
		> "$work/ir/init"
	chmod 755 "$work/ir/init"
	(cd "$work/ir" && find . | cpio --quiet -o -H newc) > "$work/ir.cpio"
	"$@" qemu-system-x86_64 -M microvm,acpi=off,pit=off,pic=off,rtc=off,isa-serial=off -accel kvm -cpu host -smp 1 \
		-m 512 -nodefaults -no-user-config -display none -no-reboot -kernel "$BUILD/guest/vmlinux" \
		-initrd "$work/ir.cpio" -append "quiet panic=-1 reboot=t rdinit=/init" \
		-netdev "tap,id=n0,script=no,downscript=no,$tap" \
		-device "virtio-net-device,netdev=n0,mac=$mac" \
		-global virtio-mmio.force-legacy=false < /dev/null > "$work/qemu.log" 2>&1 &
	qemu=$!
}

start_qemu() {
	ip tuntap add dev host1 mode tap vnet_hdr
	ip addr add 10.9.1.1/24 dev host1
	ip link set host1 up
	boot_qemu 52:54:00:12:34:56 "ifname=host1,vhost=${1:-off}"
}

start_qemu-vhost() {
	start_qemu on
}

# redirect FROM TO - in the namespace
redirect() {
	ip netns exec bench tc qdisc add dev "$1" ingress
	ip netns exec bench tc filter add dev "$1" parent ffff: protocol all u32 match u32 0 0 \
		action mirred egress redirect dev "$2"
}

start_qemu-veth() {
	cable
	ip -n bench tuntap add dev tap0 mode tap vnet_hdr
	ip -n bench link set tap0 up
	redirect eth0 tap0
	redirect tap0 eth0
	boot_qemu "$(ip -n bench -j link show eth0 | gojq -r '.[0].address')" "ifname=tap0,vhost=off" ip netns exec bench
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

"start_$candidate"
await_server
# A batch task doesn't take the processor from the VM with each packet that wakes it: the test machine
# has one, and there the scheduler's mood would decide. The server's kernel has its own.
# shellcheck disable=SC2086 # words
${AROUND:-} chrt --batch 0 timeout $((MS * 20 / 1000 + 60)) "$bench" measure 10.9.1.2 7000 "$MS" ${FIGURES:-} > "$out"
[ -z "$qemu" ] || kill -KILL "$qemu" # the rest ends with the machine
