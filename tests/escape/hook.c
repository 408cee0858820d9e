/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook.c - roles of a real container that were taken over
 *
 * Linked, with --wrap, between the runtime and the stages of its sandbox: a build
 * of its own for tests/bats/escape.bats, no switch in the product. What it does is
 * said by the environment of `create` or `exec`:
 *
 *   VOLT_EVIL=all      each role, on its way into its cage, has all attempts of
 *                      evil_role.h made by processes caged as itself. What came of them is
 *                      written to the file VOLT_EVIL_OUT at the end of the command,
 *                      "ok" or "not ok" first, and the container lives on.
 *   VOLT_EVIL=vmm      the role itself opens a file as soon as it is caged; likewise fs (a
 *                      socket), net, shim, vcpu, and proxy for the relay of a `run`. What came of it is written to that file.
 *   VOLT_EVIL=reason   the vmm, when it has to tell why the container ended badly, writes a
 *                      megabyte into each file that it holds, and then tells as much as its
 *                      shim's socket takes.
 *
 * Leaks that the attempts are about are made when the command starts, and all
 * roles keep them: see __wrap_sbx_close_fds().
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "evil_cage.h"
#include "roles.h"
#include "sandbox/fds.h"
#include "sandbox/sandbox.h"

#define PLACES_MAX 20
#define KEEP_MAX   300
#define FDS_MAX	   1024 /* of the vmm, see sandbox.c */

int __real_sbx_stage_vmm_mounts(struct vr_err *err);
int __real_sbx_stage_vmm_started(struct vr_err *err);
int __real_sbx_stage_fs_final(const struct sbx_fs_tree *tree, struct vr_err *err);
int __real_sbx_stage_shim_final(struct vr_err *err);
int __real_sbx_stage_net_final(const struct sbx_user *user, struct vr_err *err);
int __real_sbx_close_fds(const int *keep, size_t n);
int __wrap_sbx_stage_vmm_mounts(struct vr_err *err);
int __wrap_sbx_stage_vmm_started(struct vr_err *err);
int __wrap_sbx_stage_fs_final(const struct sbx_fs_tree *tree, struct vr_err *err);
int __wrap_sbx_stage_shim_final(struct vr_err *err);
int __wrap_sbx_stage_net_final(const struct sbx_user *user, struct vr_err *err);
int __real_role_report_read(int report_fd, const char *role, int timeout_ms, struct vr_err *err);
int __wrap_role_report_read(int report_fd, const char *role, int timeout_ms, struct vr_err *err);
int __real_sbx_stage_proxy_final(pid_t shim, struct vr_err *err);
int __wrap_sbx_stage_proxy_final(pid_t shim, struct vr_err *err);
int __wrap_sbx_close_fds(const int *keep, size_t n);
void __real_role_tell_shim(int shim_fd, uint8_t status, const char *reason);
void __wrap_role_tell_shim(int shim_fd, uint8_t status, const char *reason);

/* struct result - what came of all attempts at one place */
struct result {
	enum evil_stage stage;
	int landlock;
	int rc;
	int status[EVIL_ATTEMPTS_MAX];
};

/* Shared by the command and its roles: those can write no file. */
static struct shared {
	atomic_uint n;
	bool tried;
	bool survived;
	struct result r[PLACES_MAX];
} * shared;

static pid_t command;
static char what[16];
static char out_path[4096];
static const struct sbx_fs_tree *fs_tree;
static pid_t proxied;

/* ---- the roles ---- */

static int enter(const struct evil_place *p)
{
	struct vr_err err = VR_ERR_INIT;
	int rc;

	if (p->stage == EVIL_FS_FINAL) {
		return __real_sbx_stage_fs_final(fs_tree, &err);
	}
	if (p->stage == EVIL_SHIM_FINAL) {
		return __real_sbx_stage_shim_final(&err);
	}
	if (p->stage == EVIL_NET_FINAL) {
		return __real_sbx_stage_net_final(&evil_vmm_user, &err);
	}
	if (p->stage == EVIL_PROXY_FINAL) {
		return __real_sbx_stage_proxy_final(proxied, &err);
	}
	rc = __real_sbx_stage_vmm_mounts(&err);
	rc = rc < 0 ? rc : sbx_stage_vmm_final(&evil_vmm_user, &err);
	if (rc == 0 && p->stage == EVIL_VMM_STARTED) {
		rc = __real_sbx_stage_vmm_started(&err);
	}
	return rc;
}

