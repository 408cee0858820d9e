#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Roles that were taken over: a build of the runtime whose roles try to get out of their cages,
# and what a caller's image, descriptors, environment and state directory could do to them.

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
	fails grep -q -v '^ok' "$BATS_TEST_TMPDIR/tried"
	# each role with all of Landlock, with its first version, and without
	for place in 'vmm, final (Landlock [^0]' 'vmm, started (Landlock [^01]' 'vmm, started (Landlock 1' \
		'vmm, started (Landlock 0' 'vcpu (Landlock [^0]' 'fs, final (Landlock [^01]' 'fs, final (Landlock 1' \
		'fs, final (Landlock 0' 'shim, final (Landlock [^01]' 'shim, final (Landlock 1' 'shim, final (Landlock 0' \
		'net, final (Landlock [^01]' 'net, final (Landlock 1' 'net, final (Landlock 0'; do
		[ "$(grep -c "^ok $place" "$BATS_TEST_TMPDIR/tried")" -gt 90 ]
	done
	# the container itself is none the worse for it, and its exec's shim and itself are caged the same
	volt start c1
	evil all exec c1 true
	fails grep -q -v '^ok' "$BATS_TEST_TMPDIR/tried"
	for place in 'shim, final' 'proxy, final'; do
		for landlock in '[^01]' 1 0; do
			[ "$(grep -c "^ok $place (Landlock $landlock" "$BATS_TEST_TMPDIR/tried")" -gt 90 ]
		done
	done
	volt delete --force c1
}

@test "a role that opens a file or a socket ends, and its container with it" {
	for role in shim fs net vmm vcpu; do
		fails evil_create "$role" c1
		cat "$BATS_TEST_TMPDIR/create.log"
		[ "$(cat "$BATS_TEST_TMPDIR/tried")" = "$role ended" ]
		wait_for 20 no_roles
		[ ! -e "$VOLT_ROOT/c1" ]
	done
	# so does the process that a terminal's output passes through, and run removes the container all the same
	edit_config "$BATS_TEST_TMPDIR/b" '.process.terminal = true'
	export VOLT_EVIL=proxy VOLT_EVIL_OUT=$BATS_TEST_TMPDIR/tried
	say_run timeout -k 10 "$LIMIT" script -qec "$EVIL --root $VOLT_ROOT run --bundle $BATS_TEST_TMPDIR/b c1" /dev/null < /dev/null
	[ "$status" -eq 137 ]
	[[ $output == *"the relay of the container's terminal ended before it"* ]]
	[ "$(cat "$BATS_TEST_TMPDIR/tried")" = "proxy ended" ]
	wait_for 20 no_roles
	[ ! -e "$VOLT_ROOT/c1" ]
}

@test "the product has no trace of the hooks" {
	grep -q VOLT_EVIL "$EVIL"
	fails grep -q -e VOLT_EVIL -e evil_ "$VOLT"
}

