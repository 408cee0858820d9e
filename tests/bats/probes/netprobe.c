/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netprobe.c - both ends of a conversation, small and static: runs in any root file system
 *
 *   netprobe serve PORT                   TCP and UDP echo, IPv4 and IPv6, until killed
 *   netprobe activated N                  TCP echo on N listening sockets passed as systemd does
 *   netprobe tcp ADDRESS PORT BYTES       send, read back, compare
 *   netprobe udp ADDRESS PORT BYTES N     N datagrams there and back; lost ones are sent again
 *   netprobe conns ADDRESS PORT N HELD    N connections, HELD of them open at once
 *   netprobe crowd ADDRESS PORT N         N connections at once, all made before the first is used
 *   netprobe syn ADDRESS PORT N           N beginnings of connections, none of them completed
 *   netprobe flood ADDRESS PORT BYTES N   N datagrams as fast as they go
 *   netprobe clock                        print the time of day in nanoseconds, which busybox doesn't
 *
 * Exit status 0: all of it came back as it was sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK	  65536
#define PATIENCE  120000 /* ms without any progress */
#define RESEND_MS 2000
#define TRIES	  8

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void pattern(uint8_t *p, size_t n, uint64_t at)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t x = (at + i) * 2654435761u;

		p[i] = (uint8_t)(x >> 13);
	}
}

static int resolve(const char *host, const char *port, int type, struct sockaddr_storage *out,
		   socklen_t *len)
{
	struct addrinfo hints = {.ai_socktype = type};
	struct addrinfo *res;
	int fd;

	if (getaddrinfo(host, port, &hints, &res) != 0) {
		fprintf(stderr, "netprobe: can't resolve '%s'\n", host);
		exit(1);
	}
	memcpy(out, res->ai_addr, res->ai_addrlen);
	*len = res->ai_addrlen;
	fd = socket(res->ai_family, type, 0);
	freeaddrinfo(res);
	if (fd < 0) {
		die("socket");
	}
	return fd;
}

static int dial(const char *host, const char *port, int type)
{
	struct sockaddr_storage to;
	socklen_t len;
	int fd = resolve(host, port, type, &to, &len);

	if (connect(fd, (struct sockaddr *)&to, len) < 0) {
		die("connect");
	}
	return fd;
}

static void wait_ready(int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	if (poll(&p, 1, ms) <= 0) {
		fprintf(stderr, "netprobe: nothing happens\n");
		exit(1);
	}
}

static int do_tcp(const char *host, const char *port, uint64_t bytes)
{
	static uint8_t out[CHUNK], in[CHUNK], want[CHUNK];
	int fd = dial(host, port, SOCK_STREAM);
	uint64_t sent = 0, got = 0;

	while (got < bytes) {
		struct pollfd p = {.fd = fd, .events = POLLIN | (sent < bytes ? POLLOUT : 0)};
		ssize_t n;

		if (poll(&p, 1, PATIENCE) <= 0) {
			fprintf(stderr, "netprobe: stuck at %llu of %llu\n",
				(unsigned long long)got, (unsigned long long)bytes);
			return 1;
		}
		if (p.revents & POLLOUT) {
			size_t len = bytes - sent < CHUNK ? (size_t)(bytes - sent) : CHUNK;

			pattern(out, len, sent);
			n = send(fd, out, len, MSG_DONTWAIT | MSG_NOSIGNAL);
			if (n < 0 && errno != EAGAIN) {
				die("send");
			}
			sent += n > 0 ? (uint64_t)n : 0;
		}
		if (p.revents & (POLLIN | POLLHUP | POLLERR)) {
			n = recv(fd, in, sizeof(in), MSG_DONTWAIT);
			if (n == 0 || (n < 0 && errno != EAGAIN)) {
				die("recv");
			}
			if (n > 0) {
				pattern(want, (size_t)n, got);
				if (memcmp(in, want, (size_t)n) != 0) {
					fprintf(stderr, "netprobe: wrong bytes\n");
					return 1;
				}
				got += (uint64_t)n;
			}
		}
	}
	return 0;
}

static int udp_once(int fd, const uint8_t *out, size_t size)
{
	static uint8_t in[CHUNK];

	for (int t = 0; t < TRIES; t++) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (send(fd, out, size, 0) < 0 && errno != ECONNREFUSED) {
			die("send");
		}
		while (poll(&p, 1, RESEND_MS) > 0) {
			n = recv(fd, in, sizeof(in), 0);
			if (n == (ssize_t)size && memcmp(in, out, size) == 0) {
				return 0;
			}
			if (n < 0) {
				usleep(100000); /* refused: the server may not be up yet */
				break;
			}
		}
	}
	return 1;
}

