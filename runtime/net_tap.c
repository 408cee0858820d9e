/* SPDX-License-Identifier: Apache-2.0 */
/* net_tap.c - tap devices for VMs; see net_tap.h */
#include "net_tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <netlink/netlink.h>
#include <netlink/route/link.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdrange.h"
#include "net_link.h"
#include "vmm/net_abi.h"

/* Bytes sent that nobody has taken yet: then the transmit queue waits. */
#define SEND_BUFFER (4 << 20)

#define ALL_BUT_USO (NET_TUN_CSUM | NET_TUN_TSO4 | NET_TUN_TSO6 | NET_TUN_ECN)

void net_tap_init(struct net_tap *tap)
{
	*tap = (struct net_tap){.n_queues = 0};
	for (unsigned i = 0; i < NET_TAP_MAX_QUEUES; i++) {
		tap->fd[i] = -1;
	}
}

static int open_queue(int fd, struct ifreq *ifr)
{
	int hdr_len = NET_HDR_LEN;
	int send_buffer = SEND_BUFFER;

	if (ioctl(fd, TUNSETIFF, ifr) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &hdr_len) < 0 ||
	    ioctl(fd, TUNSETSNDBUF, &send_buffer) < 0) {
		return -errno;
	}
	return 0;
}

int net_tap_reserve(int *fd, unsigned n, struct vr_err *err)
{
	int rc;

	for (unsigned i = 0; i < n; i++) {
		fd[i] = -1;
	}
	for (unsigned i = 0; i < n; i++) {
		fd[i] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd[i] < 0) {
			return vr_err_sys(err, errno, "open '/dev/net/tun'");
		}
		rc = vr_fd_move(&fd[i], VR_FDS_NET, VR_FDS_NET_N);
		if (rc < 0) {
			return vr_err_sys(err, rc, "number a descriptor of '/dev/net/tun'");
		}
	}
	return 0;
}

/* By netlink: the role that makes taps can't make a socket to ask with. */
static int find_index(struct nl_sock *nl, const char *name)
{
	struct rtnl_link *link;
	int rc = net_nl_errno(rtnl_link_get_kernel(nl, 0, name, &link));

	if (rc == 0) {
		rc = rtnl_link_get_ifindex(link);
		rtnl_link_put(link);
	}
	return rc;
}

/* Syscalls: ioctl, recvmsg, sendmsg (role net) */
int net_tap_make(struct net_tap *tap, struct nl_sock *nl, const int *fd, unsigned n_queues,
		 struct vr_err *err)
{
	struct ifreq ifr = {.ifr_name = NET_TAP_PREFIX "%d"};
	int rc = 0;

	net_tap_init(tap);
	memcpy(tap->fd, fd, n_queues * sizeof(*fd));
	tap->n_queues = n_queues;
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (n_queues > 1) {
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	}
	for (unsigned i = 0; rc == 0 && i < n_queues; i++) {
		rc = open_queue(fd[i], &ifr); /* the first one's name is filled in */
	}
	if (rc < 0) {
		return vr_err_sys(err, rc, "create a tap device");
	}
	memcpy(tap->name, ifr.ifr_name, sizeof(tap->name));
	tap->ifindex = find_index(nl, tap->name);
	if (tap->ifindex < 0) {
		return vr_err_sys(err, tap->ifindex, "find tap device '%s'", tap->name);
	}
	tap->uso = net_tap_offload(tap->fd[0], ALL_BUT_USO | NET_TUN_USO4 | NET_TUN_USO6) == 0;
	rc = net_tap_offload(tap->fd[0], 0); /* the driver says what it takes */
	return rc < 0 ? vr_err_sys(err, rc, "set the offloads of '%s'", tap->name) : 0;
}

int net_tap_open(struct net_tap *tap, struct nl_sock *nl, unsigned n_queues, struct vr_err *err)
{
	int fd[NET_TAP_MAX_QUEUES];
	int rc;

	net_tap_init(tap);
	if (n_queues == 0 || n_queues > NET_TAP_MAX_QUEUES) {
		return vr_err_set(err, EINVAL, "create a tap device: bad number of queues");
	}
	rc = net_tap_reserve(fd, n_queues, err);
	if (rc == 0) {
		return net_tap_make(tap, nl, fd, n_queues, err);
	}
	for (unsigned i = 0; i < n_queues; i++) {
		vr_close_reset(&fd[i]);
	}
	return rc;
}

/* Syscalls: recvmsg, sendmsg (role net) */
void net_tap_remove(const struct net_tap *tap, struct nl_sock *nl)
{
	struct rtnl_link *link = rtnl_link_alloc();

	if (link && tap->ifindex > 0) {
		rtnl_link_set_ifindex(link, tap->ifindex);
		(void)rtnl_link_delete(nl, link); /* gone with its namespace, perhaps */
	}
	rtnl_link_put(link);
}

void net_tap_close(struct net_tap *tap)
{
	for (unsigned i = 0; i < NET_TAP_MAX_QUEUES; i++) {
		vr_close_reset(&tap->fd[i]);
	}
}

int net_tap_offload(int fd, unsigned flags)
{
	return ioctl(fd, TUNSETOFFLOAD, (unsigned long)flags) < 0 ? -errno : 0;
}

int net_tap_attach(int fd, bool on)
{
	struct ifreq ifr = {.ifr_flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE};

	return ioctl(fd, TUNSETQUEUE, &ifr) < 0 ? -errno : 0;
}
