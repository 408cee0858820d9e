/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp_profile.c - compile config.json's seccomp section for the guest; see seccomp_profile.h */
#include "seccomp_profile.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"

#define WHERE	      "config.json: linux.seccomp"
#define MAX_INSN      4096u
#define MAX_RULE_ARGS 6u

static uint32_t action_value(enum oci_seccomp_action a, const struct oci_opt_u32 *errno_ret)
{
	uint32_t data = errno_ret->set ? errno_ret->v & 0xffff : EPERM;

	switch (a) {
	case OCI_SECCOMP_KILL_THREAD:
		return SCMP_ACT_KILL_THREAD;
	case OCI_SECCOMP_KILL_PROCESS:
		return SCMP_ACT_KILL_PROCESS;
	case OCI_SECCOMP_TRAP:
		return SCMP_ACT_TRAP;
	case OCI_SECCOMP_ERRNO:
		return SCMP_ACT_ERRNO(data);
	case OCI_SECCOMP_TRACE:
		return SCMP_ACT_TRACE(data);
	case OCI_SECCOMP_ALLOW:
		return SCMP_ACT_ALLOW;
	case OCI_SECCOMP_LOG:
		return SCMP_ACT_LOG;
	case OCI_SECCOMP_NOTIFY:
		break; /* refused by the check of the spec */
	}
	return SCMP_ACT_KILL_PROCESS;
}

static enum scmp_compare compare_value(enum oci_seccomp_op op)
{
	static const enum scmp_compare table[] = {
		[OCI_SECCOMP_NE] = SCMP_CMP_NE,
		[OCI_SECCOMP_LT] = SCMP_CMP_LT,
		[OCI_SECCOMP_LE] = SCMP_CMP_LE,
		[OCI_SECCOMP_EQ] = SCMP_CMP_EQ,
		[OCI_SECCOMP_GE] = SCMP_CMP_GE,
		[OCI_SECCOMP_GT] = SCMP_CMP_GT,
		[OCI_SECCOMP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
	};

	return table[op];
}

static struct scmp_arg_cmp compare(const struct oci_seccomp_arg *a)
{
	return (struct scmp_arg_cmp){
		.arg = a->index,
		.op = compare_value(a->op),
		.datum_a = a->value,
		.datum_b = a->value_two,
	};
}

/* Several conditions on one argument can't be one rule of libseccomp: they are alternatives then. */
static bool has_repeated_arg(const struct oci_seccomp_args *args)
{
	unsigned seen = 0;

	OCI_FOREACH(a, args)
	{
		if (seen & (1u << a->index)) {
			return true;
		}
		seen |= 1u << a->index;
	}
	return false;
}

static int rule_add_call(scmp_filter_ctx ctx, const struct oci_seccomp_rule *rule, int nr)
{
	uint32_t action = action_value(rule->action, &rule->errno_ret);
	struct scmp_arg_cmp cmp[MAX_RULE_ARGS];
	unsigned n = 0;
	int rc = 0;

	if (rule->args.n > MAX_RULE_ARGS || has_repeated_arg(&rule->args)) {
		OCI_FOREACH(a, &rule->args)
		{
			cmp[0] = compare(a);
			rc = rc == 0 ? seccomp_rule_add_array(ctx, action, nr, 1, cmp) : rc;
		}
		return rc;
	}
	OCI_FOREACH(a, &rule->args)
	{
		cmp[n++] = compare(a);
	}
	return seccomp_rule_add_array(ctx, action, nr, n, cmp);
}

static int rules_add(scmp_filter_ctx ctx, const struct oci_seccomp *profile,
		     uint32_t default_action, struct vr_err *err)
{
	int nr, rc;

	OCI_FOREACH(rule, &profile->syscalls)
	{
		if (action_value(rule->action, &rule->errno_ret) == default_action) {
			continue; /* says nothing, and libseccomp refuses it */
		}
		for (size_t i = 0; i < rule->names.n; i++) {
			nr = seccomp_syscall_resolve_name(rule->names.v[i]);
			if (nr == __NR_SCMP_ERROR) {
				continue;
			}
			rc = rule_add_call(ctx, rule, nr);
			if (rc < 0) {
				return vr_err_sys(err, rc, WHERE ": rule for '%s'",
						  rule->names.v[i]);
			}
		}
	}
	return 0;
}

/* The highest x86-64 number the profile speaks of. */
static uint32_t newest_call(const struct oci_seccomp *profile)
{
	uint32_t newest = 0;
	int nr;

	OCI_FOREACH(rule, &profile->syscalls)
	{
		for (size_t i = 0; i < rule->names.n; i++) {
			nr = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, rule->names.v[i]);
			if (nr > 0 && (uint32_t)nr > newest) {
				newest = (uint32_t)nr;
			}
		}
	}
	return newest;
}

static bool wants_enosys(const struct oci_seccomp *profile)
{
	return profile->syscalls.n > 0 && profile->default_action != OCI_SECCOMP_ALLOW &&
	       profile->default_action != OCI_SECCOMP_LOG;
}

static size_t enosys_prefix(const struct oci_seccomp *profile, struct sock_filter out[5])
{
	const struct sock_filter prefix[5] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, newest_call(profile), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};

	if (!wants_enosys(profile)) {
		return 0;
	}
	memcpy(out, prefix, sizeof(prefix));
	return VR_ARRAY_SIZE(prefix);
}

static int export(scmp_filter_ctx ctx, const struct oci_seccomp *profile, uint8_t **out_bpf,
		  uint32_t *out_n, struct vr_err *err)
{
	struct sock_filter prefix[5];
	size_t n_prefix = enosys_prefix(profile, prefix);
	vr_autoclose int fd = vr_memfd("seccomp", 0, 0);
	vr_autofree char *body = NULL;
	uint8_t *bpf;
	size_t len = 0;
	int rc = fd < 0 ? fd : seccomp_export_bpf(ctx, fd);

	if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0) {
		rc = -errno;
	}
	if (rc == 0) {
		rc = vr_read_fd(fd, MAX_INSN * sizeof(struct sock_filter), &body, &len);
	}
	if (rc < 0 && rc != -EFBIG) {
		return vr_err_sys(err, rc, WHERE ": compile the filter");
	}
	if (rc < 0 || len / sizeof(struct sock_filter) + n_prefix > MAX_INSN) {
		return vr_err_set(err, E2BIG, WHERE ": the filter has more than %u instructions",
				  MAX_INSN);
	}
	bpf = malloc(len + sizeof(prefix));
	if (!bpf) {
		return vr_err_set(err, ENOMEM, WHERE ": out of memory");
	}
	memcpy(bpf, prefix, n_prefix * sizeof(prefix[0]));
	memcpy(bpf + n_prefix * sizeof(prefix[0]), body, len);
	*out_bpf = bpf;
	*out_n = (uint32_t)(len / sizeof(struct sock_filter) + n_prefix);
	return 0;
}

int seccomp_profile_compile(const struct oci_seccomp *profile, uint8_t **out_bpf,
			    uint32_t *out_n_insn, struct vr_err *err)
{
	uint32_t default_action =
		action_value(profile->default_action, &profile->default_errno_ret);
	scmp_filter_ctx ctx = seccomp_init(default_action);
	int rc;

	if (!ctx) {
		return vr_err_set(err, EINVAL, WHERE ": libseccomp refused the default action");
	}
	rc = rules_add(ctx, profile, default_action, err);
	if (rc == 0) {
		rc = export(ctx, profile, out_bpf, out_n_insn, err);
	}
	seccomp_release(ctx);
	return rc;
}
