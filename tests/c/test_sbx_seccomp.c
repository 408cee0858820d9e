/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sbx_seccomp.c - the filters: what the compiled programs do, simulated and for real
 *
 * The programs are run in a small BPF interpreter and compared with the lists as data,
 * call by call and argument by argument, so that a compiler bug in libseccomp shows.
 * A sample of calls is then made under the installed filter.
 */
#include "sbx_child.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <linux/vhost.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/checked.h"
#include "base/fdrange.h"
#include "bpf_sim.h"
#include "sandbox/caps.h"
#include "sandbox/seccomp_build.h"
#include "sandbox/seccomp_roles.h"

#define FAKE_PID   4711
#define FAKE_CHILD 4712
#define X32_BIT	   0x40000000u
#define NR_LIMIT   1024
#define N_RANDOM   300
#define N_ARGS	   6
#define RET_ENOSYS (SECCOMP_RET_ERRNO | ENOSYS)

static uint32_t simulate(const struct sbx_filter *f, const struct seccomp_data *data)
{
	return bpf_simulate(f->insns, f->len, data);
}

/* ---- the lists as data ---- */

static bool in_numbers(const struct sbx_numbers *list, int nr)
{
	for (size_t i = 0; i < list->n; i++) {
		if (list->nrs[i] == nr) {
			return true;
		}
	}
	return false;
}

static uint64_t value_of(const struct sbx_arg *arg)
{
	return arg->value == SBX_VALUE_TGID    ? FAKE_PID
	       : arg->value == SBX_VALUE_CHILD ? FAKE_CHILD
					       : arg->value;
}

static bool rule_matches(const struct sbx_rule *rule, const uint64_t *args)
{
	for (unsigned i = 0; i < rule->n_args; i++) {
		const struct sbx_arg *arg = &rule->args[i];
		uint64_t value = value_of(arg);

		if ((args[arg->index] & arg->mask) != value) {
			return false;
		}
	}
	return true;
}

/* What the list says about a call, without looking at BPF. */
static bool listed(enum sbx_role role, int nr, const uint64_t *args)
{
	const struct sbx_role_def *def = &sbx_role_defs[role];
	bool by_hand = false;

	for (size_t p = 0; p < SBX_ROLE_PARTS; p++) {
		for (size_t i = 0; i < def->by_hand[p].n; i++) {
			const struct sbx_rule *rule = &def->by_hand[p].rules[i];

			if (rule->nr != nr) {
				continue;
			}
			by_hand = true;
			if (rule_matches(rule, args)) {
				return true;
			}
		}
	}
	for (size_t p = 0; p < SBX_ROLE_PARTS && !by_hand; p++) {
		if (in_numbers(&def->declared[p], nr)) {
			return true;
		}
	}
	return false;
}

static uint32_t decide(const struct sbx_filter *f, int nr, const uint64_t *args)
{
	struct seccomp_data data = {.nr = nr, .arch = AUDIT_ARCH_X86_64};

	memcpy(data.args, args, sizeof(data.args));
	return simulate(f, &data);
}

static uint32_t expected(enum sbx_role role, int nr, const uint64_t *args)
{
	if (nr == __NR_clone3) {
		return RET_ENOSYS;
	}
	return listed(role, nr, args) ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_PROCESS;
}

static void build(enum sbx_role role, struct sbx_filter *f)
{
	sbx_seccomp_child(FAKE_CHILD);
	assert_int_equal(sbx_filter_get(role, FAKE_PID, f), 0);
	assert_true(f->len > 0 && f->len <= BPF_MAXINSNS);
}

/* A deterministic generator: a failure can be repeated. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Arguments that satisfy a rule in all the bits it looks at, with noise in all others. */
static void satisfy(const struct sbx_rule *rule, uint64_t *args, uint64_t *state)
{
	for (size_t i = 0; i < N_ARGS; i++) {
		args[i] = next_random(state);
	}
	for (unsigned i = 0; i < rule->n_args; i++) {
		const struct sbx_arg *arg = &rule->args[i];
		uint64_t value = value_of(arg);

		args[arg->index] = (args[arg->index] & ~arg->mask) | value;
	}
}