static int do_udp(const char *host, const char *port, size_t size, unsigned n)
{
	static uint8_t out[CHUNK];
	int fd = dial(host, port, SOCK_DGRAM);

	for (unsigned i = 0; i < n; i++) {
		pattern(out, size, i * 977u);
		if (udp_once(fd, out, size)) {
			fprintf(stderr, "netprobe: datagram %u of %zu bytes was lost\n", i, size);
			return 1;
		}
	}
	return 0;
}

static int do_conns(const char *host, const char *port, unsigned n, unsigned held)
{
	int *fds = calloc(held ? held : 1, sizeof(int));
	char c;

	for (unsigned i = 0; i < n; i++) {
		unsigned slot = held ? i % held : 0;

		if (fds[slot] > 0) {
			close(fds[slot]);
		}
		fds[slot] = dial(host, port, SOCK_STREAM);
		if (send(fds[slot], "x", 1, MSG_NOSIGNAL) != 1) {
			die("send");
		}
		wait_ready(fds[slot], POLLIN, PATIENCE);
		if (recv(fds[slot], &c, 1, 0) != 1 || c != 'x') {
			die("recv");
		}
	}
	return 0;
}

static int do_flood(const char *host, const char *port, size_t size, unsigned long n)
{
	static uint8_t out[CHUNK];
	int fd = dial(host, port, SOCK_DGRAM);

	for (unsigned long i = 0; i < n; i++) {
		(void)!send(fd, out, size, 0);
	}
	return 0;
}

static int start_connect(const struct sockaddr_storage *to, socklen_t len)
{
	int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		die("socket");
	}
	if (connect(fd, (const struct sockaddr *)to, len) < 0 && errno != EINPROGRESS) {
		die("connect");
	}
	return fd;
}

static int do_crowd(const char *host, const char *port, unsigned n)
{
	int *held = calloc(n, sizeof(int));
	struct sockaddr_storage to;
	socklen_t len;
	int error;
	char c;

	close(resolve(host, port, SOCK_STREAM, &to, &len));
	for (unsigned i = 0; i < n; i++) {
		held[i] = start_connect(&to, len);
	}
	for (unsigned i = 0; i < n; i++) {
		socklen_t size = sizeof(error);

		wait_ready(held[i], POLLOUT, PATIENCE);
		if (getsockopt(held[i], SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0) {
			errno = error;
			die("connect");
		}
		if (send(held[i], "x", 1, MSG_NOSIGNAL) != 1) {
			die("send");
		}
	}
	for (unsigned i = 0; i < n; i++) {
		wait_ready(held[i], POLLIN, PATIENCE);
		if (recv(held[i], &c, 1, 0) != 1 || c != 'x') {
			die("recv");
		}
	}
	printf("%u at once\n", n);
	return 0;
}

static int do_syn(const char *host, const char *port, unsigned long n)
{
	struct sockaddr_storage to;
	socklen_t len;

	close(resolve(host, port, SOCK_STREAM, &to, &len));
	for (unsigned long i = 0; i < n; i++) {
		close(start_connect(&to, len));
	}
	return 0;
}

/* --- the server: one process, all connections in one poll ------------------------------------ */

#define MAX_CONNS 4096

struct conn {
	size_t len, off;
	uint8_t *buf;
};

#define MAX_LISTENERS 4

static struct pollfd fds[MAX_CONNS + MAX_LISTENERS];
static struct conn conns[MAX_CONNS + MAX_LISTENERS];
static int n_fds;
static int n_listeners;

static int listener(int type, const char *port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
	struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = a.sin6_port};
	int one = 1, zero = 0;
	int fd = socket(AF_INET6, type, 0);

	if (fd >= 0) {
		setsockopt(fd, IPPROTO_IPV6, 26 /* IPV6_V6ONLY */, &zero, sizeof(zero));
	} else {
		fd = socket(AF_INET, type, 0);
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 &&
	    bind(fd, (struct sockaddr *)&a4, sizeof(a4)) < 0) {
		die("bind");
	}
	if (type == SOCK_STREAM && listen(fd, 1024) < 0) {
		die("listen");
	}
	return fd;
}

static void drop(int i)
{
	close(fds[i].fd);
	free(conns[i].buf);
	n_fds--;
	fds[i] = fds[n_fds];
	conns[i] = conns[n_fds];
}

static void take(int listener_fd)
{
	int fd = accept(listener_fd, NULL, NULL);

	if (fd >= 0 && n_fds < MAX_CONNS) {
		fds[n_fds] = (struct pollfd){.fd = fd, .events = POLLIN};
		conns[n_fds] = (struct conn){.buf = malloc(CHUNK)};
		n_fds++;
	} else if (fd >= 0) {
		close(fd);
	}
}

