#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# build.sh - builds the guest kernel from Debian's linux-source-6.12
#
# usage: build.sh [--debug] [--plain] [--fragment FILE]... [--check-config] [OUTPUT]
#
#   OUTPUT           where vmlinux goes; its configuration goes to OUTPUT.config
#   --plain          without precompiled headers: twice the time, see pch/cc.c
#   --debug          debug.config instead of production.config (also: DEBUG=1 in the environment)
#   --fragment FILE  one more fragment, merged last (repeatable)
#   --check-config   stop when the configuration is known to be right; builds nothing
#
# environment:
#   VOLT_KERNEL_CACHE   where built kernels are kept, by hash (default: ~/.cache/volt-runc/kernel)
#   VOLT_KERNEL_SOURCE  source archive (default: /usr/src/linux-source-6.12.tar.xz)
#   VOLT_KERNEL_WORK    build here and keep it: incremental builds while trying options
#   V=1                 show what make says
#
# A kernel is built once for each set of options, source version, compiler and way of building it.
# Every option a fragment asks for must be in the final configuration: kconfig drops options
# whose dependencies are missing without a word, this script does not.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${VOLT_KERNEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/volt-runc/kernel}
source_archive=${VOLT_KERNEL_SOURCE:-/usr/src/linux-source-6.12.tar.xz}
source_package=linux-source-6.12
jobs=$(nproc)
# Three quarters of the archive's files are for hardware that no guest has. What kconfig and make read
# of them stays.
left_packed=(Documentation/'*'{.rst,.txt,.yaml,.svg} arch/'[!x]*/*'{.[chS],.dts,.dtsi} samples/'*.[ch]' sound/'*.[ch]' tools/{perf,testing}/'*'
	drivers/{acpi,accel,ata,clk,comedi,cpufreq,crypto,dma,gpio,gpu,hid,hwmon,i2c,iio,infiniband,input}/'*.[ch]'
	drivers/{iommu,irqchip,isdn,leds,md,media,mfd,misc,mmc,mtd,net/{ethernet,phy,wireless},pci,phy,pinctrl}/'*.[ch]'
	drivers/{platform,power,regulator,scsi,soc,spi,staging,target,thermal,usb,video,watchdog}/'*.[ch]')
progress_seconds=15

debug=${DEBUG:-0}
plain=0
check_only=0
output=
extra=()
fragments=()
compiler=gcc
work=
log=
keep_log=0
ticker=

die() {
	echo "build.sh: $*" >&2
	exit 1
}

usage() {
	sed -n 's/^# \{0,1\}//; /^usage:/,/^A kernel/p' "$0" | sed '$d'
	exit "${1:-0}"
}

phase() {
	printf 'kernel: [%3d s] %s\n' "$SECONDS" "$*"
}

parse_args() {
	while [ $# -gt 0 ]; do
		case $1 in
		--debug) debug=1 ;;
		--plain) plain=1 ;;
		--check-config) check_only=1 ;;
		--fragment)
			[ $# -ge 2 ] || die "--fragment needs a file"
			extra+=("$(realpath -e "$2")")
			shift
			;;
		-h | --help) usage ;;
		-*) usage 2 >&2 ;;
		*)
			[ -z "$output" ] || die "more than one output: $output and $1"
			output=$1
			;;
		esac
		shift
	done
	[ -n "$output" ] || [ "$check_only" = 1 ] || die "where should vmlinux go? (see --help)"
}

choose_fragments() {
	local kind=production
	[ "$debug" = 1 ] && kind=debug
	fragments=("$here"/{base,virtio,fs,net,container,"$kind"}.config "${extra[@]}")
}

