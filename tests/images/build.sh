#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# build.sh - makes the two root filesystems that the tests run containers from
#
# usage: build.sh [--print-key] OUTDIR
#
#   OUTDIR/busybox.tar  the static busybox of this machine, nothing else
#   OUTDIR/debian.tar   a minimal Debian of this machine's release, with perl and python3
#   OUTDIR/store        both as localhost/busybox and localhost/debian in a read-only image store
#                       of podman's, see load.sh; missing if this machine has no overlay file system
#
# All are kept in ${XDG_CACHE_HOME:-~/.cache}/volt-runc/images under a key made of what goes into
# them. debian.tar comes from the mirror that apt is configured for, and needs root; the containers
# made from them need no network.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/volt-runc/images
busybox=${VOLT_BUSYBOX:-/bin/busybox}
debian_packages=perl-base,python3-minimal,libpython3-stdlib
work=

die() {
	echo "tests/images/build.sh: $*" >&2
	exit 1
}

phase() {
	printf 'images: [%3d s] %s\n' "$SECONDS" "$*"
}

# shellcheck disable=SC2317 # called by the trap in main
cleanup() {
	[ -z "$work" ] || rm -rf --one-file-system "$work"
}

codename() {
	# shellcheck source=/dev/null
	(. /etc/os-release && echo "${VERSION_CODENAME:?}")
}

# The same input gives the same archive, byte for byte.
pack() {
	tar -C "$1" --sort=name --mtime=@0 --numeric-owner --xattrs --one-file-system -cf "$2.new" .
	mv "$2.new" "$2"
}

# --- busybox -------------------------------------------------------------------------------------

busybox_key() {
	{
		cat "$busybox"
		declare -f make_busybox write_accounts pack
	} | sha256sum | cut -c 1-16
}

write_accounts() {
	cat >"$1/passwd" <<-'EOF'
		root:x:0:0:root:/root:/bin/sh
		daemon:x:1:1:daemon:/usr/sbin:/bin/false
		user:x:1000:1000:user:/home/user:/bin/sh
		nobody:x:65534:65534:nobody:/nonexistent:/bin/false
	EOF
	cat >"$1/group" <<-'EOF'
		root:x:0:
		daemon:x:1:
		tty:x:5:
		extra:x:2000:user
		user:x:1000:
		nogroup:x:65534:
	EOF
}

