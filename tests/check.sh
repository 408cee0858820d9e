#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# check.sh - everything `make check` runs, and one line that sums it up
#
# usage: check.sh BUILD-DIR
#
# Unit tests (plain and with sanitizers) run here, behaviour tests in a machine
# with a working KVM. All parts run even when one fails. The last line is
# "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
VOLT_RESULTS=$PWD/$build/results
export VOLT_RESULTS VOLT_MUST_WORK=1
passed=0 failed=0 skipped=0

headline() {
	printf '\n== %s (%d s)\n' "$*" "$SECONDS"
}

# part NAME COMMAND... - counts one test: it worked
part() {
	local name=$1
	shift
	headline "$name"
	if "$@"; then
		passed=$((passed + 1))
	else
		echo "$name: FAILED"
		failed=$((failed + 1))
	fi
}

# add FILE - counts that a part left in the results
add() {
	local p=0 f=1 s=0
	[ ! -e "$VOLT_RESULTS/$1" ] || read -r p f s < "$VOLT_RESULTS/$1"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

jobs=$(nproc)
part "build" make -j"$jobs" all
part "layers" make -j"$jobs" check-layers
part "documents" make check-docs
headline "unit tests"
make -j"$jobs" unit
add unit
rm -f "$VOLT_RESULTS/unit"
headline "unit tests with sanitizers"
make -j"$jobs" unit-asan
add unit
headline "test images"
make images || exit 1
headline "behaviour tests in a machine with KVM"
make bats
add bats

headline "done"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
