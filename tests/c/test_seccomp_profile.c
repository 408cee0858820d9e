/* SPDX-License-Identifier: Apache-2.0 */
/* test_seccomp_profile.c - config.json's seccomp section, compiled, then run in a BPF interpreter */
#include "cm.h"

#include <errno.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <sys/syscall.h>

#include "base/checked.h"
#include "bpf_sim.h"
#include "plan_fixture.h"
#include "seccomp_profile.h"

#define ALLOW	 SECCOMP_RET_ALLOW
#define ERRNO(n) (SECCOMP_RET_ERRNO | (uint32_t)(n))
#define ENOSYS_	 ERRNO(ENOSYS)
#define X32_BIT	 0x40000000

/** struct profile - a compiled filter */
struct profile {
	struct oci_spec *spec;
	uint8_t *bpf;
	uint32_t n;
};

static void compile(struct profile *p, const char *section)
{
	struct vr_err err = VR_ERR_INIT;
	char text[8192];

	*p = (struct profile){0};
	assert_true((size_t)snprintf(text, sizeof(text), LINUX("'seccomp':{%s}"), section) <
		    sizeof(text));
	p->spec = spec_of(text);
	assert_no_error(seccomp_profile_compile(p->spec->linux_->seccomp, &p->bpf, &p->n, &err),
			err);
	assert_int_equal(err.code, 0);
	assert_true(p->n > 0 && p->n <= 4096);
}

static void done(struct profile *p)
{
	free(p->bpf);
	oci_spec_free(p->spec);
}

static uint32_t decide_arch(const struct profile *p, uint32_t arch, int nr, const uint64_t *args)
{
	struct seccomp_data data = {.nr = nr, .arch = arch};

	if (args) {
		memcpy(data.args, args, sizeof(data.args));
	}
	/* malloc'd, so aligned for it */
	return bpf_simulate((const struct sock_filter *)(const void *)p->bpf, p->n, &data);
}

static uint32_t decide(const struct profile *p, long nr)
{
	return decide_arch(p, AUDIT_ARCH_X86_64, (int)nr, NULL);
}

#define DECIDE_ARGS(p, nr, ...)                                                                    \
	decide_arch((p), AUDIT_ARCH_X86_64, (nr), (const uint64_t[6]){__VA_ARGS__})

/* Room above every number that is asked about: the last call the profile names. */
#define NEWEST "{'names':['openat2'],'action':'SCMP_ACT_ALLOW'}"

static void an_allow_list(void **state)
{
	struct profile p;

	(void)state;
	compile(&p, "'defaultAction':'SCMP_ACT_ERRNO','syscalls':[" NEWEST ","
		    "{'names':['read','write','no_such_call'],'action':'SCMP_ACT_ALLOW'}]");
	assert_int_equal(decide(&p, SYS_read), ALLOW);
	assert_int_equal(decide(&p, SYS_write), ALLOW);
	assert_int_equal(decide(&p, SYS_open), ERRNO(EPERM));
	assert_int_equal(decide(&p, SYS_reboot), ERRNO(EPERM));
	done(&p);
}

static void a_deny_list(void **state)
{
	struct profile p;

	(void)state;
	compile(&p, "'defaultAction':'SCMP_ACT_ALLOW','syscalls':["
		    "{'names':['reboot'],'action':'SCMP_ACT_ERRNO'},"
		    "{'names':['mount'],'action':'SCMP_ACT_ERRNO','errnoRet':13},"
		    "{'names':['swapon'],'action':'SCMP_ACT_ERRNO','errnoRet':0}]");
	assert_int_equal(decide(&p, SYS_read), ALLOW);
	assert_int_equal(decide(&p, SYS_reboot), ERRNO(EPERM));
	assert_int_equal(decide(&p, SYS_mount), ERRNO(EACCES));
	assert_int_equal(decide(&p, SYS_swapon), ERRNO(0));
	assert_int_equal(decide(&p, 1000), ALLOW); /* a new call: no default to hide */
	done(&p);
}

