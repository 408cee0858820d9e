#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# load.sh - brings the images made by build.sh into podman's storage, without any network
#
# usage: load.sh DIR [NAME]...
#
# DIR is build.sh's OUTDIR. NAME is busybox or debian; without a name both are loaded, as
# localhost/busybox and localhost/debian. An image that is there already is left alone.
set -euo pipefail

[ $# -ge 1 ] || {
	echo "usage: load.sh DIR [busybox|debian]..." >&2
	exit 2
}
dir=$1
shift
[ $# -gt 0 ] || set -- busybox debian

for name in "$@"; do
	if ! podman image exists "localhost/$name"; then
		podman import --quiet --change 'CMD ["/bin/sh"]' "$dir/$name.tar" \
			"localhost/$name:latest" >/dev/null
	fi
done
