/* SPDX-License-Identifier: Apache-2.0 */
/* tty.c - the workload's terminal; see tty.h */
#include "tty.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "path.h"
#include "sys.h"

/* The image may have put anything at /dev/ptmx; only the multiplexer itself will do. */
static int open_master(int root)
{
	int fd = sys_openat2(root, "/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK, VA_RESOLVE_IN_ROOT);
	struct stat st;

	if (fd < 0) {
		return fd;
	}
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2)) {
		close(fd);
		return -ENOTTY;
	}
	return fd;
}

int tty_peer(int master)
{
	return sys_rc(ioctl(master, (int)VA_TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
}

int tty_resize(int master, uint16_t rows, uint16_t cols)
{
	struct winsize ws = {.ws_row = rows, .ws_col = cols};

	return sys_rc(ioctl(master, TIOCSWINSZ, &ws));
}

static int bind_console(int root, int slave)
{
	int target = path_make(root, "/dev/console", false);
	int mnt;
	int rc;

	if (target < 0) {
		return target;
	}
	mnt = sys_open_tree(slave, "", false);
	rc = mnt < 0 ? mnt : sys_move_mount(mnt, target);
	sys_close(&mnt);
	close(target);
	return rc < 0 ? rc : 0;
}

static int adopt(int slave)
{
	if (ioctl(slave, TIOCSCTTY, 0) < 0 || dup2(slave, 0) < 0 || dup2(slave, 1) < 0 ||
	    dup2(slave, 2) < 0) {
		return -errno;
	}
	return 0;
}

int tty_open(int root, uint16_t rows, uint16_t cols, bool console, int *out_master, struct fail *f)
{
	int master = open_master(root);
	int slave = -1;
	int unlock = 0;
	int rc = master < 0 ? master : 0;

	if (rc == 0 && ioctl(master, VA_TIOCSPTLCK, &unlock) < 0) {
		rc = -errno;
	}
	if (rc == 0) {
		slave = tty_peer(master);
		rc = slave < 0 ? slave : 0;
	}
	if (rc == 0 && (rows || cols)) {
		rc = tty_resize(master, rows, cols);
	}
	if (rc == 0 && console) {
		rc = bind_console(root, slave);
	}
	rc = rc ? rc : adopt(slave);
	sys_close(&slave);
	if (rc) {
		sys_close(&master);
		return fail_set(f, "tty", rc, "open terminal /dev/ptmx");
	}
	*out_master = master;
	return 0;
}
