/* SPDX-License-Identifier: Apache-2.0 */
/* cage.c - what the kernel says about the cage of a container's processes; see cage.h */
#include "cage.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "oci/json.h"
#include "oci/names.h"

#define STATUS_MAX  65536u
#define MOUNTS_MAX  (4u << 20)
#define THREADS_MAX 4096u /* of all roles; far more than there are */
#define CAPS_NAMED  8u	  /* more than these are shown as a number */

static const char *const ns_names[CAGE_NS_COUNT] = {
	[CAGE_NS_CGROUP] = "cgroup", [CAGE_NS_IPC] = "ipc", [CAGE_NS_MNT] = "mnt",
	[CAGE_NS_NET] = "net",	     [CAGE_NS_PID] = "pid", [CAGE_NS_TIME] = "time",
	[CAGE_NS_USER] = "user",     [CAGE_NS_UTS] = "uts",
};

/* ---- status ------------------------------------------------------------------------------- */

/* Behind "@key:" at the start of a line, or NULL. */
static const char *value_of(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, key, n) == 0 && p[n] == ':') {
			return p + n + 1;
		}
	}
	return NULL;
}

static bool number_of(const char *text, const char *key, int base, uint64_t *out)
{
	const char *value = value_of(text, key);
	char *end;

	if (!value) {
		return false;
	}
	*out = strtoull(value, &end, base);
	return end != value;
}

static void copy_name(const char *text, char out[static 16])
{
	const char *p = value_of(text, "Name");
	size_t n = 0;

	p = p ? p + strspn(p, " \t") : NULL;
	for (; p && n < 15 && *p != '\0' && *p != '\n'; p++) {
		out[n++] = isprint((unsigned char)*p) ? *p : '?';
	}
	out[n] = '\0';
}

int cage_parse_status(const char *text, struct cage_thread *out)
{
	static const char *const sets[] = {"CapPrm", "CapEff", "CapInh", "CapAmb"};
	struct cage_thread t = *out;
	uint64_t v, uid, gid, nnp, seccomp;

	t.caps = 0;
	for (size_t i = 0; i < VR_ARRAY_SIZE(sets); i++) {
		if (!number_of(text, sets[i], 16, &v)) {
			return -EPROTO;
		}
		t.caps |= v;
	}
	if (!number_of(text, "CapBnd", 16, &t.bounding) || !number_of(text, "Uid", 10, &uid) ||
	    !number_of(text, "Gid", 10, &gid) || !number_of(text, "NoNewPrivs", 10, &nnp) ||
	    !number_of(text, "Seccomp", 10, &seccomp)) {
		return -EPROTO;
	}
	t.uid = (uint32_t)uid;
	t.gid = (uint32_t)gid;
	t.no_new_privs = nnp != 0;
	t.seccomp = (unsigned)seccomp;
	t.filters = number_of(text, "Seccomp_filters", 10, &v) ? (int)v : -1;
	copy_name(text, t.name);
	*out = t;
	return 0;
}

/* ---- /proc -------------------------------------------------------------------------------- */

/* Do the links of a namespace differ? Those we may not read count as the same. */
static bool ns_differs(const char *proc, const char *dir, const char *name)
{
	char ours[64], theirs[64], path[PATH_MAX];
	ssize_t n, m;

	(void)snprintf(path, sizeof(path), "%s/self/ns/%s", proc, name);
	n = readlink(path, ours, sizeof(ours));
	(void)snprintf(path, sizeof(path), "%s/ns/%s", dir, name);
	m = readlink(path, theirs, sizeof(theirs));
	return n > 0 && m > 0 && (n != m || memcmp(ours, theirs, (size_t)n) != 0);
}

static int count_fds(const char *dir)
{
	char path[PATH_MAX];
	struct dirent *e;
	int n = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/fd", dir);
	d = opendir(path);
	if (!d) {
		return -1;
	}
	while ((e = readdir(d)) != NULL) {
		n += e->d_name[0] != '.';
	}
	(void)closedir(d); /* was only read */
	return n;
}

static int count_mounts(const char *dir)
{
	vr_autofree char *text = NULL;
	char path[PATH_MAX];
	size_t len;
	int n = 0;

	(void)snprintf(path, sizeof(path), "%s/mountinfo", dir);
	if (vr_read_file(AT_FDCWD, path, MOUNTS_MAX, &text, &len) < 0) {
		return -1;
	}
	for (size_t i = 0; i < len; i++) {
		n += text[i] == '\n';
	}
	return n;
}

