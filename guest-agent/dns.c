/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns.c - a name server on the container's loopback interface; see dns.h
 *
 * All questions share one connection and one socket of the host, so each gets an id of ours for
 * the way; whose it was is remembered until the answer comes, or until the place is needed. Nobody
 * is told that a question was lost: who asks by datagrams asks again.
 */
#include "dns.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys.h"

#define DNS_PORT 53
#define AT_ONCE	 16   /* datagrams for one event: others want their turn */
#define PENDING	 256u /* a power of two: ids come round to the same place */
#define PREFIX	 2u

/** struct question - @id: ours, @theirs: what the asker chose, in the order of the wire */
struct question {
	bool open;
	uint16_t id;
	uint8_t theirs[2];
	struct sockaddr_in from;
};

/* All zeros at first, or the agent's file would hold its buffers. */
static struct {
	bool on;
	bool opened; /* at some time */
	int guest;
	int host;
	uint32_t events; /* what we wait for on @host */
	uint16_t next_id;
	size_t in_len;
	size_t out_len;
	uint8_t in[PREFIX + AP_DNS_MAX];
	uint8_t out[4 * (PREFIX + AP_DNS_MAX)];
	struct question asked[PENDING];
} dns;

static void give_up(void)
{
	agent_log("name server: the host has hung up");
	sys_close(&dns.guest);
	sys_close(&dns.host);
	dns.on = false;
}

int dns_open(struct agent *a, const uint8_t addr[4], struct fail *f)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(DNS_PORT)};
	int rc;

	if (dns.opened) {
		return fail_set(f, "network", -EALREADY, "answer questions to a name server");
	}
	memcpy(&sa.sin_addr, addr, 4);
	dns.host = agent_dial(AP_PORT_DNS);
	if (dns.host < 0) {
		return fail_set(f, "network", dns.host, "reach the host's name server");
	}
	dns.guest = sys_rc(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	rc = dns.guest < 0 ? dns.guest
			   : sys_rc(bind(dns.guest, (struct sockaddr *)&sa, sizeof(sa)));
	dns.opened = true;
	dns.on = true;
	dns.events = EPOLLIN;
	rc = rc ? rc : agent_watch(a, dns.guest, ref_make(REF_DNS_GUEST, 0, 0, 0), EPOLLIN);
	rc = rc ? rc : agent_watch(a, dns.host, ref_make(REF_DNS_HOST, 0, 0, 0), dns.events);
	return rc ? fail_set(f, "network", rc, "be a name server at %u.%u.%u.%u", addr[0], addr[1],
			     addr[2], addr[3])
		  : 0;
}

/* Wait for room only while there is something to send. */
static void rearm(const struct agent *a)
{
	struct epoll_event ev = {.events = EPOLLIN | (dns.out_len > 0 ? EPOLLOUT : 0u),
				 .data.u64 = ref_make(REF_DNS_HOST, 0, 0, 0)};

	if (dns.on && ev.events != dns.events) {
		dns.events = ev.events;
		(void)epoll_ctl(a->ep, EPOLL_CTL_MOD, dns.host, &ev);
	}
}

static void flush(void)
{
	ssize_t n = send(dns.host, dns.out, dns.out_len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0) {
		dns.out_len -= (size_t)n;
		memmove(dns.out, dns.out + n, dns.out_len);
	} else if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN) {
		give_up(); /* not connected: it will be */
	}
}

/* @q has @len bytes behind PREFIX free ones. */
static void pass_on(uint8_t *q, size_t len, const struct sockaddr_in *from)
{
	uint16_t id = dns.next_id++;
	struct question *slot = &dns.asked[id % PENDING];

	*slot = (struct question){.open = true, .id = id, .from = *from};
	memcpy(slot->theirs, q + PREFIX, sizeof(slot->theirs));
	q[0] = (uint8_t)(len >> 8);
	q[1] = (uint8_t)len;
	q[PREFIX] = (uint8_t)(id >> 8);
	q[PREFIX + 1] = (uint8_t)id;
	dns.out_len += PREFIX + len;
}

void dns_asked(struct agent *a)
{
	for (int i = 0; i < AT_ONCE && dns.on; i++) {
		static uint8_t lost[PREFIX + AP_DNS_MAX];
		bool room = sizeof(dns.out) - dns.out_len >= sizeof(lost);
		uint8_t *q = room ? dns.out + dns.out_len : lost;
		struct sockaddr_in from;
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(dns.guest, q + PREFIX, AP_DNS_MAX, MSG_DONTWAIT | MSG_TRUNC,
				     (struct sockaddr *)&from, &from_len);

		if (n < 0) {
			break;
		}
		if (room && n >= (ssize_t)AP_DNS_MIN && n <= (ssize_t)AP_DNS_MAX) {
			pass_on(q, (size_t)n, &from);
		}
	}
	if (dns.on && dns.out_len > 0) {
		flush();
	}
	rearm(a);
}

/* @m: the message, @len >= AP_DNS_MIN */
static void deliver(uint8_t *m, size_t len)
{
	uint16_t id = (uint16_t)(m[0] << 8 | m[1]);
	struct question *slot = &dns.asked[id % PENDING];

	if (slot->open && slot->id == id) {
		slot->open = false;
		memcpy(m, slot->theirs, sizeof(slot->theirs));
		(void)sendto(dns.guest, m, len, MSG_DONTWAIT, (struct sockaddr *)&slot->from,
			     sizeof(slot->from)); /* they may have gone */
	}
}

/* Return: bytes of @in used: a whole answer, or 0 when there is none yet */
static size_t take_one(void)
{
	size_t len = (size_t)dns.in[0] << 8 | dns.in[1];

	if (dns.in_len < PREFIX) {
		return 0;
	}
	if (len < AP_DNS_MIN || len > AP_DNS_MAX) {
		give_up();
		return 0;
	}
	if (dns.in_len < PREFIX + len) {
		return 0;
	}
	deliver(dns.in + PREFIX, len);
	return PREFIX + len;
}

void dns_answered(struct agent *a, uint32_t events)
{
	size_t used;
	ssize_t n;

	if (dns.on && (events & EPOLLOUT)) {
		flush();
	}
	for (int i = 0; i < AT_ONCE && dns.on; i++) {
		n = recv(dns.host, dns.in + dns.in_len, sizeof(dns.in) - dns.in_len, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN)) {
			break;
		}
		if (n <= 0) {
			give_up();
			return;
		}
		dns.in_len += (size_t)n;
		while (dns.on && (used = take_one()) > 0) {
			dns.in_len -= used;
			memmove(dns.in, dns.in + used, dns.in_len);
		}
	}
	rearm(a);
}
