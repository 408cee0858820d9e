/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.c - the container's cgroup v2 in the guest; see cgroup.h */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layout.h"
#include "self.h"
#include "sys.h"

#define FREEZE_WAIT_MS 1000
#define LOOK_AGAIN_MS  100
#define MAX_DEPTH      64 /* of a container's own cgroups, to be removed */

void cgroup_enable(void)
{
	static const char *const controllers[] = {"+cpuset", "+cpu",  "+io",
						  "+memory", "+pids", "+hugetlb"};

	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
		/* one by one: a controller the kernel lacks must not cost the others */
		(void)sys_write_file(-1, LAYOUT_CGROUP "/cgroup.subtree_control", controllers[i]);
	}
}

/* --- limits -------------------------------------------------------------------------------- */

static int set_file(const struct cgroup *cg, const char *file, const char *value, struct fail *f)
{
	int rc = sys_write_file(cg->dir, file, value);

	return rc ? fail_set(f, "cgroup", rc, "write '%s' to %s", value, file) : 0;
}

/* A limit: nothing when unset, "max" when there is to be none. */
static int set_limit(const struct cgroup *cg, const char *file, int64_t v, struct fail *f)
{
	char text[32];

	if (v == AP_UNSET) {
		return 0;
	}
	if (v < 0) {
		return set_file(cg, file, "max", f);
	}
	snprintf(text, sizeof(text), "%" PRId64, v);
	return set_file(cg, file, text, f);
}

static int set_cpu_max(const struct cgroup *cg, const struct ap_resources *r, struct fail *f)
{
	char text[64];
	char quota[24] = "max";

	if (r->cpu_quota_us == AP_UNSET && r->cpu_period_us == AP_UNSET) {
		return 0;
	}
	if (r->cpu_quota_us == AP_UNSET) {
		/* only a new period: keep the quota there is */
		int n = sys_read_file(cg->dir, "cpu.max", text, sizeof(text));

		if (n > 0) {
			text[strcspn(text, " \n")] = '\0';
			snprintf(quota, sizeof(quota), "%.20s", text);
		}
	} else if (r->cpu_quota_us > 0) {
		snprintf(quota, sizeof(quota), "%" PRId64, r->cpu_quota_us);
	}
	if (r->cpu_period_us > 0) {
		snprintf(text, sizeof(text), "%s %" PRId64, quota, r->cpu_period_us);
	} else {
		snprintf(text, sizeof(text), "%s", quota);
	}
	return set_file(cg, "cpu.max", text, f);
}

static void io_figure(char *text, size_t cap, const char *name, uint64_t v)
{
	size_t len = strlen(text);

	if (v == AP_STAT_NONE) {
		snprintf(text + len, cap - len, " %s=max", name);
	} else {
		snprintf(text + len, cap - len, " %s=%" PRIu64, name, v);
	}
}

static int set_io(const struct cgroup *cg, const struct ap_resources *r, struct fail *f)
{
	int rc = 0;

	for (uint32_t i = 0; i < r->n_io && rc == 0; i++) {
		const struct ap_io_max *io = &r->io[i];
		char text[192];

		snprintf(text, sizeof(text), "%u:%u", io->major, io->minor);
		io_figure(text, sizeof(text), "rbps", io->rbps);
		io_figure(text, sizeof(text), "wbps", io->wbps);
		io_figure(text, sizeof(text), "riops", io->riops);
		io_figure(text, sizeof(text), "wiops", io->wiops);
		rc = set_file(cg, "io.max", text, f);
	}
	/* the weight needs an I/O scheduler the guest has none of; without the file, no effect */
	if (rc == 0 && r->io_weight != AP_UNSET && faccessat(cg->dir, "io.weight", W_OK, 0) == 0) {
		rc = set_limit(cg, "io.weight", r->io_weight, f);
	}
	return rc;
}

