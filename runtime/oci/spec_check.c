/* SPDX-License-Identifier: Apache-2.0 */
/* spec_check.c - rules about the meaning of configuration values; see spec_check.h */
#include "oci/spec_check.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DOMAIN_MAX	     64 /* __NEW_UTS_LEN of the kernel */
#define ANNOTATIONS_MAX	     16384u
#define ANNOTATION_BYTES_MAX (1024u * 1024u) /* four times what Kubernetes allows */

static bool parse_cpu(const char **s, unsigned int *out)
{
	unsigned int v = 0;
	const char *p = *s;

	while (isdigit((unsigned char)*p) && v <= OCI_CPULIST_MAX) {
		v = v * 10 + (unsigned int)(*p++ - '0');
	}
	if (p == *s) {
		return false;
	}
	*s = p;
	*out = v;
	return true;
}

/* One "N" or "N-M" of a list; *s is put behind it. */
static int parse_range(const char **s, unsigned int *first, unsigned int *last)
{
	if (!parse_cpu(s, first)) {
		return -EINVAL;
	}
	*last = *first;
	if (**s == '-') {
		(*s)++;
		if (!parse_cpu(s, last) || *last < *first) {
			return -EINVAL;
		}
	}
	return 0;
}

int oci_cpulist_parse(const char *s, uint64_t *bits, size_t n_words)
{
	unsigned int limit = bits ? (unsigned int)(n_words * 64) : OCI_CPULIST_MAX;
	int count = 0;

	if (bits) {
		memset(bits, 0, n_words * sizeof(bits[0]));
	}
	if (!s || *s == '\0') {
		return 0;
	}
	for (;;) {
		unsigned int first;
		unsigned int last;

		if (parse_range(&s, &first, &last) < 0) {
			return -EINVAL;
		}
		if (last >= limit) {
			return -ERANGE;
		}
		for (unsigned int cpu = first; cpu <= last; cpu++) {
			uint64_t bit = UINT64_C(1) << (cpu % 64);

			count += bits && (bits[cpu / 64] & bit) ? 0 : 1;
			if (bits) {
				bits[cpu / 64] |= bit;
			}
		}
		if (*s == '\0') {
			return count;
		}
		if (*s++ != ',') {
			return -EINVAL;
		}
	}
}

int oci_check_cpulist(struct vr_err *err, const struct json *obj, const char *key, const char *s)
{
	if (s && oci_cpulist_parse(s, NULL, 0) < 0) {
		return json_fail_member(err, obj, key, EINVAL,
					"must be a list like 0-3,7, not '%.100s'", s);
	}
	return 0;
}

/* Is each part between slashes a plain name? */
static bool is_plain_path(const char *path)
{
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 0 || (n == 1 && path[0] == '.') ||
		    (n == 2 && memcmp(path, "..", 2) == 0)) {
			return false;
		}
		path += n;
		if (*path == '/' && *++path == '\0') {
			return false;
		}
	}
	return true;
}

int oci_sysctl_path(const char *name, char *out, size_t cap)
{
	size_t len = strlen(name);
	bool dots = name[strcspn(name, "./")] == '.';

	if (len == 0 || len >= cap) {
		return -EINVAL;
	}
	for (size_t i = 0; i <= len; i++) {
		char c = name[i];

		if (c != '\0' && !isalnum((unsigned char)c) && !strchr("._-/:@", c)) {
			return -EINVAL;
		}
		if (dots && c == '.') {
			c = '/';
		} else if (dots && c == '/') {
			c = '.';
		}
		out[i] = c;
	}
	return is_plain_path(out) ? 0 : -EINVAL;
}

static size_t version_number(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n > 1 && s[0] == '0' ? 0 : n; /* no leading zeros in semantic versions */
}

int oci_check_version(const char *version)
{
	const char *p = version;

	for (int part = 0; part < 3; part++) {
		size_t n = version_number(p);

		if (n == 0 || n > 9 || (part == 0 && !(n == 1 && *p == '1'))) {
			return -EINVAL;
		}
		p += n;
		if (part < 2 && *p++ != '.') {
			return -EINVAL;
		}
	}
	if (*p != '\0' && *p != '-' && *p != '+') {
		return -EINVAL;
	}
	if (*p != '\0' && p[1] == '\0') {
		return -EINVAL;
	}
	for (; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("-+.", *p)) {
			return -EINVAL;
		}
	}
	return 0;
}

int oci_check_absolute_paths(struct oci_loader *l, const struct json *obj, const char *key,
			     const struct oci_strv *paths)
{
	for (size_t i = 0; i < paths->n; i++) {
		if (paths->v[i][0] != '/') {
			return json_fail(l->err, json_at(json_member(obj, key), i), EINVAL,
					 "must be an absolute path");
		}
	}
	return 0;
}

static int check_uts_name(struct oci_loader *l, const struct json *j, const struct oci_spec *spec,
			  const char *key, const char *value)
{
	if (!value || value[0] == '\0') {
		return 0;
	}
	if (strlen(value) > DOMAIN_MAX) {
		return json_fail_member(l->err, j, key, EINVAL, "longer than %d characters",
					DOMAIN_MAX);
	}
	if (!oci_spec_ns(spec, OCI_NS_UTS)) {
		return json_fail_member(l->err, j, key, EINVAL,
					"unable to set %s without a private UTS namespace", key);
	}
	return 0;
}

