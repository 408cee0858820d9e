#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check-layers.sh - proves the direction of dependencies from the #include lines
#
# runtime/base is used by everything and uses nothing of ours; oci, vmm,
# virtio-fs and sandbox use base only; pvh uses base and two headers of vmm; the
# files in runtime/ itself may use all. The guest agent shares three modules.
# yajl is seen by oci/json*.c only, KVM's header by the files that own its ioctls.
set -u
cd "$(dirname "$0")/.." || exit 1

fail=0
complain() {
	echo "check-layers: $*"
	fail=1
}

# allow FOLDER PATTERN: our includes with a folder must match the extended regular expression
allow() {
	for f in "$1"/*.[ch]; do
		[ -e "$f" ] || continue
		bad=$(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$f" | grep -Ev "$2")
		[ -z "$bad" ] || complain "$f must not include $bad"
	done
}

allow runtime/base '^base/'
allow runtime/oci '^(base|oci)/|^version\.h$'
allow runtime/vmm '^(base|vmm)/'
allow runtime/pvh '^(base|pvh)/|^vmm/(gmem|memlayout)\.h$'
allow runtime/virtio-fs '^(base|virtio-fs)/'
allow runtime/sandbox '^(base|sandbox)/|^syscalls_|^seccomp_filters'
allow guest-agent '^base/(agent_proto|agent_codec|bytes|checked)\.h$|^guest-agent/|^[a-z_]+\.h$'

only() {
	header=$1
	pattern=$2
	bad=$(grep -l "#include <$header>" -r runtime guest-agent --include='*.[ch]' | grep -Ev "$pattern")
	[ -z "$bad" ] || complain "only $pattern may include <$header>: $bad"
}

only 'yajl/.*' '^runtime/oci/json'
only 'linux/kvm.h' '^runtime/vmm/(kvm|vm|vcpu|vcpu_x86|irq|kvm_probe|vcpu_internal)[a-z_]*\.[ch]$|^runtime/sandbox/seccomp'

[ "$fail" -eq 0 ] && echo "layers: dependency direction holds"
exit "$fail"
