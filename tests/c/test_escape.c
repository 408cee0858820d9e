/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_escape.c - every way out, from every stage of every role
 *
 * Each attempt of evil_role.c is made by a process of its own that went through a
 * role's stages: with all layers, with Landlock absent, with Landlock's oldest
 * version, and then with the system call filter left out, so that it shows what
 * the other layers are good for by themselves. And it is made outside: an attempt
 * that never works proves nothing.
 *
 * `test_escape table` prints docs/SANDBOX.md's part, `test_escape show [ABI]` what came
 * of each attempt, with the error, with Landlock up to version ABI (-1: none).
 */
#include "sbx_world.h"

#include <sys/prctl.h>

#include "base/checked.h"
#include "evil_cage.h"
#include "sandbox/sandbox.h"

/* ---- how the roles get where they are ---- */

static int stage_vmm(enum evil_stage stage)
{
	STAGE(sbx_stage_vmm_mounts(&err));
	if (stage == EVIL_VMM_MOUNTS) {
		return 0;
	}
	STAGE(sbx_stage_vmm_final(&evil_vmm_user, &err));
	if (stage == EVIL_VMM_STARTED) {
		STAGE(sbx_stage_vmm_started(&err));
	}
	return 0;
}

static int stage_fs(enum evil_stage stage)
{
	static const struct sbx_share root = {.fd = -1, .path = WORLD "/rootfs"};
	struct sbx_fs_tree tree = SBX_FS_TREE_INIT;

	STAGE(sbx_fs_tree_build(&root, NULL, 0, &tree, &err));
	if (stage == EVIL_FS_FINAL) {
		STAGE(sbx_stage_fs_final(&tree, &err));
	}
	return 0;
}

static int stage_shim(void)
{
	STAGE(sbx_stage_shim_final(&err));
	return 0;
}

static int stage_proxy(void)
{
	STAGE(sbx_stage_proxy_final(getppid(), &err));
	return 0;
}

/* In a network namespace that isn't the host's: it stays there. */
static int stage_net(void)
{
	if (unshare(CLONE_NEWNET) < 0) {
		return -1;
	}
	STAGE(sbx_stage_net_final(&evil_vmm_user, &err));
	return 0;
}

static int enter(const struct evil_place *p)
{
	switch (p->stage) {
	case EVIL_FREE:
		return 0;
	case EVIL_FS_TREE:
	case EVIL_FS_FINAL:
		return stage_fs(p->stage);
	case EVIL_SHIM_FINAL:
		return stage_shim();
	case EVIL_PROXY_FINAL:
		return stage_proxy();
	case EVIL_NET_FINAL:
		return stage_net();
	default:
		return stage_vmm(p->stage);
	}
}

/* vmm, fs and net are forked into a pid namespace of their own, see launch_fork.c. */
static void run_all(enum evil_stage stage, int landlock, bool filter, int *status)
{
	const struct evil_place p = {
		.stage = stage,
		.landlock = landlock,
		.filter = filter,
		.new_pid =
			(stage != EVIL_FREE && stage < EVIL_SHIM_FINAL) || stage == EVIL_NET_FINAL,
		.enter = enter,
	};

	assert_true(evil_n_attempts <= EVIL_ATTEMPTS_MAX);
	if (evil_cage_run(&p, status) < 0) {
		fail_msg("%s: did not get there", evil_stage_name(stage));
	}
	for (size_t i = 0; i < evil_n_attempts; i++) {
		if (WIFEXITED(status[i]) && WEXITSTATUS(status[i]) == EVIL_NOT_READY) {
			fail_msg("%s: %s: was not tried", evil_stage_name(stage),
				 evil_attempts[i].name);
		}
	}
}

/* ---- what came of it ---- */

/* What comes of each outside, once for all tests. */
static const int *outside(void)
{
	static int status[EVIL_ATTEMPTS_MAX];
	static bool done;

	if (!done) {
		run_all(EVIL_FREE, SBX_LANDLOCK_ABSENT, false, status);
		done = true;
	}
	return status;
}

/* Is this, or what stands in its way, nothing that this kernel has? */
static bool is_absent(size_t i)
{
	const struct evil_attempt *a = &evil_attempts[i];
	int status = outside()[i];

	if (a->since && prctl(a->since, 0, 0, 0, 0) < 0) {
		return true;
	}
	return WIFEXITED(status) &&
	       (WEXITSTATUS(status) == ENOSYS || WEXITSTATUS(status) == EOPNOTSUPP);
}

static void complain(enum evil_stage stage, const struct evil_attempt *a, const char *how,
		     char want, int status)
{
	fail_msg("%s: %s, %s: expected '%c', wait status %#x (%s)", evil_stage_name(stage), a->name,
		 how, want, status,
		 WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "by a signal");
}

/* What the table has, where there is Landlock of this version. */
static char expected(const struct evil_attempt *a, enum evil_stage stage, bool filter, int abi)
{
	char want = evil_expected(a, stage, filter);

	if (want != EVIL_LANDLOCK) {
		return want;
	}
	return abi >= a->needs ? EVIL_REFUSED : EVIL_CAN;
}

