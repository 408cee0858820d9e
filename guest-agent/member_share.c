/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member_share.c - the virtio-fs device of a member, from plugged to unplugged; see member.h
 *
 * The host may serve something else on the slot once nothing in the machine refers to the device.
 * Unmounting alone doesn't tell: a descriptor that went to another container keeps the file system.
 * So its end is looked for in sysfs, where it has a directory as long as it lives.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "boot.h"
#include "layout.h"
#include "member.h"
#include "netdev.h"
#include "sys.h"

#define GONE_TRIES    200
#define GONE_PAUSE_MS 5

static dev_t device; /* the file system's */

static int mount_share(uint32_t number)
{
	char tag[16];
	struct stat st;
	int rc;

	snprintf(tag, sizeof(tag), AP_MEMBER_TAG_FMT, number);
	rc = boot_share(tag);
	if (rc) {
		return rc;
	}
	rc = sys_rc(stat(LAYOUT_SHARE, &st));
	if (rc) {
		(void)umount2(LAYOUT_SHARE, MNT_DETACH);
		return rc;
	}
	device = st.st_dev;
	return 0;
}

int member_share_attach(const struct ap_join *m, bool *out_clean)
{
	int rc = netdev_bind(m->slot);

	*out_clean = false;
	if (rc < 0) {
		agent_log("member %u: bind the device of slot %u: %s", m->number, m->slot,
			  fail_errno_text(-rc));
		return rc; /* without touching the slot: it may be another one's */
	}
	rc = mount_share(m->number);
	if (rc < 0) {
		agent_log("member %u: mount its share: %s", m->number, fail_errno_text(-rc));
		*out_clean = netdev_unbind(m->slot) == 0;
	}
	return rc;
}

static int wait_gone(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u", major(device), minor(device));
	for (int i = 0; i < GONE_TRIES; i++) {
		if (access(path, F_OK) < 0) {
			return 0;
		}
		(void)poll(NULL, 0, GONE_PAUSE_MS);
	}
	return -EBUSY;
}

int member_share_detach(const struct ap_join *m)
{
	int rc = sys_rc(umount2(LAYOUT_SHARE, MNT_DETACH));
	int rc_device;

	rc = rc ? rc : wait_gone();
	/* in any case: who still has a file of it gets errors from now on */
	rc_device = netdev_unbind(m->slot);
	return rc ? rc : rc_device;
}
