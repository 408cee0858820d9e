/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_attach.c - a VM takes the container's place in its network namespace; see net_attach.h
 *
 * Order for each interface: the tap is configured while it is down, both ends get
 * their qdiscs and filters, then the tap goes up. So no frame of the guest can
 * reach the namespace's own stack, and none of that stack the guest.
 */
#include "net_attach.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "net_dns.h"
#include "net_guard.h"
#include "net_link.h"
#include "net_move.h"
#include "net_scan.h"
#include "net_tc.h"
#include "net_visit.h"
#include "sandbox/namespaces.h"
#include "vmm/net_abi.h"

#define TAP_QUEUE_LEN 500u /* frames the kernel keeps for a guest that doesn't take them */
#define GONE_TRIES    40
#define GONE_PAUSE_MS 25
#define PRIO_ALL      (NET_TC_PRIO + NET_DNS_PRIOS) /* after those of net_dns_filters() */

void net_plan_init(struct net_plan *plan)
{
	memset(plan, 0, sizeof(*plan));
	plan->ns_fd = -1;
	plan->dns_fd = -1;
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
	free(plan->frame);
	net_moved_free(plan->moved);
	vr_close_reset(&plan->ns_fd);
	vr_close_reset(&plan->dns_fd);
	plan->n = 0;
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

/* podman up to 4.x has no annotation; its pods are held by catatonit, told to pause. */
static bool is_podman_pause(const struct oci_process *p)
{
	return p && p->args.n == 2 && strcmp(p->args.v[0], "/catatonit") == 0 &&
	       strcmp(p->args.v[1], "-P") == 0;
}

bool net_spec_is_sandbox(const struct oci_spec *spec)
{
	static const char *const keys[] = {"io.kubernetes.cri.container-type",
					   "io.kubernetes.cri-o.ContainerType"};

	for (size_t i = 0; i < spec->annotations.n; i++) {
		const struct oci_kv *kv = &spec->annotations.v[i];

		for (size_t k = 0; k < VR_ARRAY_SIZE(keys); k++) {
			if (strcmp(kv->key, keys[k]) == 0 && strcmp(kv->value, "sandbox") == 0) {
				return true;
			}
		}
	}
	return is_podman_pause(spec->process);
}

/* --- one interface ---------------------------------------------------------------------------- */

/* The near end of the VM's cable: it has no protocol of its own. */
static int tap_configure(struct nl_sock *nl, const struct net_tap *tap, uint32_t mtu)
{
	struct rtnl_link *change = rtnl_link_alloc();
	int rc;

	if (!change) {
		return -ENOMEM;
	}
	rtnl_link_set_mtu(change, mtu);
	rtnl_link_set_txqlen(change, TAP_QUEUE_LEN);
	rtnl_link_set_flags(change, IFF_NOARP);
	rtnl_link_unset_flags(change, IFF_MULTICAST);
	(void)rtnl_link_inet6_set_addr_gen_mode(change, IN6_ADDR_GEN_MODE_NONE); /* no IPv6: fine */
	rc = net_link_change(nl, tap->ifindex, change);
	rtnl_link_put(change);
	return rc;
}

/* A VM that was killed left its filters, with nobody behind them: they may be replaced. */
static int link_claim(struct nl_sock *nl, int ifindex, const char *name, struct vr_err *err)
{
	int rc = net_tc_add_ingress(nl, ifindex);

	if (rc == -EEXIST && net_tc_is_ours(nl, ifindex)) {
		(void)net_tc_del_ingress(nl, ifindex);
		rc = net_tc_add_ingress(nl, ifindex);
	}
	if (rc == -EEXIST) {
		return vr_err_set(err, EBUSY,
				  "network interface '%s' has a traffic policy at its ingress, "
				  "where the VM would have to be attached",
				  name);
	}
	return rc < 0 ? vr_err_sys(err, rc, "attach a VM to network interface '%s'", name) : 0;
}

/* From the guest, what is its own. */
static int link_from_guest(struct nl_sock *nl, const struct net_scan *s, unsigned i, int tap)
{
	struct net_filter *guard = calloc(NET_GUARD_MAX, sizeof(*guard));
	int n = guard ? net_guard_build(&s->net, i, s->egress, s->ifindex[i], guard) : -ENOMEM;
	int rc = n < 0 ? n : 0;

	for (int k = 0; rc == 0 && k < n; k++) {
		rc = net_tc_filter(nl, tap, &guard[k]);
	}
	free(guard);
	return rc;
}

/* To the guest, everything; some of it not to the guest alone. */
static int link_to_guest(struct nl_sock *nl, const struct net_scan *s, unsigned i, int tap)
{
	const struct net_filter all = {
		.prio = PRIO_ALL, .proto = ETH_P_ALL, .to = tap, .n_keys = 1};
	int rc = s->net.resolver[0] != 0 ? net_dns_filters(nl, s->ifindex[i], tap, NET_TC_PRIO) : 0;

	return rc == 0 ? net_tc_filter(nl, s->ifindex[i], &all) : rc;
}

static int link_connect(struct nl_sock *nl, const struct net_scan *s, unsigned i,
			const struct net_tap *tap)
{
	const struct ap_link *l = &s->net.links[i];
	int ifindex = s->ifindex[i];
	int rc = tap_configure(nl, tap, l->mtu);

	if (rc == 0) {
		rc = net_tc_add_ingress(nl, tap->ifindex);
	}
	if (rc == 0) {
		rc = link_from_guest(nl, s, i, tap->ifindex);
	}
	if (rc == 0) {
		rc = link_to_guest(nl, s, i, tap->ifindex);
	}
	if (rc == 0 && !s->veth[i]) {
		/* Which groups the guest listens to, the interface can't know. */
		rc = net_link_set_flags(nl, ifindex, IFF_ALLMULTI);
	}
	return rc == 0 ? net_link_set_flags(nl, tap->ifindex, IFF_UP) : rc;
}

static int link_attach(struct nl_sock *nl, const struct net_scan *s, unsigned i, unsigned n_vcpus,
		       struct net_if *nif, struct vr_err *err)
{
	unsigned n_queues = VR_MIN(n_vcpus, NET_TAP_MAX_QUEUES);
	int rc = link_claim(nl, s->ifindex[i], s->name[i], err);

	if (rc < 0) {
		return rc;
	}
	rc = net_tap_open(&nif->tap, n_queues, err);
	if (rc == 0) {
		rc = link_connect(nl, s, i, &nif->tap);
		rc = rc < 0 ? vr_err_sys(err, rc, "attach a VM to network interface '%s'",
					 s->name[i])
			    : 0;
	}
	if (rc < 0) {
		(void)net_tc_del_ingress(nl, s->ifindex[i]);
		return rc;
	}
	memcpy(nif->mac, s->net.links[i].mac, sizeof(nif->mac));
	nif->mtu = (uint16_t)VR_MIN(s->net.links[i].mtu, 65535u);
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

static int attach_all(const struct oci_spec *spec, struct nl_sock *nl, struct net_scan *s,
		      unsigned n_vcpus, const struct net_egress *egress, uint32_t request_id,
		      struct net_plan *out, struct vr_err *err)
{
	int rc = net_scan_links(nl, s, err);

	s->egress = egress;
	if (rc == 0 && s->taken[0] != '\0') {
		rc = vr_err_set(err, EBUSY,
				"the network namespace belongs to another VM already (its tap is "
				"'%s'): virtual machines can't share one",
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
	for (unsigned i = 0; rc == 0 && i < s->net.n_links; i++) {
		rc = link_attach(nl, s, i, n_vcpus, &out->ifs[i], err);
		out->n++;
		for (unsigned k = 0; rc < 0 && k < i; k++) {
			(void)net_tc_del_ingress(nl, s->ifindex[k]);
		}
	}
	return rc == 0 && worth_telling(&s->net) ? encode(&s->net, request_id, out, err) : rc;
}

static int move_out(const struct oci_spec *spec, int ns_fd, struct net_plan *out,
		    struct vr_err *err)
{
	struct nl_sock *nl = NULL;
	int rc;

	if (spec->linux_->net_devices.n == 0) {
		return 0;
	}
	out->ns_fd = fcntl(ns_fd, F_DUPFD_CLOEXEC, 3); /* outlives the shim, to come back from */
	if (out->ns_fd < 0) {
		return vr_err_sys(err, errno, "keep the container's network namespace");
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
	struct net_scan *s = calloc(1, sizeof(*s));
	struct vr_err ignored = VR_ERR_INIT;
	struct net_visit v = {.own_fd = -1};
	int rc;

	net_plan_init(out);
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
	free(s);
	return rc;
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
					(void)net_tc_del_ingress(v.nl, s->ifindex[i]);
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
