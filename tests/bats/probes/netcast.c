/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netcast.c - both ends of a conversation that begins with a datagram to a group
 *
 *   netcast serve PORT GROUP%DEVICE...   join; what is sent to a group goes back to its sender, until killed
 *   netcast ask PORT GROUP%DEVICE N      N datagrams to the group, each answered by a member elsewhere
 *
 * IPv4 and IPv6. A member's socket is bound to the group: it hears nothing that is sent to its host alone.
 * Own datagrams don't loop back; lost ones are sent again. Exit status 0: all were answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE	   1200u
#define RESEND_MS  2000
#define TRIES	   8
#define GROUPS_MAX 8

static void die(const char *what, const char *whose)
{
	fprintf(stderr, "netcast: %s %s: %s\n", what, whose, strerror(errno));
	exit(1);
}

static void set(int fd, int level, int option, const void *value, socklen_t len, const char *group)
{
	if (setsockopt(fd, level, option, value, len) < 0) {
		die("setsockopt", group);
	}
}

/** struct group - @v4 is valid if @family says so, @v6 likewise */
struct group {
	int family;
	int device;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static struct group group_of(const char *text, const char *port)
{
	struct group g = {
		.v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))},
		.v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))},
	};
	const char *device = strchr(text, '%');
	char address[INET6_ADDRSTRLEN];

	if (!device || (g.device = (int)if_nametoindex(device + 1)) == 0) {
		errno = ENODEV;
		die("group", text);
	}
	snprintf(address, sizeof(address), "%.*s", (int)(device - text), text);
	g.v6.sin6_scope_id = (uint32_t)g.device;
	if (inet_pton(AF_INET, address, &g.v4.sin_addr) == 1) {
		g.family = AF_INET;
	} else if (inet_pton(AF_INET6, address, &g.v6.sin6_addr) == 1) {
		g.family = AF_INET6;
	} else {
		errno = EINVAL;
		die("group", text);
	}
	return g;
}

static const struct sockaddr *address_of(const struct group *g, socklen_t *len)
{
	*len = g->family == AF_INET ? sizeof(g->v4) : sizeof(g->v6);
	return g->family == AF_INET ? (const void *)&g->v4 : (const void *)&g->v6;
}

static int open_socket(const struct group *g, const char *text)
{
	int fd = socket(g->family, SOCK_DGRAM, 0);

	if (fd < 0) {
		die("socket", text);
	}
	return fd;
}

/* Return: a socket that hears what is sent to the group by its device. */
static int join(const struct group *g, const char *text)
{
	struct ipv6_mreq m6 = {g->v6.sin6_addr, (unsigned)g->device};
	struct ip_mreqn m4 = {.imr_multiaddr = g->v4.sin_addr, .imr_ifindex = g->device};
	int fd = open_socket(g, text);
	const struct sockaddr *a;
	socklen_t len;

	a = address_of(g, &len);
	if (bind(fd, a, len) < 0) {
		die("bind", text);
	}
	if (g->family == AF_INET) {
		set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m4, sizeof(m4), text);
	} else {
		set(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m6, sizeof(m6), text);
	}
	return fd;
}

static void answer(int fd)
{
	static uint8_t buf[65536];
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);

	if (n >= 0) {
		(void)!sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
}

static void serve(const char *port, char **groups, int n) __attribute__((noreturn));
static void serve(const char *port, char **groups, int n)
{
	struct pollfd fds[GROUPS_MAX];

	for (int i = 0; i < n; i++) {
		struct group g = group_of(groups[i], port);

		fds[i] = (struct pollfd){.fd = join(&g, groups[i]), .events = POLLIN};
	}
	for (;;) {
		if (poll(fds, (nfds_t)n, -1) < 0) {
			die("poll", port);
		}
		for (int i = 0; i < n; i++) {
			if (fds[i].revents) {
				answer(fds[i].fd);
			}
		}
	}
}

static int asker(const struct group *g, const char *text)
{
	struct ip_mreqn m4 = {.imr_ifindex = g->device};
	int fd = open_socket(g, text);
	int zero = 0;

	if (g->family == AF_INET) {
		set(fd, IPPROTO_IP, IP_MULTICAST_IF, &m4, sizeof(m4), text);
		set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &zero, sizeof(zero), text);
	} else {
		set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &g->device, sizeof(g->device), text);
		set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &zero, sizeof(zero), text);
	}
	return fd;
}

/* Return: 0 once the datagram has come back. */
static int ask_once(int fd, const struct group *g, const uint8_t *out, const char *text)
{
	static uint8_t in[65536];
	const struct sockaddr *to;
	socklen_t len;

	to = address_of(g, &len);
	for (int t = 0; t < TRIES; t++) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (sendto(fd, out, SIZE, 0, to, len) < 0) {
			die("send to", text);
		}
		while (poll(&p, 1, RESEND_MS) > 0) {
			if (recv(fd, in, sizeof(in), 0) == SIZE && memcmp(in, out, SIZE) == 0) {
				return 0;
			}
		}
	}
	return -1;
}

static int ask(const char *port, const char *text, unsigned n)
{
	struct group g = group_of(text, port);
	int fd = asker(&g, text);
	uint8_t out[SIZE];

	for (unsigned i = 0; i < n; i++) {
		memset(out, (int)('a' + i % 26), sizeof(out));
		if (ask_once(fd, &g, out, text) < 0) {
			fprintf(stderr, "netcast: no member of %s answers\n", text);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && argc <= 3 + GROUPS_MAX && !strcmp(argv[1], "serve")) {
		serve(argv[2], argv + 3, argc - 3);
	}
	if (argc == 5 && !strcmp(argv[1], "ask")) {
		return ask(argv[2], argv[3], (unsigned)atoi(argv[4]));
	}
	fprintf(stderr, "usage: see the first lines of netcast.c\n");
	return 2;
}
