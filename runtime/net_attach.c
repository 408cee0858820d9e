/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_attach.c - a VM takes the container's place in its network namespace; see net_attach.h
 *
 * The socket for what changes later is there before the first look: nothing is missed.
 */
#include "net_attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/rtnetlink.h>

#include <netlink/netlink.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "net_dns.h"
#include "net_link.h"
#include "net_move.h"
#include "net_port.h"
#include "net_scan.h"
#include "net_sysctl.h"
#include "net_tc.h"
#include "net_visit.h"
#include "sandbox/namespaces.h"

#define GONE_TRIES    40
#define GONE_PAUSE_MS 25

void net_plan_init(struct net_plan *plan)
{
	memset(plan, 0, sizeof(*plan));
	plan->ns_fd = -1;
	plan->dns_fd = -1;
	for (unsigned i = 0; i < NET_SPARE_QUEUES; i++) {
		plan->spare[i] = -1;
	}
	for (unsigned i = 0; i < AP_MAX_LINKS; i++) {
		net_tap_init(&plan->ifs[i].tap);
		for (unsigned q = 0; q < NET_TAP_MAX_QUEUES; q++) {
			plan->ifs[i].vhost[q] = -1;
		}
	}
}

void net_plan_finish(struct net_plan *plan)
{
	for (unsigned i = 0; i < plan->n; i++) {
		net_tap_close(&plan->ifs[i].tap);
		for (unsigned q = 0; q < NET_TAP_MAX_QUEUES; q++) {
			vr_close_reset(&plan->ifs[i].vhost[q]);
		}
	}
	for (unsigned i = 0; i < plan->n_spare; i++) {
		vr_close_reset(&plan->spare[i]);
	}
	nl_socket_free(plan->events);
	free(plan->scan);
	free(plan->sysctls);
	free(plan->frame);
	net_moved_free(plan->moved);
	vr_close_reset(&plan->ns_fd);
	vr_close_reset(&plan->dns_fd);
	plan->n = plan->n_slots = plan->n_spare = 0;
	plan->events = NULL;
	plan->scan = NULL;
	plan->sysctls = NULL;
	plan->frame = NULL;
	plan->moved = NULL;
}

void net_plan_undo(struct net_plan *plan)
{
	struct vr_err err = VR_ERR_INIT;
	struct nl_sock *nl = NULL;
	struct net_visit v;
	int rc;

	if (!plan->moved) {
		return;
	}
	rc = net_visit_begin(&v, plan->ns_fd, &err);
	if (rc == 0) {
		net_move_return(v.nl, plan->moved, v.own_fd);
	}
	if (net_visit_end(&v, &err) == 0 && rc == 0) {
		rc = net_socket_open(&nl, &err);
	}
	if (rc == 0 && nl) {
		net_move_restore(nl, plan->moved);
	}
	nl_socket_free(nl);
	if (rc < 0) {
		vr_warn("network interfaces can't be given back: %s", err.msg);
	}
}

static const struct oci_namespace *network_of(const struct oci_spec *spec)
{
	if (!spec->linux_) {
		return NULL;
	}
	OCI_FOREACH(ns, &spec->linux_->namespaces)
	{
		if (ns->type == OCI_NS_NETWORK) {
			return ns;
		}
	}
	return NULL;
}