static int add_thread(const char *proc, const char *dir, struct cage_thread *t, struct cage *io)
{
	vr_autofree char *text = NULL;
	struct cage_thread *grown;
	char path[PATH_MAX];
	size_t len;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/status", dir);
	rc = vr_read_file(AT_FDCWD, path, STATUS_MAX, &text, &len);
	if (rc < 0) {
		return rc;
	}
	rc = cage_parse_status(text, t);
	if (rc < 0) {
		return rc;
	}
	t->own = 0;
	for (unsigned i = 0; i < CAGE_NS_COUNT; i++) {
		t->own |= ns_differs(proc, dir, ns_names[i]) ? 1u << i : 0;
	}
	grown = io->n < THREADS_MAX ? realloc(io->v, (io->n + 1) * sizeof(*grown)) : NULL;
	if (!grown) {
		return -ENOMEM;
	}
	io->v = grown;
	io->v[io->n++] = *t;
	return 0;
}

/* The main thread comes first: the kernel lists them in their order. */
static int read_threads(const char *proc, const char *dir, struct cage_thread *t, struct cage *io)
{
	char path[PATH_MAX - 128];
	struct dirent *e;
	size_t before = io->n;
	int rc = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/task", dir);
	d = opendir(path);
	if (!d) {
		return errno == ENOENT ? -ESRCH : -errno;
	}
	while (rc == 0 && (e = readdir(d)) != NULL) {
		t->tid = (pid_t)atoi(e->d_name);
		if (t->tid > 0) {
			(void)snprintf(path, sizeof(path), "%s/task/%d", dir, (int)t->tid);
			rc = add_thread(proc, path, t, io);
			rc = rc == -ENOENT || rc == -ESRCH ? 0 : rc; /* that thread just ended */
		}
	}
	(void)closedir(d); /* was only read */
	return rc == 0 && io->n == before ? -ESRCH : rc;
}

int cage_read(const char *proc, const char *role, pid_t pid, struct cage *io, struct vr_err *err)
{
	struct cage_thread t = {.role = role, .pid = pid};
	char dir[PATH_MAX - 256];
	int rc;

	(void)snprintf(dir, sizeof(dir), "%s/%d", proc, (int)pid);
	t.mounts = count_mounts(dir);
	t.fds = count_fds(dir);
	rc = read_threads(proc, dir, &t, io);
	return rc < 0 ? vr_err_sys(err, rc, "look at the %s process %d", role, (int)pid) : 0;
}

void cage_finish(struct cage *c)
{
	free(c->v);
	*c = (struct cage){0};
}

/* ---- output ------------------------------------------------------------------------------- */

static const char *caps_text(uint64_t caps, char *buf, size_t cap)
{
	size_t used = 0;

	if (caps == 0) {
		return "none";
	}
	if ((size_t)__builtin_popcountll(caps) > CAPS_NAMED) {
		(void)snprintf(buf, cap, "%d of them", __builtin_popcountll(caps));
		return buf;
	}
	buf[0] = '\0';
	for (int i = 0; i < 64; i++) {
		const char *name = oci_name_of(oci_cap_names, i);

		if (caps >> i & 1 && used < cap) {
			used += (size_t)snprintf(buf + used, cap - used, "%s%s",
						 used > 0 ? "," : "", name ? name + 4 : "?");
		}
	}
	for (char *p = buf; *p; p++) {
		*p = (char)tolower((unsigned char)*p);
	}
	return buf;
}

static void ns_text(uint32_t own, char *buf, size_t cap)
{
	size_t used = 0;

	(void)snprintf(buf, cap, "none");
	for (unsigned i = 0; i < CAGE_NS_COUNT; i++) {
		if (own & 1u << i) {
			used += (size_t)snprintf(buf + used, cap - used, "%s%s",
						 used > 0 ? "," : "", ns_names[i]);
		}
	}
}

static const char *seccomp_text(const struct cage_thread *t, char *buf, size_t cap)
{
	if (t->seccomp != 2) {
		return t->seccomp == 0 ? "none" : "strict";
	}
	if (t->filters < 0) {
		return "filters";
	}
	(void)snprintf(buf, cap, "%d filter%s", t->filters, t->filters == 1 ? "" : "s");
	return buf;
}

