#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Wrong arguments and wrong files: an error that says what is wrong, and nothing left.
#
# None of these starts a VM, so each test has many cases. That every field of config.json is
# checked is proven by tests/c/test_bad_input.c; here is what only the program as a whole shows.
# as long as: 14

load helpers

# The verbs that take an ID, and what else they need to get as far as looking for it.
VERBS="create start run state kill delete ps pause resume update events exec"
MISSING_ID="start state kill delete ps pause resume update events exec"

setup() {
	setup_common
	LOG=$BATS_TEST_TMPDIR/log.json
	BUNDLE=$BATS_TEST_TMPDIR/b
	mkdir -p "$BUNDLE/rootfs"
	cp "$TESTDATA/config.json" "$BUNDLE/config.json"
	failures=0
}

teardown() {
	teardown_common
}

# bad WORDS ARG... - the runtime fails, within seconds, and says WORDS: on stderr in one line, and in
# the log as one object. All cases of a test are run before it fails.
bad() {
	local words=$1 status=0 out said
	shift
	rm -f "$LOG"
	out=$(timeout -k 5 60 "$VOLT" --root "$VOLT_ROOT" --log "$LOG" --log-format json "$@" 2>&1 < /dev/null) || status=$?
	said=$(cat "$LOG" 2>/dev/null || true)
	if [ "$status" -eq 0 ] || [ "$status" -ge 124 ] && [ "$status" -ne 255 ]; then
		complain "exit status $status, output '$out'" "$@"
	elif [[ $out != *"$words"* || $out == *$'\n'* ]]; then
		complain "'$words' is not what it says: '$out'" "$@"
	elif [[ $1 != --log-* && $said != '{"level":"error","msg":"'*'"}' || $said == *$'\n'* ]]; then
		complain "log: '$said'" "$@"
	fi
}

complain() {
	local what=$1
	shift
	echo "volt-runc $*: $what"
	failures=$((failures + 1))
}

nothing_left() {
	[ "$failures" -eq 0 ]
	# container directories; the root's own lock may stay
	[ -z "$(find "$VOLT_ROOT" -mindepth 1 -type d)" ]
	no_roles
}

@test "wrong global options and verbs are errors that name them" {
	bad "unknown command 'nonsense'" nonsense
	bad "unknown command ''" ""
	bad "unknown option '--nonsense'" --nonsense state c
	bad "unknown option '-z'" -z state c
	bad "'yaml'" --log-format yaml state c
	bad "'loud'" --log-level loud state c
	bad "'nobody'" --cgroup-manager nobody state c
	bad "neither true nor false" --debug=maybe state c
	bad "flag needs an argument" --log-level
	nothing_left
}

@test "each verb refuses unknown options, missing and surplus arguments" {
	for verb in $VERBS; do
		bad "$verb: unknown option '--nonsense'" "$verb" --nonsense c
		bad "$verb: unknown option '--nonsense'" "$verb" --nonsense=1 c
		bad "missing arguments" "$verb"
	done
	for verb in create start run state delete pause resume update events; do
		bad "too many arguments" "$verb" c d
	done
	bad "too many arguments" kill c TERM x
	for verb in list features spec; do
		bad "too many arguments" "$verb" c
		bad "unknown option '--nonsense'" "$verb" --nonsense
	done
	bad "missing arguments" sandbox
	bad "container does not exist" sandbox --show nobody
	bad "'xml'" sandbox --show c --format xml
	bad "'xml'" doctor --format xml
	for verb in checkpoint restore; do
		bad "not supported" "$verb" c
		bad "not supported" "$verb" --help
	done
	bad "flag needs an argument" create --bundle
	bad "flag needs an argument" run --pid-file
	bad "flag needs an argument" exec --process
	bad "flag needs an argument" update --resources
	bad "neither true nor false" delete --force=perhaps c
	nothing_left
}

@test "an id that is none is refused before anything is looked for" {
	long=$(printf 'x%.0s' {1..1025})
	for verb in $VERBS; do
		args=()
		[ "$verb" != exec ] || args=(true)
		# all shapes where they are looked at first, some elsewhere
		case $verb in
		create | state | exec) ids=("" . .. a/b ../x "a b" $'a\nb' "$long" 'a*b' é) ;;
		*) ids=("" ../x) ;;
		esac
		for id in "${ids[@]}"; do
			case $verb in
			create | run) bad "" "$verb" --bundle "$BUNDLE" "$id" ;;
			delete) bad "" "$verb" "$id" ;;
			*) bad "" "$verb" "$id" "${args[@]}" ;;
			esac
		done
	done
	nothing_left
}

@test "verbs for a container that isn't there say so" {
	for verb in $MISSING_ID; do
		args=()
		[ "$verb" != exec ] || args=(true)
		bad "container does not exist" "$verb" nobody "${args[@]}"
	done
	# but this is how callers make sure
	volt delete --force nobody
	nothing_left
}

