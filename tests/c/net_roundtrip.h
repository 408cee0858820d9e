/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_roundtrip.h - both ends of a network, for tests: a namespace to read, and what the agent makes of it
 *
 * Taps play the devices of a machine; a second namespace is the guest's.
 */
#ifndef TESTS_NET_ROUNDTRIP_H
#define TESTS_NET_ROUNDTRIP_H

#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netlink/netlink.h>

#include "guest-agent/netcfg.h"
#include "net_scan.h"

static const uint8_t mac_of[2][6] = {{2, 0, 0, 0, 0, 0x10}, {2, 0, 0, 0, 0, 0x11}};

struct fixture {
	bool can;
	int tap[2];
	struct net_scan a;
	struct net_scan b;
};

/* --- devices: taps, the ones that were made last */

static unsigned device[2]; /* interface index */
static unsigned plugged;
static unsigned n_bound;
static unsigned n_unbound;

int __wrap_netdev_find(uint32_t slot, char name[IF_NAMESIZE]);
int __wrap_netdev_bind(uint32_t slot);
int __wrap_netdev_unbind(uint32_t slot);

int __wrap_netdev_find(uint32_t slot, char name[IF_NAMESIZE])
{
	return slot < 2 && (plugged & 1u << slot) && if_indextoname(device[slot], name) ? 0
											: -ENODEV;
}

int __wrap_netdev_bind(uint32_t slot)
{
	n_bound++;
	plugged |= 1u << slot;
	return 0;
}

/* The interface ends with its driver. */
int __wrap_netdev_unbind(uint32_t slot)
{
	char name[IF_NAMESIZE];
	char command[64];

	n_unbound++;
	if (__wrap_netdev_find(slot, name) == 0) {
		snprintf(command, sizeof(command), "ip link del %s", name);
		assert_int_equal(system(command), 0);
	}
	plugged &= ~(1u << slot);
	return 0;
}

/* A tap called @name in the present namespace, with a fixed address. */
static int tap_make(const char *name, const uint8_t mac[6])
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd < 0 || s < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0) {
		print_message("no taps here: %s\n", strerror(errno));
		return -1;
	}
	ifr.ifr_hwaddr.sa_family = 1;
	memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
	assert_return_code(ioctl(s, SIOCSIFHWADDR, &ifr), errno);
	close(s);
	return fd;
}

static int namespace_make(struct fixture *f)
{
	if (unshare(CLONE_NEWNET) < 0) {
		print_message("no network namespaces here: %s\n", strerror(errno));
		return -1;
	}
	for (unsigned i = 0; i < 2; i++) {
		char name[8];

		snprintf(name, sizeof(name), "eth%u", i);
		f->tap[i] = tap_make(name, mac_of[i]);
		if (f->tap[i] < 0) {
			return -1;
		}
		device[i] = if_nametoindex(name);
	}
	return 0;
}

/* --- dumps during which something changes: how many more of them */

static unsigned n_interrupted;
static unsigned n_dumps;

int __real_nl_recvmsgs(struct nl_sock *nl, struct nl_cb *cb);
int __wrap_nl_recvmsgs(struct nl_sock *nl, struct nl_cb *cb);

int __wrap_nl_recvmsgs(struct nl_sock *nl, struct nl_cb *cb)
{
	int rc = __real_nl_recvmsgs(nl, cb);

	n_dumps++;
	if (rc >= 0 && n_interrupted > 0) {
		n_interrupted--;
		return -NLE_DUMP_INTR; /* after all of it, as libnl says it */
	}
	return rc;
}

static inline void scan(struct net_scan *s)
{
	struct vr_err err = VR_ERR_INIT;
	struct nl_sock *nl = nl_socket_alloc();

	assert_return_code(nl_connect(nl, NETLINK_ROUTE), errno);
	assert_no_error(net_scan_links(nl, s, &err), err);
	assert_no_error(net_scan_config(nl, s, &err), err);
	nl_socket_free(nl);
}

static inline void apply(const struct ap_net *net)
{
	static struct ap_net decoded;
	static uint8_t frame[AP_HEADER_LEN + AP_FRAME_MAX];
	struct fail f = {0};
	long n = ap_encode_net(net, 3, frame, sizeof(frame));

	assert_true(n > 0);
	assert_int_equal(ap_decode_net(frame + AP_HEADER_LEN, (size_t)n - AP_HEADER_LEN, &decoded),
			 0);
	if (netcfg_apply(&decoded, &f) < 0) {
		fail_msg("%s", f.text);
	}
}

static inline void refuse(struct ap_net *n, const char *reason)
{
	struct fail f = {0};

	assert_true(netcfg_apply(n, &f) < 0);
	assert_string_equal(f.stage, "network");
	if (!strstr(f.text, reason)) {
		fail_msg("'%s' lacks '%s'", f.text, reason);
	}
}

static int setup(void **state)
{
	static const struct ap_net nothing;
	struct fixture *f = calloc(1, sizeof(*f));
	struct fail fail = {0};

	plugged = 0;
	assert_int_equal(netcfg_apply(&nothing, &fail), 0); /* as after the boot of a machine */
	f->can = namespace_make(f) == 0;
	plugged = 3;
	n_bound = n_unbound = n_interrupted = 0;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->tap[0]);
	close(f->tap[1]);
	free(f);
	return 0;
}

static inline void sh(const char *command)
{
	if (system(command) != 0) {
		fail_msg("failed: %s", command);
	}
}

#endif /* TESTS_NET_ROUNDTRIP_H */