static void every_action(void **state)
{
	static const struct {
		const char *name;
		uint32_t ret;
	} table[] = {
		{"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD},
		{"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
		{"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
		{"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
		{"SCMP_ACT_ERRNO", ERRNO(EPERM)},
		{"SCMP_ACT_TRACE", SECCOMP_RET_TRACE | EPERM},
		{"SCMP_ACT_LOG", SECCOMP_RET_LOG},
	};
	struct profile p;
	char text[512];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		(void)snprintf(text, sizeof(text),
			       "'defaultAction':'SCMP_ACT_ALLOW','syscalls':["
			       "{'names':['mount'],'action':'%s'}]",
			       table[i].name);
		compile(&p, text);
		assert_int_equal(decide(&p, SYS_mount), table[i].ret);
		assert_int_equal(decide(&p, SYS_read), ALLOW);
		done(&p);
		(void)snprintf(text, sizeof(text), "'defaultAction':'%s','syscalls':[" NEWEST "]",
			       table[i].name);
		compile(&p, text);
		assert_int_equal(decide(&p, SYS_mount), table[i].ret);
		assert_int_equal(decide(&p, SYS_openat2), ALLOW);
		done(&p);
	}
}

static void the_default_errno(void **state)
{
	struct profile p;

	(void)state;
	compile(&p, "'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':38,'syscalls':[" NEWEST
		    ",{'names':['mount'],'action':'SCMP_ACT_ERRNO','errnoRet':1}]");
	assert_int_equal(decide(&p, SYS_reboot), ENOSYS_);
	assert_int_equal(decide(&p, SYS_mount), ERRNO(EPERM));
	done(&p);
}

static void rules_that_say_the_default_are_left_out(void **state)
{
	struct profile p;

	(void)state;
	compile(&p, "'defaultAction':'SCMP_ACT_ERRNO','syscalls':[" NEWEST ","
		    "{'names':['mount'],'action':'SCMP_ACT_ERRNO'},"
		    "{'names':['mount'],'action':'SCMP_ACT_ERRNO','errnoRet':1}]");
	assert_int_equal(decide(&p, SYS_mount), ERRNO(EPERM));
	done(&p);
	compile(&p, "'defaultAction':'SCMP_ACT_ALLOW','syscalls':["
		    "{'names':['mount'],'action':'SCMP_ACT_ALLOW'}]");
	assert_int_equal(decide(&p, SYS_mount), ALLOW);
	done(&p);
}

/* ---- arguments ---- */

static void every_comparison(void **state)
{
	static const struct {
		const char *op;
		uint64_t two;
		bool below, equal, above; /* of 0x100000001: both halves count */
	} table[] = {
		{"SCMP_CMP_NE", 0, true, false, true}, {"SCMP_CMP_LT", 0, true, false, false},
		{"SCMP_CMP_LE", 0, true, true, false}, {"SCMP_CMP_EQ", 0, false, true, false},
		{"SCMP_CMP_GE", 0, false, true, true}, {"SCMP_CMP_GT", 0, false, false, true},
	};
	const uint64_t v = 0x100000001;
	struct profile p;
	char text[512];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		(void)snprintf(text, sizeof(text),
			       "'defaultAction':'SCMP_ACT_ERRNO','syscalls':[" NEWEST ","
			       "{'names':['kcmp'],'action':'SCMP_ACT_ALLOW',"
			       "'args':[{'index':2,'value':%llu,'op':'%s'}]}]",
			       (unsigned long long)v, table[i].op);
		compile(&p, text);
		for (unsigned half = 0; half < 2; half++) {
			uint64_t step = half ? 1 : UINT64_C(1) << 32;

			assert_int_equal(DECIDE_ARGS(&p, SYS_kcmp, 0, 0, v - step) == ALLOW,
					 table[i].below);
			assert_int_equal(DECIDE_ARGS(&p, SYS_kcmp, 0, 0, v + step) == ALLOW,
					 table[i].above);
		}
		assert_int_equal(DECIDE_ARGS(&p, SYS_kcmp, 0, 0, v) == ALLOW, table[i].equal);
		done(&p);
	}
}

static void masked_comparison(void **state)
{
	struct profile p;

	(void)state;
	/* of every engine's profile: clone without new namespaces */
	compile(&p, "'defaultAction':'SCMP_ACT_ERRNO','syscalls':[" NEWEST ","
		    "{'names':['clone'],'action':'SCMP_ACT_ALLOW',"
		    "'args':[{'index':0,'value':2114060288,'op':'SCMP_CMP_MASKED_EQ'}]},"
		    "{'names':['personality'],'action':'SCMP_ACT_ALLOW',"
		    "'args':[{'index':0,'value':255,'valueTwo':8,'op':'SCMP_CMP_MASKED_EQ'}]}]");
	assert_int_equal(DECIDE_ARGS(&p, SYS_clone, 17), ALLOW);
	assert_int_equal(DECIDE_ARGS(&p, SYS_clone, 0x10000000 | 17), ERRNO(EPERM));
	assert_int_equal(DECIDE_ARGS(&p, SYS_personality, 0x108), ALLOW);
	assert_int_equal(DECIDE_ARGS(&p, SYS_personality, 9), ERRNO(EPERM));
	done(&p);
}

static void conditions_on_different_arguments_are_all_needed(void **state)
{
	struct profile p;

	(void)state;
	compile(&p, "'defaultAction':'SCMP_ACT_ERRNO','syscalls':[" NEWEST ","
		    "{'names':['socket'],'action':'SCMP_ACT_ALLOW','args':["
		    "{'index':0,'value':1,'op':'SCMP_CMP_EQ'},"
		    "{'index':1,'value':2,'op':'SCMP_CMP_EQ'},"
		    "{'index':2,'value':3,'op':'SCMP_CMP_EQ'}]}]");
	assert_int_equal(DECIDE_ARGS(&p, SYS_socket, 1, 2, 3), ALLOW);
	assert_int_equal(DECIDE_ARGS(&p, SYS_socket, 0, 2, 3), ERRNO(EPERM));
	assert_int_equal(DECIDE_ARGS(&p, SYS_socket, 1, 0, 3), ERRNO(EPERM));
	assert_int_equal(DECIDE_ARGS(&p, SYS_socket, 1, 2, 0), ERRNO(EPERM));
	done(&p);
}

static void conditions_on_one_argument_are_alternatives(void **state)
{
	struct profile p;

	(void)state;
	compile(&p, "'defaultAction':'SCMP_ACT_ERRNO','syscalls':[" NEWEST ","
		    "{'names':['personality'],'action':'SCMP_ACT_ALLOW','args':["
		    "{'index':0,'value':0,'op':'SCMP_CMP_EQ'},"
		    "{'index':0,'value':8,'op':'SCMP_CMP_EQ'},"
		    "{'index':1,'value':7,'op':'SCMP_CMP_EQ'},"
		    "{'index':0,'value':4294967295,'op':'SCMP_CMP_EQ'}]}]");
	assert_int_equal(DECIDE_ARGS(&p, SYS_personality, 0), ALLOW);
	assert_int_equal(DECIDE_ARGS(&p, SYS_personality, 8), ALLOW);
	assert_int_equal(DECIDE_ARGS(&p, SYS_personality, 0xffffffff), ALLOW);
	assert_int_equal(DECIDE_ARGS(&p, SYS_personality, 5, 7), ALLOW);
	assert_int_equal(DECIDE_ARGS(&p, SYS_personality, 5), ERRNO(EPERM));
	done(&p);
}

/* ---- several rules for one call: engines merge lists ---- */

static void rules_may_repeat(void **state)
{
	struct profile p;

	(void)state;
	compile(&p, "'defaultAction':'SCMP_ACT_ERRNO','syscalls':[" NEWEST ","
		    "{'names':['read','read'],'action':'SCMP_ACT_ALLOW'},"
		    "{'names':['read'],'action':'SCMP_ACT_ALLOW'},"
		    "{'names':['socket'],'action':'SCMP_ACT_ALLOW',"
		    "'args':[{'index':0,'value':40,'op':'SCMP_CMP_NE'}]},"
		    "{'names':['socket'],'action':'SCMP_ACT_ALLOW',"
		    "'args':[{'index':0,'value':40,'op':'SCMP_CMP_NE'}]}]");
	assert_int_equal(decide(&p, SYS_read), ALLOW);
	assert_int_equal(DECIDE_ARGS(&p, SYS_socket, 40), ERRNO(EPERM));
	assert_int_equal(DECIDE_ARGS(&p, SYS_socket, 1), ALLOW);
	done(&p);
}

static void the_wider_rule_wins_in_any_order(void **state)
{
	static const char *const sections[] = {
		"'defaultAction':'SCMP_ACT_ERRNO','syscalls':[" NEWEST ","
		"{'names':['clone'],'action':'SCMP_ACT_ALLOW'},"
		"{'names':['clone'],'action':'SCMP_ACT_ALLOW',"
		"'args':[{'index':0,'value':1,'op':'SCMP_CMP_EQ'}]}]",
		"'defaultAction':'SCMP_ACT_ERRNO','syscalls':[" NEWEST ","
		"{'names':['clone'],'action':'SCMP_ACT_ALLOW',"
		"'args':[{'index':0,'value':1,'op':'SCMP_CMP_EQ'}]},"
		"{'names':['clone'],'action':'SCMP_ACT_ALLOW'}]",
	};
	struct profile p;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(sections); i++) {
		compile(&p, sections[i]);
		assert_int_equal(DECIDE_ARGS(&p, SYS_clone, 1), ALLOW);
		assert_int_equal(DECIDE_ARGS(&p, SYS_clone, 2), ALLOW);
		done(&p);
	}
}

static void different_actions_for_one_call(void **state)
{
	struct profile p;

	(void)state;
	compile(&p, "'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':38,'syscalls':[" NEWEST ","
		    "{'names':['socket'],'action':'SCMP_ACT_ERRNO','errnoRet':22,"
		    "'args':[{'index':0,'value':16,'op':'SCMP_CMP_EQ'},"
		    "{'index':2,'value':9,'op':'SCMP_CMP_EQ'}]},"
		    "{'names':['socket'],'action':'SCMP_ACT_ALLOW',"
		    "'args':[{'index':2,'value':9,'op':'SCMP_CMP_NE'}]},"
		    "{'names':['socket'],'action':'SCMP_ACT_ALLOW',"
		    "'args':[{'index':0,'value':16,'op':'SCMP_CMP_NE'}]}]");
	assert_int_equal(DECIDE_ARGS(&p, SYS_socket, 16, 3, 9), ERRNO(EINVAL));
	assert_int_equal(DECIDE_ARGS(&p, SYS_socket, 16, 3, 0), ALLOW);
	assert_int_equal(DECIDE_ARGS(&p, SYS_socket, 2, 3, 9), ALLOW);
	done(&p);
}

/* ---- calls the profile can't know ---- */

static void newer_calls_do_not_exist(void **state)
{
	struct profile p;

	(void)state;
	/* the newest is in a rule that is left out, and it isn't the last one */
	compile(&p, "'defaultAction':'SCMP_ACT_ERRNO','syscalls':["
		    "{'names':['openat2'],'action':'SCMP_ACT_ERRNO'},"
		    "{'names':['read'],'action':'SCMP_ACT_ALLOW'}]");
	assert_int_equal(decide(&p, SYS_openat2), ERRNO(EPERM));
	assert_int_equal(decide(&p, SYS_openat2 - 1), ERRNO(EPERM));
	assert_int_equal(decide(&p, SYS_openat2 + 1), ENOSYS_);
	assert_int_equal(decide(&p, 100000), ENOSYS_);
	assert_int_equal(decide(&p, SYS_read), ALLOW);
	assert_int_equal(decide(&p, -1), ENOSYS_); /* a tracer's number for "none" */
	done(&p);
}

static void old_calls_of_other_machines_are_not_newer(void **state)
{
	struct profile p;

	(void)state;
	/* names that x86-64 doesn't have, and one that nobody has */
	compile(&p, "'defaultAction':'SCMP_ACT_ERRNO','syscalls':["
		    "{'names':['_llseek','socketcall','clock_gettime64','no_such_call','read'],"
		    "'action':'SCMP_ACT_ALLOW'}]");
	assert_int_equal(decide(&p, SYS_read), ALLOW);
	assert_int_equal(decide(&p, SYS_read + 1), ENOSYS_);
	done(&p);
}

static void no_prefix_where_nothing_is_denied(void **state)
{
	struct profile p;

	(void)state;
	compile(&p, "'defaultAction':'SCMP_ACT_LOG','syscalls':["
		    "{'names':['read'],'action':'SCMP_ACT_ALLOW'}]");
	assert_int_equal(decide(&p, 1000), SECCOMP_RET_LOG);
	done(&p);
	compile(&p, "'defaultAction':'SCMP_ACT_ERRNO'"); /* knows no call: nothing is newer */
	assert_int_equal(decide(&p, 1000), ERRNO(EPERM));
	done(&p);
	compile(&p, "'defaultAction':'SCMP_ACT_ERRNO','syscalls':[]");
	assert_int_equal(decide(&p, 1000), ERRNO(EPERM));
	done(&p);
}

static void other_architectures_are_not_served(void **state)
{
	struct profile p;
	uint32_t ret;

	(void)state;
	compile(&p, "'defaultAction':'SCMP_ACT_ERRNO',"
		    "'architectures':['SCMP_ARCH_X86_64','SCMP_ARCH_X86','SCMP_ARCH_X32'],"
		    "'syscalls':[" NEWEST ",{'names':['read'],'action':'SCMP_ACT_ALLOW'}]");
	/* The prefix must not mistake the numbers of another machine for ours. */
	for (int nr = 0; nr < 500; nr++) {
		ret = decide_arch(&p, AUDIT_ARCH_I386, nr, NULL);
		assert_int_equal(ret, SECCOMP_RET_KILL_THREAD);
		assert_int_not_equal(decide(&p, X32_BIT | nr), ALLOW);
	}
	done(&p);
}

/* ---- size ---- */

static void too_long_a_filter_is_refused(void **state)
{
	const char *names[] = {"ioctl", NULL};
	const unsigned n = 2000;
	struct oci_seccomp_rule *rules = calloc(n, sizeof(*rules));
	struct oci_seccomp_arg *values = calloc(n, sizeof(*values));
	struct oci_seccomp profile = {.default_action = OCI_SECCOMP_ERRNO,
				      .syscalls = {.v = rules, .n = n}};
	struct vr_err err = VR_ERR_INIT;
	uint8_t *bpf = NULL;
	uint32_t n_insn = 0;

	(void)state;
	assert_non_null(rules);
	assert_non_null(values);
	for (unsigned i = 0; i < n; i++) {
		values[i] = (struct oci_seccomp_arg){
			.index = 1, .value = (uint64_t)i << 33 | i, .op = OCI_SECCOMP_EQ};
		rules[i] = (struct oci_seccomp_rule){
			.names = {.v = names, .n = 1},
			.action = OCI_SECCOMP_ALLOW,
			.args = {.v = &values[i], .n = 1},
		};
	}
	assert_int_equal(seccomp_profile_compile(&profile, &bpf, &n_insn, &err), -E2BIG);
	assert_message(err,
		       "config.json: linux.seccomp: the filter has more than 4096 instructions");
	assert_null(bpf);
	free(values);
	free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_allow_list),
		cmocka_unit_test(a_deny_list),
		cmocka_unit_test(every_action),
		cmocka_unit_test(the_default_errno),
		cmocka_unit_test(rules_that_say_the_default_are_left_out),
		cmocka_unit_test(every_comparison),
		cmocka_unit_test(masked_comparison),
		cmocka_unit_test(conditions_on_different_arguments_are_all_needed),
		cmocka_unit_test(conditions_on_one_argument_are_alternatives),
		cmocka_unit_test(rules_may_repeat),
		cmocka_unit_test(the_wider_rule_wins_in_any_order),
		cmocka_unit_test(different_actions_for_one_call),
		cmocka_unit_test(newer_calls_do_not_exist),
		cmocka_unit_test(old_calls_of_other_machines_are_not_newer),
		cmocka_unit_test(no_prefix_where_nothing_is_denied),
		cmocka_unit_test(other_architectures_are_not_served),
		cmocka_unit_test(too_long_a_filter_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
