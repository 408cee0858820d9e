/* SPDX-License-Identifier: Apache-2.0 */
/* console.c - the host side of a container's terminal; see console.h */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fdio.h"

#define SLAVE_NAME_MAX 64

static int slave_open(int master, uint16_t rows, uint16_t cols)
{
	char name[SLAVE_NAME_MAX];
	struct winsize ws = {.ws_row = rows, .ws_col = cols};
	struct termios t;
	int fd;

	if (grantpt(master) < 0 || unlockpt(master) < 0 ||
	    ptsname_r(master, name, sizeof(name)) != 0) {
		return -errno;
	}
	fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	if (tcgetattr(fd, &t) == 0) {
		cfmakeraw(&t);
		(void)tcsetattr(fd, TCSANOW, &t); /* can't fail for a fresh pty */
	}
	if (rows != 0 || cols != 0) {
		(void)ioctl(fd, TIOCSWINSZ, &ws); /* as above */
	}
	return fd;
}

int console_open(uint16_t rows, uint16_t cols, struct console *out, struct vr_err *err)
{
	struct console c = {.master = -1, .slave = -1};

	c.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c.master < 0) {
		return vr_err_sys(err, errno, "open a pseudo terminal");
	}
	c.slave = slave_open(c.master, rows, cols);
	if (c.slave < 0) {
		(void)close(c.master);
		return vr_err_sys(err, c.slave, "open the slave of a pseudo terminal");
	}
	*out = c;
	return 0;
}

int console_send(const char *path, const struct console *c, struct vr_err *err)
{
	vr_autoclose int sock = -1;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char name[SLAVE_NAME_MAX];
	int rc;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		return vr_err_set(err, ENAMETOOLONG, "console socket '%s': path is too long", path);
	}
	memcpy(sa.sun_path, path, strlen(path) + 1);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		return vr_err_sys(err, errno, "console socket '%s'", path);
	}
	if (ptsname_r(c->master, name, sizeof(name)) != 0) {
		return vr_err_sys(err, errno, "name of the pseudo terminal");
	}
	rc = vr_send_fds(sock, name, strlen(name), &c->master, 1);
	return rc < 0 ? vr_err_sys(err, rc, "console socket '%s'", path) : 0;
}

void console_close(struct console *c)
{
	vr_close_reset(&c->master);
	vr_close_reset(&c->slave);
}
