/* SPDX-License-Identifier: Apache-2.0 */
/* sys.c - system calls the agent's libc has no wrapper for; see sys.h */
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int sys_rc(long rc)
{
	return rc < 0 ? -errno : (int)rc;
}

int sys_openat2(int dir, const char *path, int flags, uint32_t resolve)
{
	struct va_open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = resolve};

	return sys_rc(syscall(SYS_openat2, dir, path, &how, sizeof(how)));
}

int sys_clone3(const struct va_clone_args *args)
{
	return sys_rc(syscall(SYS_clone3, args, sizeof(*args)));
}

int sys_setns(int fd, uint64_t flags)
{
	return sys_rc(syscall(SYS_setns, fd, (int)flags));
}

int sys_unshare(uint64_t flags)
{
	return sys_rc(syscall(SYS_unshare, (int)flags));
}

int sys_close_range(unsigned first, unsigned last)
{
	return sys_rc(syscall(SYS_close_range, first, last, 0));
}

int sys_pidfd_open(pid_t pid)
{
	return sys_rc(syscall(SYS_pidfd_open, pid, 0));
}

int sys_pidfd_signal(int pidfd, int signo)
{
	return sys_rc(syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0));
}

int sys_pivot_root(const char *new_root, const char *put_old)
{
	return sys_rc(syscall(SYS_pivot_root, new_root, put_old));
}

int sys_open_tree(int dir, const char *path, bool recursive)
{
	unsigned flags = VA_OPEN_TREE_CLONE | O_CLOEXEC | (*path ? 0 : (unsigned)AT_EMPTY_PATH) |
			 (recursive ? VA_AT_RECURSIVE : 0);

	return sys_rc(syscall(SYS_open_tree, dir, path, flags));
}

int sys_move_mount(int from, int to)
{
	return sys_rc(syscall(SYS_move_mount, from, "", to, "",
			      VA_MOVE_MOUNT_F_EMPTY_PATH | VA_MOVE_MOUNT_T_EMPTY_PATH));
}

int sys_mount_setattr(int fd, const struct va_mount_attr *attr, bool recursive)
{
	unsigned flags = (unsigned)AT_EMPTY_PATH | (recursive ? VA_AT_RECURSIVE : 0);

	return sys_rc(syscall(SYS_mount_setattr, fd, "", flags, attr, sizeof(*attr)));
}

int sys_fsopen(const char *type)
{
	return sys_rc(syscall(SYS_fsopen, type, 1u /* FSOPEN_CLOEXEC */));
}

int sys_fsconfig(int fs, const char *key, const char *value)
{
	unsigned cmd = !key	? VA_FSCONFIG_CMD_CREATE
		       : !value ? VA_FSCONFIG_SET_FLAG
				: VA_FSCONFIG_SET_STRING;

	return sys_rc(syscall(SYS_fsconfig, fs, cmd, key, value, 0));
}

int sys_fsmount(int fs, uint32_t attr)
{
	return sys_rc(syscall(SYS_fsmount, fs, 1u /* FSMOUNT_CLOEXEC */, attr));
}

int sys_read_file(int dir, const char *path, char *buf, size_t cap)
{
	int fd = sys_rc(openat(dir, path, O_RDONLY | O_CLOEXEC));
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0) {
		return fd;
	}
	while (len < cap - 1 && n > 0) {
		n = read(fd, buf + len, cap - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	buf[len] = '\0';
	n = n < 0 ? -errno : (ssize_t)len;
	close(fd);
	return (int)n;
}

int sys_write_file(int dir, const char *path, const char *text)
{
	int fd = sys_rc(openat(dir, path, O_WRONLY | O_CLOEXEC));
	int rc;

	if (fd < 0) {
		return fd;
	}
	rc = sys_rc(write(fd, text, strlen(text)));
	close(fd);
	return rc < 0 ? rc : 0;
}

uint64_t sys_now_ns(void)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_BOOTTIME, &ts); /* can't fail with a valid clock */
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void sys_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0) {
		close(*fd);
	}
	*fd = -1;
	errno = saved;
}
