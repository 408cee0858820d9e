/* SPDX-License-Identifier: Apache-2.0 */
/* test_notify.c - sd_notify: where the host's socket is, and what a guest may say to it */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify.h"

/* Longer than a socket's address may be, as engines' are. */
static const char dir_text[] =
	"/tmp/volt-notify-a-name-that-goes-on-and-on-and-on-until-it-is-longer-than-"
	"what-fits-into-an-address-of-a-socket-XXXXXX";

struct place {
	char dir[sizeof(dir_text)];
	char path[160];
	int dir_fd;
	int fd;
};

static void place_make(struct place *p)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	memcpy(p->dir, dir_text, sizeof(dir_text));
	assert_non_null(mkdtemp(p->dir));
	(void)snprintf(p->path, sizeof(p->path), "%s/notify.sock", p->dir);
	p->dir_fd = open(p->dir, O_PATH | O_CLOEXEC);
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/notify.sock", p->dir_fd);
	p->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
}

static void place_remove(struct place *p)
{
	(void)close(p->fd);
	(void)close(p->dir_fd);
	assert_int_equal(unlink(p->path), 0);
	assert_int_equal(rmdir(p->dir), 0);
}

static void reaches(const struct notify *n, const struct place *p)
{
	char c;

	assert_true(n->fd >= 0);
	assert_int_equal(send(n->fd, "x", 1, 0), 1);
	assert_int_equal(recv(p->fd, &c, 1, MSG_DONTWAIT), 1);
	(void)close(n->fd);
}

static void found_through_a_bind(void **state)
{
	const char *env[] = {"A=b", "NOTIFY_SOCKET=/run/notify/notify.sock"};
	struct oci_process process = {.env = {.v = env, .n = 2}};
	struct oci_mount mounts[] = {
		{.destination = "/run", .source = "/nowhere", .opt = {.bind = true}},
		{.destination = "/run/notify", .opt = {.bind = true}},
		{.destination = "/run/not", .source = "/", .opt = {.bind = true}},
	};
	struct oci_spec spec = {.process = &process, .mounts = {.v = mounts, .n = 3}};
	static struct ap_container c;
	struct place p;
	struct notify n;

	(void)state;
	place_make(&p);
	mounts[1].source = p.dir;
	notify_find(&spec, &n);
	assert_string_equal(n.dest, "/run/notify/notify.sock");
	assert_string_equal(n.env, "");
	assert_int_equal(notify_plan(&n, &c), 0);
	assert_int_equal(c.n_mounts, 1);
	assert_int_equal(c.flags, AP_C_NOTIFY);
	c.n_mounts = AP_MAX_MOUNTS;
	assert_int_equal(notify_plan(&n, &c), -E2BIG);
	reaches(&n, &p);
	/* A tmpfs on top of it, or no bind, or no listener: nothing. */
	mounts[2] = (struct oci_mount){.destination = "/run"};
	notify_find(&spec, &n);
	assert_int_equal(n.fd, -1);
	spec.mounts.n = 0;
	notify_find(&spec, &n);
	assert_int_equal(n.fd, -1);
	c.n_mounts = c.flags = 0;
	assert_int_equal(notify_plan(&n, &c), 0);
	assert_int_equal(c.n_mounts + c.flags, 0);
	place_remove(&p);
}

/* An image says where its socket is, and a container what lies in its volume. */
static void not_found_outside_of_the_bind(void **state)
{
	const char *env[] = {NULL};
	struct oci_process process = {.env = {.v = env, .n = 1}};
	struct oci_mount mount = {.destination = "/v", .opt = {.bind = true}};
	struct oci_spec spec = {.process = &process, .mounts = {.v = &mount, .n = 1}};
	char volume[] = "/tmp/volt-notify-XXXXXX";
	char text[3][256];
	char link[64];
	struct place p;
	struct notify n;

	(void)state;
	place_make(&p);
	assert_non_null(mkdtemp(volume));
	mount.source = volume;
	(void)snprintf(link, sizeof(link), "%s/link", volume);
	assert_int_equal(symlink(p.path, link), 0);
	(void)snprintf(text[0], sizeof(text[0]), "NOTIFY_SOCKET=/v/../%s",
		       p.path + strlen("/tmp/"));
	(void)snprintf(text[1], sizeof(text[1]), "NOTIFY_SOCKET=/v/link");
	(void)snprintf(text[2], sizeof(text[2]), "NOTIFY_SOCKET=/v//%s", p.path);
	for (int i = 0; i < 3; i++) {
		env[0] = text[i];
		notify_find(&spec, &n);
		assert_int_equal(n.fd, -1);
	}
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(volume), 0);
	place_remove(&p);
}

static void found_in_our_environment(void **state)
{
	struct oci_process process = {0};
	struct oci_spec spec = {.process = &process};
	struct place p;
	struct notify n;

	(void)state;
	place_make(&p);
	assert_int_equal(setenv("NOTIFY_SOCKET", p.path, 1), 0);
	notify_find(&spec, &n);
	assert_string_equal(n.env, "NOTIFY_SOCKET=/run/notify/notify.sock");
	assert_string_equal(n.dest, "/run/notify/notify.sock");
	reaches(&n, &p);
	spec.process = NULL;
	notify_find(&spec, &n);
	assert_int_equal(n.fd, -1);
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	place_remove(&p);
}

static void what_may_be_said(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(notify_filter("READY=1\nMAINPID=1\nSTATUS=well\033[2J", out, sizeof(out)),
			 8 + 16);
	assert_string_equal(out, "READY=1\nSTATUS=well?[2J\n");
	assert_int_equal(notify_filter("MAINPID=1\nFDSTORE=1\nBUSERROR=x\nREADY", out, sizeof(out)),
			 0);
	assert_int_equal(notify_filter("", out, sizeof(out)), 0);
	assert_int_equal(notify_filter("\n\nSTOPPING=1\n", out, sizeof(out)), 11);
	/* What doesn't fit is left out, not cut. */
	assert_int_equal(notify_filter("STATUS=long\nREADY=1\n", out, 10), 8);
	assert_string_equal(out, "READY=1\n");
	assert_int_equal(notify_filter("READY=1\n", out, 9), 8);
	assert_int_equal(notify_filter("READY=1\n", out, 8), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_through_a_bind),
		cmocka_unit_test(not_found_outside_of_the_bind),
		cmocka_unit_test(found_in_our_environment),
		cmocka_unit_test(what_may_be_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
