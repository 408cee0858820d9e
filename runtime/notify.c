/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - sd_notify(3) for containers; see notify.h */
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/log.h"
#include "base/utf8.h"

#define OWN_DEST "/run/notify/notify.sock"

static int connect_at(const struct sockaddr_un *sa, int len)
{
	vr_autoclose int fd = -1;

	if (len < 0 || (size_t)len >= sizeof(sa->sun_path)) {
		return -ENAMETOOLONG;
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (const struct sockaddr *)sa,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len)) < 0) {
		return -errno; /* also without the socket */
	}
	return vr_take_fd(&fd);
}

/* By a descriptor, which is closed: engines have longer paths than an address can hold. */
static int connect_to(int place)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int rc;

	if (place < 0) {
		return place;
	}
	rc = connect_at(&sa, snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d", place));
	(void)close(place);
	return rc;
}

/* Where the runtime's caller says, who may name anything. */
static int connect_own(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int place;
	int len;

	if (path[0] == '@') { /* abstract, as sd_notify(3) writes it */
		len = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
		sa.sun_path[0] = '\0';
		return connect_at(&sa, len);
	}
	place = open(path, O_PATH | O_CLOEXEC);
	return connect_to(place < 0 ? -errno : place);
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

/*
 * @rest of a path beneath @source, the host's side of a bind. An image can say NOTIFY_SOCKET, and a
 * container can fill its volume: no "..", no links, or it would choose among the host's sockets.
 */
static int open_beneath(const char *source, const char *rest)
{
	vr_autoclose int dir = open(source, O_PATH | O_CLOEXEC);

	if (dir < 0) {
		return -errno;
	}
	rest += strspn(rest, "/");
	return *rest == '\0'
		       ? vr_take_fd(&dir)
		       : vr_openat2(dir, rest, O_PATH, 0,
				    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

/* What is at @dest in the container, if a bind covers it; the last that does counts. */
static int open_in_bind(const struct oci_spec *spec, const char *dest)
{
	const struct oci_mount *bind = NULL;

	OCI_FOREACH(m, &spec->mounts)
	{
		size_t len = strlen(m->destination);

		if (strncmp(dest, m->destination, len) == 0 &&
		    (dest[len] == '/' || dest[len] == '\0')) {
			bind = m;
		}
	}
	if (!bind || !bind->opt.bind || !bind->source) {
		return -ENOENT;
	}
	return open_beneath(bind->source, dest + strlen(bind->destination));
}

void notify_find(const struct oci_spec *spec, struct notify *out)
{
	const char *own = getenv("NOTIFY_SOCKET");

	*out = (struct notify){.fd = -1};
	if (!spec->process) {
		return;
	}
	out->dest = wanted(spec->process);
	if (out->dest) {
		out->fd = connect_to(open_in_bind(spec, out->dest));
	} else if (own) {
		out->dest = OWN_DEST;
		out->fd = connect_own(own);
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
