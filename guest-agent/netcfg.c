/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netcfg.c - the container's network; see netcfg.h
 *
 * What was asked for last is remembered. The next time, what is gone is removed first, for it may
 * have the names and addresses of what comes, then what is new is added. What the workload made
 * itself is left alone.
 */
#include "netcfg.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "netdev.h"
#include "netitem.h"
#include "sys.h"

#define INTERIM "volt%u"   /* while one link still has the name another one shall get */
#define ARRIVAL "voltin%u" /* on its way between namespaces */

/*
 * What the network is: a copy of the last request, and the interface on each slot. When that request
 * failed, some of it isn't there.
 */
static struct ap_net now;
static bool incomplete;
static char now_names[AP_MAX_LINKS][AP_NET_NAME_MAX + 1];
static int now_index[AP_MAX_LINKS];
/* What we turned off on a slot's interface: router advertisements, IPv6. */
static bool ra_off[AP_MAX_LINKS];
static bool ipv6_off[AP_MAX_LINKS];

/* Where devices appear, and where the network is; -1: in the same namespace. See netcfg_enter(). */
static int birth_ns = -1;
static int home_ns = -1;

static const struct ap_link *link_on(const struct ap_net *net, uint32_t slot)
{
	for (uint32_t i = 0; i < net->n_links; i++) {
		if (net->links[i].slot == slot) {
			return &net->links[i];
		}
	}
	return NULL;
}

/* The same device: another one on its slot has another address, or came after it went. */
static bool stays(const struct ap_link *l, const struct ap_net *net)
{
	const struct ap_link *other = link_on(net, l->slot);

	return other && memcmp(l->mac, other->mac, sizeof(l->mac)) == 0;
}

static bool same_link(const struct ap_link *a, const struct ap_link *b)
{
	return strcmp(a->name, b->name) == 0 && a->mtu == b->mtu && a->txqlen == b->txqlen &&
	       a->flags == b->flags;
}

/* --- links ----------------------------------------------------------------------------------- */

static void link_begin(struct netcfg *c, int index, uint32_t flags, uint32_t change)
{
	const struct nl_ifinfo h = {.index = index, .flags = flags, .change = change};

	nl_begin(&c->m, NL_NEWLINK, 0, &h, sizeof(h));
}

/* The interface of a device, where devices appear. On a slot that was empty nobody has looked yet. */
static int look_for(uint32_t slot, struct ifreq *ifr)
{
	int rc = netdev_find(slot, ifr->ifr_name);

	if (rc == -ENODEV) {
		rc = netdev_bind(slot);
		rc = rc < 0 ? rc : netdev_find(slot, ifr->ifr_name);
	}
	return rc;
}

/* From the present namespace to where the network is, under the name it shall not keep. */
static int send_home(int nl, int sock, struct ifreq *ifr, uint32_t slot)
{
	struct netcfg c = {.nl = nl};

	if (ioctl(sock, SIOCGIFINDEX, ifr) < 0) {
		return -errno;
	}
	link_begin(&c, ifr->ifr_ifindex, 0, 0);
	nl_put_u32(&c.m, NL_IFLA_NET_NS_FD, (uint32_t)home_ns);
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), ARRIVAL, slot);
	nl_put_str(&c.m, NL_IFLA_IFNAME, ifr->ifr_name);
	return nl_talk(c.nl, &c.m);
}

