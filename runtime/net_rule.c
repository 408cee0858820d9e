/* SPDX-License-Identifier: Apache-2.0 */
/* net_rule.c - policy rules that the guest can have; see net_rule.h */
#include "net_rule.h"

#include <linux/fib_rules.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "base/log.h"

/* Conditions and effects that the agent's protocol has no words for; others that a newer kernel has, too. */
static const char *attr_beyond(const struct nlattr *a)
{
	switch (nla_type(a)) {
	case FRA_DST:
	case FRA_SRC:
	case FRA_IIFNAME:
	case FRA_OIFNAME:
	case FRA_GOTO:
	case FRA_PRIORITY:
	case FRA_FWMARK:
	case FRA_FWMASK:
	case FRA_TABLE:
	case FRA_PROTOCOL: /* who made it */
	case FRA_FLOW:	   /* realms: for the host's traffic control, not for the way */
	case FRA_PAD:
		return NULL;
	case FRA_SUPPRESS_PREFIXLEN: /* always there */
		return nla_len(a) >= 4 && nla_get_u32(a) == UINT32_MAX ? NULL
								       : "ignores some routes";
	case FRA_L3MDEV:
		return "is about VRFs";
	case FRA_UID_RANGE:
		return "is about users";
	case FRA_TUN_ID:
		return "is about tunnels";
	case FRA_IP_PROTO:
	case FRA_SPORT_RANGE:
	case FRA_DPORT_RANGE:
		return "is about ports or protocols";
	default:
		return "has a condition or an effect of a kind that is unknown";
	}
}

/*
 * libnl keeps to itself, or doesn't know, most of what makes a rule another one: without it the guest
 * would send elsewhere what the rule was never about.
 */
bool net_rule_fits(struct nlmsghdr *h)
{
	const char *beyond = NULL;
	struct fib_rule_hdr rule;
	uint32_t prio = 0;
	struct nlattr *a;
	int left;

	if (!nlmsg_valid_hdr(h, sizeof(rule))) {
		return false;
	}
	memcpy(&rule, nlmsg_data(h), sizeof(rule));
	if (rule.family != AF_INET && rule.family != AF_INET6) {
		return false; /* of multicast routing: the VM has none */
	}
	beyond = rule.flags & FIB_RULE_INVERT ? "is about all but what it names" : NULL;
	nlmsg_for_each_attr(a, h, sizeof(rule), left)
	{
		beyond = beyond ? beyond : attr_beyond(a);
		if (nla_type(a) == FRA_PRIORITY && nla_len(a) >= 4) {
			prio = nla_get_u32(a);
		}
	}
	if (beyond) {
		vr_warn("policy rule %u %s: the VM doesn't get it", prio, beyond);
	}
	return !beyond;
}
