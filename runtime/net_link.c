/* SPDX-License-Identifier: Apache-2.0 */
/* net_link.c - change a network interface; see net_link.h */
#include "net_link.h"

#include <errno.h>
#include <stddef.h>

#include <netlink/errno.h>
#include <netlink/route/link.h>

int net_nl_errno(int nl_err)
{
	static const struct {
		int nl;
		int err;
	} map[] = {
		{NLE_EXIST, EEXIST},	     {NLE_NOMEM, ENOMEM},
		{NLE_OBJ_NOTFOUND, ENOENT},  {NLE_NODEV, ENODEV},
		{NLE_PERM, EPERM},	     {NLE_NOACCESS, EACCES},
		{NLE_OPNOTSUPP, ENOTSUP},    {NLE_INVAL, EINVAL},
		{NLE_BUSY, EBUSY},	     {NLE_RANGE, ERANGE},
		{NLE_NOADDR, EADDRNOTAVAIL}, {NLE_AF_NOSUPPORT, EAFNOSUPPORT},
		{NLE_MSGSIZE, EMSGSIZE},     {NLE_DUMP_INTR, EINTR},
	};
	int nl = nl_err < 0 ? -nl_err : nl_err;

	if (nl_err >= 0) {
		return 0;
	}
	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		if (map[i].nl == nl) {
			return -map[i].err;
		}
	}
	return -EIO;
}

int net_link_change(struct nl_sock *nl, int ifindex, struct rtnl_link *change)
{
	struct rtnl_link *link = rtnl_link_alloc();
	int rc;

	if (!link) {
		return -ENOMEM;
	}
	rtnl_link_set_ifindex(link, ifindex);
	rc = rtnl_link_change(nl, link, change, 0);
	rtnl_link_put(link);
	return net_nl_errno(rc);
}

static int change_flags(struct nl_sock *nl, int ifindex, unsigned flags,
			void (*how)(struct rtnl_link *link, unsigned flags))
{
	struct rtnl_link *change = rtnl_link_alloc();
	int rc;

	if (!change) {
		return -ENOMEM;
	}
	how(change, flags);
	rc = net_link_change(nl, ifindex, change);
	rtnl_link_put(change);
	return rc;
}

int net_link_set_flags(struct nl_sock *nl, int ifindex, unsigned flags)
{
	return change_flags(nl, ifindex, flags, rtnl_link_set_flags);
}

int net_link_clear_flags(struct nl_sock *nl, int ifindex, unsigned flags)
{
	return change_flags(nl, ifindex, flags, rtnl_link_unset_flags);
}
