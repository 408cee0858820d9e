/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netbench.c - how fast a network is: bytes, packets and answers per second
 *
 *   netbench serve PORT                    until killed; a process for each connection
 *   netbench reach ADDRESS PORT            does a server answer there?
 *   netbench measure ADDRESS PORT MS [FIGURE...]   prints one line a figure: NAME VALUE UNIT
 *
 * "in" is towards the server. Each figure (all, if none is named) is measured for MS milliseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK	     (256 << 10)
#define PACKET_BYTES 100
#define STREAMS_MAX  8
#define WINDOW	     128 /* datagrams under way: a socket keeps more than twice as many */
#define LOST_MS	     50

/* What a connection is for. */
#define CMD_SINK    'S' /* it reads until the end, then tells how much */
#define CMD_SOURCE  'G' /* it writes for the time asked */
#define CMD_ECHO    'E'
#define CMD_COUNT   'U' /* tells a UDP port, counts packets until told to stop, tells the rate */
#define CMD_PACKETS 'P' /* sends packets to the UDP port it is told */

#define FINAL (1ull << 63) /* a rate, where other numbers are of packets so far */

struct command {
	uint8_t what;
	uint8_t pad;
	uint16_t port;
	uint32_t ms;
};

static char buf[CHUNK];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void get(int fd, void *out, size_t len)
{
	if (recv(fd, out, len, MSG_WAITALL) != (ssize_t)len) {
		die("recv");
	}
}

static void put(int fd, const void *data, size_t len)
{
	if (send(fd, data, len, MSG_NOSIGNAL) != (ssize_t)len) {
		die("send");
	}
}

/* Return: bytes until the other side's end */
static uint64_t drain(int fd)
{
	uint64_t n = 0;
	ssize_t got;

	while ((got = recv(fd, buf, sizeof(buf), 0)) > 0) {
		n += (uint64_t)got;
	}
	return n;
}

static void pour(int fd, uint32_t ms)
{
	uint64_t end = now_us() + ms * 1000ull;

	while (now_us() < end && send(fd, buf, sizeof(buf), MSG_NOSIGNAL) > 0) {
		continue;
	}
	shutdown(fd, SHUT_WR);
}

/* A datagram socket. Return: its port */
static uint16_t udp_open(int *out)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	int size = 4 << 20;

	*out = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(*out, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (*out < 0 || bind(*out, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    getsockname(*out, (struct sockaddr *)&a, &len) < 0) {
		die("udp");
	}
	return ntohs(a.sin_port);
}

/*
 * Count datagrams until @control says something, or ends, and tell it now and then how many there
 * were. Return: so many a second, from the first to the last
 */
static uint64_t count(int udp, int control)
{
	struct pollfd p[2] = {{.fd = udp, .events = POLLIN}, {.fd = control, .events = POLLIN}};
	uint64_t n = 0, told = 0, first = 0, last = 0;
	int ended = 0;

	while (!ended && poll(p, 2, -1) > 0) {
		ended = p[1].revents != 0;
		while (recv(udp, buf, sizeof(buf), MSG_DONTWAIT) > 0) {
			last = now_us();
			first = n++ == 0 ? last : first;
			if (n - told >= WINDOW / 2) {
				told = n;
				(void)!send(control, &n, sizeof(n),
					    MSG_NOSIGNAL); /* gone: it ended */
			}
		}
	}
	return last > first ? (n - 1) * 1000000u / (last - first) : 0;
}

/* Wait until fewer than WINDOW of @sent datagrams are under way; some may be lost. */
static void await_room(int control, uint64_t sent, uint64_t *arrived)
{
	struct pollfd p = {.fd = control, .events = POLLIN};

	while (sent - *arrived >= WINDOW) {
		if (poll(&p, 1, LOST_MS) == 1) {
			get(control, arrived, sizeof(*arrived));
		} else {
			*arrived = sent;
		}
	}
}

/*
 * Datagrams to whoever is at the far end of @control, at @port: no more at a time than its socket
 * can keep. Else the figure would say how much of the work was for nothing.
 */
static void pour_packets(int control, uint16_t port, uint32_t ms)
{
	struct sockaddr_in to;
	socklen_t len = sizeof(to);
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	uint64_t end = now_us() + ms * 1000ull, sent = 0, arrived = 0;

	if (getpeername(control, (struct sockaddr *)&to, &len) < 0) {
		die("getpeername");
	}
	to.sin_port = htons(port);
	if (connect(udp, (struct sockaddr *)&to, sizeof(to)) < 0) {
		die("connect");
	}
	while (now_us() < end) {
		await_room(control, sent, &arrived);
		sent += send(udp, buf, PACKET_BYTES, 0) == PACKET_BYTES;
	}
	close(udp);
}

static void serve_one(int fd)
{
	struct command c;
	uint64_t n;
	int udp;

	get(fd, &c, sizeof(c));
	switch (c.what) {
	case CMD_SINK:
		n = drain(fd);
		put(fd, &n, sizeof(n));
		break;
	case CMD_SOURCE:
		pour(fd, c.ms);
		break;
	case CMD_ECHO:
		while (recv(fd, buf, 1, 0) == 1) {
			put(fd, buf, 1);
		}
		break;
	case CMD_COUNT:
		c.port = udp_open(&udp);
		put(fd, &c, sizeof(c));
		n = count(udp, fd) | FINAL;
		put(fd, &n, sizeof(n));
		break;
	case CMD_PACKETS:
		pour_packets(fd, c.port, c.ms);
		break;
	default:
		break;
	}
}

static int do_serve(const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 64) < 0) {
		die("listen");
	}
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int conn = accept(fd, NULL, NULL);

		if (conn >= 0 && fork() == 0) {
			setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			serve_one(conn);
			_exit(0);
		}
		close(conn);
	}
}