/* Return: -1 when the connection is over. */
static int serve_conn(int i)
{
	struct conn *c = &conns[i];
	ssize_t n;

	if (c->len == 0) {
		n = recv(fds[i].fd, c->buf, CHUNK, MSG_DONTWAIT);
		if (n <= 0) {
			return n < 0 && errno == EAGAIN ? 0 : -1;
		}
		c->len = (size_t)n;
		c->off = 0;
	}
	n = send(fds[i].fd, c->buf + c->off, c->len - c->off, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN) {
		return -1;
	}
	c->off += n > 0 ? (size_t)n : 0;
	if (c->off == c->len) {
		c->len = 0;
	}
	fds[i].events = c->len ? POLLOUT : POLLIN;
	return 0;
}

static void udp_reply(int fd)
{
	static uint8_t buf[CHUNK];
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);

	if (n >= 0) {
		(void)!sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
}

static void listen_on(int fd)
{
	fds[n_fds++] = (struct pollfd){.fd = fd, .events = POLLIN};
	n_listeners++;
}

/* @udp: the place of a socket for datagrams among the listeners, -1 for none */
static void serve_all(int udp) __attribute__((noreturn));
static void serve_all(int udp)
{
	for (;;) {
		if (poll(fds, (nfds_t)n_fds, -1) < 0) {
			die("poll");
		}
		for (int i = n_fds - 1; i >= n_listeners; i--) {
			if (fds[i].revents && serve_conn(i) < 0) {
				drop(i);
			}
		}
		for (int i = 0; i < n_listeners; i++) {
			if (fds[i].revents && i == udp) {
				udp_reply(fds[i].fd);
			} else if (fds[i].revents) {
				take(fds[i].fd);
			}
		}
	}
}

static void do_serve(const char *port) __attribute__((noreturn));
static void do_serve(const char *port)
{
	listen_on(listener(SOCK_STREAM, port));
	listen_on(listener(SOCK_DGRAM, port));
	serve_all(1);
}

static void do_activated(const char *n) __attribute__((noreturn));
static void do_activated(const char *n)
{
	const char *passed = getenv("LISTEN_FDS");
	const char *pid = getenv("LISTEN_PID");

	if (!passed || !pid || strcmp(passed, n) != 0 || atoi(pid) != (int)getpid() ||
	    atoi(n) > MAX_LISTENERS) {
		fprintf(stderr, "netprobe: LISTEN_FDS=%s LISTEN_PID=%s\n", passed ? passed : "",
			pid ? pid : "");
		exit(1);
	}
	for (int i = 0; i < atoi(n); i++) {
		listen_on(3 + i);
	}
	serve_all(-1);
}

static int do_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return printf("%lld%09ld\n", (long long)now.tv_sec, now.tv_nsec) < 0;
}

int main(int argc, char **argv)
{
	struct rlimit many = {8192, 8192};
	const char *what = argc > 1 ? argv[1] : "";

	(void)setrlimit(RLIMIT_NOFILE, &many);
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(what, "serve") && argc == 3) {
		do_serve(argv[2]);
	}
	if (!strcmp(what, "activated") && argc == 3) {
		do_activated(argv[2]);
	}
	if (!strcmp(what, "tcp") && argc == 5) {
		return do_tcp(argv[2], argv[3], strtoull(argv[4], NULL, 10));
	}
	if (!strcmp(what, "udp") && argc == 6) {
		return do_udp(argv[2], argv[3], strtoul(argv[4], NULL, 10),
			      (unsigned)atoi(argv[5]));
	}
	if (!strcmp(what, "conns") && argc == 6) {
		return do_conns(argv[2], argv[3], (unsigned)atoi(argv[4]), (unsigned)atoi(argv[5]));
	}
	if (!strcmp(what, "crowd") && argc == 5) {
		return do_crowd(argv[2], argv[3], (unsigned)atoi(argv[4]));
	}
	if (!strcmp(what, "syn") && argc == 5) {
		return do_syn(argv[2], argv[3], strtoul(argv[4], NULL, 10));
	}
	if (!strcmp(what, "flood") && argc == 6) {
		return do_flood(argv[2], argv[3], strtoul(argv[4], NULL, 10),
				strtoul(argv[5], NULL, 10));
	}
	if (!strcmp(what, "clock") && argc == 2) {
		return do_clock();
	}
	fprintf(stderr, "usage: see the first lines of netprobe.c\n");
	return 2;
}
