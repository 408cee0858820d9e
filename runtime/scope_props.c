/* SPDX-License-Identifier: Apache-2.0 */
/* scope_props.c - limits and annotations as properties of a systemd unit; see scope_props.h */
#include "scope_props.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "oci/spec_check.h"

#define ANNOTATION	  "org.systemd.property."
#define DEFAULT_PERIOD_US 100000u
#define QUOTA_STEP_US	  10000u /* what systemd rounds to anyway */

static struct scope_prop *add(struct scope_props *p, const char *name, const char *type)
{
	struct scope_prop *prop;

	if (p->n == SCOPE_PROPS_MAX || strlen(name) >= sizeof(p->v[0].name)) {
		return NULL;
	}
	prop = &p->v[p->n++];
	*prop = (struct scope_prop){.num = 0};
	(void)snprintf(prop->name, sizeof(prop->name), "%s", name); /* measured above */
	(void)snprintf(prop->type, sizeof(prop->type), "%s", type);
	return prop;
}

static int too_many(struct vr_err *err)
{
	return vr_err_set(err, E2BIG, "systemd: too many properties, or a name that is too long");
}

static int add_num(struct scope_props *p, const char *name, const char *type, uint64_t num,
		   struct vr_err *err)
{
	struct scope_prop *prop = add(p, name, type);

	if (!prop) {
		return too_many(err);
	}
	prop->num = num;
	return 0;
}

/* A limit: nothing when 0, systemd's infinity when there is to be none. */
static int add_limit(struct scope_props *p, const char *name, int64_t v, struct vr_err *err)
{
	return v == 0 ? 0 : add_num(p, name, "t", v < 0 ? UINT64_MAX : (uint64_t)v, err);
}

static int cpu_time(const struct sbx_cgroup_limits *l, struct scope_props *p, struct vr_err *err)
{
	uint64_t period = l->cpu_period_us != 0 ? l->cpu_period_us : DEFAULT_PERIOD_US;
	uint64_t per_second = UINT64_MAX;
	int rc = 0;

	if (l->cpu_period_us != 0) {
		rc = add_num(p, "CPUQuotaPeriodUSec", "t", period, err);
	}
	if (rc < 0 || l->cpu_quota_us == 0) {
		return rc;
	}
	if (l->cpu_quota_us > 0) {
		if (__builtin_mul_overflow((uint64_t)l->cpu_quota_us, 1000000u, &per_second)) {
			return vr_err_set(err, ERANGE, "systemd: CPU quota is out of range");
		}
		per_second /= period;
		per_second += (QUOTA_STEP_US - per_second % QUOTA_STEP_US) % QUOTA_STEP_US;
	}
	return add_num(p, "CPUQuotaPerSecUSec", "t", per_second, err);
}

/* A list of CPUs or nodes as bytes of bits, the lowest first. */
static int add_list(struct scope_props *p, const char *name, const char *list, struct vr_err *err)
{
	uint64_t bits[OCI_CPULIST_MAX / 64];
	struct scope_prop *prop;

	if (!list || *list == '\0') {
		return 0;
	}
	if (oci_cpulist_parse(list, bits, VR_ARRAY_SIZE(bits)) < 0) {
		return vr_err_set(err, EINVAL, "systemd: '%s' is not a list of numbers", list);
	}
	prop = add(p, name, "ay");
	if (!prop) {
		return too_many(err);
	}
	prop->text = calloc(1, SCOPE_PROP_BYTES_MAX);
	if (!prop->text) {
		return vr_err_set(err, ENOMEM, "systemd: out of memory");
	}
	for (size_t i = 0; i < OCI_CPULIST_MAX; i++) {
		if (bits[i / 64] >> (i % 64) & 1) {
			prop->text[i / 8] = (char)(prop->text[i / 8] | 1 << i % 8);
			prop->len = i / 8 + 1;
		}
	}
	return 0;
}

static int memory(const struct sbx_cgroup_limits *l, bool v2, struct scope_props *p,
		  struct vr_err *err)
{
	int64_t swap = l->memory_swap;
	int rc = add_limit(p, v2 ? "MemoryMax" : "MemoryLimit", l->memory_max, err);

	if (rc < 0 || !v2) {
		return rc;
	}
	rc = add_limit(p, "MemoryLow", l->memory_low, err);
	if (rc < 0 || swap == 0 || (swap > 0 && l->memory_max <= 0)) {
		return rc;
	}
	/* memory and swap together minus memory, which may leave nothing: 0 is meant then */
	return add_num(p, "MemorySwapMax", "t",
		       swap < 0 ? UINT64_MAX : (uint64_t)(swap - l->memory_max), err);
}

int scope_props_limits(const struct sbx_cgroup_limits *limits, bool v2, struct scope_props *p,
		       struct vr_err *err)
{
	int rc = memory(limits, v2, p, err);