static int bring_home(uint32_t slot, struct ifreq *ifr)
{
	int nl, sock;
	int rc = sys_setns(birth_ns, VA_CLONE_NEWNET);

	if (rc < 0) {
		return rc;
	}
	nl = nl_open();
	sock = sys_rc(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	rc = look_for(slot, ifr);
	rc = rc < 0 ? rc : send_home(nl, sock, ifr, slot);
	sys_close(&nl);
	sys_close(&sock);
	if (sys_setns(home_ns, VA_CLONE_NEWNET) < 0) {
		agent_die("lost the way back to the container's network");
	}
	return rc;
}

/* Here already, from a request that failed later on. */
static bool is_here(const struct netcfg *c, const struct ap_link *l)
{
	struct ifreq ifr = {.ifr_ifindex = c->index[l->slot]};

	return ifr.ifr_ifindex > 0 && ioctl(c->sock, SIOCGIFNAME, &ifr) == 0 &&
	       ioctl(c->sock, SIOCGIFHWADDR, &ifr) == 0 &&
	       memcmp(ifr.ifr_hwaddr.sa_data, l->mac, sizeof(l->mac)) == 0;
}

static int find_device(struct netcfg *c, const struct ap_link *l, struct fail *f)
{
	struct ifreq ifr = {0};
	int rc;

	if (is_here(c, l)) {
		return 0;
	}
	rc = birth_ns >= 0 ? bring_home(l->slot, &ifr) : look_for(l->slot, &ifr);

	if (rc < 0 || ioctl(c->sock, SIOCGIFINDEX, &ifr) < 0) {
		return fail_set(f, "network", rc < 0 ? rc : -errno, "find network device %u",
				l->slot);
	}
	c->index[l->slot] = ifr.ifr_ifindex;
	if (ioctl(c->sock, SIOCGIFHWADDR, &ifr) < 0) {
		return fail_set(f, "network", -errno, "address of network device %u", l->slot);
	}
	if (memcmp(ifr.ifr_hwaddr.sa_data, l->mac, sizeof(l->mac)) != 0) {
		return fail_set(f, "network", -ENODEV, "network device %u is not '%s'", l->slot,
				l->name);
	}
	return 0;
}

static int rename_link(struct netcfg *c, int index, const char *name)
{
	link_begin(c, index, 0, 0);
	nl_put_str(&c->m, NL_IFLA_IFNAME, name);
	return nl_talk(c->nl, &c->m);
}

/* Only where the name is another one: an interface that is up may be in use. */
static int rename_all(struct netcfg *c, const bool changed[AP_MAX_LINKS], struct fail *f)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < c->net->n_links; i++) {
		char interim[IF_NAMESIZE];

		snprintf(interim, sizeof(interim), INTERIM, i);
		rc = changed[i] ? rename_link(c, c->index[c->net->links[i].slot], interim) : 0;
	}
	for (uint32_t i = 0; rc == 0 && i < c->net->n_links; i++) {
		const struct ap_link *l = &c->net->links[i];

		rc = changed[i] ? rename_link(c, c->index[l->slot], l->name) : 0;
		if (rc < 0) {
			return fail_set(f, "network", rc, "name an interface '%s'", l->name);
		}
	}
	return rc < 0 ? fail_set(f, "network", rc, "rename interfaces") : 0;
}

/* A link-local address comes with the others, or isn't wanted. Fails without IPv6. */
static void no_link_local(struct netcfg *c, int index)
{
	uint8_t none = NL_INET6_GEN_NONE;
	uint32_t spec, inet6;

	link_begin(c, index, 0, 0);
	spec = nl_nest(&c->m, NL_IFLA_AF_SPEC);
	inet6 = nl_nest(&c->m, NL_AF_INET6);
	nl_put(&c->m, NL_INET6_ADDR_GEN, &none, sizeof(none));
	nl_nest_end(&c->m, inet6);
	nl_nest_end(&c->m, spec);
	(void)nl_talk(c->nl, &c->m);
}

static void ipv6_sysctl(const char *ifname, const char *what, const char *value)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", ifname, what);
	(void)sys_write_file(-1, path, value); /* missing with an MTU below IPv6's least */
}

/* Only what we turned off is turned on again: otherwise it is as the kernel, or the workload, has it. */
static void ipv6_switches(const struct ap_link *l)
{
	bool all = (l->flags & AP_L_NO_IPV6) != 0;
	bool routers = (l->flags & AP_L_NO_RA) != 0;

	if (all || ipv6_off[l->slot]) {
		ipv6_sysctl(l->name, "disable_ipv6", all ? "1" : "0");
	}
	if (routers || ra_off[l->slot]) {
		ipv6_sysctl(l->name, "accept_ra", routers ? "0" : "1");
	}
	ipv6_off[l->slot] = all;
	ra_off[l->slot] = routers;
}

