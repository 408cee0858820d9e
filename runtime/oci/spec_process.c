/* SPDX-License-Identifier: Apache-2.0 */
/* spec_process.c - the process section of config.json, which is also exec's process file */
#include "oci/spec_internal.h"

#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "oci/names.h"
#include "oci/spec_check.h"

static const struct oci_field box_fields[] = {
	OCI_F_U32(struct oci_box, height, "height", UINT16_MAX, REQUIRED, GUEST),
	OCI_F_U32(struct oci_box, width, "width", UINT16_MAX, REQUIRED, GUEST),
};

static const struct oci_type box_type = OCI_TYPE(struct oci_box, box_fields, NULL);

static const struct oci_field user_fields[] = {
	OCI_F_U32(struct oci_user, uid, "uid", UINT32_MAX - 1, GUEST),
	OCI_F_U32(struct oci_user, gid, "gid", UINT32_MAX - 1, GUEST),
	OCI_F_OPT_U32(struct oci_user, umask, "umask", 07777, GUEST),
	OCI_FIELD(struct oci_user, additional_gids, "additionalGids", OCI_U32V, struct oci_u32v,
		  GUEST),
	OCI_F_STR(struct oci_user, username, "username", IGNORED("for Windows")),
};

static const struct oci_type user_type = OCI_TYPE(struct oci_user, user_fields, NULL);

static const char *const cap_set_names[] = {"bounding", "effective", "inheritable", "permitted",
					    "ambient"};

_Static_assert(VR_ARRAY_SIZE(cap_set_names) == OCI_CAPS_COUNT, "a name for each set");

static const struct oci_field caps_fields[] = {
	OCI_F_STRV(struct oci_caps, names[OCI_CAPS_BOUNDING], "bounding", GUEST,
		   NOTE("unknown names warn")),
	OCI_F_STRV(struct oci_caps, names[OCI_CAPS_EFFECTIVE], "effective", GUEST),
	OCI_F_STRV(struct oci_caps, names[OCI_CAPS_INHERITABLE], "inheritable", GUEST),
	OCI_F_STRV(struct oci_caps, names[OCI_CAPS_PERMITTED], "permitted", GUEST),
	OCI_F_STRV(struct oci_caps, names[OCI_CAPS_AMBIENT], "ambient", GUEST,
		   NOTE("limited to what is permitted and inheritable")),
};

static uint64_t caps_to_mask(struct oci_loader *l, const struct json *j,
			     const struct oci_strv *names)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < names->n; i++) {
		int cap = oci_cap_find(names->v[i]);

		if (cap < 0) {
			oci_warn(l, json_at(j, i), "unknown capability '%.100s' is ignored",
				 names->v[i]);
		} else {
			mask |= UINT64_C(1) << cap;
		}
	}
	return mask;
}

/* What capset(2) or the ambient prctl would refuse is left out here, as other runtimes do. */
static int caps_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	struct oci_caps *c = obj;
	uint64_t permitted;

	for (size_t i = 0; i < OCI_CAPS_COUNT; i++) {
		const struct json *set = json_member(j, cap_set_names[i]);

		if (set) {
			c->present |= 1u << i;
			c->mask[i] = caps_to_mask(l, set, &c->names[i]);
		}
	}
	permitted = c->mask[OCI_CAPS_PERMITTED];
	if (c->mask[OCI_CAPS_EFFECTIVE] & ~permitted) {
		oci_warn(l, json_member(j, "effective"),
			 "names capabilities that are not permitted; they are ignored");
	}
	c->mask[OCI_CAPS_EFFECTIVE] &= permitted;
	c->mask[OCI_CAPS_AMBIENT] &= permitted & c->mask[OCI_CAPS_INHERITABLE];
	return 0;
}

static const struct oci_type caps_type = OCI_TYPE(struct oci_caps, caps_fields, caps_finish);

static const struct oci_field rlimit_fields[] = {
	OCI_F_ENUM(struct oci_rlimit, resource, "type", oci_rlimit_names, "rlimit", REQUIRED,
		   GUEST),
	OCI_F_U64(struct oci_rlimit, soft, "soft", REQUIRED, GUEST),
	OCI_F_U64(struct oci_rlimit, hard, "hard", REQUIRED, GUEST),
};

