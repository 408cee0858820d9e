#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# load.sh - gives podman the images made by build.sh, without any network
#
# usage: load.sh DIR [NAME]...
#
# DIR is build.sh's OUTDIR. NAME is busybox or debian; without a name both are loaded, as
# localhost/busybox and localhost/debian. An image that is there already is left alone.
#
# In the test machine, where CONTAINERS_STORAGE_CONF names a file of its own, the image store in DIR
# is added to podman's, which takes no time. Without a store, or elsewhere, the archives are imported.
set -euo pipefail

[ $# -ge 1 ] || {
	echo "usage: load.sh DIR [busybox|debian]..." >&2
	exit 2
}
dir=$1
shift
[ $# -gt 0 ] || set -- busybox debian

add_store() {
	local store
	[ "${VOLT_VM:-}" = 1 ] && [ -w "${CONTAINERS_STORAGE_CONF:-}" ] || return 0
	store=$(realpath -e "$dir/store" 2>/dev/null) || return 0
	grep -q '^additionalimagestores' "$CONTAINERS_STORAGE_CONF" ||
		printf '\n[storage.options]\nadditionalimagestores = ["%s"]\n' "$store" \
			>>"$CONTAINERS_STORAGE_CONF"
}

add_store
for name in "$@"; do
	if ! podman image exists "localhost/$name"; then
		podman import --quiet --change 'CMD ["/bin/sh"]' "$dir/$name.tar" \
			"localhost/$name:latest" >/dev/null
	fi
done