static int link_set(struct netcfg *c, const struct ap_link *l, struct fail *f)
{
	int index = c->index[l->slot];
	uint32_t up = l->flags & AP_L_UP ? IFF_UP : 0;
	int rc;

	link_begin(c, index, 0, 0);
	nl_put_u32(&c->m, NL_IFLA_MTU, l->mtu);
	nl_put_u32(&c->m, NL_IFLA_TXQLEN, l->txqlen);
	rc = nl_talk(c->nl, &c->m);
	if (rc < 0) {
		return fail_set(f, "network", rc, "set the MTU of '%s' to %u", l->name, l->mtu);
	}
	no_link_local(c, index);
	ipv6_switches(l);
	link_begin(c, index, up, IFF_UP);
	rc = nl_talk(c->nl, &c->m);
	return rc < 0 ? fail_set(f, "network", rc, "bring '%s' %s", l->name, up ? "up" : "down")
		      : 0;
}

/* Return: 1 when an interface came or changed, 0, or -errno */
static int links(struct netcfg *c, struct fail *f)
{
	bool renamed[AP_MAX_LINKS] = {false};
	bool changed[AP_MAX_LINKS] = {false};
	int rc = 0;
	int any = 0;

	for (uint32_t i = 0; rc == 0 && i < c->net->n_links; i++) {
		const struct ap_link *l = &c->net->links[i];
		const struct ap_link *was = incomplete ? NULL : link_on(&now, l->slot);

		changed[i] = !was || !same_link(was, l);
		renamed[i] = !was || strcmp(was->name, l->name) != 0;
		any |= changed[i];
		rc = was ? 0 : find_device(c, l, f);
	}
	rc = rc ? rc : rename_all(c, renamed, f);
	for (uint32_t i = 0; rc == 0 && i < c->net->n_links; i++) {
		rc = changed[i] ? link_set(c, &c->net->links[i], f) : 0;
	}
	return rc < 0 ? rc : any;
}

/* --- what changed ---------------------------------------------------------------------------- */

static bool has(const struct ap_net *net, enum netitem_kind kind, const void *item)
{
	const void *other;
	size_t size;

	for (uint32_t i = 0; (other = netitem_at(net, kind, i, &size)); i++) {
		if (memcmp(item, other, size) == 0) {
			return true;
		}
	}
	return false;
}

static bool name_differs(const struct ap_net *net, uint32_t slot)
{
	const struct ap_link *a = link_on(&now, slot);
	const struct ap_link *b = link_on(net, slot);

	return a && b ? strcmp(a->name, b->name) != 0 : a != b;
}

/* The kernel knows a rule's interfaces by name: with another one it is another rule. */
static bool is_renamed(const struct ap_net *net, enum netitem_kind kind, const void *item)
{
	const struct ap_rule *r = item;

	return kind == NETITEM_RULE &&
	       (name_differs(net, r->in_link) || name_differs(net, r->out_link));
}

/* In the opposite order of how they came, under the names of then. Return: whether an address went */
static bool remove_old(struct netcfg *c)
{
	const struct ap_net *net = c->net;
	const void *item;
	bool address = false;
	size_t size;

	for (unsigned kind = NETITEM_COUNT; kind-- > 0;) {
		for (uint32_t i = 0; (item = netitem_at(&now, kind, i, &size)); i++) {
			if (!has(net, kind, item) || is_renamed(net, kind, item)) {
				c->net = &now;
				netitem_del(c, kind, item);
				address |= kind == NETITEM_ADDR;
			}
		}
	}
	c->net = net;
	return address;
}

/*
 * @all_routes: also those that were there before, for the kernel removes routes by itself
 *
 * One that can't be had keeps no other from being had. Return: what went wrong first
 */
