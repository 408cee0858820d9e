/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_attach.h - a VM takes the container's place in its network namespace
 *
 * The engine prepares a namespace as for any container. For each interface in it
 * there is a tap; all that comes in at the interface goes to the tap and the other
 * way round, so that the guest, with the same MAC, addresses and routes, is where
 * the container would be. The namespace's own stack keeps its configuration and
 * hears nothing any more.
 *
 * What is left behind: nothing when the VM's processes are gone, however they
 * ended, but for the filters on interfaces of the engine. Those end with the
 * interface; net_detach() removes them before.
 *
 * What changes afterwards is net_watch's business.
 *
 * Uses: base, oci/spec.h, net_tap, net_tc, net_scan, net_sysctl. Used by: launch, container, netproc.
 */
#ifndef VOLT_NET_ATTACH_H
#define VOLT_NET_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/agent_proto.h"
#include "base/err.h"
#include "net_egress.h"
#include "net_tap.h"
#include "oci/spec.h"

struct net_moved;
struct net_scan;
struct net_sysctls;
struct nl_sock;

#define NET_SPARE_LINKS	 4u /* interfaces that a running container can be given, at least */
#define NET_SPARE_QUEUES (AP_MAX_LINKS * NET_TAP_MAX_QUEUES)

/**
 * struct net_if - one interface of the container, and the tap for its VM
 * @carrier: the interface has one
 * @vhost: for each queue of the tap who serves it in the kernel; -1: nobody
 */
struct net_if {
	struct net_tap tap;
	int vhost[NET_TAP_MAX_QUEUES];
	uint8_t mac[6];
	uint16_t mtu;
	bool carrier;
};

/**
 * struct net_plan - the network of a VM
 * @frame:     encoded AP_MSG_NET for the agent, NULL when there is nothing to configure
 * @frame_len: its length in bytes
 * @dns_fd:    a socket for questions to a name server on the namespace's loopback, or -1
 * @sysctls:   of the namespace, that the guest is to have; NULL: none
 * @moved:     interfaces of linux.netDevices, or NULL
 * @ns_fd:     the container's namespace, -1 when there is nothing to watch in it
 * @n_slots:   for devices: those of @ifs, and for what is added later
 * @scan:      what @frame tells
 * @events:    a socket that is told of changes since
 * @spare:     descriptors for taps to come, @n_spare of them
 */
struct net_plan {
	struct net_if ifs[AP_MAX_LINKS];
	unsigned n;
	unsigned n_slots;
	void *frame;
	size_t frame_len;
	int dns_fd;
	struct net_sysctls *sysctls;
	struct net_moved *moved;
	int ns_fd;
	struct net_scan *scan;
	struct nl_sock *events;
	int spare[NET_SPARE_QUEUES];
	unsigned n_spare;
};

/** net_plan_init() - nothing open */
void net_plan_init(struct net_plan *plan);
/** net_plan_finish() - close the taps, free the frame */
void net_plan_finish(struct net_plan *plan);
/**
 * net_plan_undo() - before net_plan_finish(), if there will be no container: give back what moved
 *
 * To be called when net_attach() failed, too. In the namespace it was called in.
 */
void net_plan_undo(struct net_plan *plan);

/**
 * net_spec_check() - can the network that config.json asks for be given to a VM?
 *
 * Return: 0, or -ENOTSUP for the host's network.
 */
int net_spec_check(const struct oci_spec *spec, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * net_attach() - attach to all interfaces of a network namespace, after the engine set it up
 * @spec:       linux.netDevices move in first; has to outlast @out
 * @ns_fd:      the namespace
 * @n_vcpus:    of the VM: as many queues, if possible
 * @egress:     where the guest may send to, NULL: everywhere
 * @request_id: of the frame
 * @out:        to be finished in any case
 *
 * The calling process, which must have one thread, enters the namespace and comes back.
 *
 * Return: 0; -EBUSY when another VM or a traffic policy sits there; or another negative errno
 * value.
 */
int net_attach(const struct oci_spec *spec, int ns_fd, unsigned n_vcpus,
	       const struct net_egress *egress, uint32_t request_id, struct net_plan *out,
	       struct vr_err *err) __attribute__((warn_unused_result));

/** net_ns_stays() - was the namespace there before the container, and will it be afterwards? */
bool net_ns_stays(const struct oci_spec *spec);

/**
 * net_detach() - remove filters of a VM that has ended
 * @spec: the container's configuration; nothing to do unless it names a network namespace
 *
 * Best effort: the interfaces may be gone, or another VM's by now (then nothing happens).
 */
void net_detach(const struct oci_spec *spec);

#endif /* VOLT_NET_ATTACH_H */
