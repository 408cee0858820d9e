/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_path.c - the only ways from a name or an O_PATH fd to another fd
 *
 * A checked single component opened with O_NOFOLLOW could not leave its
 * directory even with plain openat(2): there is no "..", no slash, and a link
 * in the only position is not followed. openat2's RESOLVE_BENEATH and friends
 * say the same to the kernel, so that a hole in the check is not a hole in the
 * server. Mount points are crossed on purpose: mounts/N are mounts.
 */
#include "virtio-fs/fs_path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int fs_name_check(const char *name, size_t len)
{
	if (len > FS_NAME_MAX) {
		return -ENAMETOOLONG;
	}
	if (len == 0 || memchr(name, '/', len) || memchr(name, '\0', len)) {
		return -EINVAL;
	}
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'))) {
		return -EINVAL;
	}
	return 0;
}

int fs_path_open(int dir_fd, const char *name, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};
	long fd;

	if ((flags & (O_CREAT | __O_TMPFILE)) == 0) {
		how.mode = 0; /* openat2 refuses a mode that it wouldn't use */
	}
	fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

struct fs_proc_name fs_path_proc(int fd)
{
	struct fs_proc_name name;

	(void)snprintf(name.s, sizeof(name.s), "%d", fd); /* 11 characters at most */
	return name;
}

int fs_path_reopen(int proc_fd, int fd, mode_t type, int flags)
{
	struct fs_proc_name name = fs_path_proc(fd);
	int new_fd;

	if (!(flags & O_PATH) && !S_ISREG(type) && !S_ISDIR(type)) {
		return -EPERM;
	}
	new_fd = openat(proc_fd, name.s, flags | O_CLOEXEC);
	return new_fd < 0 ? -errno : new_fd;
}

int fs_path_stat(int fd, struct statx *out_stx)
{
	if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		  STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, out_stx) < 0) {
		return -errno;
	}
	return 0;
}
