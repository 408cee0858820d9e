/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netbulk.c - much of everything over a network, with checksums and counts
 *
 *   netbulk serve PORT                        TCP and UDP, IPv4 and IPv6, until killed
 *   netbulk put ADDRESS PORT BYTES            to the server, whose checksum must be ours
 *   netbulk get ADDRESS PORT BYTES            from the server, likewise
 *   netbulk churn ADDRESS PORT N AT_ONCE      N connections, opened, used and closed, AT_ONCE at a time
 *   netbulk sizes ADDRESS PORT FROM TO STEP   datagrams there and back; TO is among them
 *
 * Each prints a line with what it did in which time. Exit status 0: nothing was lost, the server agrees.
 * Numbers are sent as they are in memory: both ends are the same program.
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
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define CHUNK	   (64u << 10)
#define PATIENCE_S 60 /* without any progress */
#define RESEND_MS  3000
#define TRIES	   8
#define AT_ONCE	   512u

#define DO_PUT	 'P' /* @arg bytes follow; the answer is a tally */
#define DO_GET	 'G' /* the answer is @arg bytes, and a tally */
#define DO_ECHO	 'E' /* the answer is the order itself */
#define DO_COUNT 'C' /* the answer is a tally: DO_ECHOs so far, and other connections open now */

/** struct order - what a client says first */
struct order {
	uint64_t what;
	uint64_t arg;
};

/** struct tally - what the server saw */
struct tally {
	uint64_t count;
	uint64_t sum;
};

static void die(const char *what)
{
	fprintf(stderr, "netbulk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- bytes that tell where they belong ------------------------------------------------------- */

static uint64_t chunk[CHUNK / 8];

/* Eight bytes differ from any other eight of the stream. */
static void chunk_fill(uint64_t at)
{
	for (unsigned i = 0; i < CHUNK / 8; i++) {
		chunk[i] = (at / 8 + i + 1) * 0x9e3779b97f4a7c15u;
	}
}

/* Depends on each bit and on the order. What is behind the end of the last word counts as 0. */
static uint64_t chunk_sum(uint64_t sum, size_t len)
{
	if (len % 8) {
		memset((uint8_t *)chunk + len, 0, 8 - len % 8);
	}
	for (unsigned i = 0; i < (len + 7) / 8; i++) {
		sum = (sum ^ chunk[i]) * 0xff51afd7ed558ccdu;
		sum ^= sum >> 32;
	}
	return sum;
}

static void send_all(int fd, const void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, (const uint8_t *)buf + done, len - done, MSG_NOSIGNAL);

		if (n <= 0) {
			die("send");
		}
		done += (size_t)n;
	}
}

static void recv_all(int fd, void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = recv(fd, (uint8_t *)buf + done, len - done, 0);

		if (n == 0) {
			errno = ECONNRESET;
		}
		if (n <= 0) {
			die("recv");
		}
		done += (size_t)n;
	}
}

static struct tally send_stream(int fd, uint64_t bytes)
{
	struct tally t = {0, 0};

	while (t.count < bytes) {
		size_t len = bytes - t.count < CHUNK ? (size_t)(bytes - t.count) : CHUNK;

		chunk_fill(t.count);
		t.sum = chunk_sum(t.sum, len);
		send_all(fd, chunk, len);
		t.count += len;
	}
	return t;
}

static struct tally recv_stream(int fd, uint64_t bytes)
{
	struct tally t = {0, 0};

	while (t.count < bytes) {
		size_t len = bytes - t.count < CHUNK ? (size_t)(bytes - t.count) : CHUNK;

		recv_all(fd, chunk, len);
		t.sum = chunk_sum(t.sum, len);
		t.count += len;
	}
	return t;
}

/* --- the client ------------------------------------------------------------------------------ */

static struct sockaddr_storage server;
static socklen_t server_len;

static void resolve(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};
	struct addrinfo *res;

	if (getaddrinfo(host, port, &hints, &res) != 0) {
		fprintf(stderr, "netbulk: '%s' is not an address\n", host);
		exit(1);
	}
	memcpy(&server, res->ai_addr, res->ai_addrlen);
	server_len = res->ai_addrlen;
	freeaddrinfo(res);
}

static int dial(int type)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(server.ss_family, type, 0);

	if (fd < 0) {
		die("socket");
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&server, server_len) < 0) {
		die("connect");
	}
	return fd;
}

static int ask(uint64_t what, uint64_t arg)
{
	struct order o = {what, arg};
	int fd = dial(SOCK_STREAM);

	send_all(fd, &o, sizeof(o));
	return fd;
}

