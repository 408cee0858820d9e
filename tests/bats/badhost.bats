#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What create says, and leaves, when the host or the installation can't run a guest.
# as long as: 4

load helpers

setup() {
	setup_common
	make_bundle "$BATS_TEST_TMPDIR/b" true
	VOLT_BUILD=$(dirname "$VOLT")
	# an installation of our own, whose guest we may break
	install -D -t "$BATS_TEST_TMPDIR/i" "$VOLT"
	install -D -m 644 -t "$BATS_TEST_TMPDIR/i/guest" "$VOLT_BUILD"/guest/{vmlinux,initramfs}
	VOLT=$BATS_TEST_TMPDIR/i/volt-runc
	guest=$BATS_TEST_TMPDIR/i/guest
}

teardown() {
	[ ! -e /dev/kvm.away ] || mv /dev/kvm.away /dev/kvm
	teardown_common
}

# refused TEXT... - create fails with each TEXT in its message, and nothing is left
refused() {
	local text
	status=0
	create "$BATS_TEST_TMPDIR/b" c1 || status=$?
	[ "$status" -eq 1 ]
	for text in "$@"; do
		grep -qF -e "$text" "$BATS_TEST_TMPDIR/create.log"
	done
	[ -z "$(ls "$VOLT_ROOT")" ]
	no_roles
}

@test "kernel missing, not an ELF file, truncated, without the PVH note" {
	mv "$guest/vmlinux" "$guest/kept"
	refused vmlinux "is not installed"
	echo "not an ELF file" > "$guest/vmlinux"
	refused "kernel image:" "ELF"
	head -c 100000 "$guest/kept" > "$guest/vmlinux"
	refused "kernel image:"
	objcopy --remove-section=.notes "$guest/kept" "$guest/vmlinux"
	refused "kernel image:" PVH
	: > "$guest/vmlinux"
	refused "kernel image:"
}

@test "initramfs missing" {
	rm "$guest/initramfs"
	refused initramfs "is not installed"
}

@test "no /dev/kvm, or one that is none" {
	mknod "$BATS_TEST_TMPDIR/null" c 1 3
	mv /dev/kvm /dev/kvm.away
	cp -a "$BATS_TEST_TMPDIR/null" /dev/kvm
	refused /dev/kvm
	rm /dev/kvm
	refused /dev/kvm
	mv /dev/kvm.away /dev/kvm
}

@test "a guest that never gets ready" {
	# its first process is busybox's init, which knows nothing of us
	"$VOLT_BUILD/guest/mkinitramfs" /bin/busybox "$guest/initramfs"
	edit_config "$BATS_TEST_TMPDIR/b" '.annotations["dev.volt.boot_timeout"] = "20"'
	refused "did not get ready within 20 s"
}

@test "a guest whose kernel panics: no first process, its last lines are told" {
	echo > "$BATS_TEST_TMPDIR/no-program"
	"$VOLT_BUILD/guest/mkinitramfs" "$BATS_TEST_TMPDIR/no-program" "$guest/initramfs"
	refused "guest kernel stopped" "Kernel panic"
}

@test "a guest that needs more memory than there is" {
	# the kernel of the guest has to fit at least
	edit_config "$BATS_TEST_TMPDIR/b" '.annotations["dev.volt.memory"] = "63"'
	refused dev.volt.memory "must be a number from 64"
	# memory that the host's limits don't give
	(
		ulimit -v 400000
		refused "memory"
	)
}
