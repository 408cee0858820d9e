/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_agent_dns.c - the agent as a name server: whose question it was, and hosts that lie
 *
 * In a network namespace of its own, where 127.0.0.11 is nobody's. The host is the other end of a
 * socket pair. Needs root. The tests follow each other: a guest has one name server.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest-agent/dns.h"

#define PLACES 256u /* questions that are remembered */

static const uint8_t where[4] = {127, 0, 0, 11};
static struct agent agent;
static int host;

/* In the place of guest-agent/dial.c. */
int agent_dial(uint32_t port)
{
	int pair[2];

	assert_int_equal(port, AP_PORT_DNS);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	host = pair[1];
	return pair[0];
}

static int set_up(void **state)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	struct fail f = {0};
	int fd;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0) {
		return -1;
	}
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0) {
		return -1;
	}
	close(fd);
	agent.ep = epoll_create1(0);
	return dns_open(&agent, where, &f);
}

static int asker(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(53)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(&sa.sin_addr, where, 4);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* A message of @len bytes with @id; the others are @fill. */
static void ask(int fd, uint16_t id, uint8_t fill, size_t len)
{
	uint8_t m[20000];

	memset(m, fill, len);
	m[0] = (uint8_t)(id >> 8);
	m[1] = (uint8_t)id;
	assert_int_equal(send(fd, m, len, 0), len);
	dns_asked(&agent);
}

/* The host reads one whole question of @len bytes. Return: the id it has on the way */
static uint16_t host_reads(uint8_t fill, size_t len)
{
	uint8_t m[20000];

	assert_int_equal(recv(host, m, 2 + len, MSG_WAITALL), 2 + len);
	assert_int_equal(m[0] << 8 | m[1], len);
	assert_int_equal(m[4], fill);
	assert_int_equal(m[1 + len], fill);
	return (uint16_t)(m[2] << 8 | m[3]);
}

static size_t answer(uint8_t *m, uint16_t id, uint8_t fill, size_t len)
{
	memset(m, fill, 2 + len);
	m[0] = (uint8_t)(len >> 8);
	m[1] = (uint8_t)len;
	m[2] = (uint8_t)(id >> 8);
	m[3] = (uint8_t)id;
	return 2 + len;
}

static void host_says(const uint8_t *m, size_t len)
{
	assert_int_equal(send(host, m, len, 0), len);
	dns_answered(&agent, EPOLLIN);
}

static void got(int fd, uint16_t id, uint8_t fill, size_t len)
{
	uint8_t m[20000];

	assert_int_equal(recv(fd, m, sizeof(m), 0), len);
	assert_int_equal(m[0] << 8 | m[1], id);
	assert_int_equal(m[2], fill);
	assert_int_equal(m[len - 1], fill);
}

static void got_nothing(int fd)
{
	uint8_t m[16];

	assert_int_equal(recv(fd, m, sizeof(m), 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void answers_find_their_askers(void **state)
{
	int a = asker(), b = asker();
	uint16_t for_a, for_b;
	uint8_t m[1024];
	size_t len;

	(void)state;
	ask(a, 0x1234, 'a', 40); /* both chose the same id */
	ask(b, 0x1234, 'b', 50);
	for_a = host_reads('a', 40);
	for_b = host_reads('b', 50);
	assert_int_not_equal(for_a, for_b);
	len = answer(m, for_b, 'B', 60);
	len += answer(m + len, for_a, 'A', 70);
	host_says(m, len);
	got(a, 0x1234, 'A', 70);
	got(b, 0x1234, 'B', 60);
	host_says(m, len); /* once is enough */
	got_nothing(a);
	got_nothing(b);
	close(a);
	close(b);
}

static void answers_come_in_pieces(void **state)
{
	int a = asker();
	uint8_t m[20000];
	size_t len;

	(void)state;
	ask(a, 7, 'a', AP_DNS_MIN);
	len = answer(m, host_reads('a', AP_DNS_MIN), 'A', AP_DNS_MAX);
	for (size_t i = 0; i < len; i += 4000) {
		got_nothing(a);
		host_says(m + i, len - i < 4000 ? len - i : 4000);
	}
	got(a, 7, 'A', AP_DNS_MAX);
	close(a);
}

static void what_is_no_question_goes_nowhere(void **state)
{
	int a = asker();
	uint8_t m[16];

	(void)state;
	ask(a, 1, 'a', AP_DNS_MIN - 1);
	ask(a, 1, 'a', AP_DNS_MAX + 1);
	assert_int_equal(recv(host, m, sizeof(m), 0), -1);
	ask(a, 1, 'a', AP_DNS_MAX);
	(void)host_reads('a', AP_DNS_MAX);
	close(a);
}

static void old_questions_make_room(void **state)
{
	int a = asker();
	uint16_t first, last = 0;
	uint8_t m[64];

	(void)state;
	ask(a, 100, 'a', 20);
	first = host_reads('a', 20);
	for (unsigned i = 0; i < PLACES; i++) {
		ask(a, (uint16_t)(200 + i), 'b', 20);
		last = host_reads('b', 20);
	}
	host_says(m, answer(m, first, 'A', 20));
	got_nothing(a);
	host_says(m, answer(m, last, 'B', 20));
	got(a, 200 + PLACES - 1, 'B', 20);
	close(a);
}

static void host_that_does_not_read(void **state)
{
	int a = asker();
	unsigned n = 0;
	uint8_t m[2];

	(void)state;
	for (unsigned i = 0; i < 200; i++) { /* 3 MiB */
		ask(a, 5, 'a', AP_DNS_MAX);
	}
	/* What was taken comes out whole. */
	while (recv(host, m, 2, MSG_PEEK) == 2) {
		uint8_t rest[2 + AP_DNS_MAX];
		size_t have = 0;

		assert_int_equal(m[0] << 8 | m[1], AP_DNS_MAX);
		while (have < sizeof(rest)) {
			ssize_t got_now = recv(host, rest + have, sizeof(rest) - have, 0);

			have += got_now > 0 ? (size_t)got_now : 0;
			dns_answered(&agent, EPOLLOUT);
		}
		n++;
	}
	assert_in_range(n, 4, 199);
	ask(a, 6, 'b', 20); /* and it goes on */
	(void)host_reads('b', 20);
	close(a);
}

static void there_is_one_only(void **state)
{
	struct fail f = {0};

	(void)state;
	assert_int_equal(dns_open(&agent, where, &f), -EALREADY);
}

static void liars_are_left(void **state)
{
	static const uint8_t too_short[] = {0, AP_DNS_MIN - 1, 0, 0};
	int a = asker();
	uint8_t m[2];

	(void)state;
	host_says(too_short, sizeof(too_short));
	assert_int_equal(recv(host, m, sizeof(m), 0), 0); /* hung up */
	assert_int_equal(send(a, "12345678901234", 14, 0), 14);
	assert_int_equal(recv(a, m, sizeof(m), 0), -1);
	assert_int_equal(errno, ECONNREFUSED); /* told at once that nobody answers */
	dns_asked(&agent);
	dns_answered(&agent, EPOLLIN | EPOLLOUT);
	close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_find_their_askers),
		cmocka_unit_test(answers_come_in_pieces),
		cmocka_unit_test(what_is_no_question_goes_nowhere),
		cmocka_unit_test(old_questions_make_room),
		cmocka_unit_test(host_that_does_not_read),
		cmocka_unit_test(there_is_one_only),
		cmocka_unit_test(liars_are_left),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