static int rlimit_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	const struct oci_rlimit *rl = obj;

	if (rl->soft > rl->hard) {
		return json_fail_member(l->err, j, "soft", EINVAL,
					"must not be greater than the hard limit");
	}
	return 0;
}

static const struct oci_type rlimit_type =
	OCI_TYPE(struct oci_rlimit, rlimit_fields, rlimit_finish);

static const struct oci_field scheduler_fields[] = {
	OCI_F_ENUM(struct oci_scheduler, policy, "policy", oci_sched_names, "scheduling policy",
		   REQUIRED, GUEST),
	OCI_F_I32(struct oci_scheduler, nice, "nice", -20, 19, GUEST),
	OCI_F_I32(struct oci_scheduler, priority, "priority", 0, 99, GUEST),
	OCI_F_STRV(struct oci_scheduler, flag_names, "flags", GUEST),
	OCI_F_U64(struct oci_scheduler, runtime_ns, "runtime", GUEST),
	OCI_F_U64(struct oci_scheduler, deadline_ns, "deadline", GUEST),
	OCI_F_U64(struct oci_scheduler, period_ns, "period", GUEST),
};

enum {
	POLICY_FIFO = 1,
	POLICY_RR = 2,
	POLICY_ISO = 4,
	POLICY_DEADLINE = 6
};

static int scheduler_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	struct oci_scheduler *s = obj;
	bool realtime = s->policy == POLICY_FIFO || s->policy == POLICY_RR;
	uint32_t flags;
	int r;

	r = oci_names_to_mask(l, j, "flags", oci_sched_flag_names, "scheduler flag", &flags);
	if (r < 0) {
		return r;
	}
	s->flags = flags;
	if (s->policy == POLICY_ISO) {
		return json_fail_member(l->err, j, "policy", ENOTSUP,
					"SCHED_ISO is reserved and not implemented by Linux");
	}
	if (!realtime && s->priority != 0) {
		return json_fail_member(l->err, j, "priority", EINVAL,
					"only SCHED_FIFO and SCHED_RR have a priority");
	}
	if (realtime && s->priority == 0) {
		return json_fail_member(l->err, j, "priority", EINVAL,
					"must be from 1 to 99 for SCHED_FIFO and SCHED_RR");
	}
	if (s->policy != POLICY_DEADLINE && (s->runtime_ns || s->deadline_ns || s->period_ns)) {
		return json_fail_member(l->err, j, "policy", EINVAL,
					"only SCHED_DEADLINE has runtime, deadline and period");
	}
	return 0;
}

static const struct oci_type scheduler_type =
	OCI_TYPE(struct oci_scheduler, scheduler_fields, scheduler_finish);

static const struct oci_field io_priority_fields[] = {
	OCI_F_ENUM(struct oci_io_priority, ioprio_class, "class", oci_ioprio_names,
		   "I/O priority class", REQUIRED, GUEST),
	OCI_F_I32(struct oci_io_priority, priority, "priority", 0, 7, GUEST),
};

static const struct oci_type io_priority_type =
	OCI_TYPE(struct oci_io_priority, io_priority_fields, NULL);

static const struct oci_field affinity_fields[] = {
	OCI_F_STR(struct oci_exec_affinity, initial, "initial", GUEST, NOTE("virtual CPUs")),
	OCI_F_STR(struct oci_exec_affinity, final, "final", GUEST, NOTE("virtual CPUs")),
};

static int affinity_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	const struct oci_exec_affinity *a = obj;
	int r = oci_check_cpulist(l->err, j, "initial", a->initial);

	return r < 0 ? r : oci_check_cpulist(l->err, j, "final", a->final);
}

static const struct oci_type affinity_type =
	OCI_TYPE(struct oci_exec_affinity, affinity_fields, affinity_finish);

