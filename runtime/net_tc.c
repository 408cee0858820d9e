/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_tc.c - traffic control: frames go from one interface to another; see net_tc.h
 *
 * u32 rather than matchall or flower: every kernel that has redirection has it.
 */
#include "net_tc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/tc_act/tc_mirred.h>
#include <stddef.h>

#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <netlink/route/act/gact.h>
#include <netlink/route/act/mirred.h>
#include <netlink/route/classifier.h>
#include <netlink/route/cls/u32.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/tc.h>

#include "net_link.h"

#define INGRESS_HANDLE 0xffff0000u
#define LABELS	       0x564f0000u /* "VO": a class that no qdisc has, to tell filters by */

static struct rtnl_qdisc *ingress(int ifindex)
{
	struct rtnl_qdisc *q = rtnl_qdisc_alloc();

	if (q) {
		rtnl_tc_set_ifindex(TC_CAST(q), ifindex);
		rtnl_tc_set_parent(TC_CAST(q), TC_H_INGRESS);
		rtnl_tc_set_handle(TC_CAST(q), INGRESS_HANDLE);
		if (rtnl_tc_set_kind(TC_CAST(q), "ingress") < 0) {
			rtnl_qdisc_put(q);
			q = NULL;
		}
	}
	return q;
}

int net_tc_add_ingress(struct nl_sock *nl, int ifindex)
{
	struct rtnl_qdisc *q = ingress(ifindex);
	int rc;

	if (!q) {
		return -ENOMEM;
	}
	rc = rtnl_qdisc_add(nl, q, NLM_F_CREATE | NLM_F_EXCL);
	rtnl_qdisc_put(q);
	return net_nl_errno(rc);
}

int net_tc_del_ingress(struct nl_sock *nl, int ifindex)
{
	struct rtnl_qdisc *q = ingress(ifindex);
	int rc;

	if (!q) {
		return -ENOMEM;
	}
	rc = rtnl_qdisc_delete(nl, q);
	rtnl_qdisc_put(q);
	return net_nl_errno(rc);
}

bool net_tc_has(struct nl_sock *nl, int ifindex, uint16_t first, uint16_t last)
{
	struct nl_cache *cache;
	bool found = false;

	if (rtnl_cls_alloc_cache(nl, ifindex, INGRESS_HANDLE, &cache) < 0) {
		return false; /* no ingress qdisc */
	}
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		uint16_t prio = rtnl_cls_get_prio((struct rtnl_cls *)o);

		found |= prio >= first && prio <= last;
	}
	nl_cache_free(cache);
	return found;
}

/* A terminal u32 filter at the ingress of @ifindex. */
static struct rtnl_cls *classifier(int ifindex, const struct net_filter *f)
{
	struct rtnl_cls *c = rtnl_cls_alloc();
	int rc;

	if (!c) {
		return NULL;
	}
	rtnl_tc_set_ifindex(TC_CAST(c), ifindex);
	rtnl_tc_set_parent(TC_CAST(c), INGRESS_HANDLE);
	rtnl_cls_set_prio(c, f->prio);
	rtnl_cls_set_protocol(c, f->proto);
	rc = rtnl_tc_set_kind(TC_CAST(c), "u32");
	if (rc == 0) {
		rc = rtnl_u32_set_cls_terminal(c);
	}
	if (rc == 0 && f->label != 0) {
		rc = rtnl_u32_set_classid(c, LABELS | f->label);
	}
	for (unsigned i = 0; rc == 0 && i < f->n_keys; i++) {
		const struct net_key *k = &f->key[i];

		rc = rtnl_u32_add_key(c, htonl(k->value), htonl(k->mask), k->off, 0);
	}
	if (rc < 0) {
		rtnl_cls_put(c);
		return NULL;
	}
	return c;
}

/* Add @act to @c and @c to the kernel; both are used up. */
static int filter_add(struct nl_sock *nl, struct rtnl_cls *c, struct rtnl_act *act)
{
	int rc = c && act ? rtnl_u32_add_action(c, act) : -NLE_NOMEM;

	if (rc == 0) {
		rc = rtnl_cls_add(nl, c, NLM_F_CREATE | NLM_F_EXCL);
	}
	if (act) {
		rtnl_act_put(act); /* the filter has a reference of its own */
	}
	if (c) {
		rtnl_cls_put(c);
	}
	return net_nl_errno(rc);
}

static struct rtnl_act *action_send(int to, bool copy)
{
	struct rtnl_act *a = rtnl_act_alloc();

	if (!a) {
		return NULL;
	}
	if (rtnl_tc_set_kind(TC_CAST(a), "mirred") < 0 ||
	    rtnl_mirred_set_action(a, copy ? TCA_EGRESS_MIRROR : TCA_EGRESS_REDIR) < 0 ||
	    rtnl_mirred_set_policy(a, copy ? TC_ACT_PIPE : TC_ACT_STOLEN) < 0 ||
	    rtnl_mirred_set_ifindex(a, (uint32_t)to) < 0) {
		rtnl_act_put(a);
		return NULL;
	}
	return a;
}

static struct rtnl_act *action_end(bool keep)
{
	struct rtnl_act *a = rtnl_act_alloc();

	if (a && (rtnl_tc_set_kind(TC_CAST(a), "gact") < 0 ||
		  rtnl_gact_set_action(a, keep ? TC_ACT_OK : TC_ACT_SHOT) < 0)) {
		rtnl_act_put(a);
		return NULL;
	}
	return a;
}

int net_tc_filter(struct nl_sock *nl, int at, const struct net_filter *f)
{
	return filter_add(nl, classifier(at, f),
			  f->to ? action_send(f->to, f->keep) : action_end(f->keep));
}