static bool same_file(const char *a, const char *b)
{
	struct stat x;
	struct stat y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int net_spec_check(const struct oci_spec *spec, struct vr_err *err)
{
	const struct oci_namespace *ns = network_of(spec);

	if (!ns || (ns->path && same_file(ns->path, NET_OWN_NS))) {
		return vr_err_set(err, ENOTSUP,
				  "config.json: linux.namespaces: a virtual machine can't use the "
				  "host's network: it needs a 'network' namespace of its own");
	}
	return 0;
}

static int link_attach(struct nl_sock *nl, const struct net_scan *s, unsigned i, unsigned n_queues,
		       struct net_if *nif, struct vr_err *err)
{
	int rc = net_port_claim(nl, s, i, err);

	if (rc < 0) {
		return rc;
	}
	rc = net_tap_open(&nif->tap, nl, n_queues, err);
	if (rc < 0) {
		net_port_leave(nl, s->ifindex[i]);
		return rc;
	}
	rc = net_port_join(nl, s, i, &nif->tap, err);
	if (rc < 0) {
		return rc;
	}
	memcpy(nif->mac, s->net.links[i].mac, sizeof(nif->mac));
	nif->mtu = (uint16_t)VR_MIN(s->net.links[i].mtu, 65535u);
	nif->carrier = s->carrier[i];
	return 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

static int encode(const struct ap_net *net, uint32_t request_id, struct net_plan *out,
		  struct vr_err *err)
{
	size_t cap = AP_HEADER_LEN + AP_FRAME_MAX;
	long n;

	out->frame = malloc(cap);
	if (!out->frame) {
		return vr_err_set(err, ENOMEM, "encode the network: out of memory");
	}
	n = ap_encode_net(net, request_id, out->frame, cap);
	if (n < 0) {
		return vr_err_sys(err, (int)n, "encode the network for the guest agent");
	}
	out->frame_len = (size_t)n;
	return 0;
}

static bool worth_telling(const struct ap_net *net)
{
	return net->n_links + net->n_addrs + net->n_routes + net->n_rules > 0;
}

/* A socket that is told of links, addresses, routes, rules; neighbours change by themselves. */
static int events_open(struct nl_sock **out, struct vr_err *err)
{
	int rc = net_socket_open(out, err);

	if (rc < 0) {
		return rc;
	}
	rc = net_nl_errno(nl_socket_add_memberships(*out, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
						    RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE, 0));
	if (rc == 0) { /* may be missing */
		(void)nl_socket_add_memberships(*out, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE,
						RTNLGRP_IPV6_RULE, 0);
	}
	return rc < 0 ? vr_err_sys(err, rc, "listen to changes of the container's network") : 0;
}

/*
 * For interfaces to come: all queues for one, as is usual, and at least one for each. A host without
 * taps is good for containers without networks.
 */
static void reserve(struct net_plan *out, unsigned n_queues)
{
	unsigned more = VR_MIN(NET_SPARE_LINKS, AP_MAX_LINKS - out->n);
	struct vr_err err = VR_ERR_INIT;

	out->n_spare = more > 0 ? n_queues + more - 1 : 0;
	if (net_tap_reserve(out->spare, out->n_spare, &err) < 0) {
		vr_debug("no networks can be added later: %s", err.msg);
		for (unsigned i = 0; i < out->n_spare; i++) {
			vr_close_reset(&out->spare[i]);
		}
		more = out->n_spare = 0;
	}
	out->n_slots = out->n + more;
}

static int read_sysctls(struct net_plan *out, struct vr_err *err)
{
	out->sysctls = malloc(sizeof(*out->sysctls));
	if (!out->sysctls) {
		return vr_err_set(err, ENOMEM, "read sysctls of the network: out of memory");
	}
	net_sysctl_read(out->scan, out->dns_fd >= 0, out->sysctls);
	return 0;
}

static int attach_all(const struct oci_spec *spec, struct nl_sock *nl, struct net_scan *s,
		      unsigned n_vcpus, const struct net_egress *egress, uint32_t request_id,
		      struct net_plan *out, struct vr_err *err)
{
	unsigned n_queues = VR_MIN(n_vcpus, NET_TAP_MAX_QUEUES);
	int rc = events_open(&out->events, err);

	rc = rc < 0 ? rc : net_scan_links(nl, s, err);
	s->egress = egress;
	if (rc == 0 && s->taken[0] != '\0') {
		rc = vr_err_set(err, EBUSY,
				"the network namespace belongs to another VM already (its tap is "
				"'%s'), and to none of this state directory that could be joined",
				s->taken);
	}
	if (rc == 0 && s->routed[0] != '\0') {
		rc = vr_err_set(err, ENOTSUP,
				"network interface '%s' is an ipvlan in a routed mode (l3 or l3s), "
				"where a VM can't be attached: mode l2 is needed",
				s->routed);
	}
	if (rc == 0) {
		rc = net_scan_config(nl, s, err);
	}
	if (rc == 0 && s->net.n_links > 0) {
		rc = net_dns_open(spec, egress, s->net.resolver, &out->dns_fd, err);
	}
	if (rc == 0) {
		rc = read_sysctls(out, err);
	}
	for (unsigned i = 0; rc == 0 && i < s->net.n_links; i++) {
		rc = link_attach(nl, s, i, n_queues, &out->ifs[i], err);
		out->n++;
		for (unsigned k = 0; rc < 0 && k < i; k++) {
			net_port_leave(nl, s->ifindex[k]);
		}
	}
	if (rc == 0) {
		reserve(out, n_queues);
	}
	return rc == 0 && worth_telling(&s->net) ? encode(&s->net, request_id, out, err) : rc;
}

static int move_out(const struct oci_spec *spec, int ns_fd, struct net_plan *out,
		    struct vr_err *err)
{
	struct nl_sock *nl = NULL;
	int rc;

	out->ns_fd = fcntl(ns_fd, F_DUPFD_CLOEXEC, 3);
	if (out->ns_fd < 0) {
		return vr_err_sys(err, errno, "keep the container's network namespace");
	}
	if (spec->linux_->net_devices.n == 0) {
		return 0;
	}
	rc = net_socket_open(&nl, err);
	if (rc == 0) {
		rc = net_move_out(nl, &spec->linux_->net_devices, ns_fd, &out->moved, err);
	}
	nl_socket_free(nl);
	return rc;
}

int net_attach(const struct oci_spec *spec, int ns_fd, unsigned n_vcpus,
	       const struct net_egress *egress, uint32_t request_id, struct net_plan *out,
	       struct vr_err *err)
{
	struct vr_err ignored = VR_ERR_INIT;
	struct net_visit v = {.own_fd = -1};
	struct net_scan *s;
	int rc;

	net_plan_init(out);
	s = out->scan = calloc(1, sizeof(*s));
	if (!s) {
		return vr_err_set(err, ENOMEM, "attach the network: out of memory");
	}
	rc = move_out(spec, ns_fd, out, err);
	if (rc == 0) {
		rc = net_visit_begin(&v, ns_fd, err);
	}
	if (rc == 0) {
		rc = net_move_in(v.nl, out->moved, err);
	}
	if (rc == 0) {
		rc = attach_all(spec, v.nl, s, n_vcpus, egress, request_id, out, err);
	}
	if (net_visit_end(&v, rc == 0 ? err : &ignored) < 0 && rc == 0) {
		rc = -err->code;
	}
	return rc;
}

bool net_ns_stays(const struct oci_spec *spec)
{
	const struct oci_namespace *ns = network_of(spec);

	return ns && ns->path;
}

/* --- afterwards ------------------------------------------------------------------------------- */

/* Taps end with their processes, but perhaps a moment later. */
static int scan_without_taps(struct nl_sock *nl, struct net_scan *s)
{
	struct vr_err ignored = VR_ERR_INIT;

	for (int i = 0; i < GONE_TRIES; i++) {
		if (net_scan_links(nl, s, &ignored) < 0) {
			return -EIO;
		}
		if (s->taken[0] == '\0') {
			return 0;
		}
		(void)poll(NULL, 0, GONE_PAUSE_MS);
	}
	return -EBUSY;
}

void net_detach(const struct oci_spec *spec)
{
	const struct oci_namespace *ns = network_of(spec);
	struct vr_err ignored = VR_ERR_INIT;
	struct net_scan *s;
	struct net_visit v;
	int fd;

	if (!ns || !ns->path || sbx_ns_open(ns->path, CLONE_NEWNET, &fd, &ignored) < 0) {
		return; /* of its own, or gone with its interfaces */
	}
	s = calloc(1, sizeof(*s));
	if (s && net_visit_begin(&v, fd, &ignored) == 0) {
		if (scan_without_taps(v.nl, s) == 0) {
			for (unsigned i = 0; i < s->net.n_links; i++) {
				if (net_tc_is_ours(v.nl, s->ifindex[i])) {
					net_port_leave(v.nl, s->ifindex[i]);
				}
			}
		}
		if (net_visit_end(&v, &ignored) < 0) {
			vr_warn("%s", ignored.msg);
		}
	}
	free(s);
	(void)close(fd);
}