static bool has_rule_by_hand(const struct sbx_role_def *def, int nr)
{
	for (size_t p = 0; p < SBX_ROLE_PARTS; p++) {
		for (size_t i = 0; i < def->by_hand[p].n; i++) {
			if (def->by_hand[p].rules[i].nr == nr) {
				return true;
			}
		}
	}
	return false;
}

/* First, because it names the `Syscalls:` entry that makes a filter impossible to build. */
static void declarations_obey_the_rules(void **state)
{
	(void)state;
	for (unsigned role = 0; role < SBX_ROLE_COUNT; role++) {
		const struct sbx_role_def *def = &sbx_role_defs[role];

		for (size_t p = 0; p < SBX_ROLE_PARTS; p++) {
			for (size_t i = 0; i < def->declared[p].n; i++) {
				int nr = def->declared[p].nrs[i];
				char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, nr);

				if (in_numbers(&sbx_sys_never, nr) ||
				    (!def->files && in_numbers(&sbx_sys_files, nr)) ||
				    (in_numbers(&sbx_sys_guarded, nr) &&
				     !has_rule_by_hand(def, nr))) {
					fail_msg("role %s must not declare %s", def->name, name);
				}
				free(name);
			}
		}
	}
}

/* Is it on no list but this one's? What a start has of the vmm's counts as the vmm's. */
static bool is_own(enum sbx_role of, const struct sbx_rules *part)
{
	for (unsigned role = 0; role < SBX_ROLE_COUNT; role++) {
		for (size_t p = 0; p < SBX_ROLE_PARTS; p++) {
			if (role != of && role != SBX_ROLE_VMM_START &&
			    sbx_role_defs[role].by_hand[p].rules == part->rules) {
				return false;
			}
		}
	}
	return true;
}

static bool is_declared(const struct sbx_role_def *def, int nr)
{
	for (size_t p = 0; p < SBX_ROLE_PARTS; p++) {
		if (in_numbers(&def->declared[p], nr)) {
			return true;
		}
	}
	return false;
}

/*
 * A role's own rules say what no comment does. So what code no longer does leaves the list with its
 * comment, and a rule about arguments that nobody uses is noticed. A start's are the C library's.
 */
static void rules_and_declarations_say_each_thing_once(void **state)
{
	unsigned n_own = 0;

	(void)state;
	for (unsigned role = 0; role < SBX_ROLE_COUNT; role++) {
		const struct sbx_role_def *def = &sbx_role_defs[role];

		for (size_t p = 0; p < SBX_ROLE_PARTS; p++) {
			const struct sbx_rules *part = &def->by_hand[p];

			for (size_t i = 0; is_own(role, part) && i < part->n; i++) {
				const struct sbx_rule *rule = &part->rules[i];
				char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64,
									      rule->nr);

				if (rule->n_args == 0 && is_declared(def, rule->nr)) {
					fail_msg("role %s: %s has a comment and a rule", def->name,
						 name);
				}
				if (rule->n_args > 0 && role != SBX_ROLE_VMM_START &&
				    !is_declared(def, rule->nr)) {
					fail_msg("role %s: %s has a rule and no comment", def->name,
						 name);
				}
				free(name);
				n_own++;
			}
		}
	}
	assert_true(n_own > 20);
}

static void every_call_is_decided_as_listed(void **state)
{
	(void)state;
	for (unsigned role = 0; role < SBX_ROLE_COUNT; role++) {
		const uint64_t zeros[N_ARGS] = {0};
		struct sbx_filter f;
		unsigned n_allowed = 0;

		build(role, &f);
		for (int nr = 0; nr < NR_LIMIT; nr++) {
			uint32_t decision = decide(&f, nr, zeros);

			assert_int_equal(decision, expected(role, nr, zeros));
			n_allowed += decision == SECCOMP_RET_ALLOW;
		}
		print_message("# %-9s %3u calls, %zu instructions\n", sbx_role_name(role),
			      n_allowed, f.len);
		sbx_filter_finish(&f);
	}
}

typedef void rule_fn(enum sbx_role role, const struct sbx_filter *f, const struct sbx_rule *rule,
		     uint64_t *random);

/* Each rule by hand of a role, against a filter. */
static void each_rule(enum sbx_role role, const struct sbx_filter *f, uint64_t *random, rule_fn *fn)
{
	const struct sbx_role_def *def = &sbx_role_defs[role];

	for (size_t p = 0; p < SBX_ROLE_PARTS; p++) {
		for (size_t i = 0; i < def->by_hand[p].n; i++) {
			fn(role, f, &def->by_hand[p].rules[i], random);
		}
	}
}

