/* SPDX-License-Identifier: Apache-2.0 */
/* fdio.c - descriptors, atomic files, fd passing, process identity; see fdio.h */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define REMOVE_DEPTH_MAX 32
#define TMP_TRIES	 16

ssize_t vr_read_full(int fd, void *buf, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(fd, (char *)buf + got, len - got);

		if (n == 0) {
			break;
		}
		if (n > 0) {
			got += (size_t)n;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return (ssize_t)got;
}

int vr_write_full(int fd, const void *buf, size_t len)
{
	size_t put = 0;

	while (put < len) {
		ssize_t n = write(fd, (const char *)buf + put, len - put);

		if (n >= 0) {
			put += (size_t)n;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* Doubles the buffer up to max + 1 (the extra byte tells "too big") plus the NUL. */
static int grow(char **buf, size_t *cap, size_t max)
{
	size_t want = *cap == 0 ? 4096 : *cap * 2;
	char *bigger;

	if (want > max + 1) {
		want = max + 1;
	}
	bigger = realloc(*buf, want + 1);
	if (!bigger) {
		return -ENOMEM;
	}
	*buf = bigger;
	*cap = want;
	return 0;
}

int vr_read_fd(int fd, size_t max, char **out_buf, size_t *out_len)
{
	vr_autofree char *buf = NULL;
	size_t cap = 0;
	size_t len = 0;

	for (;;) {
		ssize_t n;
		int r;

		if (len == cap) {
			r = grow(&buf, &cap, max);
			if (r < 0) {
				return r;
			}
		}
		n = vr_read_full(fd, buf + len, cap - len);
		if (n < 0) {
			return (int)n;
		}
		len += (size_t)n;
		if (len > max) {
			return -EFBIG;
		}
		if (len < cap) {
			break; /* a short whole read is the end */
		}
	}
	buf[len] = '\0';
	*out_buf = vr_take_ptr(&buf);
	*out_len = len;
	return 0;
}

int vr_read_file(int dirfd, const char *path, size_t max, char **out_buf, size_t *out_len)
{
	vr_autoclose int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0) {
		return -errno;
	}
	return vr_read_fd(fd, max, out_buf, out_len);
}

/* Creates "<path>.<pid>.<n>", fills it and closes it. Removes it when that fails. */
static int write_tmp(int dirfd, const char *tmp, const void *buf, size_t len, mode_t mode)
{
	int fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0) {
		return -errno;
	}
	r = vr_write_full(fd, buf, len);
	if (r == 0 && fchmod(fd, mode) < 0) {
		r = -errno;
	}
	if (close(fd) < 0 && r == 0) {
		r = -errno; /* network file systems report a full disk here */
	}
	if (r < 0) {
		(void)unlinkat(dirfd, tmp, 0); /* the first error is the one to report */
	}
	return r;
}

int vr_write_file_atomic(int dirfd, const char *path, const void *buf, size_t len, mode_t mode)
{
	vr_autofree char *tmp = NULL;
	size_t tmp_len = strlen(path) + 32;
	int r = -EEXIST;

	tmp = malloc(tmp_len);
	if (!tmp) {
		return -ENOMEM;
	}
	for (int i = 0; r == -EEXIST && i < TMP_TRIES; i++) {
		(void)snprintf(tmp, tmp_len, "%s.%ld.%d", path, (long)getpid(), i);
		r = write_tmp(dirfd, tmp, buf, len, mode);
	}
	if (r < 0) {
		return r;
	}
	if (renameat(dirfd, tmp, dirfd, path) < 0) {
		r = -errno;
		(void)unlinkat(dirfd, tmp, 0); /* as above */
		return r;
	}
	return 0;
}

static ssize_t send_msg(int sock, const void *buf, size_t len, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * VR_FDS_MAX)];
	} control;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (n_fds > 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	do {
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int vr_send_fds(int sock, const void *buf, size_t len, const int *fds, size_t n_fds)
{
	size_t put = 0;

	if (len == 0 || n_fds > VR_FDS_MAX) {
		return -EINVAL;
	}
	while (put < len) {
		ssize_t n = send_msg(sock, (const char *)buf + put, len - put, fds,
				     put == 0 ? n_fds : 0);

		if (n < 0) {
			return (int)n;
		}
		put += (size_t)n;
	}
	return 0;
}

/* Moves the descriptors of @msg to @fds; those that don't fit are closed. Return: how many came. */
static size_t take_fds(struct msghdr *msg, int *fds, size_t cap_fds, size_t *out_stored)
{
	size_t total = 0;
	size_t stored = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++, total++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (stored < cap_fds) {
				fds[stored++] = fd;
			} else {
				(void)close(fd); /* a refused descriptor */
			}
		}
	}
	*out_stored = stored;
	return total;
}

