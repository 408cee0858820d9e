/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fs_xattr.c - which extended attributes pass, and how large they may be
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "evil_fuse.h"

static struct fuse_guest guest;
static struct fuse_guest *const g = &guest;
static struct fuse_entry_out file;

static int setup(void **state)
{
	(void)state;
	fuse_guest_setup(g, 1000, 100);
	fuse_guest_init(g);
	assert_int_equal(fuse_mknod(g, g->rootfs, "f", S_IFREG | 0644, 0, &file), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fuse_guest_teardown(g);
	return 0;
}

static int set_flags(const char *name, const void *value, size_t len, uint32_t size, uint32_t flags)
{
	struct fuse_setxattr_in in = {.size = size, .flags = flags};

	fuse_begin(g, FUSE_SETXATTR, file.nodeid);
	fuse_put(g, &in, sizeof(in));
	fuse_str(g, name);
	fuse_put(g, value, len);
	return fuse_send(g);
}

static int set(const char *name, const char *value)
{
	return set_flags(name, value, strlen(value), (uint32_t)strlen(value), 0);
}

static int get(const char *name, uint32_t size)
{
	struct fuse_getxattr_in in = {.size = size};

	fuse_begin(g, FUSE_GETXATTR, file.nodeid);
	fuse_put(g, &in, sizeof(in));
	fuse_str(g, name);
	return fuse_send(g);
}

static int list(uint32_t size)
{
	struct fuse_getxattr_in in = {.size = size};

	fuse_begin(g, FUSE_LISTXATTR, file.nodeid);
	fuse_put(g, &in, sizeof(in));
	return fuse_send(g);
}

static void need_user_xattr(void)
{
	if (set("user.probe", "1") == -EOPNOTSUPP) {
		skip(); /* this file system has none */
	}
	assert_int_equal(fuse_name_op(g, FUSE_REMOVEXATTR, file.nodeid, "user.probe"), 0);
}

static void test_set_get_list_remove(void **state)
{
	struct fuse_getxattr_out out;

	(void)state;
	need_user_xattr();
	assert_int_equal(set("user.a", "value"), 0);
	assert_int_equal(get("user.a", 100), 0);
	assert_int_equal(g->reply_len, 5);
	assert_memory_equal(g->reply, "value", 5);
	assert_int_equal(get("user.a", 0), 0);
	memcpy(&out, g->reply, sizeof(out));
	assert_int_equal(out.size, 5);
	assert_int_equal(get("user.a", 4), -ERANGE);
	assert_int_equal(get("user.b", 100), -ENODATA);
	assert_int_equal(set_flags("user.a", "x", 1, 1, XATTR_CREATE), -EEXIST);
	assert_int_equal(set_flags("user.b", "x", 1, 1, XATTR_REPLACE), -ENODATA);
	assert_int_equal(set_flags("user.b", "x", 1, 1, 0x80), -EINVAL);
	assert_int_equal(set("user.b", ""), 0);
	assert_int_equal(list(1000), 0);
	assert_int_equal(g->reply_len, 14);
	assert_int_equal(list(0), 0);
	memcpy(&out, g->reply, sizeof(out));
	assert_int_equal(out.size, 14);
	assert_int_equal(list(13), -ERANGE);
	assert_int_equal(fuse_name_op(g, FUSE_REMOVEXATTR, file.nodeid, "user.a"), 0);
	assert_int_equal(fuse_name_op(g, FUSE_REMOVEXATTR, file.nodeid, "user.a"), -ENODATA);
}

static void test_foreign_namespaces(void **state)
{
	static const char *const names[] = {"trusted.overlay.opaque",
					    "trusted.x",
					    "security.selinux",
					    "security.ima",
					    "security.evm",
					    "system.nfs4_acl",
					    "system.x",
					    "user.",
					    "user",
					    "xyz",
					    "security.capabilit",
					    "security.capability2"};

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(names); i++) {
		assert_int_equal(set(names[i], "v"), -EOPNOTSUPP);
		assert_int_equal(get(names[i], 100), -EOPNOTSUPP);
		assert_int_equal(fuse_name_op(g, FUSE_REMOVEXATTR, file.nodeid, names[i]),
				 -EOPNOTSUPP);
	}
}

static void test_host_names_are_not_listed(void **state)
{
	const char *path = fuse_guest_path(g, "tree/rootfs/f");

	(void)state;
	need_user_xattr();
	if (setxattr(path, "trusted.secret", "s", 1, 0) < 0) {
		skip(); /* needs CAP_SYS_ADMIN */
	}
	assert_int_equal(set("user.seen", "x"), 0);
	assert_int_equal(list(1000), 0);
	assert_int_equal(g->reply_len, sizeof("user.seen"));
	assert_memory_equal(g->reply, "user.seen", sizeof("user.seen"));
	assert_int_equal(list((uint32_t)sizeof("user.seen")), 0);
}

static void test_file_capability(void **state)
{
	/* version 2, cap_net_bind_service=ep */
	static const uint8_t cap[20] = {1, 0, 0, 2, 0, 4};

	(void)state;
	if (geteuid() != 0) {
		skip();
	}
	assert_int_equal(set_flags("security.capability", cap, sizeof(cap), sizeof(cap), 0), 0);
	assert_int_equal(get("security.capability", 100), 0);
	assert_int_equal(g->reply_len, sizeof(cap));
	assert_memory_equal(g->reply, cap, sizeof(cap));
}