static int set_unified(const struct cgroup *cg, const struct ap_resources *r, struct fail *f)
{
	int rc = 0;

	for (uint32_t i = 0; i < r->n_unified && rc == 0; i++) {
		const struct ap_kv *kv = &r->unified[i];

		if (strchr(kv->key, '/') || kv->key[0] == '.') {
			return fail_set(f, "cgroup", -EINVAL, "unified resource '%s'", kv->key);
		}
		if (strcmp(kv->key, "memory.swap.max") == 0 &&
		    faccessat(cg->dir, kv->key, F_OK, 0) < 0) {
			continue; /* as set_memory(): without swap there is none to limit */
		}
		rc = set_file(cg, kv->key, kv->value, f);
	}
	return rc;
}

/* Lowering a limit below what is used must not fail for the order in which two are written. */
static int set_memory(const struct cgroup *cg, const struct ap_resources *r, struct fail *f)
{
	int rc = set_limit(cg, "memory.max", r->memory_max, f);

	if (rc == 0 && faccessat(cg->dir, "memory.swap.max", W_OK, 0) == 0) {
		rc = set_limit(cg, "memory.swap.max", r->memory_swap_max, f);
	}
	rc = rc ? rc : set_limit(cg, "memory.low", r->memory_low, f);
	return rc ? rc : set_limit(cg, "memory.high", r->memory_high, f);
}

int cgroup_update(const struct cgroup *cg, const struct ap_resources *r, struct fail *f)
{
	int rc;

	if (cg->dir < 0) {
		return 0;
	}
	rc = set_memory(cg, r, f);
	rc = rc ? rc : set_cpu_max(cg, r, f);
	rc = rc ? rc : set_limit(cg, "cpu.max.burst", r->cpu_burst_us, f);
	rc = rc ? rc : set_limit(cg, "cpu.idle", r->cpu_idle, f);
	/* an idle group has no weight to set */
	rc = rc || r->cpu_idle > 0 ? rc : set_limit(cg, "cpu.weight", r->cpu_weight, f);
	rc = rc ? rc : set_limit(cg, "pids.max", r->pids_max, f);
	rc = rc || !r->cpus ? rc : set_file(cg, "cpuset.cpus", r->cpus, f);
	rc = rc || !r->mems ? rc : set_file(cg, "cpuset.mems", r->mems, f);
	rc = rc ? rc : set_io(cg, r, f);
	return rc ? rc : set_unified(cg, r, f);
}

/* --- the leaf ------------------------------------------------------------------------------ */

/* Inside a user namespace the container's root owns its own group, as delegation asks for. */
static int delegate(const struct cgroup *cg, const struct ap_container *c)
{
	static const char *const files[] = {".", "cgroup.procs", "cgroup.threads",
					    "cgroup.subtree_control", "memory.oom.group"};
	uint32_t uid = UINT32_MAX;
	uint32_t gid = UINT32_MAX;

	for (uint32_t i = 0; i < c->n_uidmaps; i++) {
		uid = c->uidmaps[i].inside == 0 ? c->uidmaps[i].outside : uid;
	}
	for (uint32_t i = 0; i < c->n_gidmaps; i++) {
		gid = c->gidmaps[i].inside == 0 ? c->gidmaps[i].outside : gid;
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (fchownat(cg->dir, files[i], uid, gid, 0) < 0 && errno != ENOENT) {
			return -errno;
		}
	}
	return 0;
}