/* Each rule by hand of each role, against the role's own filter. */
static void each_rule_of_all(uint64_t random, rule_fn *fn)
{
	for (unsigned role = 0; role < SBX_ROLE_COUNT; role++) {
		struct sbx_filter f;

		build(role, &f);
		each_rule(role, &f, &random, fn);
		sbx_filter_finish(&f);
	}
}

static void decide_bits(enum sbx_role role, const struct sbx_filter *f, const struct sbx_rule *rule,
			uint64_t *random)
{
	uint64_t args[N_ARGS];

	for (unsigned round = 0; round < N_RANDOM; round++) {
		satisfy(rule, args, random);
		assert_int_equal(decide(f, rule->nr, args), SECCOMP_RET_ALLOW);
		/* one wrong bit among those that are looked at */
		for (unsigned i = 0; i < rule->n_args; i++) {
			uint64_t bit = 1ull << (next_random(random) % 64);

			args[rule->args[i].index] ^= bit;
			assert_int_equal(decide(f, rule->nr, args), expected(role, rule->nr, args));
			args[rule->args[i].index] ^= bit;
		}
	}
}

static void arguments_are_decided_as_listed(void **state)
{
	(void)state;
	each_rule_of_all(88172645463325252ull, decide_bits);
}

/* One argument of a satisfied rule with other words: the right half with each wrong other half. */
static void try_words(enum sbx_role role, const struct sbx_filter *f, const struct sbx_rule *rule,
		      const struct sbx_arg *arg, uint64_t *args)
{
	const uint64_t right = args[arg->index];
	const uint32_t hi = (uint32_t)(right >> 32);
	const uint32_t lo = (uint32_t)right;
	const uint32_t words[] = {lo, lo + 1,	  lo - 1,      ~lo,	   hi,	hi + 1,		 0,
				  1,  0x7fffffff, 0x80000000u, 0xffffffff, ~hi, lo ^ 0x80000000u};

	for (size_t h = 0; h < VR_ARRAY_SIZE(words); h++) {
		for (size_t l = 0; l < VR_ARRAY_SIZE(words); l++) {
			args[arg->index] = (uint64_t)words[h] << 32 | words[l];
			assert_int_equal(decide(f, rule->nr, args), expected(role, rule->nr, args));
		}
	}
	args[arg->index] = right;
}

static void decide_halves(enum sbx_role role, const struct sbx_filter *f,
			  const struct sbx_rule *rule, uint64_t *random)
{
	uint64_t args[N_ARGS];

	satisfy(rule, args, random);
	for (unsigned i = 0; i < rule->n_args; i++) {
		try_words(role, f, rule, &rule->args[i], args);
	}
}

/*
 * libseccomp before 2.6.1 could merge 64-bit comparisons of several rules into one that lets
 * more through: by the wrong half of an argument. So: all halves beside each value of each role.
 */
static void halves_of_arguments_are_told_apart(void **state)
{
	(void)state;
	each_rule_of_all(6364136223846793005ull, decide_halves);
}

static void check_width(enum sbx_role role, const struct sbx_filter *f, const struct sbx_rule *rule,
			uint64_t *random)
{
	(void)role;
	(void)f;
	(void)random;
	if (rule->nr == __NR_ioctl || rule->nr == __NR_fcntl || rule->nr == __NR_madvise) {
		assert_int_equal(rule->args[0].mask, 0xffffffffu);
	}
}

/* What the machine sees is 32 bits wide in the kernel: what is above must not matter, or be zero. */
static void request_numbers_have_32_bits(void **state)
{
	(void)state;
	each_rule_of_all(1, check_width);
}