# reaches_nothing PID - none of its descriptors but those that roles have
reaches_nothing() {
	local fd link
	for fd in /proc/"$1"/fd/*; do
		link=$(readlink "$fd") || continue # closed since
		case $link in
		/rootfs* | /mounts*) [[ $(< "/proc/$1/comm") == volt-fs ]] || return 1 ;;
		/dev/null | / | socket:* | anon_inode:* | "$VOLT_ROOT"/c1/alive) ;;
		/memfd:volt-ram* | /memfd:volt-irq*) [[ $(< "/proc/$1/comm") == volt-vmm ]] || return 1 ;; # for those that join
		/dev/net/tun) [[ $(< "/proc/$1/comm") == volt-net ]] || return 1 ;; # for taps to come
		"$VOLT_ROOT"/c1/reason) [[ $(< "/proc/$1/comm") == volt-shim ]] || return 1 ;;
		"$BATS_TEST_TMPDIR"/create.log) ;; # its stdout and stderr
		*)
			echo "$(tr '\0' ' ' < "/proc/$1/cmdline"): $fd -> $link"
			return 1
			;;
		esac
	done
}

# forge_state PID - what the state names is another process now, with that number but not that start
forge_state() {
	gojq --argjson pid "$1" '.shim.pid = $pid | .vmm.pid = $pid | .fs.pid = $pid' \
		"$VOLT_ROOT/c1/state.json" > "$BATS_TEST_TMPDIR/forged"
	cat "$BATS_TEST_TMPDIR/forged" > "$VOLT_ROOT/c1/state.json"
}

@test "links in the image lead nowhere, and of the caller only its streams reach a role" {
	outside=$BATS_TEST_TMPDIR/outside
	mkdir -p "$outside/data"
	echo kept > "$outside/file"
	( cd "$BATS_TEST_TMPDIR/b/rootfs"
		rm -rf data mnt
		ln -s "$outside/data" data                          # absolute
		ln -s "../../../../../../../../../../$outside" up   # out of everything
		ln -s "$outside/file" single
		mkdir -p sub && ln -s ../../../.. sub/dots )
	echo source > "$BATS_TEST_TMPDIR/source"
	mkdir "$BATS_TEST_TMPDIR/dir"
	edit_config "$BATS_TEST_TMPDIR/b" '.mounts += [
		{destination: "/data/new", type: "bind", source: $dir, options: ["rbind"]},
		{destination: "/up/made", type: "tmpfs", source: "tmpfs"},
		{destination: "/sub/dots/sub/bound", type: "bind", source: $file, options: ["bind", "ro"]},
		{destination: "/single", type: "bind", source: $file, options: ["bind"]}]' \
		--arg dir "$BATS_TEST_TMPDIR/dir" --arg file "$BATS_TEST_TMPDIR/source"
	exec 7< /etc/passwd 9<> "$BATS_TEST_TMPDIR/open"
	VOLT_SECRET=of-the-engine LD_PRELOAD=/no/such.so LD_LIBRARY_PATH=$outside \
		create "$BATS_TEST_TMPDIR/b" c1
	exec 7<&- 9<&-
	volt start c1
	for role in shim vmm fs net; do
		pid=$(role_pid $role c1)
		reaches_nothing "$pid"
		[ -z "$(tr -d '\0' < "/proc/$pid/environ")" ]
		[ "$(readlink "/proc/$pid/cwd")" = / ]
		[ "$(awk '/^Max core/ {print $6}' "/proc/$pid/limits")" -le 1 ]
	done
	# nothing was made, or bound, on the host's side of a link
	[ "$(cd "$outside" && find . | sort | tr '\n' ' ')" = '. ./data ./file ' ]
	[ "$(cat "$outside/file")" = kept ]
	fails grep -q "$outside" /proc/self/mountinfo
	say_run volt exec c1 sh -c 'cat /single /sub/bound; echo written > /single'
	[[ $output == source$'\n'source* ]]
	[ "$(cat "$outside/file")" = kept ]

	# pid reuse: the number is another process's now, whatever was seen before
	volt kill c1 KILL
	wait_for_status c1 stopped
	wait_for 20 no_roles
	sleep 1000 3>&- &
	forge_state $!
	[ "$(status_of c1)" = stopped ]
	fails volt kill c1 KILL
	volt delete --force c1
	kill -0 $!
	kill $!
}

# The one file that a vmm was ever heard in is written by the shim, and a log of errors is kept by no role.
@test "a vmm that was taken over can't make the state or the log grow" {
	evil reason --log "$BATS_TEST_TMPDIR/log" create --bundle "$BATS_TEST_TMPDIR/b" c1 \
		< /dev/null > "$BATS_TEST_TMPDIR/create.log" 2>&1 || cat "$BATS_TEST_TMPDIR/create.log"
	volt start c1
	for role in shim vmm fs net; do
		reaches_nothing "$(role_pid $role c1)"
	done
	kill -9 "$(role_pid fs c1)"
	wait_for_status c1 stopped
	wait_for 20 no_roles
	# it did write what it could: its container's streams are its own
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/create.log")" -ge 1000000 ]
	[ "$(stat -c %s "$VOLT_ROOT/c1/reason")" = 1024 ]
	[ -z "$(find "$VOLT_ROOT/c1" -type f -size +100k)" ]
	[ ! -s "$BATS_TEST_TMPDIR/log" ]
	[[ "$(volt state c1)" == *'"dev.volt.reason"'*xxxxxxxxxx* ]]
	volt delete c1
}

# leaky_volt ARG... - the runtime, whose caller left descriptors open; they are listed in the file "leaks"
leaky_volt() {
	timeout -k 10 "$LIMIT" "${VOLT%/*}/probes/leaky" "$BATS_TEST_TMPDIR/leaks" "$VOLT" --root "$VOLT_ROOT" "$@"
}

# has_leak PID - one of its descriptors is among those, or is their event counter
has_leak() {
	local fd
	for fd in /proc/"$1"/fd/*; do
		if readlink "$fd" | grep -qxF -f "$BATS_TEST_TMPDIR/leaks" ||
			grep -q '^eventfd-count: *7e57ed$' "/proc/$1/fdinfo/${fd##*/}" 2> /dev/null; then
			echo "$(tr '\0' ' ' < "/proc/$1/cmdline"): $fd -> $(readlink "$fd")"
			return 0
		fi
	done
	return 1
}