int cgroup_create(struct cgroup *cg, const struct ap_container *c, struct fail *f)
{
	char path[64];
	int rc;

	cg->dir = -1;
	if (access(LAYOUT_CGROUP "/cgroup.procs", F_OK) < 0) {
		return 0;
	}
	if (self_number() != 0) {
		/* what another one with that number left behind: limits, or even processes */
		rc = cgroup_clear(self_number());
		if (rc) {
			return fail_set(f, "cgroup", rc, "remove the cgroup of a former container");
		}
	}
	snprintf(path, sizeof(path), LAYOUT_CGROUP "/%s", self_cgroup());
	if (mkdir(path, 0755) < 0 && errno != EEXIST) {
		return fail_set(f, "cgroup", -errno, "create cgroup");
	}
	cg->dir = sys_rc(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (cg->dir < 0) {
		rc = cg->dir;
		cg->dir = -1;
		return fail_set(f, "cgroup", rc, "open cgroup");
	}
	if (c->namespaces & AP_NS_USER) {
		rc = delegate(cg, c);
		if (rc) {
			return fail_set(f, "cgroup", rc, "delegate cgroup");
		}
	}
	return cgroup_update(cg, &c->resources, f);
}

static int remove_dir(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	return type == FTW_DP && rmdir(path) < 0 ? errno : 0;
}

int cgroup_clear(uint32_t number)
{
	char path[64];
	int dir, rc;

	snprintf(path, sizeof(path), LAYOUT_CGROUP "/" LAYOUT_MEMBER_FMT, number);
	dir = sys_rc(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (dir < 0) {
		return dir == -ENOENT ? 0 : dir;
	}
	(void)sys_write_file(dir, "cgroup.kill", "1");
	close(dir);
	rc = nftw(path, remove_dir, MAX_DEPTH, FTW_DEPTH | FTW_PHYS);
	return rc < 0 ? -errno : -rc;
}

bool cgroup_is_ours(const char *text)
{
	const char *path = strstr(text, "0::/");
	size_t len = strlen(self_cgroup());

	return path && strncmp(path + 4, self_cgroup(), len) == 0 &&
	       (path[4 + len] == '\n' || path[4 + len] == '/');
}

/* --- control ------------------------------------------------------------------------------- */

/* cgroup.events changes are announced by POLLPRI on an open file. */
static int wait_event(const struct cgroup *cg, const char *key, uint64_t want, unsigned ms)
{
	int fd = sys_rc(openat(cg->dir, "cgroup.events", O_RDONLY | O_CLOEXEC));
	uint64_t deadline = sys_now_ns() + ms * UINT64_C(1000000);
	int rc;

	if (fd < 0) {
		return fd;
	}
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLPRI};
		char text[128];
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		text[n > 0 ? n : 0] = '\0';
		rc = cgroup_key(text, key) == want ? 0 : -ETIMEDOUT;
		if (rc == 0 || sys_now_ns() >= deadline) {
			break;
		}
		(void)poll(&p, 1, LOOK_AGAIN_MS); /* time-out: look again */
	}
	close(fd);
	return rc;
}

int cgroup_freeze(const struct cgroup *cg, bool freeze, struct fail *f)
{
	int rc;

	if (cg->dir < 0) {
		return fail_set(f, "freeze", -EOPNOTSUPP, "freeze");
	}
	rc = set_file(cg, "cgroup.freeze", freeze ? "1" : "0", f);
	if (rc) {
		return rc;
	}
	rc = wait_event(cg, "frozen", freeze ? 1 : 0, FREEZE_WAIT_MS);
	if (rc && freeze) {
		(void)sys_write_file(cg->dir, "cgroup.freeze", "0"); /* not half-frozen, then */
	}
	return rc ? fail_set(f, "freeze", rc, freeze ? "freeze" : "thaw") : 0;
}

int cgroup_wait_empty(const struct cgroup *cg, unsigned ms)
{
	return cg->dir < 0 ? 0 : wait_event(cg, "populated", 0, ms);
}

int cgroup_kill(const struct cgroup *cg)
{
	return cg->dir < 0 ? 0 : sys_write_file(cg->dir, "cgroup.kill", "1");
}

static int signal_procs(int dir, int signo)
{
	int fd = sys_rc(openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC));
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char line[32];
	int n = 0;

	if (!f) {
		return fd < 0 ? fd : -ENOMEM;
	}
	while (fgets(line, sizeof(line), f)) {
		int pid = atoi(line);

		/* 0 would be a process outside of our view, and our whole group for kill(2) */
		if (pid > 1 && kill(pid, signo) == 0) {
			n++;
		}
	}
	fclose(f);
	return n;
}

