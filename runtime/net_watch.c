/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_watch.c - follow a container's network namespace; see net_watch.h
 *
 * An interface is told from others by its index and its MAC address: another address makes it
 * another interface, since a guest's device can't change its own.
 */
#include "net_watch.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/netlink.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "net_learnt.h"
#include "net_link.h"
#include "net_port.h"
#include "net_scan.h"
#include "net_visit.h"

/* An interface that can't be had is tried again only if it comes back with another index. */
#define IGNORED_MAX 16u

/**
 * struct port - what is attached to a slot
 * @ifindex, @mac: of the interface; 0: the slot is free
 * @gone:    the interface is, the VM's device isn't yet
 * @stale:   its filters are not those of its addresses: to be tried again
 * @mtu:     the most that its device has room for: what it was made with
 */
struct port {
	int ifindex;
	uint8_t mac[6];
	uint32_t mtu;
	bool gone;
	bool stale;
	struct net_tap tap;
};

struct net_watch {
	struct nl_sock *nl;
	struct nl_sock *events; /* the plan's */
	const struct net_egress *egress;
	unsigned n_vcpus;
	unsigned n_slots;
	uint32_t taken;	  /* slots with other devices, a bit each */
	uint32_t carrier; /* slots whose link was last said to have one */
	bool dirty;
	struct port port[AP_MAX_LINKS];
	int spare[NET_SPARE_QUEUES];
	unsigned n_spare;
	int ignored[IGNORED_MAX];
	unsigned n_ignored;
	struct net_scan *now;  /* what the guest knows */
	struct net_scan *next; /* scratch */
	uint8_t *payload;      /* of @now, after room for a header */
	uint8_t *next_payload; /* scratch */
	size_t payload_len;
};

/* --- begin and end ---------------------------------------------------------------------------- */

static int watch_alloc(struct net_watch *w)
{
	w->now = calloc(1, sizeof(*w->now));
	w->next = calloc(1, sizeof(*w->next));
	w->payload = malloc(AP_HEADER_LEN + NET_WATCH_PAYLOAD_MAX);
	w->next_payload = malloc(AP_HEADER_LEN + NET_WATCH_PAYLOAD_MAX);
	return w->now && w->next && w->payload && w->next_payload ? 0 : -ENOMEM;
}

static void port_set(struct port *p, const struct net_scan *s, unsigned i,
		     const struct net_tap *tap)
{
	*p = (struct port){.ifindex = s->ifindex[i], .mtu = s->net.links[i].mtu, .tap = *tap};
	memcpy(p->mac, s->net.links[i].mac, sizeof(p->mac));
}

/* Names in a scan are its own. */
static void scan_copy(struct net_scan *to, const struct net_scan *from)
{
	*to = *from;
	for (uint32_t i = 0; i < to->net.n_links; i++) {
		to->net.links[i].name = to->name[i];
	}
}

static int take_plan(struct net_watch *w, const struct net_plan *plan)
{
	long n;

	scan_copy(w->now, plan->scan);
	for (unsigned i = 0; i < plan->n; i++) {
		port_set(&w->port[i], w->now, i, &plan->ifs[i].tap);
		w->carrier |= w->now->carrier[i] ? 1u << i : 0;
	}
	memcpy(w->spare, plan->spare, sizeof(w->spare));
	w->n_spare = plan->n_spare;
	w->n_slots = plan->n_slots;
	w->events = plan->events;
	n = ap_encode_net(&w->now->net, 1, w->payload, AP_HEADER_LEN + NET_WATCH_PAYLOAD_MAX);
	w->payload_len = n < 0 ? 0 : (size_t)n - AP_HEADER_LEN;
	return n < 0 ? (int)n : 0;
}

int net_watch_create(struct net_plan *plan, unsigned n_vcpus, const struct net_egress *egress,
		     struct net_watch **out, struct vr_err *err)
{
	struct net_watch *w = calloc(1, sizeof(*w));
	int rc = w ? watch_alloc(w) : -ENOMEM;