	if (rc == 0) {
		rc = cpu_time(limits, p, err);
	}
	if (rc == 0 && limits->cpu_shares != 0) {
		rc = v2 ? add_num(p, "CPUWeight", "t", sbx_cgroup_weight(limits->cpu_shares), err)
			: add_num(p, "CPUShares", "t", limits->cpu_shares, err);
	}
	if (rc == 0) {
		rc = add_limit(p, "TasksMax", limits->pids_max, err);
	}
	if (rc == 0 && v2) {
		rc = add_list(p, "AllowedCPUs", limits->cpuset_cpus, err);
	}
	if (rc == 0 && v2) {
		rc = add_list(p, "AllowedMemoryNodes", limits->cpuset_mems, err);
	}
	return rc;
}

/* ---- annotations ---- */

static int bad_value(const struct oci_kv *kv, struct vr_err *err)
{
	return vr_err_set(err, EINVAL,
			  "config.json: annotations: %s: '%.60s' is not a text, a number or a "
			  "truth value",
			  kv->key, kv->value);
}

/* 'text' or "text". Return: malloc'd text, or NULL */
static char *unquote(const char *s)
{
	size_t len = strlen(s);

	if (len < 2 || (s[0] != '\'' && s[0] != '"') || s[len - 1] != s[0] ||
	    memchr(s + 1, s[0], len - 2) || memchr(s, '\\', len)) {
		return NULL;
	}
	return strndup(s + 1, len - 2);
}

/* A number, perhaps after its type. Return: the D-Bus type, or NULL */
static const char *number(const char *s, uint64_t *out)
{
	static const struct {
		const char *word, *type;
	} types[] = {{"int32 ", "i"}, {"uint32 ", "u"}, {"int64 ", "x"}, {"uint64 ", "t"}};
	const char *type = "i";
	char *end;

	for (size_t i = 0; i < VR_ARRAY_SIZE(types); i++) {
		if (strncmp(s, types[i].word, strlen(types[i].word)) == 0) {
			type = types[i].type;
			s += strlen(types[i].word);
		}
	}
	if (!isdigit((unsigned char)s[0]) && s[0] != '-') {
		return NULL;
	}
	errno = 0;
	*out = s[0] == '-' ? (uint64_t)strtoll(s, &end, 0) : strtoull(s, &end, 0);
	if (errno != 0 || *end != '\0' || end == s) {
		return NULL;
	}
	if (*type == 'i' && ((int64_t)*out > INT32_MAX || (int64_t)*out < INT32_MIN)) {
		return NULL;
	}
	if (*type == 'u' && *out > UINT32_MAX) {
		return NULL;
	}
	return type;
}

/* "TimeoutStopSec" is "TimeoutStopUSec" on the bus, a number of microseconds. */
static int seconds(const struct oci_kv *kv, const char *name, uint64_t value, const char *type,
		   struct scope_props *p, struct vr_err *err)
{
	char full[64];
	int n = snprintf(full, sizeof(full), "%.*sUSec", (int)(strlen(name) - 3), name);

	if (n < 0 || (size_t)n >= sizeof(full)) {
		return too_many(err);
	}
	if ((*type == 'i' || *type == 'x') && (int64_t)value < 0) {
		return bad_value(kv, err);
	}
	if (__builtin_mul_overflow(value, 1000000u, &value)) {
		return bad_value(kv, err);
	}
	return add_num(p, full, "t", value, err);
}

static int annotation(const struct oci_kv *kv, struct scope_props *p, struct vr_err *err)
{
	const char *name = kv->key + strlen(ANNOTATION);
	size_t len = strlen(name);
	struct scope_prop *prop;
	const char *type;
	uint64_t value;
	char *text;

	if (len == 0 ||
	    name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")]) {
		return vr_err_set(err, EINVAL, "config.json: annotations: '%s' names no property",
				  kv->key);
	}
	if (strcmp(kv->value, "true") == 0 || strcmp(kv->value, "false") == 0) {
		return add_num(p, name, "b", kv->value[0] == 't', err);
	}
	type = number(kv->value, &value);
	if (type) {
		bool in_seconds = len > 3 && strcmp(name + len - 3, "Sec") == 0 &&
				  (len == 3 || name[len - 4] != 'U');

		return in_seconds ? seconds(kv, name, value, type, p, err)
				  : add_num(p, name, type, value, err);
	}
	text = unquote(kv->value);
	if (!text) {
		return bad_value(kv, err);
	}
	prop = add(p, name, "s");
	if (!prop) {
		free(text);
		return too_many(err);
	}
	prop->text = text;
	return 0;
}

int scope_props_annotations(const struct oci_kvs *annotations, struct scope_props *p,
			    struct vr_err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && annotations && i < annotations->n; i++) {
		if (strncmp(annotations->v[i].key, ANNOTATION, strlen(ANNOTATION)) == 0) {
			rc = annotation(&annotations->v[i], p, err);
		}
	}
	return rc;
}

void scope_props_finish(struct scope_props *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].text);
	}
	p->n = 0;
}