int cgroup_signal(const struct cgroup *cg, int signo)
{
	if (cg->dir < 0) {
		return -EOPNOTSUPP;
	}
	if (signo == SIGKILL) {
		return cgroup_kill(cg);
	}
	return signal_procs(cg->dir, signo);
}

/* --- figures ------------------------------------------------------------------------------- */

uint64_t cgroup_key(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		if (strncmp(p, key, len) == 0 && p[len] == ' ') {
			return strtoull(p + len + 1, NULL, 10);
		}
	}
	return AP_STAT_NONE;
}

uint64_t cgroup_oom_kills(const struct cgroup *cg)
{
	char text[512];
	uint64_t v;

	if (cg->dir < 0 || sys_read_file(cg->dir, "memory.events", text, sizeof(text)) < 0) {
		return 0;
	}
	v = cgroup_key(text, "oom_kill");
	return v == AP_STAT_NONE ? 0 : v;
}

static uint64_t figure(const struct cgroup *cg, const char *file)
{
	char text[64];

	if (sys_read_file(cg->dir, file, text, sizeof(text)) <= 0 || text[0] < '0' ||
	    text[0] > '9') {
		return AP_STAT_NONE;
	}
	return strtoull(text, NULL, 10);
}

static void keyed_figures(const struct cgroup *cg, const char *file, const char *const *keys,
			  uint64_t *out, size_t n)
{
	char text[1024];

	if (sys_read_file(cg->dir, file, text, sizeof(text)) < 0) {
		return;
	}
	for (size_t i = 0; i < n; i++) {
		out[i] = cgroup_key(text, keys[i]);
	}
}

/* io.stat: "254:0 rbytes=1 wbytes=2 rios=3 wios=4 ..."; one sum over all devices. */
static void io_figures(const struct cgroup *cg, uint64_t out[4])
{
	static const char *const keys[4] = {" rbytes=", " wbytes=", " rios=", " wios="};
	char text[4096];

	if (sys_read_file(cg->dir, "io.stat", text, sizeof(text)) < 0) {
		return;
	}
	for (int i = 0; i < 4; i++) {
		out[i] = 0;
		for (const char *p = text; (p = strstr(p, keys[i])); p++) {
			out[i] += strtoull(p + strlen(keys[i]), NULL, 10);
		}
	}
}

void cgroup_stats(const struct cgroup *cg, struct ap_stats *out, char *raw, size_t cap)
{
	static const char *const oom_keys[] = {"oom", "oom_kill"};
	static const char *const cpu_keys[] = {"usage_usec", "user_usec",    "system_usec",
					       "nr_periods", "nr_throttled", "throttled_usec"};

	for (size_t i = 0; i < AP_STAT_COUNT; i++) {
		out->v[i] = AP_STAT_NONE;
	}
	out->memory_stat = NULL;
	if (cg->dir < 0) {
		return;
	}
	out->v[AP_STAT_MEM_CURRENT] = figure(cg, "memory.current");
	out->v[AP_STAT_MEM_PEAK] = figure(cg, "memory.peak");
	out->v[AP_STAT_MEM_MAX] = figure(cg, "memory.max");
	out->v[AP_STAT_SWAP_CURRENT] = figure(cg, "memory.swap.current");
	out->v[AP_STAT_SWAP_MAX] = figure(cg, "memory.swap.max");
	keyed_figures(cg, "memory.events", oom_keys, &out->v[AP_STAT_MEM_OOM], 2);
	keyed_figures(cg, "cpu.stat", cpu_keys, &out->v[AP_STAT_CPU_USAGE_US], 6);
	out->v[AP_STAT_PIDS_CURRENT] = figure(cg, "pids.current");
	out->v[AP_STAT_PIDS_MAX] = figure(cg, "pids.max");
	io_figures(cg, &out->v[AP_STAT_IO_RBYTES]);
	if (sys_read_file(cg->dir, "memory.stat", raw, cap) > 0) {
		out->memory_stat = raw;
	}
}
