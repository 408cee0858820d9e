/* SPDX-License-Identifier: Apache-2.0 */
/* net_move.c - interfaces move into the container's network namespace, and back; see net_move.h */
#include "net_move.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>

#include "base/agent_proto.h"
#include "base/log.h"
#include "net_link.h"

#define SCOPE_GLOBAL 0

/** struct moving - one interface; @flags: IFF_* it had at home */
struct moving {
	bool away;
	unsigned flags;
};

/**
 * struct net_moved - interfaces under way
 * @devs:  borrowed
 * @dev:   for each of @devs
 * @addrs: those that outlast no change of namespace; libnl's objects
 * @owner: index in @devs
 */
struct net_moved {
	const struct oci_net_devices *devs;
	struct moving *dev;
	struct rtnl_addr *addrs[AP_MAX_ADDRS];
	size_t owner[AP_MAX_ADDRS];
	size_t n_addrs;
};

static const char *new_name(const struct oci_net_device *d)
{
	return d->name && d->name[0] != '\0' ? d->name : d->key;
}

void net_moved_free(struct net_moved *moved)
{
	for (size_t i = 0; moved && i < moved->n_addrs; i++) {
		rtnl_addr_put(moved->addrs[i]);
	}
	if (moved) {
		free(moved->dev);
	}
	free(moved);
}

/* The kernel makes it again by itself. */
static bool comes_back(struct rtnl_addr *a)
{
	return rtnl_addr_get_family(a) == AF_INET6 && rtnl_addr_get_scope(a) != SCOPE_GLOBAL;
}

/* The kernel forgets them when the interface leaves. */
static int keep_addrs(struct net_moved *m, struct nl_cache *cache, int ifindex, size_t owner)
{
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *a = (struct rtnl_addr *)o;

		if (rtnl_addr_get_ifindex(a) != ifindex || comes_back(a)) {
			continue;
		}
		if (m->n_addrs == AP_MAX_ADDRS) {
			return -E2BIG;
		}
		nl_object_get(o);
		m->owner[m->n_addrs] = owner;
		m->addrs[m->n_addrs++] = a;
	}
	return 0;
}

static int send_away(struct nl_sock *nl, int ifindex, const char *name, int ns_fd)
{
	struct rtnl_link *what = rtnl_link_alloc();
	int rc;

	if (!what) {
		return -ENOMEM;
	}
	rtnl_link_set_name(what, name);
	rtnl_link_set_ns_fd(what, ns_fd);
	rc = net_link_change(nl, ifindex, what);
	rtnl_link_put(what);
	return rc;
}

/* Return: interface index in the socket's namespace, or -errno */
static int look_up(struct nl_sock *nl, const char *name, unsigned *out_flags)
{
	struct rtnl_link *link;
	int rc = net_nl_errno(rtnl_link_get_kernel(nl, 0, name, &link));

	if (rc < 0) {
		return rc;
	}
	*out_flags = rtnl_link_get_flags(link);
	rc = rtnl_link_get_ifindex(link);
	rtnl_link_put(link);
	return rc;
}

static int move_one(struct nl_sock *nl, struct net_moved *m, struct nl_cache *addrs, size_t i,
		    int ns_fd, struct vr_err *err)
{
	const struct oci_net_device *d = &m->devs->v[i];
	int ifindex = look_up(nl, d->key, &m->dev[i].flags);
	int rc = ifindex < 0 ? ifindex : keep_addrs(m, addrs, ifindex, i);

	if (rc == 0) {
		rc = send_away(nl, ifindex, new_name(d), ns_fd);
		m->dev[i].away = rc == 0;
	}
	return rc < 0 ? vr_err_sys(err, rc,
				   "config.json: linux.netDevices: move '%s' into the container as "
				   "'%s'",
				   d->key, new_name(d))
		      : 0;
}

int net_move_out(struct nl_sock *nl, const struct oci_net_devices *devs, int ns_fd,
		 struct net_moved **out, struct vr_err *err)
{
	struct nl_cache *addrs;
	int rc;

	*out = NULL;
	if (devs->n == 0) {
		return 0;
	}
	*out = calloc(1, sizeof(**out));
	if (*out) {
		(*out)->devs = devs;
		(*out)->dev = calloc(devs->n, sizeof((*out)->dev[0]));
	}
	rc = *out && (*out)->dev ? net_nl_errno(rtnl_addr_alloc_cache(nl, &addrs)) : -ENOMEM;
	if (rc < 0) {
		net_moved_free(*out);
		*out = NULL;
		return vr_err_sys(err, rc, "list the addresses of network interfaces");
	}
	for (size_t i = 0; rc == 0 && i < devs->n; i++) {
		rc = move_one(nl, *out, addrs, i, ns_fd, err);
	}
	nl_cache_free(addrs);
	return rc;
}