static void other_architectures_are_refused(void **state)
{
	static const uint32_t archs[] = {AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 0, 0xffffffffu};

	(void)state;
	for (unsigned role = 0; role < SBX_ROLE_COUNT; role++) {
		struct sbx_filter f;

		build(role, &f);
		for (size_t i = 0; i < VR_ARRAY_SIZE(archs); i++) {
			struct seccomp_data data = {.nr = __NR_read, .arch = archs[i]};

			assert_int_equal(simulate(&f, &data), SECCOMP_RET_KILL_PROCESS);
		}
		for (unsigned nr = 0; nr < NR_LIMIT; nr++) {
			struct seccomp_data data = {.nr = (int)(nr | X32_BIT),
						    .arch = AUDIT_ARCH_X86_64};

			assert_int_equal(simulate(&f, &data), SECCOMP_RET_KILL_PROCESS);
		}
		sbx_filter_finish(&f);
	}
}

static void no_role_has_a_forbidden_call(void **state)
{
	(void)state;
	for (unsigned role = 0; role < SBX_ROLE_COUNT; role++) {
		bool may_find_files = sbx_role_defs[role].files;
		struct sbx_filter f;

		assert_int_equal(may_find_files, role == SBX_ROLE_FS);
		build(role, &f);
		for (int nr = 0; nr < NR_LIMIT; nr++) {
			const uint64_t zeros[N_ARGS] = {0};
			bool never = in_numbers(&sbx_sys_never, nr) ||
				     (in_numbers(&sbx_sys_files, nr) && !may_find_files);

			if (never && nr != __NR_clone3) {
				assert_int_equal(decide(&f, nr, zeros), SECCOMP_RET_KILL_PROCESS);
			}
		}
		sbx_filter_finish(&f);
	}
}

static void check_allowed(enum sbx_role role, const struct sbx_filter *f,
			  const struct sbx_rule *rule, uint64_t *random)
{
	uint64_t args[N_ARGS];

	(void)role;
	satisfy(rule, args, random);
	assert_int_equal(decide(f, rule->nr, args), SECCOMP_RET_ALLOW);
}

/* A filter on top of another can only take away: what a vCPU may, its base must allow. */
static void start_filter_covers_both_later_ones(void **state)
{
	static const enum sbx_role later[] = {SBX_ROLE_VMM, SBX_ROLE_VCPU};
	uint64_t random = 1;
	struct sbx_filter start;

	(void)state;
	build(SBX_ROLE_VMM_START, &start);
	for (size_t l = 0; l < VR_ARRAY_SIZE(later); l++) {
		const struct sbx_role_def *def = &sbx_role_defs[later[l]];

		each_rule(later[l], &start, &random, check_allowed);
		for (size_t p = 0; p < SBX_ROLE_PARTS; p++) {
			for (size_t i = 0; i < def->declared[p].n; i++) {
				int nr = def->declared[p].nrs[i];
				const uint64_t zeros[N_ARGS] = {0};

				assert_true(in_numbers(&sbx_sys_guarded, nr) ||
					    decide(&start, nr, zeros) == SECCOMP_RET_ALLOW);
			}
		}
	}
	sbx_filter_finish(&start);
}

/* What was compiled with us, with the pids filled in, is what compiling for these pids gives. */
static void pids_are_where_they_belong(void **state)
{
	static const pid_t pids[][2] = {{1, 2}, {FAKE_PID, FAKE_CHILD}, {4194304, 1}};
	struct sbx_filter ready, built;

	(void)state;
	for (unsigned role = 0; role < SBX_ROLE_COUNT; role++) {
		for (size_t i = 0; i < VR_ARRAY_SIZE(pids); i++) {
			sbx_seccomp_child(pids[i][1]);
			assert_int_equal(sbx_filter_get(role, pids[i][0], &ready), 0);
			assert_int_equal(sbx_filter_build(role, pids[i][0], pids[i][1], &built), 0);
			assert_int_equal(ready.len, built.len);
			assert_memory_equal(ready.insns, built.insns,
					    ready.len * sizeof(*ready.insns));
			sbx_filter_finish(&ready);
			sbx_filter_finish(&built);
		}
	}
}