	if (rc == 0) {
		w->n_vcpus = n_vcpus;
		w->egress = egress;
		rc = take_plan(w, plan);
	}
	rc = rc < 0 ? vr_err_sys(err, rc, "watch the container's network")
		    : net_socket_open(&w->nl, err);
	if (rc < 0) {
		net_watch_destroy(w);
		return rc;
	}
	*out = w;
	return 0;
}

void net_watch_leave(struct net_watch *w)
{
	for (unsigned i = 0; i < AP_MAX_LINKS; i++) {
		if (w->port[i].ifindex > 0 && !w->port[i].gone) {
			net_port_leave(w->nl, w->port[i].ifindex);
		}
	}
}

void net_watch_destroy(struct net_watch *w)
{
	if (!w) {
		return;
	}
	nl_socket_free(w->nl);
	free(w->now);
	free(w->next);
	free(w->payload);
	free(w->next_payload);
	free(w);
}

/* --- what the kernel tells -------------------------------------------------------------------- */

int net_watch_fd(const struct net_watch *w)
{
	return nl_socket_get_fd(w->events);
}

struct nl_sock *net_watch_socket(const struct net_watch *w)
{
	return w->nl;
}

/* What a message about an interface begins with */
struct link_msg {
	struct nlmsghdr h;
	struct ifinfomsg link;
};

/*
 * Does a tap of ours just have something set? A guest does that with each reset of its device, as
 * often as it likes: reading the namespace, and telling the log what is wrong there, isn't its to ask.
 */
static bool is_of_tap(const struct net_watch *w, const struct link_msg *m, size_t len)
{
	/* more than one in a message: nobody sends that, then it counts */
	if (len < sizeof(*m) || NLMSG_ALIGN(m->h.nlmsg_len) < len ||
	    m->h.nlmsg_type != RTM_NEWLINK || m->link.ifi_index <= 0) {
		return false;
	}
	for (unsigned slot = 0; slot < w->n_slots; slot++) {
		if (w->port[slot].tap.ifindex == m->link.ifi_index) {
			return true;
		}
	}
	return false;
}

/* What changed doesn't matter: all is read again. Syscalls: recvfrom (role net) */
bool net_watch_drain(struct net_watch *w)
{
	struct link_msg m; /* the rest of a message is cut */
	ssize_t n;

	do {
		n = recv(net_watch_fd(w), &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);
		/* Without room for more messages some were lost, which tells as much. */
		w->dirty |= (n > 0 && !is_of_tap(w, &m, (size_t)n)) || (n < 0 && errno == ENOBUFS);
	} while (n > 0 || (n < 0 && (errno == ENOBUFS || errno == EINTR)));
	return w->dirty;
}

/* --- slots and descriptors -------------------------------------------------------------------- */

static bool is_ignored(const struct net_watch *w, int ifindex)
{
	for (unsigned i = 0; i < w->n_ignored; i++) {
		if (w->ignored[i] == ifindex) {
			return true;
		}
	}
	return false;
}

static void ignore(struct net_watch *w, int ifindex)
{
	w->ignored[w->n_ignored % IGNORED_MAX] = ifindex;
	w->n_ignored = VR_MIN(w->n_ignored + 1, IGNORED_MAX);
}

/* Return: slot of an interface that is attached, or AP_MAX_LINKS */
static unsigned port_of(const struct net_watch *w, const struct net_scan *s, unsigned i)
{
	for (unsigned slot = 0; slot < w->n_slots; slot++) {
		const struct port *p = &w->port[slot];

		if (p->ifindex == s->ifindex[i] && !p->gone &&
		    memcmp(p->mac, s->net.links[i].mac, sizeof(p->mac)) == 0) {
			return slot;
		}
	}
	return AP_MAX_LINKS;
}

/* Return: a slot that nobody has, or AP_MAX_LINKS; @taken: bits of those given away already */
static unsigned free_slot(const struct net_watch *w, uint32_t taken)
{
	for (unsigned slot = 0; slot < w->n_slots; slot++) {
		if (w->port[slot].ifindex == 0 && !((taken | w->taken) & 1u << slot)) {
			return slot;
		}
	}
	return AP_MAX_LINKS;
}