static int add_addr(struct nl_sock *nl, struct rtnl_addr *from, int ifindex)
{
	struct rtnl_addr *a = rtnl_addr_alloc();
	int rc;

	if (!a) {
		return -ENOMEM;
	}
	/* A fresh object: the old one has life times and labels that belong to the old place. */
	rtnl_addr_set_ifindex(a, ifindex);
	rtnl_addr_set_family(a, rtnl_addr_get_family(from));
	rc = rtnl_addr_set_local(a, rtnl_addr_get_local(from));
	rtnl_addr_set_prefixlen(a, rtnl_addr_get_prefixlen(from));
	rtnl_addr_set_scope(a, rtnl_addr_get_scope(from));
	if (rtnl_addr_get_family(from) == AF_INET6) {
		rtnl_addr_set_flags(a, IFA_F_NODAD); /* it was in use before */
	}
	if (rc == 0 && rtnl_addr_get_peer(from)) {
		rc = rtnl_addr_set_peer(a, rtnl_addr_get_peer(from));
	}
	if (rc == 0 && rtnl_addr_get_broadcast(from)) {
		rc = rtnl_addr_set_broadcast(a, rtnl_addr_get_broadcast(from));
	}
	if (rc == 0) {
		rc = rtnl_addr_add(nl, a, 0);
	}
	rtnl_addr_put(a);
	return net_nl_errno(rc);
}

/* @all: also those that mean nothing elsewhere */
static int add_addrs(struct nl_sock *nl, const struct net_moved *m, size_t i, int ifindex, bool all)
{
	int rc = 0;

	for (size_t k = 0; rc == 0 && k < m->n_addrs; k++) {
		if (m->owner[k] == i && (all || rtnl_addr_get_scope(m->addrs[k]) == SCOPE_GLOBAL)) {
			rc = add_addr(nl, m->addrs[k], ifindex);
		}
	}
	return rc;
}

int net_move_in(struct nl_sock *nl, const struct net_moved *moved, struct vr_err *err)
{
	for (size_t i = 0; moved && i < moved->devs->n; i++) {
		const char *name = new_name(&moved->devs->v[i]);
		unsigned flags;
		int ifindex = look_up(nl, name, &flags);
		int rc = ifindex < 0 ? ifindex : add_addrs(nl, moved, i, ifindex, false);

		rc = rc == 0 ? net_link_set_flags(nl, ifindex, IFF_UP) : rc;
		if (rc < 0) {
			return vr_err_sys(err, rc,
					  "config.json: linux.netDevices: set up '%s' in the "
					  "container",
					  name);
		}
	}
	return 0;
}

/* --- and back -------------------------------------------------------------------------------- */

static int return_one(struct nl_sock *nl, const struct moving *was, const char *here,
		      const char *home_name, int home_fd)
{
	unsigned now;
	int ifindex = look_up(nl, here, &now);

	if (ifindex < 0) {
		return ifindex;
	}
	if ((now & IFF_ALLMULTI) && !(was->flags & IFF_ALLMULTI)) {
		(void)net_link_clear_flags(nl, ifindex, IFF_ALLMULTI); /* set for the VM */
	}
	return send_away(nl, ifindex, home_name, home_fd);
}

void net_move_return(struct nl_sock *nl, struct net_moved *moved, int home_fd)
{
	for (size_t i = 0; i < moved->devs->n; i++) {
		const struct oci_net_device *d = &moved->devs->v[i];
		int rc = moved->dev[i].away
				 ? return_one(nl, &moved->dev[i], new_name(d), d->key, home_fd)
				 : 0;

		if (rc < 0) {
			vr_warn("network interface '%s' can't be given back as '%s': %s",
				new_name(d), d->key, strerror(-rc));
			continue;
		}
		moved->dev[i].away = false;
	}
}

void net_move_restore(struct nl_sock *nl, const struct net_moved *moved)
{
	for (size_t i = 0; i < moved->devs->n; i++) {
		const char *name = moved->devs->v[i].key;
		unsigned flags;
		int ifindex = moved->dev[i].away ? -ENODEV : look_up(nl, name, &flags);
		int rc = 0;

		if (ifindex < 0) {
			continue; /* never left, and is not there; or didn't come back */
		}
		if (moved->dev[i].flags & IFF_UP) {
			rc = net_link_set_flags(nl, ifindex, IFF_UP);
		}
		rc = rc == 0 ? add_addrs(nl, moved, i, ifindex, true) : rc;
		if (rc < 0 && rc != -EEXIST) {
			vr_warn("network interface '%s' is back, but not as it was: %s", name,
				strerror(-rc));
		}
	}
}