static void check_all(enum evil_stage stage, bool filter, int limit)
{
	static const char *const hows[] = {"without Landlock", "with Landlock as it is",
					   "with Landlock's first version"};
	int abi = sbx_landlock_abi(limit);
	const char *how = hows[limit + 1];
	int status[EVIL_ATTEMPTS_MAX];

	run_all(stage, limit, filter, status);
	for (size_t i = 0; i < evil_n_attempts; i++) {
		char want = expected(&evil_attempts[i], stage, filter, abi);

		/* A filter doesn't care what the kernel has. */
		if (want != EVIL_UNTOLD && evil_outcome(status[i]) != want &&
		    (want == EVIL_KILLED || !is_absent(i))) {
			complain(stage, &evil_attempts[i], how, want, status[i]);
		}
	}
}

static void check_stage(enum evil_stage stage, bool filter)
{
	check_all(stage, filter, SBX_LANDLOCK_ABSENT);
	if (stage >= EVIL_VMM_FINAL) { /* Landlock comes with the last */
		check_all(stage, filter, SBX_LANDLOCK_ANY);
		check_all(stage, filter, 1);
	}
}

static void attempts_succeed_outside(void **state)
{
	(void)state;
	require_root();
	for (size_t i = 0; i < evil_n_attempts; i++) {
		int status = outside()[i];

		if (evil_expected(&evil_attempts[i], EVIL_FREE, false) != EVIL_UNTOLD &&
		    evil_outcome(status) != EVIL_CAN && !is_absent(i)) {
			complain(EVIL_FREE, &evil_attempts[i], "nothing in its way", EVIL_CAN,
				 status);
		}
	}
}

static void stages_before_the_last_hold(void **state)
{
	(void)state;
	require_root();
	check_stage(EVIL_VMM_MOUNTS, false);
	check_stage(EVIL_FS_TREE, false);
}

static void cages_hold(void **state)
{
	(void)state;
	require_root();
	require_seccomp();
	for (unsigned stage = EVIL_VMM_FINAL; stage < EVIL_STAGES; stage++) {
		check_stage(stage, true);
	}
}

static void other_layers_hold_alone(void **state)
{
	(void)state;
	require_root();
	check_stage(EVIL_VMM_STARTED, false);
	check_stage(EVIL_FS_FINAL, false);
	check_stage(EVIL_SHIM_FINAL, false);
	check_stage(EVIL_PROXY_FINAL, false);
	check_stage(EVIL_NET_FINAL, false);
}

/* ---- for a person ---- */

static const struct column {
	enum evil_stage stage;
	bool filter;
} columns[] = {
	{EVIL_FREE, false},	  {EVIL_VMM_MOUNTS, false},  {EVIL_FS_TREE, false},
	{EVIL_VMM_FINAL, true},	  {EVIL_VMM_STARTED, true},  {EVIL_VCPU, true},
	{EVIL_PROXY_FINAL, true}, {EVIL_PROXY_FINAL, false}, {EVIL_FS_FINAL, true},
	{EVIL_SHIM_FINAL, true},  {EVIL_VMM_STARTED, false}, {EVIL_FS_FINAL, false},
	{EVIL_SHIM_FINAL, false}, {EVIL_NET_FINAL, true},    {EVIL_NET_FINAL, false},
};

static const char *cell(int status)
{
	if (!WIFEXITED(status)) {
		return evil_outcome(status) == EVIL_KILLED ? "ends" : "?";
	}
	return WEXITSTATUS(status) == 0 ? "can" : strerrorname_np(WEXITSTATUS(status));
}

static int show(int limit)
{
	static int status[VR_ARRAY_SIZE(columns)][EVIL_ATTEMPTS_MAX];

	printf("%-48s", "");
	for (size_t c = 0; c < VR_ARRAY_SIZE(columns); c++) {
		printf("%s%-13s", columns[c].filter ? "" : "*", evil_stage_name(columns[c].stage));
		run_all(columns[c].stage, limit, columns[c].filter, status[c]);
	}
	for (size_t i = 0; i < evil_n_attempts; i++) {
		printf("\n%-48s", evil_attempts[i].name);
		for (size_t c = 0; c < VR_ARRAY_SIZE(columns); c++) {
			printf(" %-12s", cell(status[c][i]));
		}
	}
	printf("\n\n* without a filter\n");
	return 0;
}

/* ---- */

static int setup(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		return 0; /* everything is skipped */
	}
	return evil_cage_prepare() == 0 && world_make() == 0 ? evil_world_make() : -1;
}

static int teardown(void **state)
{
	(void)state;
	if (evil_world.victim > 0) {
		evil_world_end();
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attempts_succeed_outside),
		cmocka_unit_test(stages_before_the_last_hold),
		cmocka_unit_test(cages_hold),
		cmocka_unit_test(other_layers_hold_alone),
	};

	if (argc == 2 && strcmp(argv[1], "table") == 0) {
		evil_print_doc();
		return 0;
	}
	if (argc >= 2 && strcmp(argv[1], "show") == 0) {
		return setup(NULL) == 0 && show(argc == 3 ? atoi(argv[2]) : SBX_LANDLOCK_ANY) == 0
			       ? teardown(NULL)
			       : 1;
	}
	return cmocka_run_group_tests_name("escape", tests, setup, teardown);
}
