/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.h - the agent's own root: where things are in it
 *
 * The host fills the share; everything else is made by boot.c in a tmpfs. Directories of the share
 * above the container's own files must be searchable by everyone (0755): a container in a user
 * namespace walks them with its mapped uid.
 */
#ifndef AGENT_LAYOUT_H
#define AGENT_LAYOUT_H

#include "base/agent_proto.h"

#define LAYOUT_SHARE_TAG  "volt"
#define LAYOUT_SHARE	  "/mnt"
#define LAYOUT_ROOTFS	  LAYOUT_SHARE "/rootfs"
#define LAYOUT_BIND_FMT	  LAYOUT_SHARE "/mounts/%u" /* a directory or a file */
#define LAYOUT_CGROUP	  "/sys/fs/cgroup"
#define LAYOUT_CONTAINER  "container"	 /* the cgroup in it of the first container; see self.h */
#define LAYOUT_MEMBER_FMT "container-%u" /* that of a member, by its number */
#define LAYOUT_RUN	  "/run/volt"	 /* a tmpfs; each agent has its own */
#define LAYOUT_NODES	  LAYOUT_RUN "/dev" /* device nodes to bind where mknod is refused */
#define LAYOUT_NOTIFY	  AP_NOTIFY_PATH
#define LAYOUT_ROOT_MOUNT LAYOUT_RUN "/root" /* where the root is attached before pivot_root */

#endif /* AGENT_LAYOUT_H */
