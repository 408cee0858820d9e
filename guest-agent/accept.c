/* SPDX-License-Identifier: Apache-2.0 */
/* accept.c - connections to listening sockets of the host; see accept.h */
#include "accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "self.h"
#include "sys.h"

#define BACKLOG 128

/** struct link - free when its stream isn't open; @gen: how often it was used */
struct link {
	uint16_t gen;
	uint32_t proc;
	struct stream stream;
};

static struct link links[AP_MAX_ACCEPTED];
static size_t used; /* all beyond it have never been */

union address {
	struct sockaddr any;
	struct sockaddr_un un;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Where the process's socket is. Return: length */
static socklen_t address_of(uint32_t kind, uint32_t proc, uint32_t stream, union address *out)
{
	uint16_t port = htons(AP_FD_PORT(kind));
	/* one of its own: on the host the same port may have listened on other addresses. IPv6 has one alone: there
	 * it is mapped. */
	uint32_t loopback =
		htonl(127u << 24 | stream << 20 | self_number() << 17 | (proc & 0x1ffff));

	memset(out, 0, sizeof(*out));
	switch (AP_FD_FAMILY(kind)) {
	case 4:
		out->in = (struct sockaddr_in){
			.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = loopback};
		return sizeof(out->in);
	case 6:
		out->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
						 .sin6_port = port,
						 .sin6_addr.s6_addr[10] = 0xff,
						 .sin6_addr.s6_addr[11] = 0xff};
		memcpy(&out->in6.sin6_addr.s6_addr[12], &loopback, sizeof(loopback));
		return sizeof(out->in6);
	default:
		out->un.sun_family = AF_UNIX; /* a name that begins with NUL is in no directory */
		return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1) +
		       (socklen_t)snprintf(out->un.sun_path + 1, sizeof(out->un.sun_path) - 1,
					   AP_FD_SOCKET_NAME, self_number(), proc, stream);
	}
}

/* IPv6 sockets take mapped addresses, whatever bindv6only says. */
static int socket_for(int family, int flags)
{
	const int off = 0;
	int fd = sys_rc(socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));

	if (fd >= 0 && family == AF_INET6) { /* what fails then is using it */
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	}
	return fd;
}

int accept_listen(uint32_t kind, uint32_t proc, uint32_t stream)
{
	const int one = 1;
	union address at;
	socklen_t len = address_of(kind, proc, stream, &at);
	int fd = socket_for(at.any.sa_family, 0);
	int rc;

	if (fd < 0) {
		return fd;
	}
	/* only speed up binding a port again; without it a second container start would wait */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	rc = sys_rc(bind(fd, &at.any, len));
	rc = rc < 0 ? rc : sys_rc(listen(fd, BACKLOG));
	if (rc < 0) {
		sys_close(&fd);
		return rc;
	}
	return fd;
}

static struct link *link_take(void)
{
	for (size_t i = 0; i < used; i++) {
		if (!stream_is_open(&links[i].stream)) {
			return &links[i];
		}
	}
	return used < AP_MAX_ACCEPTED ? &links[used++] : NULL;
}

/* Connecting on the same machine is done when it returns, or there is no room in the queue. */
static int dial_process(uint32_t kind, const struct ap_accept *m)
{
	union address at;
	socklen_t len = address_of(kind, m->proc, m->stream, &at);
	int fd = socket_for(at.any.sa_family, SOCK_NONBLOCK);
	int rc = fd < 0 ? fd : sys_rc(connect(fd, &at.any, len));

	if (rc < 0 && rc != -EINPROGRESS) {
		sys_close(&fd);
		return rc;
	}
	return fd;
}

int accept_connect(struct agent *a, const struct ap_accept *m, uint32_t kind, struct fail *f)
{
	struct link *k = link_take();
	int guest, host, rc;
	uint32_t slot;

	if (!k) {
		return fail_kind(f, AP_FAIL_LIMIT, "accept", -EAGAIN, "more than %u connections",
				 AP_MAX_ACCEPTED);
	}
	slot = (uint32_t)(k - links);
	guest = dial_process(kind, m);
	if (guest < 0) {
		return fail_set(f, "accept", guest, "connect to process %u", m->proc);
	}
	host = agent_dial(m->port);
	if (host < 0) {
		sys_close(&guest);
		return fail_set(f, "accept", host, "connect to the host");
	}
	k->gen++;
	k->proc = m->proc;
	rc = stream_open(&k->stream, a->ep, guest, ref_make(REF_LINK_GUEST, slot, k->gen, 0), host,
			 ref_make(REF_LINK_HOST, slot, k->gen, 0), STREAM_SOCKET);
	return rc < 0 ? fail_set(f, "accept", rc, "pass a connection on") : 0;
}

void accept_event(uint64_t ref, uint32_t events)
{
	uint32_t slot = (uint32_t)ref;

	if (slot < used && links[slot].gen == (uint16_t)(ref >> 32)) {
		stream_event(&links[slot].stream, ref >> 56 == REF_LINK_HOST, events);
	}
}

void accept_finish(uint32_t proc)
{
	for (size_t i = 0; i < used; i++) {
		if (links[i].proc == proc) {
			stream_finish(&links[i].stream);
		}
	}
}
