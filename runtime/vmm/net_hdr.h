/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_hdr.h - may this frame's header go to the host's kernel?
 *
 * The kernel checks it again. What is refused here is what no sound driver
 * sends, so that a hostile one reaches less of the kernel's segmentation code.
 *
 * Trust:   the header is a copy of what the guest wrote.
 * Threads: pure.
 * Uses:    net_abi. Used by: net_tx, tests, fuzzing.
 */
#ifndef VMM_NET_HDR_H
#define VMM_NET_HDR_H

#include "vmm/net_abi.h"

/**
 * net_hdr_check() - judge a header and clear what has no meaning in it
 * @h:         as the guest wrote it
 * @frame_len: bytes of the frame that follow, Ethernet header included
 * @mtu:       of the interface
 * @features:  negotiated
 *
 * Return: 0, or -EINVAL: drop the frame (it may come from a packet socket of the
 * workload, so the driver isn't to blame for it).
 */
int net_hdr_check(struct net_hdr *h, uint32_t frame_len, uint16_t mtu, uint64_t features)
	__attribute__((warn_unused_result));

#endif /* VMM_NET_HDR_H */