static void scan_drop(struct net_scan *s, unsigned i)
{
	uint32_t n = --s->net.n_links;

	for (unsigned k = i; k < n; k++) {
		memcpy(s->name[k], s->name[k + 1], sizeof(s->name[k]));
		s->ifindex[k] = s->ifindex[k + 1];
		s->veth[k] = s->veth[k + 1];
		s->carrier[k] = s->carrier[k + 1];
		s->net.links[k] = s->net.links[k + 1];
		s->net.links[k].name = s->name[k];
	}
}

/* As many queues as the VM has vCPUs, but leave one for each slot that is still free. */
static unsigned queues_for(const struct net_watch *w)
{
	unsigned others = 0;
	unsigned n = VR_MIN(w->n_vcpus, NET_TAP_MAX_QUEUES);

	for (unsigned slot = 0; slot < w->n_slots; slot++) {
		others += w->port[slot].ifindex == 0;
	}
	others -= others > 0; /* the one it is for */
	if (w->n_spare <= others) {
		return VR_MIN(w->n_spare, 1u);
	}
	return VR_MIN(n, w->n_spare - others);
}

/* The tap is removed, its descriptors are kept for another one. */
static void port_free(struct net_watch *w, struct port *p)
{
	net_tap_remove(&p->tap, w->nl);
	for (unsigned q = 0; q < p->tap.n_queues && w->n_spare < NET_SPARE_QUEUES; q++) {
		w->spare[w->n_spare++] = p->tap.fd[q];
		p->tap.fd[q] = -1;
	}
	net_tap_close(&p->tap);
	*p = (struct port){0};
}

void net_watch_taken(struct net_watch *w, uint32_t slot)
{
	struct port *p;

	if (slot >= AP_MAX_LINKS) {
		return;
	}
	p = &w->port[slot];
	w->taken |= 1u << slot;
	if (p->ifindex > 0) { /* given away by both at once, and plugged in is the other one */
		if (!p->gone) {
			net_port_leave(w->nl, p->ifindex);
		}
		port_free(w, p);
		w->dirty = true;
	}
}

void net_watch_released(struct net_watch *w, uint32_t slot)
{
	w->taken &= ~(slot < AP_MAX_LINKS ? 1u << slot : 0);
	if (slot < AP_MAX_LINKS && w->port[slot].gone) {
		port_free(w, &w->port[slot]);
	}
	w->dirty = true; /* somebody may have waited for it */
}

/* --- following -------------------------------------------------------------------------------- */

/*
 * Slots for the interfaces there are; what can't be had is taken out of the scan.
 * Return: bits of the new ones
 */
static uint32_t assign_slots(struct net_watch *w, struct net_scan *s)
{
	uint32_t taken = 0;
	uint32_t added = 0;
	unsigned i = 0;

	for (unsigned k = 0; k < s->net.n_links; k++) {
		unsigned slot = port_of(w, s, k);

		s->net.links[k].slot = slot;
		taken |= slot < AP_MAX_LINKS ? 1u << slot : 0;
	}
	while (i < s->net.n_links) {
		struct ap_link *l = &s->net.links[i];

		if (l->slot == AP_MAX_LINKS && !is_ignored(w, s->ifindex[i])) {
			l->slot = free_slot(w, taken);
			if (l->slot == AP_MAX_LINKS || w->n_spare == 0) {
				vr_warn("the VM has no room for network interface '%s'", l->name);
				l->slot = AP_MAX_LINKS;
			} else {
				taken |= 1u << l->slot;
				added |= 1u << l->slot;
			}
		}
		if (l->slot == AP_MAX_LINKS) {
			scan_drop(s, i);
		} else {
			i++;
		}
	}
	return added;
}

/*
 * At once, whenever the guest lets go of its device: with another address an interface is another one, and
 * what the old one's tap sent would still go out there.
 */
static void mark_gone(struct net_watch *w, uint32_t there)
{
	for (unsigned slot = 0; slot < w->n_slots; slot++) {
		struct port *p = &w->port[slot];

		if (p->ifindex > 0 && !p->gone && !(there & 1u << slot)) {
			p->gone = true;
			net_tap_remove(&p->tap, w->nl);
			p->tap.ifindex = 0;
		}
	}
}

