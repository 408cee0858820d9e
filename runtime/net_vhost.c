/* SPDX-License-Identifier: Apache-2.0 */
/* net_vhost.c - may the host's kernel serve a container's network? See net_vhost.h */
#include "net_vhost.h"

#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/fdrange.h"
#include "base/log.h"
#include "vmm/vhost.h"

static int open_one(int *out)
{
	int rc;

	*out = open(VHOST_DEVICE, O_RDWR | O_CLOEXEC);
	if (*out < 0) {
		return -errno;
	}
	rc = vr_fd_move(out, VR_FDS_NET, VR_FDS_NET_N);
	return rc < 0 ? rc : vhost_check(*out);
}

static int open_all(struct net_plan *plan)
{
	int rc = 0;

	for (unsigned i = 0; i < plan->n; i++) {
		for (unsigned q = 0; rc == 0 && q < plan->ifs[i].tap.n_queues; q++) {
			rc = open_one(&plan->ifs[i].vhost[q]);
		}
	}
	return rc;
}

int net_vhost_open(struct net_plan *plan, enum oci_vhost mode, struct vr_err *err)
{
	int rc = mode == OCI_VHOST_OFF ? 0 : open_all(plan);

	if (rc == 0) {
		return 0;
	}
	if (mode == OCI_VHOST_ON) {
		return vr_err_sys(err, rc,
				  "config.json: annotations[\"dev.volt.net.vhost\"]: open '%s'",
				  VHOST_DEVICE);
	}
	vr_debug("no '%s': the vmm serves the network itself", VHOST_DEVICE);
	for (unsigned i = 0; i < plan->n; i++) {
		for (unsigned q = 0; q < NET_TAP_MAX_QUEUES; q++) {
			vr_close_reset(&plan->ifs[i].vhost[q]);
		}
	}
	return 0;
}
