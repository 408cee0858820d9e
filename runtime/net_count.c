/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_count.c - what the filters of net_tc have counted; see net_count.h
 *
 * libnl drops the statistics of a filter's actions, so the messages are read here.
 */
#include "net_count.h"

#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "net_link.h"

/* An attribute's bytes, if it has that many. Return: whether it has */
static bool get(const struct nlattr *a, void *out, size_t len)
{
	if (!a || (size_t)nla_len(a) < len) {
		return false;
	}
	memcpy(out, nla_data(a), len);
	return true;
}

static bool nested(struct nlattr **tb, int max, struct nlattr *a)
{
	return a && nla_parse_nested(tb, max, a, NULL) == 0;
}

static struct net_count *counter(struct net_counts *c, uint32_t class_id)
{
	uint32_t label = class_id & 0xffff;

	switch (label) {
	case NET_LABEL_REFUSED:
		return &c->refused;
	case NET_LABEL_SPOOFED:
		return &c->spoofed;
	default:
		return label >= 1 && label <= NET_EGRESS_MAX ? &c->allowed[label - 1] : NULL;
	}
}

static void add_stats(struct nlattr *stats, struct net_count *out)
{
	struct nlattr *tb[TCA_STATS_MAX + 1];
	struct {
		uint64_t bytes;
		uint32_t packets;
	} __attribute__((packed)) basic; /* struct gnet_stats_basic without its padding */

	if (nested(tb, TCA_STATS_MAX, stats) && get(tb[TCA_STATS_BASIC], &basic, sizeof(basic))) {
		out->packets += basic.packets;
		out->bytes += basic.bytes;
	}
}

static void note_redirect(struct nlattr *options, struct net_counts *c)
{
	struct nlattr *tb[TCA_MIRRED_MAX + 1];
	struct tc_mirred m;

	if (nested(tb, TCA_MIRRED_MAX, options) && get(tb[TCA_MIRRED_PARMS], &m, sizeof(m))) {
		c->redirect_to = (int)m.ifindex;
	}
}

static void read_action(struct nlattr *action, struct net_counts *c, uint32_t class_id)
{
	struct net_count *out = counter(c, class_id);
	struct nlattr *tb[TCA_ACT_MAX + 1];

	if (!nested(tb, TCA_ACT_MAX, action)) {
		return;
	}
	if (out) {
		add_stats(tb[TCA_ACT_STATS], out);
	} else if (class_id == 0 && tb[TCA_ACT_KIND] &&
		   nla_strcmp(tb[TCA_ACT_KIND], "mirred") == 0) {
		note_redirect(tb[TCA_ACT_OPTIONS], c);
	}
}

static bool is_ours(const struct tcmsg *t)
{
	uint32_t prio = t->tcm_info >> 16;

	return prio >= NET_TC_PRIO && prio <= NET_TC_PRIO_LAST;
}

void net_count_filter(struct nlmsghdr *h, struct net_counts *c)
{
	struct nlattr *tb[TCA_MAX + 1];
	struct nlattr *u32[TCA_U32_MAX + 1];
	struct nlattr *action;
	uint32_t class_id = 0;
	int left;

	if (h->nlmsg_type != RTM_NEWTFILTER ||
	    nlmsg_parse(h, sizeof(struct tcmsg), tb, TCA_MAX, NULL) < 0 ||
	    !is_ours(nlmsg_data(h)) || !tb[TCA_KIND] || nla_strcmp(tb[TCA_KIND], "u32") != 0 ||
	    !nested(u32, TCA_U32_MAX, tb[TCA_OPTIONS]) || !u32[TCA_U32_ACT]) {
		return; /* hash tables and the like, too */
	}
	(void)get(u32[TCA_U32_CLASSID], &class_id, sizeof(class_id));
	nla_for_each_nested(action, u32[TCA_U32_ACT], left)
	{
		read_action(action, c, class_id);
		break; /* ours have one */
	}
}

static int on_filter(struct nl_msg *msg, void *ctx)
{
	net_count_filter(nlmsg_hdr(msg), ctx);
	return NL_OK;
}

int net_count_read(struct nl_sock *nl, int ifindex, struct net_counts *out)
{
	struct tcmsg t = {.tcm_family = AF_UNSPEC,
			  .tcm_ifindex = ifindex,
			  .tcm_parent = TC_H_MAKE(TC_H_INGRESS, 0)};
	int rc;

	memset(out, 0, sizeof(*out));
	rc = nl_socket_modify_cb(nl, NL_CB_VALID, NL_CB_CUSTOM, on_filter, out);
	if (rc == 0) {
		rc = nl_send_simple(nl, RTM_GETTFILTER, NLM_F_DUMP, &t, sizeof(t));
	}
	if (rc >= 0) {
		rc = nl_recvmsgs_default(nl);
	}
	(void)nl_socket_modify_cb(nl, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
	return net_nl_errno(rc);
}
