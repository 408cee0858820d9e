/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - sd_notify(3) for containers; see notify.h */
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/utf8.h"

#define OWN_DEST "/run/notify/notify.sock"

static int connect_to(const char *path)
{
	vr_autoclose int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	vr_autoclose int place = -1;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int len;

	if (path[0] == '@') { /* abstract, as sd_notify(3) writes it */
		len = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
		sa.sun_path[0] = '\0';
	} else { /* engines have longer paths than an address can hold */
		place = open(path, O_PATH | O_CLOEXEC);
		len = snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d", place);
	}
	if (len < 0 || (size_t)len >= sizeof(sa.sun_path)) {
		return -ENAMETOOLONG;
	}
	if (connect(fd, (struct sockaddr *)&sa,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len)) < 0) {
		return -errno; /* also without the socket, or the path */
	}
	return vr_take_fd(&fd);
}

/* NOTIFY_SOCKET of the process, NULL if it has none. */
static const char *wanted(const struct oci_process *p)
{
	for (size_t i = 0; i < p->env.n; i++) {
		if (strncmp(p->env.v[i], "NOTIFY_SOCKET=", 14) == 0) {
			return p->env.v[i] + 14;
		}
	}
	return NULL;
}

/* The host's path of what is at @dest in the container, if a bind covers it; the last counts. */
static bool host_path(const struct oci_spec *spec, const char *dest, char path[PATH_MAX])
{
	bool found = false;

	OCI_FOREACH(m, &spec->mounts)
	{
		size_t len = strlen(m->destination);
		int n;

		if (strncmp(dest, m->destination, len) != 0 ||
		    (dest[len] != '/' && dest[len] != '\0')) {
			continue;
		}
		n = m->opt.bind && m->source
			    ? snprintf(path, PATH_MAX, "%s%s", m->source, dest + len)
			    : -1;
		found = n > 0 && n < PATH_MAX;
	}
	return found;
}

void notify_find(const struct oci_spec *spec, struct notify *out)
{
	const char *own = getenv("NOTIFY_SOCKET");
	char path[PATH_MAX];

	*out = (struct notify){.fd = -1};
	if (!spec->process) {
		return;
	}
	out->dest = wanted(spec->process);
	if (out->dest && host_path(spec, out->dest, path)) {
		out->fd = connect_to(path);
	} else if (!out->dest && own) {
		out->dest = OWN_DEST;
		out->fd = connect_to(own);
		(void)snprintf(out->env, sizeof(out->env), "NOTIFY_SOCKET=" OWN_DEST);
	}
	if (out->fd < 0 && out->dest) {
		vr_debug("nobody listens at NOTIFY_SOCKET '%s'", out->dest);
		out->fd = -1;
	}
}

int notify_plan(const struct notify *n, struct ap_container *c)
{
	if (n->fd < 0) {
		return 0;
	}
	if (c->n_mounts == AP_MAX_MOUNTS) {
		return -E2BIG;
	}
	c->flags |= AP_C_NOTIFY;
	c->mounts[c->n_mounts++] = (struct ap_mount){.dest = n->dest,
						     .type = "bind",
						     .source = AP_NOTIFY_PATH,
						     .share = AP_NO_SHARE,
						     .flags = AP_M_FILE};
	return 0;
}

static bool is_permitted(const char *line, size_t len)
{
	static const char *const keys[] = {
		"READY=", "STATUS=",	"RELOADING=",	   "STOPPING=",
		"ERRNO=", "WATCHDOG=1", "MONOTONIC_USEC=", "EXTEND_TIMEOUT_USEC="};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t n = strlen(keys[i]);

		if (len >= n && memcmp(line, keys[i], n) == 0) {
			return true;
		}
	}
	return false;
}

size_t notify_filter(const char *text, char *out, size_t cap)
{
	size_t at = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		if (is_permitted(text, len) && len + 2 <= cap - at) {
			memcpy(out + at, text, len);
			out[at + len] = '\0';
			vr_utf8_tame(out + at);
			out[at + len] = '\n';
			at += len + 1;
		}
		text += len + (text[len] == '\n');
	}
	if (cap > 0) {
		out[at] = '\0';
	}
	return at;
}
