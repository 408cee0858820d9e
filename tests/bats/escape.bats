#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Roles that were taken over: a build of the runtime whose roles try to get out of their cages,
# and what a caller's image, descriptors, environment and state directory could do to them.
# as long as: 8

load helpers

EVIL=${VOLT%/*}/escape/volt-runc

setup() {
	setup_common
	make_bundle "$BATS_TEST_TMPDIR/b" sleep 1000
}

teardown() {
	rm -rf /tmp/volt-evil-role-* /tmp/rootfs /tmp/secret
	teardown_common
}

# evil ROLE VERB... - the runtime with that role's hook
evil() {
	VOLT_EVIL=$1 VOLT_EVIL_OUT=$BATS_TEST_TMPDIR/tried timeout -k 10 "$LIMIT" \
		"$EVIL" --root "$VOLT_ROOT" "${@:2}"
}

# evil_create ROLE ID - its streams are not the test's, which have to end
evil_create() {
	evil "$1" create --bundle "$BATS_TEST_TMPDIR/b" "$2" < /dev/null > "$BATS_TEST_TMPDIR/create.log" 2>&1
}

@test "all attempts from all roles of a container fail as docs/SANDBOX.md has them" {
	mkdir -p /tmp/rootfs
	touch /tmp/secret
	evil_create all c1 || cat "$BATS_TEST_TMPDIR/create.log"
	grep -v '^ok' "$BATS_TEST_TMPDIR/tried" || true
	cut -d: -f1 "$BATS_TEST_TMPDIR/tried" | sort | uniq -c
	! grep -q -v '^ok' "$BATS_TEST_TMPDIR/tried"
	# each role with all of Landlock, with its first version, and without
	for place in 'vmm, final (Landlock [^0]' 'vmm, started (Landlock [^01]' 'vmm, started (Landlock 1' \
		'vmm, started (Landlock 0' 'vcpu (Landlock [^0]' 'fs, final (Landlock [^01]' 'fs, final (Landlock 1' \
		'fs, final (Landlock 0' 'shim, final (Landlock [^01]' 'shim, final (Landlock 0'; do
		[ "$(grep -c "^ok $place" "$BATS_TEST_TMPDIR/tried")" -gt 90 ]
	done
	# the container itself is none the worse for it, and its exec's shim is caged the same
	volt start c1
	evil all exec c1 true
	! grep -q -v '^ok' "$BATS_TEST_TMPDIR/tried"
	[ "$(grep -c '^ok shim, final' "$BATS_TEST_TMPDIR/tried")" -gt 270 ]
	volt delete --force c1
}

@test "a role that opens a file or a socket ends, and its container with it" {
	for role in shim fs vmm vcpu; do
		! evil_create "$role" c1
		cat "$BATS_TEST_TMPDIR/create.log"
		[ "$(cat "$BATS_TEST_TMPDIR/tried")" = "$role ended" ]
		wait_for 20 no_roles
		[ ! -e "$VOLT_ROOT/c1" ]
	done
}

@test "the product has no trace of the hooks" {
	grep -q VOLT_EVIL "$EVIL"
	! grep -q -e VOLT_EVIL -e evil_ "$VOLT"
}
