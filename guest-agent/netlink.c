/* SPDX-License-Identifier: Apache-2.0 */
/* netlink.c - rtnetlink requests; see netlink.h */
#include "netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys.h"

#define NL_AF_NETLINK 16
#define ALIGN	      4u
#define ANSWERS	      16 /* messages looked at for one answer; only ours should come */

static uint32_t aligned(size_t n)
{
	return ((uint32_t)n + ALIGN - 1) & ~(ALIGN - 1);
}

/* Room for @n bytes, zeroed up to the next boundary; NULL when there is none. */
static uint8_t *room(struct nl_msg *m, size_t n)
{
	uint8_t *p = m->buf + m->len;

	if (m->full || n > sizeof(m->buf) || aligned(n) > sizeof(m->buf) - m->len) {
		m->full = true;
		return NULL;
	}
	memset(p, 0, aligned(n));
	m->len += aligned(n);
	return p;
}

void nl_begin(struct nl_msg *m, uint16_t type, uint16_t flags, const void *header, size_t len)
{
	struct nl_header h = {.type = type, .flags = flags | NL_F_REQUEST | NL_F_ACK};
	uint8_t *p;

	m->len = 0;
	m->full = false;
	p = room(m, sizeof(h) + len);
	if (p) {
		memcpy(p, &h, sizeof(h));
		memcpy(p + sizeof(h), header, len);
	}
}

void nl_put(struct nl_msg *m, uint16_t type, const void *data, size_t len)
{
	uint16_t h[2] = {(uint16_t)(sizeof(h) + len), type};
	uint8_t *p = room(m, sizeof(h) + len);

	if (p) {
		memcpy(p, h, sizeof(h));
		memcpy(p + sizeof(h), data, len);
	}
}

void nl_put_u32(struct nl_msg *m, uint16_t type, uint32_t v)
{
	nl_put(m, type, &v, sizeof(v));
}

void nl_put_str(struct nl_msg *m, uint16_t type, const char *s)
{
	nl_put(m, type, s, strlen(s) + 1);
}

uint32_t nl_nest(struct nl_msg *m, uint16_t type)
{
	uint32_t at = m->len;

	nl_put(m, type | NL_A_NESTED, "", 0);
	return at;
}

void nl_nest_end(struct nl_msg *m, uint32_t nest)
{
	uint16_t len = (uint16_t)(m->len - nest);

	if (!m->full) {
		memcpy(m->buf + nest, &len, sizeof(len));
	}
}

int nl_open(void)
{
	struct {
		uint16_t family;
		uint16_t pad;
		uint32_t pid;
		uint32_t groups;
	} addr = {.family = NL_AF_NETLINK};
	int fd = sys_rc(socket(NL_AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
	int rc;

	if (fd < 0) {
		return fd;
	}
	rc = sys_rc(bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	if (rc < 0) {
		sys_close(&fd);
		return rc;
	}
	return fd;
}

/* Return: 1 when @buf is no answer to @seq, else what the kernel said. */
static int answer(const uint8_t *buf, size_t len, uint32_t seq)
{
	struct nl_header h;
	int32_t err;

	if (len < sizeof(h) + sizeof(err)) {
		return 1;
	}
	memcpy(&h, buf, sizeof(h));
	memcpy(&err, buf + sizeof(h), sizeof(err));
	return h.type == NL_ERROR && h.seq == seq ? err : 1;
}

int nl_talk(int fd, struct nl_msg *m)
{
	static uint32_t seq;
	struct nl_header h;
	uint8_t buf[2048];

	if (m->full) {
		return -EMSGSIZE;
	}
	memcpy(&h, m->buf, sizeof(h));
	h.len = m->len;
	h.seq = ++seq;
	memcpy(m->buf, &h, sizeof(h));
	if (send(fd, m->buf, m->len, 0) < 0) {
		return -errno;
	}
	for (int i = 0; i < ANSWERS; i++) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);
		int rc = n < 0 ? -errno : answer(buf, (size_t)n, h.seq);

		if (rc <= 0) {
			return rc;
		}
	}
	return -EPROTO;
}
