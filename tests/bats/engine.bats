#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What engines build on the runtime: image builds, health checks, pods, copies, restarts.
# as long as: 28

load helpers

setup() {
	setup_common
}

teardown() {
	podman pod rm --all --force --time 0 > /dev/null 2>&1
	podman rmi --force localhost/built > /dev/null 2>&1
	teardown_common
}

@test "podman build: each RUN step in a microVM" {
	printf '%s\n' 'FROM localhost/busybox' 'RUN uname -r > /kernel; echo $((6 * 7)) > /built' \
		'RUN test "$(cat /built)" = 42' 'CMD cat /built /kernel' > "$BATS_TEST_TMPDIR/Dockerfile"
	pod build --isolation oci --network none -t localhost/built "$BATS_TEST_TMPDIR"
	say_run podman --runtime crun run --rm localhost/built
	[ "${lines[0]}" = 42 ]
	[[ "${lines[1]}" == *-volt ]]

	printf '%s\n' 'FROM localhost/busybox' 'RUN exit 9' > "$BATS_TEST_TMPDIR/Dockerfile"
	say_run pod build --isolation oci --network none "$BATS_TEST_TMPDIR"
	[ "$status" -ne 0 ]
	[[ "$output" == *"exit status 9"* ]]
	podman rm --all --force > /dev/null
}

@test "buildah from scratch, with RUN" {
	: > "$BATS_TEST_TMPDIR/podman.used"
	c=$(buildah from scratch)
	tar -C "$(buildah mount "$c")" -xf "$IMAGES/busybox.tar"
	say_run buildah run --runtime "$VOLT" --isolation oci --network none "$c" sh -c 'uname -r; exit 6'
	buildah rm "$c"
	[ "$status" -eq 6 ]
	[[ "${lines[0]}" == *-volt ]]
}

@test "health checks, cp both ways, top and stats of a running container; restart" {
	pod run -d --name c1 --health-cmd 'test -e /healthy' --health-interval disable localhost/busybox sleep 1000
	say_run pod healthcheck run c1
	[ "$status" -ne 0 ]
	pod exec c1 touch /healthy
	pod healthcheck run c1

	echo there > "$BATS_TEST_TMPDIR/f"
	pod cp "$BATS_TEST_TMPDIR/f" c1:/f
	[ "$(pod exec c1 cat /f)" = there ]
	pod exec c1 sh -c 'echo back > /f'
	pod cp c1:/f "$BATS_TEST_TMPDIR/f"
	[ "$(cat "$BATS_TEST_TMPDIR/f")" = back ]

	say_run pod top c1
	[[ "$output" == *volt-shim* ]]
	say_run pod stats --no-stream --format '{{.MemUsage}}' c1
	[[ "$output" =~ ^[1-9] ]]

	pod restart -t 0 c1
	[ "$(pod inspect -f '{{.State.Status}}' c1)" = running ]
	[ "$(pod exec c1 cat /f)" = back ]
}

@test "--init: an init of the engine's is process 1 and reaps" {
	say_run pod run --rm --init localhost/busybox sh -c 'cat /proc/1/comm; exit 5'
	[ "$status" -eq 5 ]
	[ "$output" = podman-init ]
}

@test "--privileged: mounts work inside, the list of the host's devices does no harm" {
	say_run pod run --rm --privileged localhost/busybox sh -c 'mount -t tmpfs none /tmp && grep -c " /tmp tmpfs" /proc/mounts'
	[ "$status" -eq 0 ]
	[ "$output" = 1 ]
}

@test "--systemd=always: a small init gets what it mounts on, and its stop signal; --sdnotify=container is heard" {
	local dir=$BATS_TEST_TMPDIR
	socat -u "UNIX-RECV:$dir/manager" "OPEN:$dir/heard,creat,append" 3>&- &
	wait_for 10 test -S "$dir/manager"
	export NOTIFY_SOCKET=$dir/manager
	pod run -d --name s1 --systemd=always --sdnotify=container localhost/debian bash -c '
		echo $container; mkdir /sys/fs/cgroup/x && rmdir /sys/fs/cgroup/x && echo writable; grep -c " /run tmpfs" /proc/mounts
		trap "echo bye; exit 9" 37
		perl -MSocket -e "socket(S, AF_UNIX, SOCK_DGRAM, 0); send(S, \"MAINPID=1\nSTATUS=fine\nREADY=1\", 0, sockaddr_un(\$ENV{NOTIFY_SOCKET})) or die \$!"
		(sleep 0.1 & exec sleep 0) # an orphan
		while :; do sleep 0.2; done'
	unset NOTIFY_SOCKET
	wait_for 30 grep -q READY=1 "$dir/heard"
	pod stop --time 60 s1
	kill %1
	[ "$(pod wait s1)" = 9 ]
	[ "$(pod logs s1)" = "$(printf '%s\n' podman writable 1 bye)" ]
	fails grep MAINPID=1$ "$dir/heard"
	pod rm s1
}

@test "a restart policy: what failed is started again, as often as it says" {
	pod run -d --name r1 --restart=on-failure:1 localhost/busybox sh -c 'echo once more; exit 6'
	twice() { [ "$(pod inspect --format '{{.RestartCount}} {{.State.Status}}' r1)" = "1 exited" ]; }
	wait_for 60 twice
	[ "$(pod wait r1)" = 6 ]
	[ "$(pod logs r1)" = "$(printf '%s\n' 'once more' 'once more')" ]
	pod rm r1
}

@test "pods: containers with namespaces of an infra container run, in its VM" {
	: > "$BATS_TEST_TMPDIR/podman.used"
	pod pod create --name p1 --infra-image localhost/busybox --infra-command "sleep 1000"
	pod run -d --pod p1 --name c1 localhost/busybox sh -c 'echo in pod; sleep 1000'
	[ "$(pod pod inspect p1 | gojq -r .State)" = Running ]
	wait_for 20 logs_have c1 "in pod"
	pod pod rm -f -t 0 p1
}