# Prints "SYMBOL VALUE FRAGMENT" for every option of every fragment; "is not set" has value n.
requested_options() {
	awk '
		function base(path) { sub(/.*\//, "", path); return path }
		match($0, /^CONFIG_[A-Z0-9_a-z]+=/) {
			print substr($0, 8, RLENGTH - 8) "\t" substr($0, RLENGTH + 1) "\t" base(FILENAME)
		}
		/^# CONFIG_[A-Z0-9_a-z]+ is not set$/ {
			print substr($2, 8) "\tn\t" base(FILENAME)
		}' "$@"
}

# An option set twice with different values is a mistake whatever kconfig makes of it; an option
# without a comment above it lacks its reason; anything else in a fragment is a typing error.
check_fragments() {
	local bad
	bad=$(requested_options "${fragments[@]}" | awk -F '\t' '
		($1 in value) && value[$1] != $2 {
			print "  CONFIG_" $1 ": " value[$1] " in " where[$1] ", " $2 " in " $3
		}
		{ value[$1] = $2; where[$1] = $3 }')
	[ -z "$bad" ] || die "set twice with different values:"$'\n'"$bad"
	bad=$(awk '
		function option() { return /^CONFIG_[A-Z0-9_a-z]+=./ || /^# CONFIG_.* is not set$/ }
		FNR == 1 { reason = 0 }
		option() && !reason { print "  " FILENAME ":" FNR ": no reason given: " $0 }
		!option() && /^[^#]/ { print "  " FILENAME ":" FNR ": not an option: " $0 }
		{ reason = /^# ./ && !option() }' "${fragments[@]}")
	[ -z "$bad" ] || die "fragments are malformed:"$'\n'"$bad"
}

# What decides what is built, and nothing else: a comment may change without a new kernel.
cache_key() {
	local version
	version=$(dpkg-query -W -f '${Version}' "$source_package" 2>/dev/null) ||
		version=$(sha256sum <"$source_archive")
	{
		echo "$version"
		gcc --version | head -n 1
		ld --version | head -n 1
		requested_options "${fragments[@]}" | cut -f 1,2
		declare -f configure precompile compile store
		[ "$plain" = 1 ] || cat "$here"/pch/*
	} | sha256sum | cut -c 1-16
}

cleanup() {
	[ -z "$ticker" ] || kill "$ticker" 2>/dev/null || true
	[ -n "${VOLT_KERNEL_WORK:-}" ] || [ -z "$work" ] || rm -rf "$work"
	[ "$keep_log" = 1 ] || rm -f "$log"
}

# run_logged COMMAND... - runs quietly; a failure shows the end of the log and says where it is
run_logged() {
	if [ "${V:-0}" = 1 ]; then
		"$@" 2>&1 | tee -a "$log" && return 0
	else
		"$@" >>"$log" 2>&1 && return 0
	fi
	keep_log=1
	echo "build.sh: failed: $*" >&2
	grep -nE 'error:|Error [0-9]|undefined reference|No space left' "$log" | tail -n 10 >&2 || true
	echo "--- last lines of $log" >&2
	tail -n 25 "$log" >&2
	exit 1
}

unpack() {
	local stamp=$work/.unpacked
	src=$work/${source_package}
	[ -e "$stamp" ] && return 0
	[ -r "$source_archive" ] ||
		die "$source_archive: not found (install the package $source_package)"
	phase "unpack $(basename "$source_archive")"
	mkdir -p "$work"
	run_logged tar -C "$work" --anchored "${left_packed[@]/#/--exclude=*/}" -xf "$source_archive"
	[ -f "$src/Makefile" ] || die "$source_archive: no $source_package/Makefile in it"
	touch "$stamp"
}

configure() {
	phase "configure: tinyconfig and $((${#fragments[@]})) fragments"
	run_logged make -C "$src" ARCH=x86 tinyconfig
	run_logged env -C "$src" scripts/kconfig/merge_config.sh -m .config "${fragments[@]}"
	run_logged make -C "$src" ARCH=x86 olddefconfig
}

# Every requested option is in .config with that value, and is one the source knows: an option
# that a new kernel renamed would otherwise count as "not set" for ever.
verify_config() {
	local bad
	bad=$({
		grep -rhoE --include='Kconfig*' '^[[:space:]]*(menu)?config[[:space:]]+[A-Za-z0-9_]+' \
			"$src" | awk '{ print "known\t" $2 }'
		requested_options "$src/.config" | sed 's/^/final\t/'
		requested_options "${fragments[@]}" | sed 's/^/asked\t/'
	} | awk -F '\t' '
		$1 == "known" { known[$2] = 1 }
		$1 == "final" { final[$2] = $3 }
		$1 == "asked" {
			got = ($2 in final) ? final[$2] : "n"
			if (!($2 in known)) {
				print "  CONFIG_" $2 " (" $4 "): no such option in this kernel"
			} else if (got != $3) {
				print "  CONFIG_" $2 " (" $4 "): asked for " $3 ", got " got
			}
		}')
	[ -z "$bad" ] || die "the configuration is not what the fragments ask for:"$'\n'"$bad"
	phase "configuration verified: $(requested_options "${fragments[@]}" | wc -l) options"
}

# Prints how far the build is until it is killed.
tick() {
	while sleep "$progress_seconds"; do
		phase "$(grep -cE '^  (CC|AS|HOSTCC) ' "$log" || true) objects built"
	done
}

kernel_make() {
	# warnings are the concern of those who release the kernel; not looking for them saves time
	run_logged make -C "$src" ARCH=x86 CC="$compiler" -j"$jobs" KCFLAGS=-w \
		KBUILD_BUILD_VERSION=1 KBUILD_BUILD_USER=volt-runc KBUILD_BUILD_HOST=build \
		KBUILD_BUILD_TIMESTAMP='1970-01-01 00:00:00 UTC' "$@"
}

# Compiles the headers that all files read, with the options of a usual file: pch/cc.c has the
# whole story. The file is one of the kernel's smallest.
precompile() {
	local name flags pids=()
	[ "$plain" = 0 ] || return 0
	phase "precompile headers"
	compiler=$work/pch/cc
	rm -rf "$work/pch"
	mkdir -p "$work/pch/defs"
	run_logged gcc -O2 -w -D_GNU_SOURCE -o "$compiler" "$here/pch/cc.c"
	kernel_make prepare
	rm -f "$work/pch/flags" "$src/lib/bcd.o"
	kernel_make lib/bcd.o
	[ -s "$work/pch/flags" ] || die "the options of lib/bcd.c were not found"
	cp "$here"/pch/*.h "$work/pch/"
	# without the three headers that kbuild includes: ours begin with them
	mapfile -t flags < <(awk '/^-include$/ { getline; next } { print }' "$work/pch/flags")
	for name in common net; do
		run_logged env -C "$src" gcc "${flags[@]}" -w -x c-header \
			-o "$work/pch/$name.h.gch" "$work/pch/$name.h" &
		pids+=($!)
	done
	wait "${pids[0]}" && wait "${pids[1]}"
}

compile() {
	phase "compile with $jobs jobs (log: $log)"
	tick &
	ticker=$!
	kernel_make vmlinux
	kill "$ticker"
	wait "$ticker" 2>/dev/null || true
	ticker=
}

# The PVH entry is announced by a note of type 18 (0x12) named "Xen"; a VMM finds nothing without it.
check_pvh_note() {
	readelf -nW "$1" 2>/dev/null | grep -qE '^ *Xen .*0x0*12\)?' ||
		die "$1: no PVH note (XEN_ELFNOTE_PHYS32_ENTRY)"
	readelf -lW "$1" | grep -qE '^ *NOTE ' || die "$1: no PT_NOTE segment"
}

# Puts vmlinux and its configuration into the cache, vmlinux last: its presence means complete.
store() {
	local dir=$1 tmp
	tmp=$(mktemp -d "$cache/store.XXXXXX")
	strip --strip-all -R .comment -o "$tmp/vmlinux" "$src/vmlinux"
	check_pvh_note "$tmp/vmlinux"
	cp "$src/.config" "$tmp/config"
	chmod 644 "$tmp/vmlinux" "$tmp/config"
	mkdir -p "$dir"
	mv "$tmp/config" "$dir/config"
	mv "$tmp/vmlinux" "$dir/vmlinux"
	rmdir "$tmp"
}

deliver() {
	local dir=$1
	[ -n "$output" ] || return 0
	mkdir -p "$(dirname "$output")"
	install -m 644 "$dir/vmlinux" "$output.new"
	install -m 644 "$dir/config" "$output.config"
	mv "$output.new" "$output"
	phase "$output: $(stat -c %s "$output") bytes"
}

build() {
	local key=$1
	log=$cache/$key.log
	: >"$log"
	work=${VOLT_KERNEL_WORK:-$(mktemp -d "$cache/work.XXXXXX")}
	trap cleanup EXIT
	trap 'exit 130' INT TERM
	unpack
	configure
	verify_config
	[ "$check_only" = 1 ] && return 0
	precompile
	compile
	store "$cache/$key"
}

main() {
	local key
	parse_args "$@"
	choose_fragments
	check_fragments
	mkdir -p "$cache"
	key=$(cache_key)
	# one build at a time: a second caller waits and then finds the kernel in the cache
	exec 9>"$cache/lock"
	flock 9
	if [ "$check_only" = 1 ] || [ ! -e "$cache/$key/vmlinux" ]; then
		build "$key"
	else
		phase "cached: $cache/$key/vmlinux"
	fi
	deliver "$cache/$key"
}

main "$@"