@test "values of options are checked" {
	for signal in "" FOO -1 65 999999999999999999999 1x; do
		bad "" kill c "$signal"
	done
	for format in "" xml JSON; do
		bad "'$format' is neither table nor json" list --format "$format"
		bad "'$format' is neither table nor json" ps --format "$format" c
	done
	for interval in "" 0 0s -1s x 5y; do
		bad "" events --interval "$interval" c
	done
	for value in x 1x 99999999999999999999 -2 1.5 ""; do
		bad "'$value' is not a number" update --memory="$value" c
	done
	for option in memory-reservation memory-swap cpu-period cpu-quota cpu-burst cpu-share cpu-idle pids-limit; do
		bad "'1x' is not a number" update --$option=1x c
	done
	bad "must not be negative" update --cpu-period=-1 c
	for option in cpu-rt-period cpu-rt-runtime l3-cache-schema mem-bw-schema; do
		bad "can't change while a container lives" update --$option 1 c
	done
	bad "" update --resources /nonexistent c
	bad "standard input: " update --resources - c
	nothing_left
}

@test "bundles that are none are refused" {
	bad "/nonexistent" create --bundle /nonexistent c
	bad "" create --bundle "$BUNDLE/config.json" c
	bad "" create --bundle "" c
	bad "config.json" create --bundle "$BUNDLE/rootfs" c
	bad "/nonexistent" create --bundle "$BUNDLE" --config /nonexistent c
	bad "" create --bundle "$BUNDLE" --config "$BUNDLE/rootfs" c
	# files that never end, and that nobody writes to
	bad "" create --bundle "$BUNDLE" --config /dev/zero c
	mkfifo "$BUNDLE/fifo"
	bad "" create --bundle "$BUNDLE" --config "$BUNDLE/fifo" c
	rmdir "$BUNDLE/rootfs"
	bad "rootfs" create --bundle "$BUNDLE" c
	touch "$BUNDLE/rootfs"
	bad "rootfs" create --bundle "$BUNDLE" c
	nothing_left
}

# config TEXT - puts it into the bundle
config() {
	printf '%s' "$1" > "$BUNDLE/config.json"
}

@test "each kind of wrong field is named with its path" {
	while IFS='|' read -r filter words; do
		edit_config "$BUNDLE" "$filter"
		bad "config.json: $words" create --bundle "$BUNDLE" c
		cp "$TESTDATA/config.json" "$BUNDLE/config.json"
	done <<- 'END'
		.ociVersion = "2.0.0"|ociVersion: must be a version 1.x.y
		del(.ociVersion)|ociVersion: must be set
		.process.args = ["sh", 7]|process.args[1]: must be a string, not a number
		.process.cwd = "x"|process.cwd: must be an absolute path
		.process.user.uid = -1|process.user.uid: must be an integer from 0
		.process.rlimits = [{"type":"RLIMIT_X","soft":1,"hard":1}]|process.rlimits[0].type: unknown rlimit 'RLIMIT_X'
		.process.oomScoreAdj = 1001|process.oomScoreAdj: must be an integer from -1000 to 1000
		.root = null|root: must be set
		.mounts[1].options = "ro"|mounts[1].options: must be an array, not a string
		.mounts += [{"destination":"/x","type":"bind"}]|mounts[
		.hooks.prestart = [{"path":"x"}]|hooks.prestart[0].path: must be an absolute path
		.linux.namespaces += [{"type":"pid"}]|linux.namespaces[
		.linux.resources.memory.limit = "1G"|linux.resources.memory.limit: must be a number, not a string
		.linux.resources.cpu.cpus = "1-"|linux.resources.cpu.cpus: must be a list like
		.linux.sysctl = {"../x":"1"}|linux.sysctl
		.linux.seccomp = {"defaultAction":"SCMP_ACT_NOTIFY"}|linux.seccomp.defaultAction: SCMP_ACT_NOTIFY is not supported
		.linux.intelRdt = {"closID":"x"}|linux.intelRdt: not supported
		.vm.kernel.path = "/x"|vm.kernel: not supported
		.annotations = {"dev.volt.typo":"1"}|annotations
	END
	edit_config "$BUNDLE" '.process.args = []'
	bad "config.json: process.args: must not be empty" run --bundle "$BUNDLE" c
	nothing_left
}

@test "files that are no JSON, too large or too deep are refused quickly" {
	for text in "" "{" "[]" "null" "{}x" '{"a":1,"a":2}' $'{"a":"\xff"}' '{"a":"\u0000"}'; do
		config "$text"
		bad "config.json: " create --bundle "$BUNDLE" c
	done
	config '{"ociVersion":"1.2.0","ociVersion":"1.2.0"}'
	bad "config.json: ociVersion: duplicate key" create --bundle "$BUNDLE" c
	deep=$(printf '[%.0s' {1..1000})$(printf ']%.0s' {1..1000})
	config "{\"process\":$deep}"
	bad "nested deeper than 128 levels" create --bundle "$BUNDLE" c
	truncate -s 64M "$BUNDLE/config.json"
	bad "16 MiB" create --bundle "$BUNDLE" c
	nothing_left
}

@test "wrong files for update are refused" {
	local file=$BATS_TEST_TMPDIR/file.json
	while IFS='|' read -r text words; do
		printf '%s' "$text" > "$file"
		bad "$words" update --resources "$file" c
	done <<- 'END'
		[]|file.json: must be an object, not an array
		{"memory":{"limit":"1"}}|file.json: memory.limit: must be a number, not a string
		{"cpu":{"quota":1,"quota":2}}|file.json: cpu.quota: duplicate key
		{"pids":{"limit":0.5}}|file.json: pids.limit: must be an integer
	END
	nothing_left
}