static int add_new(struct netcfg *c, bool all_routes, struct fail *f)
{
	struct fail later;
	const void *item;
	size_t size;
	int first = 0;

	for (unsigned kind = 0; kind < NETITEM_COUNT; kind++) {
		for (uint32_t i = 0; (item = netitem_at(c->net, kind, i, &size)); i++) {
			if (incomplete || (kind == NETITEM_ROUTE && all_routes) ||
			    !has(&now, kind, item) || is_renamed(c->net, kind, item)) {
				int rc = netitem_add(c, kind, item, first < 0 ? &later : f);

				first = first < 0 ? first : rc;
			}
		}
	}
	return first;
}

/* Devices that are gone take everything on them along, and free their names. */
static void drop_devices(struct netcfg *c)
{
	char name[IF_NAMESIZE];
	uint32_t n = 0;

	for (uint32_t i = 0; i < now.n_links; i++) {
		struct ap_link *l = &now.links[i];

		if (stays(l, c->net)) {
			now.links[n++] = *l;
			continue;
		}
		/* Without a driver it is gone already; and what is there may be no network. */
		if (birth_ns >= 0 || netdev_find(l->slot, name) == 0) {
			(void)netdev_unbind(l->slot);
		}
		c->index[l->slot] = 0;
		ra_off[l->slot] = ipv6_off[l->slot] = false;
	}
	now.n_links = n;
}

static void remember(const struct netcfg *c)
{
	now = *c->net;
	for (uint32_t i = 0; i < now.n_links; i++) {
		if (now.links[i].name != now_names[i]) { /* as netcfg_enter() asks for it again */
			snprintf(now_names[i], sizeof(now_names[i]), "%s", now.links[i].name);
		}
		now.links[i].name = now_names[i];
	}
	memcpy(now_index, c->index, sizeof(now_index));
}

static int apply(struct netcfg *c, struct fail *f)
{
	bool moved;
	int rc;

	moved = remove_old(c);
	drop_devices(c);
	rc = links(c, f);
	return rc < 0 ? rc : add_new(c, moved || rc > 0, f);
}

/*
 * When the first address of a subnet goes, its others stay, as on the host. Written where we are:
 * each namespace has its own.
 */
static void keep_secondaries(void)
{
	static const char *const all[] = {"all", "default"};
	char path[80];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/promote_secondaries",
			 all[i]);
		(void)sys_write_file(-1, path, "1"); /* or addresses may be missing */
	}
}

int netcfg_apply(const struct ap_net *net, struct fail *f)
{
	static struct netcfg c;
	int rc;

	c = (struct netcfg){.nl = nl_open(), .net = net};
	memcpy(c.index, now_index, sizeof(c.index));
	if (c.nl < 0) {
		return fail_set(f, "network", c.nl, "open a netlink socket");
	}
	c.sock = sys_rc(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	rc = c.sock < 0 ? fail_set(f, "network", c.sock, "open a socket") : 0;
	keep_secondaries();
	rc = rc ? rc : apply(&c, f);
	incomplete = rc < 0;
	remember(&c); /* after a failure, too: what is there of it is to be removed again */
	sys_close(&c.sock);
	sys_close(&c.nl);
	return rc;
}

static int loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int s = sys_rc(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	int rc = s < 0 ? s : sys_rc(ioctl(s, SIOCSIFFLAGS, &ifr));

	sys_close(&s);
	return rc;
}

int netcfg_enter(int ns, struct fail *f)
{
	static struct ap_net net;
	int rc;

	birth_ns = sys_rc(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
	home_ns = ns;
	rc = birth_ns < 0 ? birth_ns : sys_setns(ns, VA_CLONE_NEWNET);
	rc = rc < 0 ? rc : loopback_up();
	if (rc < 0) {
		return fail_set(f, "network", rc, "enter the container's network namespace");
	}
	/* All over again: addresses and routes don't survive the move. */
	net = now;
	now = (struct ap_net){0};
	memset(now_index, 0, sizeof(now_index));
	return net.n_links + net.n_addrs + net.n_routes + net.n_rules > 0 ? netcfg_apply(&net, f)
									  : 0;
}
