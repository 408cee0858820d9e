/* SPDX-License-Identifier: Apache-2.0 */
/* net_egress.c - where a container may send to; see net_egress.h */
#include "net_egress.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "resolv_conf.h"

#define ANNOTATION "config.json: annotations[\"dev.volt.net.egress\"]"
#define DNS_PORT   53u
#define ENTRY_MAX  80u

static int add(struct net_egress *e, const struct net_dest *d, struct vr_err *err)
{
	if (e->n == NET_EGRESS_MAX) {
		return vr_err_set(err, E2BIG, ANNOTATION ": more than %u destinations",
				  NET_EGRESS_MAX);
	}
	e->v[e->n] = *d;
	e->v[e->n++].entry = e->n_entries;
	return 0;
}

/* A number in digits alone. Return: it, or -1 */
static long number(const char *s, long max)
{
	char *end;
	long v;

	if (!isdigit((unsigned char)s[0]) || strlen(s) > 5) {
		return -1;
	}
	v = strtol(s, &end, 10);
	return *end == '\0' && v <= max ? v : -1;
}

static bool parse_addr(const char *s, uint32_t family, struct net_dest *out)
{
	out->family = family;
	out->prefix = family == 4 ? 32 : 128;
	return inet_pton(family == 4 ? AF_INET : AF_INET6, s, out->addr) == 1;
}

/* Split "HEAD<sep>TAIL" in place. Return: TAIL, NULL when there is no @sep */
static char *split(char *s, char sep)
{
	char *at = strchr(s, sep);

	if (at) {
		*at++ = '\0';
	}
	return at;
}

/* What follows an address: [/LEN][:PORT], each possibly NULL. */
static bool parse_tail(const char *len, const char *port, struct net_dest *out)
{
	long v;

	if (len) {
		v = number(len, (long)out->prefix);
		if (v < 0) {
			return false;
		}
		out->prefix = (uint32_t)v;
	}
	if (port) {
		v = number(port, 65535);
		if (v <= 0) {
			return false;
		}
		out->port = (uint16_t)v;
	}
	return true;
}

/* "[ADDR]..." or a bare IPv6 address, which can't have a port, or IPv4 */
static bool parse_dest(char *s, struct net_dest *out)
{
	char *tail, *port, *len;

	*out = (struct net_dest){.family = 0};
	if (s[0] == '[') {
		tail = split(s + 1, ']');
		if (!tail || (*tail != '\0' && *tail != '/' && *tail != ':')) {
			return false;
		}
		port = split(tail, ':');
		len = *tail == '/' ? tail + 1 : NULL;
		return parse_addr(s + 1, 6, out) && parse_tail(len, port, out);
	}
	if (strchr(s, ':') != strrchr(s, ':')) {
		len = split(s, '/');
		return parse_addr(s, 6, out) && parse_tail(len, NULL, out);
	}
	port = split(s, ':');
	len = split(s, '/');
	return parse_addr(s, 4, out) && parse_tail(len, port, out);
}

static int add_server(void *ctx, uint32_t family, const uint8_t addr[16], struct vr_err *err)
{
	struct net_dest d = {.family = family, .prefix = family == 4 ? 32 : 128, .port = DNS_PORT};

	memcpy(d.addr, addr, sizeof(d.addr));
	return add(ctx, &d, err);
}

static int add_dns(const struct oci_spec *spec, struct net_egress *e, struct vr_err *err)
{
	int rc = resolv_conf_each(spec, add_server, e, err);

	return rc == -ENODATA ? vr_err_set(err, EINVAL, ANNOTATION ": 'dns' needs a mount of '%s'",
					   RESOLV_CONF)
			      : rc;
}

static int parse_entry(char *entry, const struct oci_spec *spec, struct net_egress *e,
		       struct vr_err *err)
{
	char copy[ENTRY_MAX + 1];
	struct net_dest d;

	if (strcmp(entry, "dns") == 0) {
		return add_dns(spec, e, err);
	}
	if (strlen(entry) <= ENTRY_MAX) {
		/* Parsing cuts it up, the message wants all of it. */
		memcpy(copy, entry, strlen(entry) + 1);
		if (parse_dest(copy, &d)) {
			return add(e, &d, err);
		}
	}
	return vr_err_set(err, EINVAL,
			  ANNOTATION ": '%.100s' is neither an address or network, perhaps with a "
				     "port, nor 'dns'",
			  entry);
}

int net_egress_parse(const char *text, const struct oci_spec *spec, struct net_egress *out,
		     struct vr_err *err)
{
	vr_autofree char *copy = strdup(text);
	char *rest = copy;
	char *entry;
	int rc = 0;

	*out = (struct net_egress){.n = 0};
	if (!copy) {
		return vr_err_set(err, ENOMEM, ANNOTATION ": out of memory");
	}
	if (strcmp(text, "none") == 0) {
		return 0;
	}
	while (rc == 0 && (entry = strsep(&rest, ",")) != NULL) {
		if (out->n_entries++ == NET_EGRESS_MAX) {
			return vr_err_set(err, E2BIG, ANNOTATION ": more than %u entries",
					  NET_EGRESS_MAX);
		}
		rc = parse_entry(entry, spec, out, err);
	}
	return rc;
}

/* The first @bits bits of @a and @b are the same. */
static bool same_network(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
	uint32_t rest = bits % 8;

	return memcmp(a, b, bits / 8) == 0 &&
	       (rest == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - rest)) == 0);
}

bool net_egress_allows(const struct net_egress *e, uint32_t family, const uint8_t *addr,
		       uint16_t port)
{
	for (unsigned i = 0; i < e->n; i++) {
		const struct net_dest *d = &e->v[i];

		if (d->family == family && (d->port == 0 || d->port == port) &&
		    same_network(d->addr, addr, d->prefix)) {
			return true;
		}
	}
	return false;
}
