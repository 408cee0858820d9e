#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# counted.sh - runs a measurement in the test machine, whose time is counted instructions
#
# usage: counted.sh BUILD COMMAND...
#
# QEMU's counted clock stands still now and then (7.2: its one thread waits for a timer that is due
# already). Such a run is given up, and another one made.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$1
shift
mkdir -p "$build/results"
given=()
for name in RUNS MS FIGURES AROUND OUT; do
	[ -z "${!name:-}" ] || given+=(--env "$name=${!name}")
done
for _ in 1 2 3; do
	VOLT_VM_TIMEOUT=${VOLT_VM_TIMEOUT:-240} tests/vm/run --counted --share "$PWD/$build/results" --env BUILD="$build" \
		"${given[@]}" -- "$@"
	status=$?
	[ "$status" = 124 ] || exit "$status"
	echo "bench: once more"
done
exit "$status"