static void text_row(FILE *f, const struct cage_thread *t)
{
	char caps[256], bounding[256], own[64], seccomp[32];

	ns_text(t->own, own, sizeof(own));
	(void)fprintf(f, "%-5s %-15s %8d %6u %-3s %-10s %6d %4d  %s\n", t->role, t->name,
		      (int)t->tid, t->uid, t->no_new_privs ? "yes" : "no",
		      seccomp_text(t, seccomp, sizeof(seccomp)), t->mounts, t->fds, own);
	if (t->caps != 0 || t->bounding != 0) {
		(void)fprintf(f, "      capabilities: %s; bounding: %s\n",
			      caps_text(t->caps, caps, sizeof(caps)),
			      caps_text(t->bounding, bounding, sizeof(bounding)));
	}
}

char *cage_text(const struct cage *c, int landlock_abi)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f) {
		return NULL;
	}
	(void)fprintf(f, "%-5s %-15s %8s %6s %-3s %-10s %6s %4s  %s\n", "ROLE", "THREAD", "TID",
		      "UID", "NNP", "SECCOMP", "MOUNTS", "FDS", "NAMESPACES OF ITS OWN");
	for (size_t i = 0; i < c->n; i++) {
		text_row(f, &c->v[i]);
	}
	(void)fprintf(f, "\nNNP: no_new_privs. A thread without a line of its own for them has no "
			 "capabilities at all.\n");
	if (landlock_abi > 0) {
		(void)fprintf(
			f,
			"Landlock: this kernel has version %d. It doesn't show whom that holds; "
			"a role takes it on its way into its cage, or ends.\n",
			landlock_abi);
	} else {
		(void)fprintf(f, "Landlock: this host's kernel has none.\n");
	}
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void gen_caps(struct json_gen *g, const char *key, uint64_t caps)
{
	json_gen_key(g, key);
	json_gen_array_open(g);
	for (int i = 0; i < 64; i++) {
		const char *name = oci_name_of(oci_cap_names, i);

		if (caps >> i & 1) {
			json_gen_str(g, name ? name : "?");
		}
	}
	json_gen_array_close(g);
}

static void gen_thread(struct json_gen *g, const struct cage_thread *t)
{
	static const char *const modes[] = {"none", "strict", "filter"};

	json_gen_object_open(g);
	json_gen_kv_str(g, "role", t->role);
	json_gen_kv_str(g, "name", t->name);
	json_gen_kv_i64(g, "pid", t->pid);
	json_gen_kv_i64(g, "tid", t->tid);
	json_gen_kv_u64(g, "uid", t->uid);
	json_gen_kv_u64(g, "gid", t->gid);
	gen_caps(g, "capabilities", t->caps);
	gen_caps(g, "bounding", t->bounding);
	json_gen_kv_bool(g, "noNewPrivs", t->no_new_privs);
	json_gen_kv_str(g, "seccomp", t->seccomp < VR_ARRAY_SIZE(modes) ? modes[t->seccomp] : "?");
	json_gen_kv_i64(g, "seccompFilters", t->filters);
	json_gen_kv_i64(g, "mounts", t->mounts);
	json_gen_kv_i64(g, "fds", t->fds);
	json_gen_key(g, "namespaces");
	json_gen_array_open(g);
	for (unsigned i = 0; i < CAGE_NS_COUNT; i++) {
		if (t->own & 1u << i) {
			json_gen_str(g, ns_names[i]);
		}
	}
	json_gen_array_close(g);
	json_gen_object_close(g);
}

char *cage_json(const struct cage *c, int landlock_abi)
{
	struct json_gen *g = json_gen_create(true);
	const char *text;
	char *copy;

	json_gen_object_open(g);
	json_gen_kv_i64(g, "landlockAbi", landlock_abi);
	json_gen_key(g, "threads");
	json_gen_array_open(g);
	for (size_t i = 0; i < c->n; i++) {
		gen_thread(g, &c->v[i]);
	}
	json_gen_array_close(g);
	json_gen_object_close(g);
	text = json_gen_finish(g, NULL);
	copy = text ? strdup(text) : NULL;
	json_gen_destroy(g);
	return copy;
}