/* --- the side that measures ------------------------------------------------------------------ */

static struct sockaddr_in server;
static uint32_t duration_ms;

static int dial(uint8_t what, uint16_t port)
{
	const struct command c = {.what = what, .port = port, .ms = duration_ms};
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0) {
		die("connect");
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	put(fd, &c, sizeof(c));
	return fd;
}

static uint64_t stream_in(void)
{
	int fd = dial(CMD_SINK, 0);
	uint64_t n;

	pour(fd, duration_ms);
	get(fd, &n, sizeof(n));
	close(fd);
	return n;
}

static uint64_t stream_out(void)
{
	int fd = dial(CMD_SOURCE, 0);
	uint64_t n = drain(fd);

	close(fd);
	return n;
}

/* Return: megabytes per second of all of them together */
static double streams(uint64_t (*one)(void), unsigned n)
{
	uint64_t start = now_us(), sum = 0, part;
	int pipes[2];

	if (pipe(pipes) < 0) {
		die("pipe");
	}
	for (unsigned i = 0; i < n; i++) {
		if (fork() == 0) {
			part = one();
			_exit(write(pipes[1], &part, sizeof(part)) != sizeof(part));
		}
	}
	close(pipes[1]);
	while (read(pipes[0], &part, sizeof(part)) == sizeof(part)) {
		sum += part;
	}
	close(pipes[0]);
	while (wait(NULL) > 0) {
		continue;
	}
	return (double)sum / (double)(now_us() - start);
}

static double one_stream_in(void)
{
	return streams(stream_in, 1);
}

static double one_stream_out(void)
{
	return streams(stream_out, 1);
}

static double many_streams_in(void)
{
	return streams(stream_in, STREAMS_MAX);
}

static double many_streams_out(void)
{
	return streams(stream_out, STREAMS_MAX);
}

/* Return: microseconds from a question to its answer, on average */
static double answer_time(void)
{
	int fd = dial(CMD_ECHO, 0);
	uint64_t start = now_us(), end = start + duration_ms * 1000ull, n = 0;

	while (now_us() < end) {
		put(fd, buf, 1);
		get(fd, buf, 1);
		n++;
	}
	close(fd);
	return (double)(now_us() - start) / (double)n;
}

static double packets_in(void)
{
	int fd = dial(CMD_COUNT, 0);
	struct command c;
	uint64_t rate;

	get(fd, &c, sizeof(c));
	pour_packets(fd, c.port, duration_ms);
	put(fd, "x", 1);
	do {
		get(fd, &rate, sizeof(rate));
	} while (!(rate & FINAL));
	close(fd);
	return (double)(rate & ~FINAL);
}

static double packets_out(void)
{
	int udp;
	uint16_t port = udp_open(&udp);
	int fd = dial(CMD_PACKETS, port);
	uint64_t rate = count(udp, fd);

	close(fd);
	close(udp);
	return (double)rate;
}

static int set_server(const char *address, const char *port)
{
	server = (struct sockaddr_in){.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)atoi(port))};
	return inet_pton(AF_INET, address, &server.sin_addr) == 1 ? 0 : 2;
}

static int do_reach(void)
{
	int fd = dial(CMD_ECHO, 0);

	put(fd, "x", 1);
	get(fd, buf, 1);
	return 0;
}

static const struct figure {
	const char *name;
	double (*measure)(void);
	const char *unit;
} figures[] = {
	{"stream-in", one_stream_in, "MB/s"},	 {"stream-out", one_stream_out, "MB/s"},
	{"streams-in", many_streams_in, "MB/s"}, {"streams-out", many_streams_out, "MB/s"},
	{"answer", answer_time, "us"},		 {"packets-in", packets_in, "/s"},
	{"packets-out", packets_out, "/s"},
};

static int wanted(const char *name, char **names)
{
	int any = 0;

	for (; *names; names++) {
		any = 1;
		if (!strcmp(name, *names)) {
			return 1;
		}
	}
	return !any;
}

static int do_measure(const char *ms, char **names)
{
	duration_ms = (uint32_t)atoi(ms);
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		if (wanted(figures[i].name, names)) {
			printf("%s %.1f %s\n", figures[i].name, figures[i].measure(),
			       figures[i].unit);
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "serve")) {
		return do_serve(argv[2]);
	}
	if (argc == 4 && !strcmp(argv[1], "reach") && set_server(argv[2], argv[3]) == 0) {
		return do_reach();
	}
	if (argc >= 5 && !strcmp(argv[1], "measure") && set_server(argv[2], argv[3]) == 0) {
		return do_measure(argv[4], argv + 5);
	}
	fprintf(stderr, "usage: see the first lines of netbench.c\n");
	return 2;
}
