/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netlink.h - rtnetlink requests, built and sent one at a time
 *
 * A message is built in a fixed buffer; what doesn't fit makes sending fail with
 * -EMSGSIZE, so building needs no checks. Values are those of Linux 6.12
 * (linux/rtnetlink.h, if_link.h, if_addr.h, neighbour.h, fib_rules.h), under names
 * of our own as in abi.h.
 *
 * Threads: none; the agent has one.
 */
#ifndef AGENT_NETLINK_H
#define AGENT_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Message types */
#define NL_NEWLINK  16u
#define NL_NEWADDR  20u
#define NL_DELADDR  21u
#define NL_NEWROUTE 24u
#define NL_DELROUTE 25u
#define NL_NEWNEIGH 28u
#define NL_DELNEIGH 29u
#define NL_NEWRULE  32u
#define NL_DELRULE  33u
#define NL_ERROR    2u

/* Message flags */
#define NL_F_REQUEST 0x001u
#define NL_F_ACK     0x004u
#define NL_F_REPLACE 0x100u
#define NL_F_EXCL    0x200u
#define NL_F_CREATE  0x400u
#define NL_F_APPEND  0x800u

#define NL_A_NESTED 0x8000u

/* Attributes of links, addresses, routes, metrics, neighbours, rules */
#define NL_IFLA_IFNAME	       3u
#define NL_IFLA_MTU	       4u
#define NL_IFLA_TXQLEN	       13u
#define NL_IFLA_AF_SPEC	       26u
#define NL_IFLA_NET_NS_FD      28u
#define NL_INET6_ADDR_GEN      8u
#define NL_INET6_GEN_NONE      1u
#define NL_IFA_ADDRESS	       1u
#define NL_IFA_LOCAL	       2u
#define NL_IFA_BROADCAST       4u
#define NL_IFA_FLAGS	       8u
#define NL_IFA_F_NODAD	       0x002u
#define NL_IFA_F_NOPREFIXROUTE 0x200u
#define NL_RTA_DST	       1u
#define NL_RTA_SRC	       2u
#define NL_RTA_OIF	       4u
#define NL_RTA_GATEWAY	       5u
#define NL_RTA_PRIORITY	       6u
#define NL_RTA_PREFSRC	       7u
#define NL_RTA_METRICS	       8u
#define NL_RTA_TABLE	       15u
#define NL_RTA_VIA	       18u
#define NL_RTNH_F_ONLINK       4u
#define NL_NDA_DST	       1u
#define NL_NDA_LLADDR	       2u
#define NL_NUD_PERMANENT       0x80u
#define NL_FRA_DST	       1u
#define NL_FRA_SRC	       2u
#define NL_FRA_IIFNAME	       3u
#define NL_FRA_GOTO	       4u
#define NL_FRA_PRIORITY	       6u
#define NL_FRA_FWMARK	       10u
#define NL_FRA_TABLE	       15u
#define NL_FRA_FWMASK	       16u
#define NL_FRA_OIFNAME	       17u

#define NL_AF_INET  2u
#define NL_AF_INET6 10u

struct nl_ifinfo {
	uint8_t family;
	uint8_t pad;
	uint16_t type;
	int32_t index;
	uint32_t flags;
	uint32_t change;
};
_Static_assert(sizeof(struct nl_ifinfo) == 16, "linux/rtnetlink.h: struct ifinfomsg");

struct nl_ifaddr {
	uint8_t family;
	uint8_t prefix;
	uint8_t flags;
	uint8_t scope;
	uint32_t index;
};
_Static_assert(sizeof(struct nl_ifaddr) == 8, "linux/if_addr.h: struct ifaddrmsg");

struct nl_rt {
	uint8_t family;
	uint8_t dst_len;
	uint8_t src_len;
	uint8_t tos;
	uint8_t table;
	uint8_t protocol;
	uint8_t scope;
	uint8_t type; /* of a rule: its action */
	uint32_t flags;
};
_Static_assert(sizeof(struct nl_rt) == 12, "linux/rtnetlink.h: struct rtmsg, fib_rule_hdr");

struct nl_nd {
	uint8_t family;
	uint8_t pad1;
	uint16_t pad2;
	int32_t index;
	uint16_t state;
	uint8_t flags;
	uint8_t type;
};
_Static_assert(sizeof(struct nl_nd) == 12, "linux/neighbour.h: struct ndmsg");

struct nl_header {
	uint32_t len;
	uint16_t type;
	uint16_t flags;
	uint32_t seq;
	uint32_t pid;
};
_Static_assert(sizeof(struct nl_header) == 16, "linux/netlink.h: struct nlmsghdr");

/** struct nl_msg - a request in the making; @full: something didn't fit */
struct nl_msg {
	uint32_t len;
	bool full;
	_Alignas(8) uint8_t buf[1024];
};

/** nl_begin() - start with the header of its kind. @flags: besides NL_F_REQUEST and NL_F_ACK */
void nl_begin(struct nl_msg *m, uint16_t type, uint16_t flags, const void *header, size_t len);
/** nl_put() - append an attribute */
void nl_put(struct nl_msg *m, uint16_t type, const void *data, size_t len);
void nl_put_u32(struct nl_msg *m, uint16_t type, uint32_t v);
void nl_put_str(struct nl_msg *m, uint16_t type, const char *s);
/** nl_nest() - attributes from now on belong to this one. Return: for nl_nest_end() */
uint32_t nl_nest(struct nl_msg *m, uint16_t type);
void nl_nest_end(struct nl_msg *m, uint32_t nest);

/** nl_open() - a socket for rtnetlink. Return: descriptor or -errno */
int nl_open(void);
/** nl_talk() - send and wait for the answer. Return: 0 or -errno, also the kernel's */
int nl_talk(int fd, struct nl_msg *m);

#endif /* AGENT_NETLINK_H */