ssize_t vr_recv_fds(int sock, void *buf, size_t cap, int *fds, size_t cap_fds, size_t *out_n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * VR_FDS_MAX)];
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = cap};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	size_t stored = 0;
	size_t total;
	ssize_t n;

	do {
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return -errno;
	}
	total = take_fds(&msg, fds, cap_fds, &stored);
	if (total > stored || (msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC))) {
		for (size_t i = 0; i < stored; i++) {
			vr_close_reset(&fds[i]);
		}
		return -EMSGSIZE;
	}
	*out_n_fds = stored;
	return n;
}

/*
 * The second field of /proc/PID/stat is the program's name in parentheses. It
 * may hold spaces and parentheses of its own, so parsing starts after the last one.
 */
static int parse_stat(char *text, uint64_t *out_start, char *out_state)
{
	char *p = strrchr(text, ')');
	unsigned long long start;
	char *end;
	char state;

	if (!p || p[1] != ' ' || p[2] == '\0' || p[3] != ' ') {
		return -EPROTO;
	}
	state = p[2];
	p += 3;
	for (int field = 4; field < 22; field++) { /* p is at the space before @field */
		p = strchr(p + 1, ' ');
		if (!p) {
			return -EPROTO;
		}
	}
	errno = 0;
	start = strtoull(p + 1, &end, 10);
	if (errno != 0 || end == p + 1) {
		return -EPROTO;
	}
	*out_start = start;
	if (out_state) {
		*out_state = state;
	}
	return 0;
}

int vr_proc_stat(pid_t pid, uint64_t *out_start, char *out_state)
{
	vr_autoclose int fd = -1;
	char path[64];
	char text[1024];
	ssize_t n;

	if (pid <= 0) {
		return -ESRCH;
	}
	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return errno == ENOENT ? -ESRCH : -errno;
	}
	n = vr_read_full(fd, text, sizeof(text) - 1);
	if (n < 0) {
		return (int)n;
	}
	text[n] = '\0';
	return parse_stat(text, out_start, out_state);
}

bool vr_proc_alive(pid_t pid, uint64_t start)
{
	uint64_t now_start = 0;
	char state = 0;

	if (vr_proc_stat(pid, &now_start, &state) < 0) {
		return false;
	}
	return now_start == start && state != 'Z' && state != 'X';
}

int vr_pidfd_open(pid_t pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : (int)fd;
}

int vr_pidfd_send_signal(int pidfd, int sig)
{
	return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int vr_pidfd_open_checked(pid_t pid, uint64_t start)
{
	int fd;

	if (pid <= 0) {
		return -ESRCH;
	}
	fd = vr_pidfd_open(pid);
	if (fd < 0) {
		return fd == -EINVAL ? -ESRCH : fd; /* EINVAL: a thread took the number */
	}
	/* From here on the pid can't be reused without the pidfd noticing. */
	if (!vr_proc_alive(pid, start)) {
		(void)close(fd);
		return -ESRCH;
	}
	return fd;
}

int vr_pidfd_wait(int pidfd, int timeout_ms)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	uint64_t end = vr_now_ms() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0);
	int left = timeout_ms;

	for (;;) {
		int n = poll(&p, 1, left);

		if (n > 0) {
			return 0;
		}
		if (n == 0) {
			return -ETIMEDOUT;
		}
		if (errno != EINTR) {
			return -errno;
		}
		if (timeout_ms >= 0) {
			uint64_t now = vr_now_ms();

			left = now >= end ? 0 : (int)(end - now);
		}
	}
}

int vr_memfd(const char *name, uint64_t size, unsigned int flags)
{
	vr_autoclose int fd = -1;

	if (size > INT64_MAX) {
		return -EFBIG;
	}
	fd = memfd_create(name, flags | MFD_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	if (ftruncate(fd, (off_t)size) < 0) {
		return -errno;
	}
	return vr_take_fd(&fd);
}

int vr_memfd_fix_size(int fd, uint64_t size)
{
	struct stat st;

	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0 || fstat(fd, &st) < 0) {
		return -errno;
	}
	return st.st_size >= 0 && (uint64_t)st.st_size == size ? 0 : -EINVAL;
}