make_busybox() {
	local root=$work/busybox applet
	[ -x "$busybox" ] || die "$busybox: not found (install busybox-static)"
	! ldd "$busybox" >/dev/null 2>&1 || die "$busybox: not static (install busybox-static)"
	mkdir -p "$root"/{bin,dev,etc,home/user,proc,root,run,sbin,sys,tmp,usr/bin,usr/sbin,var/tmp}
	chmod 1777 "$root/tmp" "$root/var/tmp"
	chmod 700 "$root/root"
	chown -R 0:0 "$root"
	chown 1000:1000 "$root/home/user"
	install -m 755 "$busybox" "$root/bin/busybox"
	for applet in $("$busybox" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
	done
	write_accounts "$root/etc"
	printf 'hosts: files dns\npasswd: files\ngroup: files\n' >"$root/etc/nsswitch.conf"
	printf 'NAME=busybox\nID=busybox\n' >"$root/etc/os-release"
	printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
	pack "$root" "$1"
}

# --- debian --------------------------------------------------------------------------------------

debian_key() {
	{
		codename
		echo "$debian_packages"
		declare -f make_debian strip_debian pack
	} | sha256sum | cut -c 1-16
}

apt_mirror() {
	# shellcheck disable=SC2016 # apt expands these
	apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(SITE)' "Created-By: Packages" |
		awk -v name="$(codename)" '$1 == name && $2 == "main" { print $3; exit }'
}

# debootstrap downloads with wget, which knows nothing of apt's proxy
use_apt_proxy() {
	local proxy
	eval "$(apt-config shell proxy Acquire::http::Proxy)"
	[ -z "${proxy:-}" ] || [ "$proxy" = DIRECT ] || export http_proxy=$proxy
}

# What a container of the tests never looks at; the package database stays.
strip_debian() {
	local root=$1
	rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* \
		"$root"/usr/share/{doc,man,info,locale,lintian,bash-completion,common-licenses}/* \
		"$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old "$root"/tmp/* \
		"$root"/var/cache/ldconfig/aux-cache
	find "$root" -depth -name __pycache__ -exec rm -rf {} +
	rm -rf "$root/debootstrap" "${root:?}/dev"
	mkdir "$root/dev"
	: >"$root/etc/resolv.conf"
	: >"$root/etc/hostname"
	echo "user:x:1000:1000:user:/home/user:/bin/bash" >>"$root/etc/passwd"
	echo "user:x:1000:" >>"$root/etc/group"
	mkdir -p "$root/home/user"
	chown 1000:1000 "$root/home/user"
}

make_debian() {
	local root=$work/debian mirror
	[ "$(id -u)" = 0 ] || die "debootstrap needs root"
	mirror=$(apt_mirror)
	[ -n "$mirror" ] || die "apt has no mirror for $(codename)"
	use_apt_proxy
	if ! debootstrap --variant=minbase --include="$debian_packages" "$(codename)" "$root" \
		"$mirror" >"$work/debootstrap.log" 2>&1; then
		tail -n 20 "$work/debootstrap.log" >&2
		die "debootstrap failed"
	fi
	strip_debian "$root"
	pack "$root" "$1"
}

# --- store ---------------------------------------------------------------------------------------

store_key() {
	{
		busybox_key
		debian_key
		declare -f make_store
	} | sha256sum | cut -c 1-16
}

# Importing takes seconds here and minutes in an emulated machine, so it is done here and once. A
# mount namespace keeps podman's mounts away from this machine.
make_store() {
	local new=$work/store name
	local -a podman=(podman --root "$new" --runroot "$work/run" --tmpdir "$work/tmp"
		--storage-driver overlay --events-backend none --cgroup-manager cgroupfs)
	for name in busybox debian; do
		unshare --mount "${podman[@]}" import --quiet --change 'CMD ["/bin/sh"]' \
			"$cache/$name-$("${name}_key").tar" "localhost/$name:latest" \
			>>"$work/podman.log" 2>&1 || return 1
	done
	find "$new" -mindepth 1 -maxdepth 1 ! -name 'overlay*' -exec rm -rf {} +
	rm -rf "$new/overlay-containers"
	mv "$new" "$1"
}

provide_store() {
	local store
	store=$cache/store-$(store_key)
	if [ ! -d "$store" ]; then
		phase "make store"
		make_store "$store" || phase "no store: $(tail -n 1 "$work/podman.log")"
	fi
	rm -f "$1/store"
	[ ! -d "$store" ] || ln -s "$store" "$1/store"
}

# --- all -----------------------------------------------------------------------------------------

# provide NAME OUTDIR - makes the image unless the cache has it, and puts it into OUTDIR
provide() {
	local name=$1 out=$2 file
	file=$cache/$name-$("${name}_key").tar
	if [ ! -e "$file" ]; then
		phase "make $name"
		"make_$name" "$file"
		phase "$name: $(stat -c %s "$file") bytes"
	fi
	ln -f "$file" "$out/$name.tar" 2>/dev/null || cp --remove-destination "$file" "$out/$name.tar"
}

main() {
	if [ "${1:-}" = --print-key ]; then
		echo "busybox-$(busybox_key) debian-$(debian_key)"
		exit 0
	fi
	[ $# -eq 1 ] || die "usage: build.sh OUTDIR"
	mkdir -p "$cache" "$1"
	exec 9>"$cache/lock"
	flock 9
	work=$(mktemp -d "$cache/work.XXXXXX")
	trap cleanup EXIT
	trap 'exit 130' INT TERM
	provide busybox "$1"
	provide debian "$1"
	provide_store "$1"
}

main "$@"
