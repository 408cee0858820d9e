#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh - start-up time, memory and network, against crun and QEMU microvm in one run
#
# Inside the machine of tests/vm/run. Every candidate runs the same static program from
# the same root file system: crun as a plain container, volt-runc in its VM, QEMU's
# microvm with our kernel and an initramfs that holds the program. Times are from the
# start of the command to its end; numbers of an emulated machine compare within one run only.
#
# environment: BUILD, RUNS (default 5)
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
RUNS=${RUNS:-5}
volt=$PWD/$BUILD/volt-runc
out=$PWD/$BUILD/results/bench.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/b/rootfs" "$work/state"
chmod 700 "$work/state"
tar -C "$work/b/rootfs" -xf "$BUILD/images/busybox.tar"
gojq '.process.args = ["true"]' tests/bats/testdata/config.json > "$work/b/config.json"

# An initramfs whose init is the same busybox, powering off at once.
initramfs() {
	mkdir -p "$work/ir/bin"
	cp "$work/b/rootfs/bin/busybox" "$work/ir/bin/busybox"
	printf '#!/bin/busybox sh\n/bin/busybox true\n/bin/busybox reboot -f\n' > "$work/ir/init"
	chmod 755 "$work/ir/init"
	(cd "$work/ir" && find . | cpio --quiet -o -H newc) > "$work/ir.cpio"
}

run_crun() {
	crun --root "$work/crun" --cgroup-manager cgroupfs run --bundle "$work/b" "bench$1" < /dev/null
}

run_volt() {
	"$volt" --root "$work/state" run --bundle "$work/b" "bench$1" < /dev/null
}

run_qemu() {
	qemu-system-x86_64 -M microvm,pit=off,pic=off,rtc=off,isa-serial=off -accel kvm -cpu host -smp 1 \
		-m 512 -nodefaults -no-user-config -display none -no-reboot -kernel "$BUILD/guest/vmlinux" \
		-initrd "$work/ir.cpio" -append "quiet panic=-1 reboot=t rdinit=/init" < /dev/null > /dev/null 2>&1
}

# median NAME - milliseconds of RUNS runs of run_NAME
median() {
	local i start end
	for i in $(seq 1 "$RUNS"); do
		start=$(date +%s%N)
		"run_$1" "$i" > /dev/null 2>&1 || echo "bench: $1 failed" >&2
		end=$(date +%s%N)
		echo $(((end - start) / 1000000))
	done | sort -n | sed -n "$(((RUNS + 1) / 2))p"
}

# private_kib PID - memory of a process that is its own, guest RAM (the memfd) left out
private_kib() {
	awk '/^[0-9a-f]+-/ {ram = /memfd:/} /^Private_/ && !ram {sum += $2} END {print sum}' "/proc/$1/smaps"
}

memory() {
	local role
	gojq '.process.args = ["sleep", "1000"]' tests/bats/testdata/config.json > "$work/b/config.json"
	"$volt" --root "$work/state" create --bundle "$work/b" mem < /dev/null > /dev/null 2>&1
	"$volt" --root "$work/state" start mem
	for role in shim vmm fs; do
		printf '%-6s %6s KiB private, guest RAM left out\n' "$role" \
			"$(private_kib "$(pgrep -f "^volt-$role: mem")")"
	done
	"$volt" --root "$work/state" delete --force mem
}

initramfs
crun_ms=$(median crun)
volt_ms=$(median volt)
qemu_ms=$(median qemu)
{
	echo "start to end of /bin/true, median of $RUNS runs"
	printf '%-22s %6d ms   1.0\n' crun "$crun_ms"
	printf '%-22s %6d ms %5.1f\n' volt-runc "$volt_ms" "$(gojq -n "$volt_ms / $crun_ms")"
	printf '%-22s %6d ms %5.1f\n' "QEMU microvm (no fs)" "$qemu_ms" "$(gojq -n "$qemu_ms / $crun_ms")"
	printf 'volt-runc to QEMU microvm: %.2f\n\n' "$(gojq -n "$volt_ms / $qemu_ms")"
	memory
} | tee "$out"
BUILD=$BUILD tests/bench/net.sh | tee -a "$out"
