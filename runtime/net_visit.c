/* SPDX-License-Identifier: Apache-2.0 */
/* net_visit.c - a stay in another network namespace; see net_visit.h */
#include "net_visit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>

#include <netlink/netlink.h>

#include "base/cleanup.h"
#include "net_link.h"
#include "sandbox/namespaces.h"

int net_socket_open(struct nl_sock **out, struct vr_err *err)
{
	int rc;

	*out = nl_socket_alloc();
	rc = *out ? net_nl_errno(nl_connect(*out, NETLINK_ROUTE)) : -ENOMEM;
	return rc < 0 ? vr_err_sys(err, rc, "open a netlink socket") : 0;
}

int net_visit_begin(struct net_visit *v, int ns_fd, struct vr_err *err)
{
	int rc;

	*v = (struct net_visit){.own_fd = open(NET_OWN_NS, O_RDONLY | O_CLOEXEC)};
	if (v->own_fd < 0) {
		return vr_err_sys(err, errno, "open '%s'", NET_OWN_NS);
	}
	rc = sbx_ns_join(ns_fd, CLONE_NEWNET, err);
	if (rc < 0) {
		vr_close_reset(&v->own_fd);
		return rc;
	}
	return net_socket_open(&v->nl, err);
}

int net_visit_end(struct net_visit *v, struct vr_err *err)
{
	int rc = 0;

	nl_socket_free(v->nl);
	if (v->own_fd >= 0) {
		rc = sbx_ns_join(v->own_fd, CLONE_NEWNET, err);
		vr_close_reset(&v->own_fd);
	}
	return rc;
}
