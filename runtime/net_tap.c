/* SPDX-License-Identifier: Apache-2.0 */
/* net_tap.c - tap devices for VMs; see net_tap.h */
#include "net_tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
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

int net_tap_open(struct net_tap *tap, unsigned n_queues, struct vr_err *err)
{
	struct ifreq ifr = {.ifr_name = NET_TAP_PREFIX "%d"};
	int rc;

	net_tap_init(tap);
	if (n_queues == 0 || n_queues > NET_TAP_MAX_QUEUES) {
		return vr_err_set(err, EINVAL, "create a tap device: bad number of queues");
	}
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (n_queues > 1) {
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	}
	for (unsigned i = 0; i < n_queues; i++) {
		tap->fd[i] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (tap->fd[i] < 0) {
			return vr_err_sys(err, errno, "open '/dev/net/tun'");
		}
		tap->n_queues++;
		rc = open_queue(tap->fd[i], &ifr); /* the first one's name is filled in */
		if (rc < 0) {
			return vr_err_sys(err, rc, "create a tap device");
		}
	}
	memcpy(tap->name, ifr.ifr_name, sizeof(tap->name));
	tap->ifindex = (int)if_nametoindex(tap->name);
	if (tap->ifindex == 0) {
		return vr_err_sys(err, errno, "find tap device '%s'", tap->name);
	}
	tap->uso = net_tap_offload(tap->fd[0], ALL_BUT_USO | NET_TUN_USO4 | NET_TUN_USO6) == 0;
	rc = net_tap_offload(tap->fd[0], 0); /* the driver says what it takes */
	return rc < 0 ? vr_err_sys(err, rc, "set the offloads of '%s'", tap->name) : 0;
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