/* A larger one than its device was made for can't be had. */
static void limit_mtus(const struct net_watch *w, struct net_scan *s, uint32_t added)
{
	for (unsigned i = 0; i < s->net.n_links; i++) {
		struct ap_link *l = &s->net.links[i];

		if (!(added & 1u << l->slot)) {
			l->mtu = VR_MIN(l->mtu, w->port[l->slot].mtu);
		}
	}
}

static int port_add(struct net_watch *w, const struct net_scan *s, unsigned i, struct vr_err *err)
{
	struct port *p = &w->port[s->net.links[i].slot];
	unsigned n = queues_for(w);
	struct net_tap tap;
	int rc = net_port_claim(w->nl, s, i, err);

	if (rc < 0) {
		return rc;
	}
	w->n_spare -= n;
	rc = net_tap_make(&tap, w->nl, w->spare + w->n_spare, n, err);
	port_set(p, s, i, &tap);
	if (rc < 0) {
		net_port_leave(w->nl, s->ifindex[i]);
	} else {
		rc = net_port_join(w->nl, s, i, &tap, err);
	}
	if (rc < 0) {
		port_free(w, p);
	}
	return rc;
}

/* With the same network around it. */
static bool same_addr(const struct ap_addr *a, const struct ap_addr *b)
{
	return a->family == b->family && a->prefix == b->prefix &&
	       (a->flags & AP_A_PEER) == (b->flags & AP_A_PEER) &&
	       memcmp(a->addr, b->addr, sizeof(a->addr)) == 0 &&
	       memcmp(a->peer, b->peer, sizeof(a->peer)) == 0;
}

/* The same addresses in the same order. */
static bool same_addrs(const struct ap_net *a, const struct ap_net *b, uint32_t slot)
{
	uint32_t i = 0;
	uint32_t k = 0;

	for (;;) {
		while (i < a->n_addrs && a->addrs[i].link != slot) {
			i++;
		}
		while (k < b->n_addrs && b->addrs[k].link != slot) {
			k++;
		}
		if (i == a->n_addrs || k == b->n_addrs) {
			return i == a->n_addrs && k == b->n_addrs;
		}
		if (!same_addr(&a->addrs[i], &b->addrs[k])) {
			return false;
		}
		i++;
		k++;
	}
}

static uint32_t flags_of(const struct ap_net *net, uint32_t slot)
{
	for (uint32_t i = 0; i < net->n_links; i++) {
		if (net->links[i].slot == slot) {
			return net->links[i].flags & (AP_L_NO_IPV6 | AP_L_NO_RA);
		}
	}
	return 0;
}

/* All that the filters of a slot depend on. */
static bool same_filters(const struct ap_net *a, const struct ap_net *b, uint32_t slot)
{
	return flags_of(a, slot) == flags_of(b, slot) && same_addrs(a, b, slot);
}

static void port_guard(struct net_watch *w, const struct net_scan *s, unsigned i)
{
	struct port *p = &w->port[s->net.links[i].slot];
	bool was_stale = p->stale;
	int rc;

	if (!was_stale && same_filters(&w->now->net, &s->net, s->net.links[i].slot)) {
		return;
	}
	rc = net_port_guard(w->nl, s, i, p->tap.ifindex);
	p->stale = rc < 0;
	if (rc < 0 && !was_stale) {
		vr_warn("no filters can be made for the addresses that network interface '%s' has "
			"now: what the guest sends by them doesn't leave: %s",
			s->name[i], strerror(-rc));
	}
}

/* Return: 0, or -EAGAIN after one that could not be attached: it is ignored from now on */
static int follow(struct net_watch *w, struct net_scan *s, uint32_t added)
{
	struct vr_err err = VR_ERR_INIT;

	for (unsigned i = 0; i < s->net.n_links; i++) {
		uint32_t slot = s->net.links[i].slot;
		int rc;

		if ((added & 1u << slot) && w->port[slot].ifindex == 0) {
			rc = port_add(w, s, i, &err);
			if (rc < 0) {
				vr_warn("the VM doesn't get network interface '%s': %s", s->name[i],
					err.msg);
				ignore(w, s->ifindex[i]);
				return -EAGAIN;
			}
		} else if (!(added & 1u << slot)) {
			port_guard(w, s, i);
		}
	}
	return 0;
}