/* As crun: a user namespace for which nobody asked for ids has the caller as root. */
static int map_root(struct oci_loader *l, struct oci_idmaps *maps, uint32_t id)
{
	struct oci_idmap *one = oci_arena_alloc(l->arena, 1, sizeof(*one));

	if (!one) {
		return -ENOMEM;
	}
	*one = (struct oci_idmap){.container_id = 0, .host_id = id, .size = 1};
	*maps = (struct oci_idmaps){.v = one, .n = 1};
	return 0;
}

static int check_user_namespace(struct oci_loader *l, const struct json *j, struct oci_spec *spec)
{
	const struct oci_namespace *ns = oci_spec_ns(spec, OCI_NS_USER);
	struct oci_linux *lx = spec->linux_;
	bool mapped = lx->uid_mappings.n > 0 || lx->gid_mappings.n > 0;

	if (!ns && mapped) {
		return json_fail_member(l->err, json_member(j, "linux"), "uidMappings", EINVAL,
					"id mappings need a user namespace");
	}
	if (ns && !ns->path && !mapped) {
		return map_root(l, &lx->uid_mappings, geteuid()) < 0 ||
				       map_root(l, &lx->gid_mappings, getegid()) < 0
			       ? oci_no_memory(l)
			       : 0;
	}
	if (ns && !ns->path && (lx->uid_mappings.n == 0 || lx->gid_mappings.n == 0)) {
		return json_fail_member(l->err, json_member(j, "linux"),
					lx->uid_mappings.n == 0 ? "uidMappings" : "gidMappings",
					EINVAL, "must be set for a new user namespace");
	}
	return 0;
}

static int check_annotations(struct oci_loader *l, const struct json *j,
			     const struct oci_kvs *annotations)
{
	size_t bytes = 0;

	for (size_t i = 0; i < annotations->n; i++) {
		if (annotations->v[i].key[0] == '\0') {
			return json_fail_member(l->err, j, "annotations", EINVAL,
						"a key must not be empty");
		}
		bytes += strlen(annotations->v[i].key) + strlen(annotations->v[i].value);
	}
	/* They become part of the state, which has more in it and must be read again. */
	if (annotations->n > ANNOTATIONS_MAX || bytes > ANNOTATION_BYTES_MAX) {
		return json_fail_member(l->err, j, "annotations", E2BIG,
					"must be at most %u of %u bytes in all", ANNOTATIONS_MAX,
					ANNOTATION_BYTES_MAX);
	}
	return 0;
}

/* What has a field of its own is not to be had twice, and differently. */
static int check_names_of_sysctl(struct oci_loader *l, const struct json *j,
				 const struct oci_spec *spec)
{
	const struct json *sysctl;

	if (spec->linux_->sysctl.n == 0) {
		return 0;
	}
	sysctl = json_member(json_member(j, "linux"), "sysctl");
	OCI_FOREACH(kv, &spec->linux_->sysctl)
	{
		bool dot = strcmp(kv->key, "kernel.domainname") == 0 ||
			   strcmp(kv->key, "kernel/domainname") == 0;

		if (strcmp(kv->key, "kernel.hostname") == 0 ||
		    strcmp(kv->key, "kernel/hostname") == 0) {
			return json_fail_member(l->err, sysctl, kv->key, EINVAL,
						"is not allowed as it conflicts with the OCI "
						"\"hostname\" field");
		}
		if (dot && spec->domainname && strcmp(kv->value, spec->domainname) != 0) {
			return json_fail_member(l->err, sysctl, kv->key, EINVAL,
						"is not allowed as it conflicts with the OCI "
						"\"domainname\" field");
		}
	}
	return 0;
}

int oci_spec_check(struct oci_loader *l, const struct json *j, struct oci_spec *spec)
{
	int r;

	if (oci_check_version(spec->oci_version) < 0) {
		return json_fail_member(l->err, j, "ociVersion", EINVAL,
					"must be a version 1.x.y, not '%.40s'", spec->oci_version);
	}
	if (spec->root->path[0] == '\0') {
		return json_fail_member(l->err, json_member(j, "root"), "path", EINVAL,
					"must not be empty");
	}
	r = check_uts_name(l, j, spec, "hostname", spec->hostname);
	if (r < 0) {
		return r;
	}
	r = check_uts_name(l, j, spec, "domainname", spec->domainname);
	if (r < 0) {
		return r;
	}
	r = check_names_of_sysctl(l, j, spec);
	if (r < 0) {
		return r;
	}
	r = check_user_namespace(l, j, spec);
	if (r < 0) {
		return r;
	}
	if (spec->linux_->time_offsets.n > 0 && !oci_spec_ns(spec, OCI_NS_TIME)) {
		return json_fail_member(l->err, json_member(j, "linux"), "timeOffsets", EINVAL,
					"need a time namespace");
	}
	return check_annotations(l, j, &spec->annotations);
}
