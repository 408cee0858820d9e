#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# demo.sh - what `make demo` shows, inside the machine of tests/vm/run
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
volt=$PWD/$BUILD/volt-runc

show() {
	printf '\n\033[1m$ %s\033[0m\n' "$*"
	"$@"
}

echo "Importing two images into podman ..."
tests/images/load.sh "$PWD/$BUILD/images"

echo
echo "The kernel of this machine:"
show uname -r
echo
echo "A plain container shares it:"
show podman --runtime crun run --rm localhost/busybox uname -r
echo
echo "With volt-runc the same command boots a microVM with a kernel of its own:"
show podman --runtime "$volt" run --rm localhost/busybox uname -r
# shellcheck disable=SC2016 # perl's own quotes
show podman --runtime "$volt" run --rm localhost/debian perl -e 'print "perl $^V on ", `uname -sr`'
echo
echo "Exit codes, pipes and volumes work as ever:"
show sh -c "echo hello | podman --runtime $volt run --rm -i localhost/busybox tr a-z A-Z"
show podman --runtime "$volt" run --rm -v "$PWD/README.md:/README:ro" localhost/busybox head -n 1 /README

echo
echo "Where the time goes, from the start of the program (an emulated machine's times say little):"
bundle=$(mktemp -d)
trap 'rm -rf "$bundle"' EXIT
mkdir "$bundle/rootfs"
tar -C "$bundle/rootfs" -xf "$BUILD/images/busybox.tar"
(cd "$bundle" && "$volt" spec)
jq '.process.terminal = false | .process.args = ["echo", "Hello from the microVM"]' \
	"$bundle/config.json" > "$bundle/config.json.new"
mv "$bundle/config.json.new" "$bundle/config.json"
show "$volt" --debug --log "$bundle/log" run --bundle "$bundle" demo
sed -n 's/.*msg="\(vmm: \)\{0,1\}timeline: \(.*\)"$/  \2/p' "$bundle/log"