static int read_namespace(struct net_watch *w, uint32_t *added)
{
	struct vr_err err = VR_ERR_INIT;
	struct net_scan *s = w->next;
	uint32_t there = 0;
	int rc = net_scan_links(w->nl, s, &err);

	if (rc == 0) {
		*added |= assign_slots(w, s);
		for (unsigned i = 0; i < s->net.n_links; i++) {
			there |= 1u << s->net.links[i].slot;
		}
		*added &= there;
		mark_gone(w, there);
		limit_mtus(w, s, *added);
		rc = net_scan_config(w->nl, s, &err);
	}
	if (rc < 0) {
		vr_warn("%s", err.msg);
		return rc;
	}
	net_learnt_keep(s, w->now);
	s->egress = w->egress;
	memcpy(s->net.resolver, w->now->net.resolver, sizeof(s->net.resolver));
	return follow(w, s, *added);
}

static void describe(const struct net_watch *w, uint32_t added, struct net_change *out)
{
	*out = (struct net_change){.added = added,
				   .carrier = w->carrier,
				   .payload = w->payload + AP_HEADER_LEN,
				   .payload_len = w->payload_len};
	for (uint32_t i = 0; i < w->now->net.n_links; i++) {
		const struct ap_link *l = &w->now->net.links[i];
		struct net_if *nif = &out->ifs[l->slot];

		out->slots |= 1u << l->slot;
		nif->tap = w->port[l->slot].tap;
		nif->carrier = (w->carrier & 1u << l->slot) != 0;
		nif->mtu = (uint16_t)VR_MIN(l->mtu, 65535u);
		memcpy(nif->mac, l->mac, sizeof(nif->mac));
	}
}

/* Return: NET_WATCH_CHANGED, 0, or -errno */
static int settle(struct net_watch *w, uint32_t added)
{
	long n = ap_encode_net(&w->next->net, 1, w->next_payload,
			       AP_HEADER_LEN + NET_WATCH_PAYLOAD_MAX);
	struct net_scan *scan = w->now;
	uint8_t *payload = w->payload;
	size_t len = (size_t)n - AP_HEADER_LEN;
	bool same;

	if (n < 0) {
		return (int)n;
	}
	same = added == 0 && len == w->payload_len &&
	       memcmp(payload + AP_HEADER_LEN, w->next_payload + AP_HEADER_LEN, len) == 0;
	w->now = w->next;
	w->next = scan;
	w->payload = w->next_payload;
	w->next_payload = payload;
	w->payload_len = len;
	return same ? 0 : NET_WATCH_CHANGED;
}

/* Return: has a link that the VM knows already got or lost its carrier? That of a new one comes with it */
static bool carrier_changed(struct net_watch *w, uint32_t added)
{
	const struct net_scan *s = w->now;
	uint32_t known = 0;
	uint32_t have = 0;
	bool changed;

	for (uint32_t i = 0; i < s->net.n_links; i++) {
		uint32_t bit = 1u << s->net.links[i].slot;

		known |= bit & ~added;
		have |= s->carrier[i] ? bit : 0;
	}
	changed = ((w->carrier ^ have) & known) != 0;
	w->carrier = have;
	return changed;
}

int net_watch_scan(struct net_watch *w, struct net_change *out)
{
	uint32_t added = 0;
	int rc = -EAGAIN;

	w->dirty = false;
	for (unsigned tries = 0; rc == -EAGAIN && tries <= IGNORED_MAX; tries++) {
		rc = read_namespace(w, &added);
	}
	if (rc == 0) {
		rc = settle(w, added);
	}
	if (rc >= 0 && carrier_changed(w, added)) {
		rc |= NET_WATCH_CARRIER;
	}
	if (rc > 0) {
		describe(w, added, out);
	}
	return rc;
}