static void run(enum evil_stage stage, int landlock)
{
	const struct evil_place p = {
		.stage = stage, .landlock = landlock, .filter = true, .enter = enter};
	unsigned slot = atomic_fetch_add(&shared->n, 1); /* fs and shim start together */
	struct result *r = &shared->r[slot];

	if (slot >= PLACES_MAX) {
		_exit(78);
	}
	r->stage = stage;
	r->landlock = landlock;
	r->rc = evil_cage_prepare();
	r->rc = r->rc < 0 ? r->rc : evil_cage_run(&p, r->status);
}

static void run_with_and_without_landlock(enum evil_stage stage)
{
	run(stage, SBX_LANDLOCK_ANY);
	run(stage, SBX_LANDLOCK_ABSENT);
	run(stage, 1);
}

static bool is_wanted(const char *role)
{
	return strcmp(what, role) == 0;
}

/* The role itself: a file, or a socket for the one that may open what is in view. */
static void try_once(void)
{
	shared->tried = true;
	if (is_wanted("fs")) {
		(void)syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
	} else {
		(void)syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
	}
	shared->survived = true;
	_exit(1);
}

int __wrap_sbx_stage_vmm_mounts(struct vr_err *err)
{
	if (is_wanted("all")) {
		run(EVIL_VMM_FINAL, SBX_LANDLOCK_ANY);
		run_with_and_without_landlock(EVIL_VMM_STARTED);
		run(EVIL_VCPU, SBX_LANDLOCK_ANY);
	}
	return __real_sbx_stage_vmm_mounts(err);
}

int __wrap_sbx_stage_vmm_started(struct vr_err *err)
{
	int rc = __real_sbx_stage_vmm_started(err);

	if (rc == 0 && is_wanted("vmm")) {
		try_once();
	}
	return rc;
}

int __wrap_sbx_stage_fs_final(const struct sbx_fs_tree *tree, struct vr_err *err)
{
	int rc;

	if (is_wanted("all")) {
		fs_tree = tree;
		run_with_and_without_landlock(EVIL_FS_FINAL);
	}
	rc = __real_sbx_stage_fs_final(tree, err);
	if (rc == 0 && is_wanted("fs")) {
		try_once();
	}
	return rc;
}

int __wrap_sbx_stage_shim_final(struct vr_err *err)
{
	int rc;

	if (is_wanted("all")) {
		run_with_and_without_landlock(EVIL_SHIM_FINAL);
	}
	rc = __real_sbx_stage_shim_final(err);
	if (rc == 0 && is_wanted("shim")) {
		try_once();
	}
	return rc;
}

int __wrap_sbx_stage_net_final(const struct sbx_user *user, struct vr_err *err)
{
	int rc;

	if (is_wanted("all")) {
		run_with_and_without_landlock(EVIL_NET_FINAL);
	}
	rc = __real_sbx_stage_net_final(user, err);
	if (rc == 0 && is_wanted("net")) {
		try_once();
	}
	return rc;
}

/* No other call than the filter has: what is refused ends the vmm before its word is out. */
static void fill_files(const char *bytes, size_t n)
{
	struct stat st;

	for (int fd = 0; fd < FDS_MAX; fd++) {
		if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
			continue;
		}
		for (size_t put = 0; put < 1000000; put += n) {
			(void)!write(fd, bytes, n); /* fails for those to be read */
		}
	}
}

