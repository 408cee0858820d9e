#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh - start-up time, memory, exits and sizes, against crun and QEMU microvm in one run
#
# Inside the machine of tests/vm/run. Every candidate runs the same static program from
# the same root file system: crun as a plain container, volt-runc in its VM, QEMU's
# microvm with our kernel and an initramfs that holds the program. Times are from the
# start of the command to its end. An emulated machine's are counted instructions, one a
# nanosecond (tests/vm/run --counted), and the waiting in between.
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

# set_args ARG... - the container's process
set_args() {
	# shellcheck disable=SC2016 # gojq's own variable
	gojq '.process.args = $ARGS.positional' tests/bats/testdata/config.json --args "$@" > "$work/b/config.json"
}

# An initramfs whose init is the same busybox, powering off at once.
initramfs() {
	mkdir -p "$work/ir/bin"
	cp "$work/b/rootfs/bin/busybox" "$work/ir/bin/busybox"
	printf '#!/bin/busybox sh\n/bin/busybox true\n/bin/busybox reboot -f\n' > "$work/ir/init"
	chmod 755 "$work/ir/init"
	(cd "$work/ir" && find . | cpio --quiet -o -H newc) > "$work/ir.cpio"
}

run_crun() {
	crun --root "$work/crun" --cgroup-manager cgroupfs run --bundle "$work/b" bench < /dev/null
}

run_volt() {
	"$volt" --root "$work/state" run --bundle "$work/b" bench < /dev/null
}

run_qemu() {
	qemu-system-x86_64 -M microvm,pit=off,pic=off,rtc=off,isa-serial=off -accel kvm -cpu host -smp 1 \
		-m 512 -nodefaults -no-user-config -display none -no-reboot -kernel "$BUILD/guest/vmlinux" \
		-initrd "$work/ir.cpio" -append "quiet panic=-1 reboot=t rdinit=/init" < /dev/null > /dev/null 2>&1
}

# once NAME - a run of run_NAME, its microseconds on a line of NAME's own file
once() {
	local start end
	start=$(date +%s%N)
	"run_$1" > /dev/null 2>&1 || echo "bench: $1 failed" >&2
	end=$(date +%s%N)
	echo $(((end - start) / 1000)) >> "$work/$1.us"
}

# median NAME - milliseconds; the first run, which reads files for all, doesn't count
median() {
	tail -n +2 "$work/$1.us" | sort -n | sed -n "$(((RUNS + 1) / 2))p" | awk '{printf "%.1f", $1 / 1000}'
}

# private_kib PID - memory of a process that is its own, guest RAM (the memfd) left out
private_kib() {
	awk '/^[0-9a-f]+-/ {ram = /memfd:/} /^Private_/ && !ram {sum += $2} END {print sum}' "/proc/$1/smaps"
}

# What a VM costs that does nothing, and what it took to get there.
one_vm() {
	local role
	set_args sleep 1000
	"$volt" --debug --log "$work/log" --root "$work/state" create --bundle "$work/b" mem < /dev/null > /dev/null 2>&1
	"$volt" --root "$work/state" start mem
	echo "exits from guest mode up to the agent's hello: $(sed -n 's/.*timeline: \([0-9]*\) exits.*/\1/p' "$work/log")"
	for role in shim vmm fs net; do
		printf '%-6s %6s KiB private, guest RAM left out\n' "$role" \
			"$(private_kib "$(pgrep -f "^volt-$role: mem")")"
	done
	"$volt" --root "$work/state" delete --force mem
}

sizes() {
	strip -o "$work/volt-runc" "$volt"
	printf '%-22s %6d KiB\n' "volt-runc, stripped" $(($(stat -c %s "$work/volt-runc") / 1024)) \
		"agent" $(($(stat -c %s "$BUILD/guest/agent") / 1024)) \
		"guest kernel" $(($(stat -c %s "$BUILD/guest/vmlinux") / 1024))
}

set_args true
initramfs
for _ in $(seq 0 "$RUNS"); do
	# taking turns: what else the host does hits all of them
	once crun
	once volt
	once qemu
done
crun_ms=$(median crun)
volt_ms=$(median volt)
qemu_ms=$(median qemu)
{
	echo "start to end of /bin/true, median of $RUNS runs"
	printf '%-22s %8.1f ms   1.0\n' crun "$crun_ms"
	printf '%-22s %8.1f ms %5.1f\n' volt-runc "$volt_ms" "$(gojq -n "$volt_ms / $crun_ms")"
	printf '%-22s %8.1f ms %5.1f\n' "QEMU microvm (no fs)" "$qemu_ms" "$(gojq -n "$qemu_ms / $crun_ms")"
	printf 'volt-runc to QEMU microvm: %.2f\n\n' "$(gojq -n "$volt_ms / $qemu_ms")"
	one_vm
	sizes
} | tee "$out"
