/* SPDX-License-Identifier: Apache-2.0 */
/* test_terminal.c - the host's pty pair of a container, and its way to the console socket */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "base/fdio.h"
#include "console.h"

static struct console open_one(uint16_t rows, uint16_t cols)
{
	struct console c = {.master = -1, .slave = -1};
	struct vr_err err = VR_ERR_INIT;

	assert_no_error(console_open(rows, cols, &c, &err), err);
	assert_int_equal(err.code, 0);
	return c;
}

static void both_ends_are_ours_alone(void **state)
{
	struct console c = open_one(0, 0);

	(void)state;
	assert_int_equal(isatty(c.slave), 1);
	assert_int_equal(fcntl(c.master, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(c.slave, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(c.slave, F_GETFL) & O_ACCMODE, O_RDWR);
	console_close(&c);
	assert_int_equal(c.master, -1);
	assert_int_equal(c.slave, -1);
	console_close(&c); /* again: nothing */
}

static void the_slave_is_raw(void **state)
{
	struct console c = open_one(0, 0);
	struct termios t;
	char b[16];

	(void)state;
	assert_int_equal(tcgetattr(c.slave, &t), 0);
	assert_int_equal(t.c_lflag & (ICANON | ECHO | ISIG | IEXTEN), 0);
	assert_int_equal(t.c_oflag & OPOST, 0);
	assert_int_equal(t.c_iflag & (ICRNL | IXON), 0);
	/* Bytes pass as they are, none is echoed: the guest's line discipline is what counts. */
	assert_int_equal(write(c.master, "a\r\x03\x04\n", 5), 5);
	assert_int_equal(read(c.slave, b, sizeof(b)), 5);
	assert_memory_equal(b, "a\r\x03\x04\n", 5);
	assert_int_equal(write(c.slave, "x\ny", 3), 3);
	assert_int_equal(read(c.master, b, sizeof(b)), 3);
	assert_memory_equal(b, "x\ny", 3);
	console_close(&c);
}

static void the_size_is_set_when_there_is_one(void **state)
{
	static const uint16_t sizes[][2] = {{24, 80}, {65535, 65535}, {0, 80}, {0, 0}};
	struct winsize ws;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct console c = open_one(sizes[i][0], sizes[i][1]);

		assert_int_equal(ioctl(c.master, TIOCGWINSZ, &ws), 0);
		assert_int_equal(ws.ws_row, sizes[i][0]);
		assert_int_equal(ws.ws_col, sizes[i][1]);
		console_close(&c);
	}
}

/* ---- the console socket ---- */

struct listener {
	char dir[64];
	char path[96];
	int fd;
};

static int listener_up(void **state)
{
	struct listener *l = calloc(1, sizeof(*l));
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	assert_non_null(l);
	(void)snprintf(l->dir, sizeof(l->dir), "/tmp/volt-terminal-XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	(void)snprintf(l->path, sizeof(l->path), "%s/console.sock", l->dir);
	memcpy(sa.sun_path, l->path, strlen(l->path) + 1);
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(l->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(l->fd, 4), 0);
	*state = l;
	return 0;
}

static int listener_down(void **state)
{
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct listener *l = *state;

	(void)close(l->fd);
	assert_int_equal(vr_remove_tree(tmp, l->dir + strlen("/tmp/")), 0);
	(void)close(tmp);
	free(l);
	return 0;
}

static void the_master_and_nothing_else_is_sent(void **state)
{
	struct listener *l = *state;
	struct console c = open_one(24, 80);
	struct vr_err err = VR_ERR_INIT;
	struct winsize ws;
	char name[128] = "", want[64], b[4];
	size_t n_fds = 0;
	int conn, fds[8];
	ssize_t n;

	assert_no_error(console_send(l->path, &c, &err), err);
	conn = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(conn >= 0);
	n = vr_recv_fds(conn, name, sizeof(name), fds, 8, &n_fds);
	assert_int_equal(n_fds, 1);
	assert_int_equal(ptsname_r(c.master, want, sizeof(want)), 0);
	assert_int_equal(n, strlen(want)); /* no NUL */
	assert_memory_equal(name, want, strlen(want));
	assert_int_equal(vr_recv_fds(conn, name, sizeof(name), fds + 1, 7, &n_fds), 0); /* EOF */

	/* It is the master: what goes in comes out at our slave, and it has the size. */
	assert_int_equal(write(fds[0], "k", 1), 1);
	assert_int_equal(read(c.slave, b, sizeof(b)), 1);
	assert_int_equal(ioctl(fds[0], TIOCGWINSZ, &ws), 0);
	assert_int_equal(ws.ws_row, 24);
	(void)close(fds[0]);
	(void)close(conn);
	console_close(&c);
}

static void nobody_listens(void **state)
{
	struct listener *l = *state;
	struct console c = open_one(0, 0);
	struct vr_err err = VR_ERR_INIT;
	char message[256];

	(void)close(l->fd);
	l->fd = -1;
	assert_int_equal(console_send(l->path, &c, &err), -ECONNREFUSED);
	(void)snprintf(message, sizeof(message), "console socket '%s': Connection refused",
		       l->path);
	assert_message(err, message);
	assert_int_equal(unlink(l->path), 0);
	assert_int_equal(console_send(l->path, &c, &err), -ENOENT);
	console_close(&c);
}

static void long_paths_are_refused_not_cut(void **state)
{
	struct console c = open_one(0, 0);
	struct sockaddr_un sa;
	struct vr_err err = VR_ERR_INIT;
	char path[sizeof(sa.sun_path) + 1];

	(void)state;
	memset(path, 'p', sizeof(path));
	path[sizeof(sa.sun_path)] = '\0';
	assert_int_equal(console_send(path, &c, &err), -ENAMETOOLONG);
	path[sizeof(sa.sun_path) - 1] = '\0'; /* fits; there is nothing */
	assert_int_equal(console_send(path, &c, &err), -ENOENT);
	console_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_are_ours_alone),
		cmocka_unit_test(the_slave_is_raw),
		cmocka_unit_test(the_size_is_set_when_there_is_one),
		cmocka_unit_test_setup_teardown(the_master_and_nothing_else_is_sent, listener_up,
						listener_down),
		cmocka_unit_test_setup_teardown(nobody_listens, listener_up, listener_down),
		cmocka_unit_test(long_paths_are_refused_not_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