static void bad_roles_are_refused(void **state)
{
	struct sbx_filter f;

	(void)state;
	assert_int_equal(sbx_filter_get(SBX_ROLE_COUNT, 1, &f), -EINVAL);
	assert_int_equal(sbx_filter_build(SBX_ROLE_COUNT, 1, 0, &f), -EINVAL);
	sbx_seccomp_child(0); /* signals would go to the process group */
	assert_int_equal(sbx_filter_get(SBX_ROLE_PROXY, 1, &f), -EINVAL);
	assert_int_equal(sbx_filter_build(SBX_ROLE_PROXY, 1, 0, &f), -EINVAL);
	sbx_seccomp_child(FAKE_CHILD);
	assert_int_equal(sbx_seccomp_thread(SBX_ROLE_COUNT), -EINVAL);
	assert_int_equal(sbx_seccomp_thread(SBX_ROLE_SHIM), -EINVAL); /* not prepared */
	assert_string_equal(sbx_role_name(SBX_ROLE_COUNT), "?");
	assert_string_equal(sbx_role_name(SBX_ROLE_VMM_START), "vmm-start");
}

/* ---- under the installed filter ---- */

struct probe {
	enum sbx_role role;
	long nr;
	long args[N_ARGS];
	const char *what;
};

static int install(enum sbx_role role)
{
	CHECK(sbx_no_new_privs() == 0);
	CHECK(sbx_seccomp_prepare(role) == 0);
	CHECK(sbx_seccomp_thread(role) == 0);
	return 0;
}

static int do_probe(void *arg)
{
	const struct probe *p = arg;

	if (install(p->role) != 0) {
		return 1;
	}
	(void)syscall(p->nr, p->args[0], p->args[1], p->args[2], p->args[3], p->args[4],
		      p->args[5]);
	return 0;
}

/* These don't return, or not to us, or wait whatever their arguments are. */
static bool can_be_probed(int nr)
{
	return nr != __NR_exit && nr != __NR_exit_group && nr != __NR_rt_sigreturn;
}

static void probe_allowed(enum sbx_role role, int nr)
{
	struct probe p = {.role = role, .nr = nr, .args = {-1, -1, -1, -1, -1, -1}};
	int status = child_run(do_probe, &p);

	if (status != 0) {
		fail_msg("role %s, call %d: wait status %#x", sbx_role_name(role), nr, status);
	}
}

static void kernel_allows_what_is_listed(void **state)
{
	(void)state;
	require_seccomp();
	for (unsigned role = 0; role < SBX_ROLE_COUNT; role++) {
		const uint64_t ones[N_ARGS] = {~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull};

		for (int nr = 0; nr < NR_LIMIT; nr++) {
			if (can_be_probed(nr) && listed(role, nr, ones)) {
				probe_allowed(role, nr);
			}
		}
	}
}