static void test_a_write_removes_file_capability(void **state)
{
	static const uint8_t cap[20] = {1, 0, 0, 2, 0, 4};
	uint64_t fh;

	(void)state;
	if (geteuid() != 0) {
		skip();
	}
	assert_int_equal(set_flags("security.capability", cap, sizeof(cap), sizeof(cap), 0), 0);
	assert_int_equal(fuse_open(g, FUSE_OPEN, file.nodeid, O_RDWR, &fh), 0);
	assert_int_equal(fuse_write(g, file.nodeid, fh, 0, "x", 1, FUSE_WRITE_KILL_SUIDGID, 0), 1);
	assert_int_equal(get("security.capability", 100), -ENODATA);
}

static void test_sizes(void **state)
{
	static uint8_t big[70000];

	(void)state;
	need_user_xattr();
	/* says more or less than there is */
	assert_int_equal(set_flags("user.a", "12345", 5, 4, 0), -EINVAL);
	assert_int_equal(set_flags("user.a", "12345", 5, 6, 0), -EINVAL);
	assert_int_equal(set_flags("user.a", "12345", 5, UINT32_MAX, 0), -E2BIG);
	/* too large for the VFS, and too large for the request buffer */
	assert_int_equal(set_flags("user.a", big, 65537, 65537, 0), -E2BIG);
	assert_int_equal(set_flags("user.a", big, 70000, 70000, 0), -E2BIG);
	/* a large buffer to read into is fine, a huge one too */
	assert_int_equal(set("user.a", "v"), 0);
	assert_int_equal(get("user.a", 65536), 0);
	assert_int_equal(get("user.a", UINT32_MAX), 0);
	assert_int_equal(g->reply_len, 1);
	assert_int_equal(list(UINT32_MAX), 0);
	/* the answer doesn't fit the reply */
	g->room = 16;
	assert_int_equal(get("user.a", 100), -EIO);
	assert_int_equal(list(100), -EIO);
}

static void test_names(void **state)
{
	struct fuse_getxattr_in in = {.size = 10};
	char name[300];

	(void)state;
	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[256] = '\0';
	assert_int_equal(set(name, "v"), -ERANGE);
	assert_int_equal(get(name, 10), -ERANGE);
	assert_int_equal(fuse_name_op(g, FUSE_REMOVEXATTR, file.nodeid, ""), -EINVAL);
	fuse_begin(g, FUSE_GETXATTR, file.nodeid);
	fuse_put(g, &in, sizeof(in));
	fuse_put(g, "user.x", 6); /* no NUL */
	assert_int_equal(fuse_send(g), -EINVAL);
	fuse_begin(g, FUSE_GETXATTR, file.nodeid);
	fuse_put(g, &in, sizeof(in));
	fuse_put(g, "user.x\0y", 8);
	assert_int_equal(fuse_send(g), -EINVAL);
}

/* Links and special files: asked about themselves, never about what they lead to. */
static void test_other_file_types(void **state)
{
	struct fuse_entry_out reg = file;

	(void)state;
	need_user_xattr();
	assert_int_equal(set("user.a", "v"), 0);
	assert_int_equal(fuse_symlink(g, g->rootfs, "l", "f", &file), 0);
	assert_true(file.nodeid != reg.nodeid);
	assert_true(get("user.a", 10) < 0);
	assert_true(set("user.b", "v") < 0);
	assert_int_equal(list(1000), 0);
	assert_int_equal(g->reply_len, 0);
	assert_int_equal(fuse_mknod(g, g->rootfs, "fifo", S_IFIFO | 0600, 0, &file), 0);
	assert_true(set("user.b", "v") < 0); /* and no wait */
	assert_int_equal(fuse_mkdir(g, g->rootfs, "d", 0700, &file), 0);
	assert_int_equal(set("user.b", "v"), 0);
	file = reg;
	assert_int_equal(get("user.b", 10), -ENODATA);
}

static void test_short_form(void **state)
{
	struct fuse_init_in init = {.major = 7, .minor = 31};
	struct fuse_init_out out;
	struct fuse_entry_out root;

	(void)state;
	need_user_xattr();
	assert_int_equal(fuse_call(g, FUSE_INIT, 0, &init, sizeof(init), &out, sizeof(out)), 0);
	assert_int_equal(fuse_lookup(g, FUSE_ROOT_ID, "rootfs", &root), 0);
	assert_int_equal(fuse_lookup(g, root.nodeid, "f", &file), 0);
	fuse_begin(g, FUSE_SETXATTR, file.nodeid);
	fuse_put(g, "\3\0\0\0\0\0\0", 8);
	fuse_str(g, "user.a");
	fuse_put(g, "abc", 3);
	assert_int_equal(fuse_send(g), 0);
	assert_int_equal(get("user.a", 10), 0);
	assert_memory_equal(g->reply, "abc", 3);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_set_get_list_remove),
		T(test_foreign_namespaces),
		T(test_host_names_are_not_listed),
		T(test_file_capability),
		T(test_a_write_removes_file_capability),
		T(test_sizes),
		T(test_names),
		T(test_other_file_types),
		T(test_short_form),
	};

	return cmocka_run_group_tests_name("fs_xattr", tests, NULL, NULL);
}