void __wrap_role_tell_shim(int shim_fd, uint8_t status, const char *reason)
{
	static char bytes[50000];
	const struct shim_exit_msg head = {.status = status};

	if (reason && is_wanted("reason")) {
		memset(bytes, 'x', sizeof(bytes));
		fill_files(bytes, sizeof(bytes));
		memcpy(bytes, &head, SHIM_EXIT_MIN);
		for (unsigned i = 0; i < 100; i++) {
			(void)send(shim_fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
		}
	}
	__real_role_tell_shim(shim_fd, status, reason);
}

int __wrap_sbx_close_fds(const int *keep, size_t n)
{
	int more[KEEP_MAX];

	if (!is_wanted("all")) {
		return __real_sbx_close_fds(keep, n);
	}
	if (n > KEEP_MAX - (EVIL_TTY_FD - EVIL_ROOT_FD + 1)) {
		return -1;
	}
	memcpy(more, keep, n * sizeof(*more));
	for (int fd = EVIL_ROOT_FD; fd <= EVIL_TTY_FD; fd++) {
		more[n++] = fd;
	}
	return __real_sbx_close_fds(more, n);
}

/* ---- the command ---- */

/* Roles have some hundred attempts to make before they are ready. */
int __wrap_role_report_read(int report_fd, const char *role, int timeout_ms, struct vr_err *err)
{
	return __real_role_report_read(report_fd, role, 10 * timeout_ms, err);
}

static void put_result(FILE *f, const struct result *r)
{
	int abi = sbx_landlock_abi(r->landlock);

	if (r->rc != 0) {
		(void)fprintf(f, "not ok %s: did not get there\n", evil_stage_name(r->stage));
		return;
	}
	for (size_t i = 0; i < evil_n_attempts; i++) {
		const struct evil_attempt *a = &evil_attempts[i];
		char want = evil_expected(a, r->stage, true);
		char got = evil_outcome(r->status[i]);

		if (want == EVIL_LANDLOCK) {
			want = abi >= a->needs ? EVIL_REFUSED : EVIL_CAN;
		}
		(void)fprintf(f, "%s %s (Landlock %d): %s: %c (%#x), expected %c\n",
			      got == want ? "ok" : "not ok", evil_stage_name(r->stage), abi,
			      a->name, got, r->status[i], want);
	}
}

static void put_results(void)
{
	FILE *f;

	if (getpid() != command) {
		return; /* a child that exits and doesn't _exit */
	}
	f = fopen(out_path, "we");
	if (!f) {
		return; /* what is missing fails the test, here and below */
	}
	for (size_t i = 0; i < shared->n; i++) {
		put_result(f, &shared->r[i]);
	}
	if (is_wanted("all")) {
		evil_world_end();
	} else if (shared->tried) {
		(void)fprintf(f, "%s %s\n", what, shared->survived ? "survived" : "ended");
	}
	(void)fclose(f);
}

int __wrap_sbx_stage_proxy_final(pid_t shim, struct vr_err *err)
{
	int rc;

	proxied = shim;
	if (is_wanted("all")) {
		run_with_and_without_landlock(EVIL_PROXY_FINAL);
		put_results(); /* it is the command: at its end it will have no power to */
		command = 0;
	}
	rc = __real_sbx_stage_proxy_final(shim, err);
	if (rc == 0 && is_wanted("proxy")) {
		try_once();
	}
	return rc;
}

__attribute__((constructor)) static void start(void)
{
	const char *evil = getenv("VOLT_EVIL");
	const char *out = getenv("VOLT_EVIL_OUT");

	(void)snprintf(what, sizeof(what), "%s", evil ? evil : ""); /* cut: is none of ours */
	if (is_wanted("vcpu")) {
		evil_cage_vcpu = try_once;
	}
	if (!evil) {
		return;
	}
	(void)snprintf(out_path, sizeof(out_path), "%s", out ? out : "/dev/null"); /* ours, short */
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED || (is_wanted("all") && evil_world_make() < 0)) {
		(void)fprintf(stderr, "hook: can't make the world\n");
		_exit(70);
	}
	command = getpid();
	(void)atexit(put_results); /* can't fail for the first one */
}