static void kernel_kills_what_is_not(void **state)
{
	static const struct probe refused[] = {
		{SBX_ROLE_VMM, __NR_openat, {AT_FDCWD, (long)"/", O_RDONLY}, "open a file"},
		{SBX_ROLE_VMM, __NR_execve, {(long)"/bin/true"}, "execve"},
		{SBX_ROLE_VMM, __NR_socket, {AF_UNIX, SOCK_STREAM}, "socket"},
		{SBX_ROLE_VMM, __NR_connect, {-1}, "connect"},
		{SBX_ROLE_VMM, __NR_kill, {1, 0}, "signal another process"},
		{SBX_ROLE_VMM, __NR_tgkill, {1, 1, 0}, "signal another thread group"},
		{SBX_ROLE_VMM, __NR_ptrace, {0}, "ptrace"},
		{SBX_ROLE_VMM, __NR_mount, {0}, "mount"},
		{SBX_ROLE_VMM, __NR_bpf, {0}, "bpf"},
		{SBX_ROLE_VMM, __NR_io_uring_setup, {1, 0}, "io_uring"},
		{SBX_ROLE_VMM, __NR_memfd_create, {(long)"x", 0}, "memfd"},
		{SBX_ROLE_VMM, __NR_clone, {SIGCHLD}, "fork"},
		{SBX_ROLE_VMM_START, __NR_clone, {SIGCHLD}, "fork before the threads"},
		{SBX_ROLE_VMM_START, __NR_clone, {CLONE_NEWUSER | SIGCHLD}, "new user namespace"},
		{SBX_ROLE_VMM_START, __NR_seccomp, {SECCOMP_SET_MODE_FILTER, 8}, "listener"},
		{SBX_ROLE_VMM, __NR_mmap, {0, 4096, PROT_READ | PROT_EXEC}, "executable memory"},
		{SBX_ROLE_VMM, __NR_mmap, {0, 4096, PROT_READ, MAP_SHARED, 0}, "map a file"},
		{SBX_ROLE_FS, __NR_mmap, {0, 4096, PROT_READ, MAP_PRIVATE, 0}, "map a file"},
		{SBX_ROLE_VMM, __NR_madvise, {0, 4096, MADV_MERGEABLE}, "share equal pages"},
		{SBX_ROLE_FS, __NR_madvise, {0, 4096, MADV_REMOVE}, "punch guest memory"},
		{SBX_ROLE_VMM, __NR_mprotect, {0, 4096, PROT_EXEC}, "memory made executable"},
		{SBX_ROLE_VMM, __NR_prctl, {PR_SET_DUMPABLE, 1}, "become dumpable"},
		{SBX_ROLE_VMM, __NR_fcntl, {0, F_SETOWN, 1}, "signals through F_SETOWN"},
		{SBX_ROLE_VMM, __NR_sendto, {-1, 0, 0, 0, 8, 16}, "send to an address"},
		{SBX_ROLE_VMM, __NR_prlimit64, {0, RLIMIT_CORE, 8}, "set a limit"},
		{SBX_ROLE_VMM, __NR_ioctl, {0, TIOCSTI}, "type into a terminal"},
		{SBX_ROLE_VMM, __NR_ioctl, {VR_FDS_VCPU, KVM_RUN}, "run a vCPU in the main thread"},
		{SBX_ROLE_VMM, __NR_ioctl, {0, KVM_IRQFD}, "an ioctl of the VM on anything else"},
		{SBX_ROLE_VMM, __NR_ioctl, {VR_FDS_VM, TUNSETQUEUE}, "one of taps on the VM"},
		{SBX_ROLE_VCPU, __NR_ioctl, {VR_FDS_VM, KVM_RUN}, "one of vCPUs on the VM"},
		{SBX_ROLE_VCPU, __NR_ioctl, {-1, KVM_CREATE_VM}, "make a VM"},
		{SBX_ROLE_VCPU,
		 __NR_ioctl,
		 {VR_FDS_VM, KVM_SET_USER_MEMORY_REGION},
		 "map guest memory"},
		{SBX_ROLE_VCPU,
		 __NR_ioctl,
		 {VR_FDS_NET, VHOST_SET_MEM_TABLE},
		 "tell vhost of memory"},
		{SBX_ROLE_VCPU,
		 __NR_ioctl,
		 {VR_FDS_NET, VHOST_SET_VRING_CALL},
		 "have vhost signal an eventfd"},
		{SBX_ROLE_VMM, __NR_ioctl, {VR_FDS_NET, VHOST_SET_OWNER}, "a thread of vhost"},
		{SBX_ROLE_VMM_START,
		 __NR_ioctl,
		 {VR_FDS_NET, VHOST_SET_LOG_BASE},
		 "have vhost log"},
		{SBX_ROLE_VCPU, __NR_accept4, {-1}, "accept in a vCPU thread"},
		{SBX_ROLE_VCPU, __NR_recvmsg, {-1}, "receive descriptors in a vCPU thread"},
		{SBX_ROLE_VCPU, __NR_clone, {0}, "a thread from a vCPU thread"},
		{SBX_ROLE_FS, __NR_socket, {AF_INET, SOCK_STREAM}, "socket"},
		{SBX_ROLE_FS, __NR_ioctl, {-1, KVM_RUN}, "any ioctl"},
		{SBX_ROLE_FS, __NR_execveat, {-1, (long)"", 0, 0, AT_EMPTY_PATH}, "execveat"},
		{SBX_ROLE_FS, __NR_mknodat, {-1, (long)"x", S_IFBLK | 0600, 0x801}, "block device"},
		{SBX_ROLE_FS, __NR_mknodat, {-1, (long)"x", S_IFCHR | 0600, 0x103}, "char device"},
		{SBX_ROLE_FS, __NR_open_by_handle_at, {-1, 0, 0}, "open by handle"},
		{SBX_ROLE_FS, __NR_mount, {0}, "mount"},
		{SBX_ROLE_FS, __NR_setresuid, {0, 0, 0}, "change all uids"},
		{SBX_ROLE_PROXY, __NR_openat, {AT_FDCWD, (long)"/", O_RDONLY}, "open a file"},
		{SBX_ROLE_PROXY, __NR_kill, {1, 0}, "signal another process"},
		{SBX_ROLE_PROXY, __NR_kill, {-FAKE_CHILD, 0}, "signal a process group"},
		{SBX_ROLE_PROXY, __NR_kill, {0, 0}, "signal its process group"},
		{SBX_ROLE_PROXY, __NR_ioctl, {0, TIOCSTI}, "type into its terminal"},
		{SBX_ROLE_SHIM, __NR_mmap, {0, 4096, PROT_READ}, "memory"},
		{SBX_ROLE_SHIM, __NR_openat, {AT_FDCWD, (long)"/", O_RDONLY}, "open a file"},
		{SBX_ROLE_SHIM, __NR_kill, {-1, SIGKILL}, "kill"},
		{SBX_ROLE_SHIM, __NR_prctl, {PR_SET_NAME, 0}, "prctl"},
	};

	(void)state;
	require_seccomp();
	for (size_t i = 0; i < VR_ARRAY_SIZE(refused); i++) {
		struct probe p = refused[i];
		int status = child_run(do_probe, &p);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS) {
			fail_msg("role %s could: %s (wait status %#x)", sbx_role_name(p.role),
				 p.what, status);
		}
	}
}

