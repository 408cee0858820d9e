/* SPDX-License-Identifier: Apache-2.0 */
/* spec_seccomp.c - linux.seccomp of config.json */
#include "oci/spec_internal.h"

#include <errno.h>
#include <linux/seccomp.h>

#include "base/log.h"
#include "oci/names.h"

#define NO_NOTIFY "a listener on the host can't answer for system calls in the guest"

static const struct oci_field arg_fields[] = {
	OCI_F_U32(struct oci_seccomp_arg, index, "index", 5, REQUIRED, GUEST),
	OCI_F_U64(struct oci_seccomp_arg, value, "value", REQUIRED, GUEST),
	OCI_F_U64(struct oci_seccomp_arg, value_two, "valueTwo", GUEST),
	OCI_F_ENUM(struct oci_seccomp_arg, op, "op", oci_op_names, "operator", REQUIRED, GUEST),
};

static const struct oci_type arg_type = OCI_TYPE(struct oci_seccomp_arg, arg_fields, NULL);

static const struct oci_field rule_fields[] = {
	OCI_F_STRV(struct oci_seccomp_rule, names, "names", REQUIRED, GUEST,
		   NOTE("names the guest kernel does not know are left out")),
	OCI_F_ENUM(struct oci_seccomp_rule, action, "action", oci_action_names, "action", REQUIRED,
		   GUEST),
	OCI_F_OPT_U32(struct oci_seccomp_rule, errno_ret, "errnoRet", UINT16_MAX, GUEST),
	OCI_F_OBJV(struct oci_seccomp_rule, args, "args", arg_type, struct oci_seccomp_args, GUEST),
};

/* The specification wants an error when an action that has no number gets one. */
static int check_action(struct oci_loader *l, const struct json *j, const char *action_key,
			enum oci_seccomp_action action, const char *errno_key,
			const struct oci_opt_u32 *errno_ret)
{
	if (action == OCI_SECCOMP_NOTIFY) {
		return json_fail_member(l->err, j, action_key, ENOTSUP,
					"SCMP_ACT_NOTIFY is not supported: " NO_NOTIFY);
	}
	if (errno_ret->set && action != OCI_SECCOMP_ERRNO && action != OCI_SECCOMP_TRACE) {
		return json_fail_member(l->err, j, errno_key, EINVAL,
					"only SCMP_ACT_ERRNO and SCMP_ACT_TRACE take a number");
	}
	return 0;
}

static int rule_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	const struct oci_seccomp_rule *r = obj;

	if (r->names.n == 0) {
		return json_fail_member(l->err, j, "names", EINVAL, "must not be empty");
	}
	return check_action(l, j, "action", r->action, "errnoRet", &r->errno_ret);
}

static const struct oci_type rule_type =
	OCI_TYPE(struct oci_seccomp_rule, rule_fields, rule_finish);

static const struct oci_field seccomp_fields[] = {
	OCI_F_ENUM(struct oci_seccomp, default_action, "defaultAction", oci_action_names, "action",
		   REQUIRED, GUEST),
	OCI_F_OPT_U32(struct oci_seccomp, default_errno_ret, "defaultErrnoRet", UINT16_MAX, GUEST),
	OCI_F_STRV(struct oci_seccomp, architectures, "architectures",
		   IGNORED("the guest's kernel has the calls of x86-64 only; names are checked")),
	OCI_F_STRV(struct oci_seccomp, flag_names, "flags", GUEST),
	OCI_F_STR(struct oci_seccomp, listener_path, "listenerPath", REFUSED(NO_NOTIFY)),
	OCI_F_STR(struct oci_seccomp, listener_metadata, "listenerMetadata", REFUSED(NO_NOTIFY)),
	OCI_F_OBJV(struct oci_seccomp, syscalls, "syscalls", rule_type, struct oci_seccomp_rules,
		   GUEST),
};

static int seccomp_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	struct oci_seccomp *s = obj;
	uint32_t archs; /* as a check only: the compiler of filters wants the names */
	int r;

	r = oci_names_to_mask(l, j, "flags", oci_filter_flag_names, "seccomp flag", &s->flags);
	if (r < 0) {
		return r;
	}
	/* As runc: without a list processes may speculate, as they would without a filter; one filter needs no TSYNC. */
	s->flags = json_member(j, "flags") ? s->flags & ~(uint32_t)SECCOMP_FILTER_FLAG_TSYNC
					   : SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	vr_debug("seccomp filter flags: %u", s->flags);
	r = oci_names_to_mask(l, j, "architectures", oci_arch_names, "architecture", &archs);
	if (r < 0) {
		return r;
	}
	return check_action(l, j, "defaultAction", s->default_action, "defaultErrnoRet",
			    &s->default_errno_ret);
}

const struct oci_type oci_seccomp_type =
	OCI_TYPE(struct oci_seccomp, seccomp_fields, seccomp_finish);
