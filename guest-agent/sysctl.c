/* SPDX-License-Identifier: Apache-2.0 */
/* sysctl.c - kernel parameters; see sysctl.h */
#include "sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sys.h"

int sysctl_path(const char *key, char *out, size_t cap)
{
	bool slashes = strchr(key, '/') != NULL;
	size_t len = strlen(key);

	if (len == 0 || len >= cap || key[0] == '/' || key[0] == '.' || strstr(key, "..")) {
		return -EINVAL;
	}
	for (size_t i = 0; i <= len; i++) {
		out[i] = key[i] == '.' && !slashes ? '/' : key[i];
	}
	return 0;
}

bool sysctl_is_namespaced(const char *path, uint32_t ns)
{
	static const char *const ipc[] = {"kernel/msg", "kernel/sem", "kernel/shm", "fs/mqueue/",
					  "kernel/auto_msgmni"};

	if (ns & AP_NS_IPC) {
		for (size_t i = 0; i < sizeof(ipc) / sizeof(ipc[0]); i++) {
			if (strncmp(path, ipc[i], strlen(ipc[i])) == 0) {
				return true;
			}
		}
	}
	if ((ns & AP_NS_USER) && strncmp(path, "net/", 4) == 0) {
		return true; /* with a user namespace comes a network namespace */
	}
	return (ns & AP_NS_UTS) &&
	       (strcmp(path, "kernel/domainname") == 0 || strcmp(path, "kernel/hostname") == 0);
}

static int write_one(const char *path, const char *value)
{
	int dir = sys_rc(open("/proc/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int fd;
	int rc;

	if (dir < 0) {
		return dir;
	}
	fd = sys_openat2(dir, path, O_WRONLY, VA_RESOLVE_BENEATH | VA_RESOLVE_NO_SYMLINKS);
	close(dir);
	if (fd < 0) {
		return fd;
	}
	rc = sys_rc(write(fd, value, strlen(value)));
	close(fd);
	return rc < 0 ? rc : 0;
}

/* Another kernel's: what this one doesn't have, or take, it does without. */
static void apply_network(const struct ap_container *c, bool namespaced)
{
	for (uint32_t i = 0; i < c->n_net_sysctls; i++) {
		const struct ap_kv *kv = &c->net_sysctls[i];
		char path[256];

		if (sysctl_path(kv->key, path, sizeof(path)) == 0 &&
		    sysctl_is_namespaced(path, c->namespaces) == namespaced) {
			(void)write_one(path, kv->value);
		}
	}
}

int sysctl_apply(const struct ap_container *c, bool namespaced, struct fail *f)
{
	apply_network(c, namespaced);
	for (uint32_t i = 0; i < c->n_sysctls; i++) {
		const struct ap_kv *kv = &c->sysctls[i];
		char path[256];
		int rc = sysctl_path(kv->key, path, sizeof(path));

		if (rc == 0 && sysctl_is_namespaced(path, c->namespaces) != namespaced) {
			continue;
		}
		rc = rc ? rc : write_one(path, kv->value);
		if (rc) {
			return fail_set(f, "sysctl", rc, "write sysctl %s = %s", kv->key,
					kv->value);
		}
	}
	return 0;
}
