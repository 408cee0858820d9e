#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# start.sh - runs run.sh in the test machine
#
# usage: start.sh BUILD
#
# QEMU's counted clock stands still now and then (7.2: its one thread waits for a timer that is due
# already). Such a run is given up, and another one made.
set -u
cd "$(dirname "$0")/../.." || exit 1
results=$PWD/$1/results
for _ in 1 2 3; do
	VOLT_VM_TIMEOUT=${VOLT_VM_TIMEOUT:-240} tests/vm/run --counted --share "$results" --env BUILD="$1" \
		--env RUNS="${RUNS:-5}" -- tests/bench/run.sh
	status=$?
	[ "$status" = 124 ] || exit "$status"
	echo "bench: once more"
done
exit "$status"