int vr_memfd_of(const char *name, const void *data, size_t len)
{
	vr_autoclose int fd = vr_memfd(name, 0, MFD_ALLOW_SEALING);
	int rc = fd < 0 ? fd : vr_write_full(fd, data, len);

	if (rc == 0 && (lseek(fd, 0, SEEK_SET) < 0 ||
			fcntl(fd, F_ADD_SEALS,
			      F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)) {
		rc = -errno;
	}
	return rc < 0 ? rc : vr_take_fd(&fd);
}

int vr_openat2(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = resolve,
	};
	long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* For kernels before 5.9: walk our own descriptor list. */
static int close_range_slow(unsigned int first, unsigned int last)
{
	vr_autoclosedir DIR *dir = opendir("/proc/self/fd");
	const struct dirent *de;

	if (!dir) {
		return -errno;
	}
	while ((de = readdir(dir)) != NULL) {
		char *end;
		unsigned long fd = strtoul(de->d_name, &end, 10);

		if (*end == '\0' && end != de->d_name && fd >= first && fd <= last &&
		    fd != (unsigned long)dirfd(dir)) {
			(void)close((int)fd); /* closing is all we want of it */
		}
	}
	return 0;
}

int vr_close_range(unsigned int first, unsigned int last)
{
	if (syscall(SYS_close_range, first, last, 0) == 0) {
		return 0;
	}
	return errno == ENOSYS ? close_range_slow(first, last) : -errno;
}

int vr_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);
	int wanted;

	if (flags < 0) {
		return -errno;
	}
	wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	if (wanted != flags && fcntl(fd, F_SETFL, wanted) < 0) {
		return -errno;
	}
	return 0;
}

int vr_boot_id(char out_id[VR_BOOT_ID_LEN + 1])
{
	vr_autoclose int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[VR_BOOT_ID_LEN];
	ssize_t n;

	if (fd < 0) {
		return -errno;
	}
	n = vr_read_full(fd, text, sizeof(text));
	if (n != (ssize_t)sizeof(text)) {
		return n < 0 ? (int)n : -EPROTO;
	}
	memcpy(out_id, text, sizeof(text));
	out_id[VR_BOOT_ID_LEN] = '\0';
	return 0;
}

uint64_t vr_now_ms(void)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* can't fail for this clock */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int remove_at(int dirfd, const char *name, dev_t dev, int depth);

static int remove_children(DIR *dir, dev_t dev, int depth)
{
	const struct dirent *de;
	int first = 0;

	while ((de = readdir(dir)) != NULL) {
		int r;

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0) {
			continue;
		}
		r = remove_at(dirfd(dir), de->d_name, dev, depth);
		if (r < 0 && first == 0) {
			first = r; /* go on: leave as little as possible */
		}
	}
	return first;
}

static int remove_dir(int dirfd, const char *name, dev_t dev, int depth)
{
	vr_autoclosedir DIR *dir = NULL;
	vr_autoclose int fd = -1;
	struct stat st;
	int r;

	if (depth >= REMOVE_DEPTH_MAX) {
		return -ELOOP;
	}
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		return -errno;
	}
	if (depth > 0 && st.st_dev != dev) {
		return -EXDEV; /* somebody's mount: never empty that */
	}
	dir = fdopendir(fd);
	if (!dir) {
		return -errno;
	}
	(void)vr_take_fd(&fd); /* the stream closes it */
	r = remove_children(dir, st.st_dev, depth + 1);
	if (r < 0) {
		return r;
	}
	return unlinkat(dirfd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int remove_at(int dirfd, const char *name, dev_t dev, int depth)
{
	int r;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT) {
		return 0;
	}
	if (errno != EISDIR && errno != EPERM) {
		return -errno;
	}
	r = remove_dir(dirfd, name, dev, depth);
	return r == -ENOENT ? 0 : r;
}

int vr_remove_tree(int dirfd, const char *name)
{
	if (name[0] == '\0' || strchr(name, '/') || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0) {
		return -EINVAL;
	}
	return remove_at(dirfd, name, 0, 0);
}
