/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member_share.c - the virtio-fs device of a member, from plugged to unplugged; see member.h
 *
 * The host may serve something else on the slot once no driver is bound to it. Before that the file system is
 * given some time to end in order; in sysfs it has a directory as long as it lives. A descriptor that went
 * to another container keeps it, and finds out that nobody serves it any more.
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

	rc = rc ? rc : wait_gone();
	if (rc) {
		agent_log("member %u: files of it are still open: %s", m->number,
			  fail_errno_text(-rc));
	}
	return netdev_unbind(m->slot);
}
