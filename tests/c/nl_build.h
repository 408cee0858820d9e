/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nl_build.h - netlink messages as the kernel sends them
 */
#ifndef TESTS_NL_BUILD_H
#define TESTS_NL_BUILD_H

#include <linux/gen_stats.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <stdint.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

/** struct nlb_filter - what a filter's message says; @class_id 0, @stats_len 0: without it */
struct nlb_filter {
	uint16_t prio;
	const char *kind;
	uint32_t class_id;
	const char *action;
	int to;
	int stats_len;
	uint64_t bytes;
	uint32_t packets;
};

static inline void nlb_action(struct nl_msg *m, const struct nlb_filter *f)
{
	struct tc_mirred data = {.ifindex = (uint32_t)f->to};
	struct nlattr *one = nla_nest_start(m, 1), *n;
	uint8_t basic[32] = {0};

	memcpy(basic, &f->bytes, 8);
	memcpy(basic + 8, &f->packets, 4);
	nla_put_string(m, TCA_ACT_KIND, f->action);
	n = nla_nest_start(m, TCA_ACT_STATS);
	if (f->stats_len > 0) {
		nla_put(m, TCA_STATS_BASIC, f->stats_len, basic);
	}
	nla_nest_end(m, n);
	n = nla_nest_start(m, TCA_ACT_OPTIONS);
	nla_put(m, TCA_MIRRED_PARMS, sizeof(data), &data);
	nla_nest_end(m, n);
	nla_nest_end(m, one);
}

/** nlb_filter() - an RTM_NEWTFILTER message, to be freed with nlmsg_free() */
static inline struct nl_msg *nlb_filter(const struct nlb_filter *f)
{
	struct tcmsg t = {.tcm_ifindex = 3, .tcm_info = (uint32_t)f->prio << 16};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWTFILTER, 0);
	struct nlattr *opt, *acts;

	nlmsg_append(m, &t, sizeof(t), NLMSG_ALIGNTO);
	nla_put_string(m, TCA_KIND, f->kind);
	opt = nla_nest_start(m, TCA_OPTIONS);
	if (f->class_id) {
		nla_put_u32(m, TCA_U32_CLASSID, f->class_id);
	}
	if (f->action) {
		acts = nla_nest_start(m, TCA_U32_ACT);
		nlb_action(m, f);
		nla_nest_end(m, acts);
	}
	nla_nest_end(m, opt);
	return m;
}

#endif /* TESTS_NL_BUILD_H */