static int transfer(uint64_t what, uint64_t bytes)
{
	double start = now();
	int fd = ask(what, bytes);
	struct tally ours = what == DO_PUT ? send_stream(fd, bytes) : recv_stream(fd, bytes);
	struct tally theirs;
	double s;

	recv_all(fd, &theirs, sizeof(theirs));
	s = now() - start;
	printf("%s: %llu bytes in %.1f s, %.1f MB/s, checksum %016llx there, %016llx here\n",
	       what == DO_PUT ? "put" : "get", (unsigned long long)bytes, s,
	       (double)bytes / s / 1e6, (unsigned long long)theirs.sum,
	       (unsigned long long)ours.sum);
	return memcmp(&ours, &theirs, sizeof(ours)) != 0;
}

static struct tally count(void)
{
	struct tally t;
	int fd = ask(DO_COUNT, 0);

	recv_all(fd, &t, sizeof(t));
	close(fd);
	return t;
}

static void churn_dial(struct pollfd *p)
{
	p->fd = socket(server.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	p->events = POLLOUT;
	if (p->fd < 0) {
		die("socket");
	}
	if (connect(p->fd, (struct sockaddr *)&server, server_len) < 0 && errno != EINPROGRESS) {
		die("connect");
	}
}

/* Return: 1 when the connection has served its purpose. */
static int churn_step(struct pollfd *p, uint64_t id)
{
	struct order o = {DO_ECHO, id};
	struct order back;

	if (p->events == POLLOUT) {
		if (send(p->fd, &o, sizeof(o), MSG_NOSIGNAL) != sizeof(o)) {
			die("a connection was lost");
		}
		p->events = POLLIN;
		return 0;
	}
	recv_all(p->fd, &back, sizeof(back));
	if (memcmp(&o, &back, sizeof(o)) != 0) {
		fprintf(stderr, "netbulk: a connection has another's bytes\n");
		exit(1);
	}
	close(p->fd);
	p->fd = -1;
	return 1;
}

/* The last ones' ends may still be on their way. */
static int churn_agrees(uint64_t before, uint64_t n)
{
	struct tally t;

	for (unsigned i = 0; i < PATIENCE_S * 10; i++) {
		t = count();
		if (t.count - before == n && t.sum == 0) {
			return 1;
		}
		usleep(100000);
	}
	fprintf(stderr, "netbulk: the server saw %llu of %llu connections, %llu are still open\n",
		(unsigned long long)(t.count - before), (unsigned long long)n,
		(unsigned long long)t.sum);
	return 0;
}

static int do_churn(uint64_t n, unsigned at_once)
{
	static struct pollfd p[AT_ONCE];
	static uint64_t id[AT_ONCE];
	uint64_t before = count().count;
	uint64_t begun = 0, done = 0;
	double start = now();
	double s;

	for (unsigned i = 0; i < at_once; i++) {
		p[i].fd = -1;
	}
	while (done < n) {
		for (unsigned i = 0; i < at_once; i++) {
			if (p[i].fd < 0 && begun < n) {
				id[i] = begun++;
				churn_dial(&p[i]);
			}
		}
		if (poll(p, at_once, PATIENCE_S * 1000) <= 0) {
			fprintf(stderr, "netbulk: nothing happens after %llu connections\n",
				(unsigned long long)done);
			return 1;
		}
		for (unsigned i = 0; i < at_once; i++) {
			done += p[i].fd >= 0 && p[i].revents ? churn_step(&p[i], id[i]) : 0;
		}
	}
	s = now() - start;
	printf("churn: %llu connections in %.1f s, %.0f a second\n", (unsigned long long)n, s,
	       (double)n / s);
	return !churn_agrees(before, n);
}

/* Return: how often it was sent again; exits when it never came back. */
static unsigned there_and_back(int fd, size_t size)
{
	static uint8_t in[CHUNK];
	struct pollfd p = {.fd = fd, .events = POLLIN};

	chunk_fill(size * 8); /* differs from those before, which may come late */
	for (unsigned t = 0; t < TRIES; t++) {
		if (send(fd, chunk, size, 0) < 0) {
			die("send");
		}
		while (poll(&p, 1, RESEND_MS) > 0) {
			ssize_t n = recv(fd, in, sizeof(in), 0);

			if (n < 0) {
				die("recv");
			}
			if (n == (ssize_t)size && memcmp(in, chunk, size) == 0) {
				return t;
			}
		}
	}
	fprintf(stderr, "netbulk: a datagram of %zu bytes is always lost\n", size);
	exit(1);
}

static int do_sizes(size_t from, size_t to, size_t step)
{
	int fd = dial(SOCK_DGRAM);
	unsigned n = 0, again = 0;
	double start = now();

	for (size_t size = from; size <= to;
	     size += size + step > to && size < to ? to - size : step) {
		again += there_and_back(fd, size);
		n++;
	}
	printf("sizes: %u datagrams of %zu to %zu bytes in %.1f s, %u sent again\n", n, from, to,
	       now() - start, again);
	return 0;
}

/* --- the server: one process for all but the long transfers ---------------------------------- */

static struct pollfd fds[AT_ONCE * 2];
static unsigned n_fds = 2;
static uint64_t echoes;

static int listener(int type, const char *port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
	int one = 1;
	int fd = socket(AF_INET6, type, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		die("bind");
	}
	if (type == SOCK_STREAM && listen(fd, AT_ONCE) < 0) {
		die("listen");
	}
	return fd;
}

static void serve_transfer(int fd, const struct order *o)
{
	struct tally t;

	if (fork() != 0) {
		return; /* waited for by nobody: SIGCHLD is ignored */
	}
	for (unsigned i = 0; i < n_fds; i++) {
		if (fds[i].fd != fd) {
			close(fds[i].fd);
		}
	}
	t = o->what == DO_PUT ? recv_stream(fd, o->arg) : send_stream(fd, o->arg);
	send_all(fd, &t, sizeof(t));
	_exit(0);
}

/* Return: 0 while the connection goes on. Orders are small: they come and go in one piece. */
static int serve_order(int fd)
{
	struct tally t = {echoes, n_fds - 3};
	struct order o;
	ssize_t n = recv(fd, &o, sizeof(o), MSG_DONTWAIT);

	if (n != sizeof(o)) {
		return n >= 0 || errno != EAGAIN;
	}
	switch (o.what) {
	case DO_ECHO:
		echoes++;
		return send(fd, &o, sizeof(o), MSG_NOSIGNAL) != sizeof(o);
	case DO_COUNT:
		return send(fd, &t, sizeof(t), MSG_NOSIGNAL) != sizeof(t);
	default:
		serve_transfer(fd, &o);
		return 1;
	}
}

static void serve_datagram(int fd)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(fd, chunk, sizeof(chunk), 0, (struct sockaddr *)&from, &len);

	if (n >= 0) {
		(void)!sendto(fd, chunk, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
}

static void do_serve(const char *port) __attribute__((noreturn));
static void do_serve(const char *port)
{
	fds[0] = (struct pollfd){.fd = listener(SOCK_STREAM, port), .events = POLLIN};
	fds[1] = (struct pollfd){.fd = listener(SOCK_DGRAM, port), .events = POLLIN};
	for (;;) {
		if (poll(fds, n_fds, -1) < 0) {
			die("poll");
		}
		for (unsigned i = n_fds - 1; i >= 2; i--) {
			if (fds[i].revents && serve_order(fds[i].fd)) {
				close(fds[i].fd);
				fds[i] = fds[--n_fds];
			}
		}
		if (fds[1].revents) {
			serve_datagram(fds[1].fd);
		}
		if (fds[0].revents && n_fds < AT_ONCE * 2) {
			int fd = accept(fds[0].fd, NULL, NULL);

			if (fd >= 0) {
				fds[n_fds++] = (struct pollfd){.fd = fd, .events = POLLIN};
			}
		}
	}
}

int main(int argc, char **argv)
{
	struct rlimit many = {8192, 8192};
	const char *what = argc > 1 ? argv[1] : "";
	uint64_t number[3] = {0, 0, 0};

	(void)setrlimit(RLIMIT_NOFILE, &many);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	if (!strcmp(what, "serve") && argc == 3) {
		do_serve(argv[2]);
	}
	if (argc >= 5 && argc <= 7) {
		resolve(argv[2], argv[3]);
		for (int i = 4; i < argc; i++) {
			number[i - 4] = strtoull(argv[i], NULL, 10);
		}
	}
	if (!strcmp(what, "put") && argc == 5) {
		return transfer(DO_PUT, number[0]);
	}
	if (!strcmp(what, "get") && argc == 5) {
		return transfer(DO_GET, number[0]);
	}
	if (!strcmp(what, "churn") && argc == 6 && number[1] > 0 && number[1] <= AT_ONCE) {
		return do_churn(number[0], (unsigned)number[1]);
	}
	if (!strcmp(what, "sizes") && argc == 7 && number[1] <= 65507 && number[2] > 0) {
		return do_sizes(number[0], number[1], number[2]);
	}
	fprintf(stderr, "usage: see the first lines of netbulk.c\n");
	return 2;
}