@test "sockets, pipes, memory and event counters that a caller left open reach no role" {
	"${VOLT%/*}/probes/leaky" "$BATS_TEST_TMPDIR/leaks" sleep 1000 3>&- &
	wait_for 5 has_leak $! # or else it couldn't be seen
	for name in socket pipe memfd eventfd; do
		readlink "/proc/$!/fd"/* | grep -q "$name"
	done
	kill $!
	leaky_volt create --bundle "$BATS_TEST_TMPDIR/b" c1 < /dev/null > "$BATS_TEST_TMPDIR/create.log" 2>&1
	leaks=$(sort "$BATS_TEST_TMPDIR/leaks")
	volt start c1
	leaky_volt exec --detach c1 sleep 1000 < /dev/null > "$BATS_TEST_TMPDIR/create.log" 2>&1
	echo "$leaks" >> "$BATS_TEST_TMPDIR/leaks"
	n=0
	for pid in $(roles); do
		fails has_leak "$pid"
		n=$((n + 1))
	done
	[ "$n" -ge 5 ] # shim, vmm, fs, net, and the shim of exec
	volt delete --force c1
}

# noting_library - a library that notes who begins with it in the file "begun"
noting_library() {
	cc -shared -fPIC -o "$BATS_TEST_TMPDIR/noting.so" -x c - <<- EOF
		#include <fcntl.h>
		#include <unistd.h>
		extern char *program_invocation_short_name;
		__attribute__((constructor)) static void note(void)
		{
			int fd = open("$BATS_TEST_TMPDIR/begun", O_WRONLY | O_CREAT | O_APPEND, 0600);
			const char *p = program_invocation_short_name;
			while (*p) (void)!write(fd, p++, 1);
			(void)!write(fd, "\n", 1);
			close(fd);
		}
	EOF
}

# preloading ARG... - the runtime, called with that library
preloading() {
	timeout -k 10 "$LIMIT" env LD_PRELOAD="$BATS_TEST_TMPDIR/noting.so" LD_LIBRARY_PATH="$BATS_TEST_TMPDIR" \
		"$VOLT" --root "$VOLT_ROOT" "$@" < /dev/null > "$BATS_TEST_TMPDIR/create.log" 2>&1
}

@test "LD_PRELOAD and LD_LIBRARY_PATH of the caller are the command's: roles have neither, hooks what config.json says" {
	noting_library
	edit_config "$BATS_TEST_TMPDIR/b" '.hooks = {createRuntime: [
			{path: "/bin/sh", args: ["with-env", "-c", $say], env: ["ONLY=this"]},
			{path: "/bin/sh", args: ["without-env", "-c", "true"]}],
		poststart: [{path: "/bin/sh", args: ["with-env", "-c", $say], env: ["ONLY=this"]}]}' \
		--arg say "tr '\\0' '\\n' < /proc/self/environ >> $BATS_TEST_TMPDIR/hooks.env"
	preloading create --bundle "$BATS_TEST_TMPDIR/b" c1
	preloading start c1
	preloading exec --detach c1 sleep 1000
	cat "$BATS_TEST_TMPDIR/begun"
	# each command, and the one hook that has its environment as other runtimes do
	[ "$(sort "$BATS_TEST_TMPDIR/begun" | uniq -c | xargs)" = "3 volt-runc 1 without-env" ]
	[ "$(grep -c ONLY=this "$BATS_TEST_TMPDIR/hooks.env")" -eq 2 ]
	fails grep -q LD_ "$BATS_TEST_TMPDIR/hooks.env"
	n=0
	for pid in $(roles); do
		[ -z "$(tr -d '\0' < "/proc/$pid/environ")" ]
		n=$((n + 1))
	done
	[ "$n" -ge 5 ]
	[ -z "$(volt exec c1 sh -c 'tr "\0" "\n" < /proc/1/environ | grep LD_')" ]
	volt delete --force c1
}

@test "/proc and /sys of the image as links are refused, /dev as one stays in the image" {
	outside=$BATS_TEST_TMPDIR/outside
	mkdir -p "$outside"
	for name in proc sys; do
		rm -rf "$BATS_TEST_TMPDIR/b/rootfs/$name"
		ln -s "$outside" "$BATS_TEST_TMPDIR/b/rootfs/$name"
		fails create "$BATS_TEST_TMPDIR/b" c1
		grep -qF "mount destination '/$name': filesystem " "$BATS_TEST_TMPDIR/create.log"
		grep -qF "must be mounted on ordinary directory" "$BATS_TEST_TMPDIR/create.log"
		[ ! -e "$VOLT_ROOT/c1" ]
		no_roles
		rm "$BATS_TEST_TMPDIR/b/rootfs/$name"
		mkdir "$BATS_TEST_TMPDIR/b/rootfs/$name"
	done
	rm -rf "$BATS_TEST_TMPDIR/b/rootfs/dev"
	ln -s "$outside" "$BATS_TEST_TMPDIR/b/rootfs/dev"
	create "$BATS_TEST_TMPDIR/b" c1
	volt start c1
	say_run volt exec c1 sh -c "echo lost > /dev/null && ls /dev/pts/ptmx /dev/shm $outside/null && echo kept > /dev/file"
	[ "$status" -eq 0 ]
	[ -z "$(ls -A "$outside")" ]
	fails grep -q "$outside" /proc/self/mountinfo
	# its target is the image's own: the tmpfs lies on that
	[ -d "$BATS_TEST_TMPDIR/b/rootfs/$outside" ]
	[ -z "$(ls -A "$BATS_TEST_TMPDIR/b/rootfs/$outside")" ]
	volt kill c1 KILL
	wait_for_status c1 stopped
	volt delete c1
}

@test "a root behind symbolic links is what they led to at create" {
	mkdir -p "$BATS_TEST_TMPDIR/far/away" "$BATS_TEST_TMPDIR/other"
	mv "$BATS_TEST_TMPDIR/b/rootfs" "$BATS_TEST_TMPDIR/far/away/root"
	ln -s ../far/away/root "$BATS_TEST_TMPDIR/b/last"
	ln -s "$BATS_TEST_TMPDIR/far" "$BATS_TEST_TMPDIR/b/middle"
	ln -s nowhere "$BATS_TEST_TMPDIR/b/dangling"
	for path in last middle/away/root "$BATS_TEST_TMPDIR/b/middle/away/root"; do
		edit_config "$BATS_TEST_TMPDIR/b" '.root.path = $path' --arg path "$path"
		create "$BATS_TEST_TMPDIR/b" c1
		[ "$(volt state c1 | gojq -r .rootfs)" = "$BATS_TEST_TMPDIR/far/away/root" ]
		volt start c1
		volt exec c1 sh -c "echo '$path' > /written"
		[ "$(cat "$BATS_TEST_TMPDIR/far/away/root/written")" = "$path" ]
		volt delete --force c1
	done
	edit_config "$BATS_TEST_TMPDIR/b" '.root.path = "dangling"'
	fails create "$BATS_TEST_TMPDIR/b" c1
	grep -qF "open rootfs 'dangling': No such file or directory" "$BATS_TEST_TMPDIR/create.log"
	[ ! -e "$BATS_TEST_TMPDIR/b/nowhere" ]
}

seen_true() {
	[ "$(grep -cx true "$BATS_TEST_TMPDIR/real/seen")" = "$1" ]
}

@test "what becomes of the bundle after create is nothing to its container" {
	t=$BATS_TEST_TMPDIR
	mkdir -p "$t/dir" "$t/evil/rootfs" "$t/evil/dir"
	echo true > "$t/b/rootfs/which"
	echo true > "$t/dir/which"
	echo true > "$t/file"
	tar -C "$t/evil/rootfs" -xf "$IMAGES/busybox.tar"
	for name in rootfs/which dir/which file; do
		echo false > "$t/evil/$name"
	done
	ln -s dir "$t/way" # that leads to another place later
	edit_config "$t/b" '.process.args = ["sh", "-c", "cat /which /dir/which /way/which /file > /seen; echo $WHO >> /seen; sleep 1000"] |
		.process.env += ["WHO=true"] | .mounts += [
		{destination: "/dir", type: "bind", source: ($t + "/dir"), options: ["rbind"]},
		{destination: "/way", type: "bind", source: ($t + "/way"), options: ["rbind"]},
		{destination: "/file", type: "bind", source: ($t + "/file"), options: ["bind"]}]' --arg t "$t"
	create "$t/b" c1
	mv "$t/b/rootfs" "$t/real"
	ln -s "$t/evil/rootfs" "$t/b/rootfs"
	mv "$t/dir" "$t/real-dir"
	ln -s "$t/evil/dir" "$t/dir"
	ln -sfn "$t/evil/dir" "$t/way"
	mv "$t/file" "$t/real-file"
	ln -s "$t/evil/file" "$t/file"
	edit_config "$t/b" '.process.args = ["touch", "/evil"] | .process.env = ["WHO=false"] | .mounts = [] |
		.process.user.uid = 1234 | .root.readonly = true | .process.capabilities = {}'
	volt start c1
	say_run volt exec c1 sh -c 'cat /which /dir/which /way/which /file; echo $WHO; id -u; echo later > /way/later'
	[ "$status" -eq 0 ]
	[ "$output" = $'true\ntrue\ntrue\ntrue\ntrue\n0' ]
	wait_for 20 seen_true 5
	[ "$(cat "$t/real-dir/later")" = later ]
	[ -z "$(find "$t/evil" -mindepth 1 \( -name later -o -name seen -o -name evil \))" ]
	[ "$(status_of c1)" = running ]
	volt delete --force c1
	[ "$(cat "$t/evil/rootfs/which")" = false ]
	# and not a bundle at all is nothing to those that follow
	mkdir "$t/c"
	mv "$t/real" "$t/c/rootfs"
	gojq '.process.args = ["sleep", "1000"]' "$TESTDATA/config.json" > "$t/c/config.json"
	create "$t/c" c2
	mv "$t/c" "$t/d"
	volt start c2
	[ "$(volt exec c2 cat /which)" = true ]
	volt delete --force c2
}

@test "state directories that are links or somebody else's, and containers that are links, are refused" {
	mkdir -m 700 "$BATS_TEST_TMPDIR/other" "$VOLT_ROOT/real"
	ln -s "$VOLT_ROOT" "$BATS_TEST_TMPDIR/link"
	ln -s real "$VOLT_ROOT/c2"
	for verb in "list" "state c2" "create --bundle $BATS_TEST_TMPDIR/b c3"; do
		# shellcheck disable=SC2086 # words
		say_run "$VOLT" --root "$BATS_TEST_TMPDIR/link" $verb
		[ "$status" -ne 0 ]
		[[ $output == *"open state directory"* ]]
	done
	say_run volt state c2
	[ "$status" -ne 0 ]
	say_run volt delete --force c2
	[ -d "$VOLT_ROOT/real" ]
	for owner in 12345:0 0:0; do
		chown "$owner" "$BATS_TEST_TMPDIR/other"
		[ "$owner" = 12345:0 ] || chmod 777 "$BATS_TEST_TMPDIR/other"
		say_run "$VOLT" --root "$BATS_TEST_TMPDIR/other" create --bundle "$BATS_TEST_TMPDIR/b" c3
		[ "$status" -ne 0 ]
		[[ $output == *"state directory"*"$BATS_TEST_TMPDIR/other"* ]]
		[ -z "$(ls -A "$BATS_TEST_TMPDIR/other")" ]
	done
	rm -rf "$VOLT_ROOT/c2" "$VOLT_ROOT/real"
}