/* ---- libc under the installed filters ---- */

static void *vcpu_thread(void *arg)
{
	void *volatile block;

	(void)pthread_setname_np(pthread_self(), "vcpu0");
	if (sbx_seccomp_thread(SBX_ROLE_VCPU) != 0) {
		return NULL;
	}
	block = malloc(3 << 20);
	free(block);
	(void)ioctl(VR_FDS_VCPU, KVM_RUN, 0);
	return arg;
}

static int live_as_vmm(void *arg)
{
	static char mark;
	pthread_t thread;
	void *result = NULL;

	CHECK(sbx_seccomp_prepare(SBX_ROLE_VCPU) == 0);
	CHECK(sbx_seccomp_prepare(SBX_ROLE_VMM) == 0);
	if (install(SBX_ROLE_VMM_START) != 0) {
		return 1;
	}
	CHECK(pthread_create(&thread, NULL, vcpu_thread, &mark) == 0);
	CHECK(pthread_kill(thread, 0) == 0);
	CHECK(pthread_join(thread, &result) == 0 && result == &mark);
	CHECK(sbx_seccomp_thread(SBX_ROLE_VMM) == 0);
	if (arg) {
		return pthread_create(&thread, NULL, vcpu_thread, &mark); /* killed */
	}
	return 0;
}

static int abort_as(void *arg)
{
	if (install(*(const enum sbx_role *)arg) != 0) {
		return 1;
	}
	abort();
}

static void threads_live_under_stacked_filters(void **state)
{
	(void)state;
	require_seccomp();
	assert_child_ok(live_as_vmm, NULL);
}

static void main_thread_makes_no_threads_later(void **state)
{
	int late = 1;

	(void)state;
	require_seccomp();
	assert_sigsys(child_run(live_as_vmm, &late));
}

/* A failed invariant must be seen as what it is, not as a filter violation. */
static void abort_is_an_abort(void **state)
{
	(void)state;
	require_seccomp();
	for (unsigned role = SBX_ROLE_VMM_START; role < SBX_ROLE_COUNT; role++) {
		int status = child_run(abort_as, &role);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(declarations_obey_the_rules),
		cmocka_unit_test(rules_and_declarations_say_each_thing_once),
		cmocka_unit_test(every_call_is_decided_as_listed),
		cmocka_unit_test(arguments_are_decided_as_listed),
		cmocka_unit_test(halves_of_arguments_are_told_apart),
		cmocka_unit_test(request_numbers_have_32_bits),
		cmocka_unit_test(other_architectures_are_refused),
		cmocka_unit_test(no_role_has_a_forbidden_call),
		cmocka_unit_test(start_filter_covers_both_later_ones),
		cmocka_unit_test(pids_are_where_they_belong),
		cmocka_unit_test(bad_roles_are_refused),
		cmocka_unit_test(kernel_allows_what_is_listed),
		cmocka_unit_test(kernel_kills_what_is_not),
		cmocka_unit_test(threads_live_under_stacked_filters),
		cmocka_unit_test(main_thread_makes_no_threads_later),
		cmocka_unit_test(abort_is_an_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