static const struct oci_field process_fields[] = {
	OCI_F_BOOL(struct oci_process, terminal, "terminal", BOTH,
		   NOTE("a pty on each side of the machine's border")),
	OCI_F_OBJ(struct oci_process, console_size, "consoleSize", box_type, struct oci_box, BOTH),
	OCI_F_INLINE(struct oci_process, user, "user", user_type, struct oci_user, GUEST),
	OCI_F_STRV(struct oci_process, args, "args", GUEST),
	OCI_F_STRV(struct oci_process, env, "env", GUEST),
	OCI_F_STR(struct oci_process, cwd, "cwd", REQUIRED, GUEST, NOTE("made when missing")),
	OCI_F_OBJ(struct oci_process, caps, "capabilities", caps_type, struct oci_caps, GUEST),
	OCI_F_OBJV(struct oci_process, rlimits, "rlimits", rlimit_type, struct oci_rlimits, GUEST),
	OCI_F_BOOL(struct oci_process, no_new_privileges, "noNewPrivileges", GUEST),
	OCI_F_STR(struct oci_process, apparmor_profile, "apparmorProfile", HOST,
		  NOTE("confines the shim, if the host has AppArmor")),
	OCI_F_OPT_I64(struct oci_process, oom_score_adj, "oomScoreAdj", -1000, 1000, GUEST),
	OCI_F_OBJ(struct oci_process, scheduler, "scheduler", scheduler_type, struct oci_scheduler,
		  GUEST),
	OCI_F_STR(struct oci_process, selinux_label, "selinuxLabel",
		  IGNORED("the guest has no SELinux; a process of the host gets a label by "
			  "executing a "
			  "program, which the shim doesn't")),
	OCI_F_OBJ(struct oci_process, io_priority, "ioPriority", io_priority_type,
		  struct oci_io_priority, GUEST),
	OCI_F_OBJ(struct oci_process, exec_affinity, "execCPUAffinity", affinity_type,
		  struct oci_exec_affinity, GUEST),
	OCI_F_STR(struct oci_process, command_line, "commandLine", IGNORED("for Windows")),
};

static int check_rlimits(struct oci_loader *l, const struct json *j, const struct oci_rlimits *rl)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < rl->n; i++) {
		uint64_t bit = UINT64_C(1) << rl->v[i].resource;

		if (seen & bit) {
			return json_fail(l->err, json_at(json_member(j, "rlimits"), i), EINVAL,
					 "%s is there twice",
					 oci_name_of(oci_rlimit_names, rl->v[i].resource));
		}
		seen |= bit;
	}
	return 0;
}

static int check_env(struct oci_loader *l, const struct json *j, const struct oci_strv *env)
{
	for (size_t i = 0; i < env->n; i++) {
		const char *equals = strchr(env->v[i], '=');

		if (!equals || equals == env->v[i]) {
			return json_fail(l->err, json_at(json_member(j, "env"), i), EINVAL,
					 "must look like NAME=value");
		}
	}
	return 0;
}

/* Of several values of a variable the last one counts, where the first one stood: as with runc. */
static void env_unique(struct oci_strv *env)
{
	size_t n = 0;

	for (size_t i = 0; i < env->n; i++) {
		size_t name = strcspn(env->v[i], "=") + 1;
		size_t k = 0;

		while (k < n && strncmp(env->v[k], env->v[i], name) != 0) {
			k++;
		}
		env->v[k] = env->v[i];
		n += k == n;
	}
	env->n = n;
}

static int process_finish(struct oci_loader *l, const struct json *j, void *obj)
{
	struct oci_process *p = obj;
	int r;

	if (p->args.n == 0) {
		return json_fail_member(l->err, j, "args", EINVAL, "must not be empty");
	}
	if (p->cwd[0] != '/') {
		return json_fail_member(l->err, j, "cwd", EINVAL, "must be an absolute path");
	}
	r = check_rlimits(l, j, &p->rlimits);
	r = r < 0 ? r : check_env(l, j, &p->env);
	if (r == 0) {
		env_unique(&p->env);
	}
	return r;
}

const struct oci_type oci_process_type =
	OCI_TYPE(struct oci_process, process_fields, process_finish);
