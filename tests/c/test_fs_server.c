/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fs_server.c - the protocol: INIT, sizes that lie, stale ids, forget abuse, caps
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "evil_fuse.h"

static struct fuse_guest guest;
static struct fuse_guest *const g = &guest;

static int setup_raw(void **state)
{
	(void)state;
	fuse_guest_setup(g, 64, 16);
	return 0;
}

static int setup(void **state)
{
	(void)setup_raw(state);
	fuse_guest_init(g);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fuse_guest_teardown(g);
	return 0;
}

static int init(struct fuse_init_in in, struct fuse_init_out *out)
{
	return fuse_call(g, FUSE_INIT, 0, &in, sizeof(in), out, sizeof(*out));
}

static void test_init_negotiates(void **state)
{
	struct fuse_init_in in = {.major = 7, .minor = 45, .max_readahead = 131072};
	struct fuse_init_out out;
	uint64_t flags;

	(void)state;
	in.flags = ~0U;
	in.flags2 = ~0U;
	assert_int_equal(init(in, &out), 0);
	assert_int_equal(out.major, 7);
	assert_int_equal(out.minor, 41);
	assert_int_equal(out.max_write, 1 << 20);
	assert_int_equal(out.max_pages, 256);
	assert_int_equal(out.max_readahead, 131072);
	assert_int_equal(out.time_gran, 1);
	flags = (uint64_t)out.flags2 << 32 | out.flags;
	assert_true(flags & FUSE_HANDLE_KILLPRIV_V2);
	assert_true(flags & FUSE_SUBMOUNTS);
	assert_true(flags & FUSE_CREATE_SUPP_GROUP);
	assert_true(flags & FUSE_DONT_MASK);
	assert_false(flags & FUSE_WRITEBACK_CACHE);
	assert_false(flags & (FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS));
	assert_false(flags & FUSE_EXPORT_SUPPORT);
}

static void test_init_offers_nothing_unasked(void **state)
{
	struct fuse_init_in in = {.major = 7, .minor = 31};
	struct fuse_init_out out;

	(void)state;
	assert_int_equal(init(in, &out), 0);
	assert_int_equal(out.minor, 31);
	assert_int_equal(out.flags, 0);
	in.flags2 = ~0U; /* without INIT_EXT it means nothing */
	assert_int_equal(init(in, &out), 0);
	assert_int_equal(out.flags2, 0);
}

static void test_init_short_form(void **state)
{
	struct fuse_init_in in = {.major = 7, .minor = 31, .flags = FUSE_BIG_WRITES};
	struct fuse_init_out out;

	(void)state;
	assert_int_equal(fuse_call(g, FUSE_INIT, 0, &in, FUSE_INIT_IN_MIN, &out, sizeof(out)), 0);
	assert_int_equal(out.flags, FUSE_BIG_WRITES);
	assert_int_equal(fuse_call(g, FUSE_INIT, 0, &in, FUSE_INIT_IN_MIN - 1, &out, sizeof(out)),
			 -EINVAL);
}

static void test_init_wrong_versions(void **state)
{
	struct fuse_init_in in = {.major = 7, .minor = 26};
	struct fuse_init_out out;
	struct fuse_attr attr;

	(void)state;
	assert_int_equal(init(in, &out), -EPROTO);
	in.major = 6;
	assert_int_equal(init(in, &out), -EPROTO);
	in.major = 8;
	assert_int_equal(init(in, &out), 0); /* "come back with 7" */
	assert_int_equal(out.major, 7);
	assert_int_equal(fuse_getattr(g, FUSE_ROOT_ID, &attr), -EIO);
}

static void test_nothing_before_init(void **state)
{
	struct fuse_entry_out entry;
	struct fuse_attr attr;

	(void)state;
	assert_int_equal(fuse_getattr(g, FUSE_ROOT_ID, &attr), -EIO);
	assert_int_equal(fuse_lookup(g, FUSE_ROOT_ID, "rootfs", &entry), -EIO);
	fuse_guest_init(g);
	assert_int_equal(fuse_getattr(g, FUSE_ROOT_ID, &attr), 0);
	assert_int_equal(fuse_call(g, FUSE_DESTROY, 0, NULL, 0, NULL, 0), 0);
	assert_int_equal(fuse_getattr(g, FUSE_ROOT_ID, &attr), -EIO);
}

static void test_init_again_forgets_everything(void **state)
{
	struct fuse_entry_out entry;
	struct fuse_attr attr;
	uint64_t old;
	uint64_t fh;

	(void)state;
	old = g->rootfs;
	assert_int_equal(fuse_create(g, g->rootfs, "f", O_RDWR, 0644, &entry, &fh), 0);
	fuse_guest_init(g);
	assert_int_equal(fuse_getattr(g, old, &attr), -ESTALE);
	assert_true(old != g->rootfs);
	assert_int_equal(fuse_read(g, FUSE_READ, entry.nodeid, fh, 0, 10), -ESTALE);
	fs_server_reset(g->srv);
	assert_int_equal(fuse_getattr(g, FUSE_ROOT_ID, &attr), -EIO);
}

static void test_short_requests_get_no_reply(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(struct fuse_in_header); len++) {
		fuse_begin(g, FUSE_GETATTR, FUSE_ROOT_ID);
		g->msg_len = len;
		assert_int_equal(fuse_send_raw(g), -EPROTO);
	}
	assert_int_equal(fs_server_handle(g->srv, NULL, 0, NULL, 0), -EPROTO);
	assert_int_equal(fs_server_handle(g->srv, NULL, FS_SERVER_IOV_MAX + 1, NULL, 0), -EPROTO);
}

static void test_length_field_lies(void **state)
{
	static const int64_t lies[] = {-1, 1, -40, 8, 4096, 0x7fffffff, -47};
	struct fuse_attr attr;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(lies); i++) {
		g->len_lie = lies[i];
		assert_int_equal(fuse_getattr(g, FUSE_ROOT_ID, &attr), -EINVAL);
	}
	g->len_lie = 0;
	assert_int_equal(fuse_getattr(g, FUSE_ROOT_ID, &attr), 0);
}

static void test_extension_longer_than_request(void **state)
{
	struct fuse_entry_out entry;

	(void)state;
	fuse_begin(g, FUSE_LOOKUP, FUSE_ROOT_ID);
	fuse_put(g, "rootfs\0", 8);
	g->ext_len = 16;
	assert_int_equal(fuse_send(g), -EINVAL);
	g->ext_len = 0xffff * 8;
	assert_int_equal(fuse_send(g), -EINVAL);
	fuse_begin(g, FUSE_GETATTR, FUSE_ROOT_ID); /* needs no arguments at all */
	g->ext_len = 8;
	assert_int_equal(fuse_send(g), -EINVAL);
	assert_int_equal(fuse_lookup(g, FUSE_ROOT_ID, "rootfs", &entry), 0);
}

static void test_unknown_operations(void **state)
{
	static const uint32_t codes[] = {0,
					 7,
					 19,
					 FUSE_GETLK,
					 FUSE_SETLKW,
					 FUSE_IOCTL,
					 FUSE_POLL,
					 FUSE_BMAP,
					 FUSE_NOTIFY_REPLY,
					 FUSE_SETUPMAPPING,
					 FUSE_REMOVEMAPPING,
					 53,
					 4096,
					 0x7fffffff,
					 0xffffffff};

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(codes); i++) {
		fuse_begin(g, codes[i], FUSE_ROOT_ID);
		fuse_put(g, "0123456789abcdef0123456789abcdef0123456789abcdef", 48);
		assert_int_equal(fuse_send(g), -ENOSYS);
	}
}

/* Every operation, every length up to 100 bytes of zeros and of 0xff: an answer, never a crash */
static void test_every_operation_with_every_short_length(void **state)
{
	uint8_t fill[100];

	(void)state;
	for (int round = 0; round < 2; round++) {
		memset(fill, round ? 0xff : 0, sizeof(fill));
		for (uint32_t op = 1; op < FUSE_OPCODE_COUNT; op++) {
			for (size_t len = 0; len <= sizeof(fill); len++) {
				int64_t rc;

				if (op == FUSE_INIT || op == FUSE_DESTROY) {
					continue; /* would end the session */
				}
				fuse_begin(g, op, g->rootfs);
				fuse_put(g, fill, len);
				rc = fuse_send_raw(g);
				assert_true(rc == 0 || rc >= 16);
			}
		}
	}
}

static void test_reply_too_small(void **state)
{
	struct fuse_entry_out entry;
	struct fuse_attr attr;
	struct stat st;

	(void)state;
	for (size_t room = 0; room < 16; room++) {
		fuse_begin(g, FUSE_GETATTR, FUSE_ROOT_ID);
		g->room = room;
		assert_int_equal(fuse_send_raw(g), -EPROTO);
	}
	for (size_t room = 16; room < 16 + sizeof(struct fuse_attr_out); room++) {
		g->room = room;
		assert_int_equal(fuse_getattr(g, FUSE_ROOT_ID, &attr), -EIO);
	}
	/* nothing may be made that the guest can't be told of */
	g->room = 16 + sizeof(entry) - 1;
	assert_int_equal(fuse_mkdir(g, g->rootfs, "d", 0755, &entry), -EIO);
	assert_int_equal(lstat(fuse_guest_path(g, "tree/rootfs/d"), &st), -1);
	g->room = 16 + sizeof(entry);
	assert_int_equal(fuse_mkdir(g, g->rootfs, "d", 0755, &entry), 0);
}

static void test_stale_node_ids(void **state)
{
	static const uint64_t ids[] = {0,
				       3,
				       64,
				       65,
				       0xffffffff,
				       UINT64_MAX,
				       1ULL << 32,
				       1ULL << 32 | 1,
				       0x7fffdeadbeefULL};
	struct fuse_entry_out entry;
	struct fuse_attr attr;
	uint64_t fh;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(ids); i++) {
		assert_int_equal(fuse_getattr(g, ids[i], &attr), -ESTALE);
		assert_int_equal(fuse_lookup(g, ids[i], "x", &entry), -ESTALE);
		assert_int_equal(fuse_open(g, FUSE_OPEN, ids[i], O_RDONLY, &fh), -ESTALE);
		assert_int_equal(fuse_rename(g, g->rootfs, "a", ids[i], "b", 0), -ESTALE);
		assert_int_equal(fuse_link(g, ids[i], g->rootfs, "b", &entry), -ESTALE);
	}
}

static void test_stale_handles(void **state)
{
	struct fuse_entry_out a;
	struct fuse_entry_out b;
	uint64_t fa;
	uint64_t fb;
	uint64_t dir;

	(void)state;
	assert_int_equal(fuse_create(g, g->rootfs, "a", O_RDWR, 0644, &a, &fa), 0);
	assert_int_equal(fuse_create(g, g->rootfs, "b", O_RDWR, 0644, &b, &fb), 0);
	assert_int_equal(fuse_open(g, FUSE_OPENDIR, g->rootfs, O_RDONLY, &dir), 0);
	/* another file's handle, a directory's, made-up ones */
	assert_int_equal(fuse_read(g, FUSE_READ, a.nodeid, fb, 0, 10), -EBADF);
	assert_int_equal(fuse_read(g, FUSE_READ, g->rootfs, dir, 0, 10), -EBADF);
	assert_int_equal(fuse_read(g, FUSE_READDIR, g->rootfs, fa, 0, 1000), -EBADF);
	assert_int_equal(fuse_read(g, FUSE_READ, a.nodeid, 0, 0, 10), -EBADF);
	assert_int_equal(fuse_read(g, FUSE_READ, a.nodeid, UINT64_MAX, 0, 10), -EBADF);
	assert_int_equal(fuse_release(g, FUSE_RELEASEDIR, a.nodeid, fa), -EBADF);
	assert_int_equal(fuse_release(g, FUSE_RELEASE, b.nodeid, fa), -EBADF);
	assert_int_equal(fuse_release(g, FUSE_RELEASE, a.nodeid, fa), 0);
	assert_int_equal(fuse_release(g, FUSE_RELEASE, a.nodeid, fa), -EBADF);
	assert_int_equal(fuse_read(g, FUSE_READ, a.nodeid, fa, 0, 10), -EBADF);
	/* the slot's next tenant has another number */
	assert_int_equal(fuse_open(g, FUSE_OPEN, b.nodeid, O_RDONLY, &fb), 0);
	assert_true(fa != fb);
}

static void test_forget_abuse(void **state)
{
	struct fuse_entry_out entry;
	struct fuse_attr attr;

	(void)state;
	fuse_forget(g, FUSE_ROOT_ID, UINT64_MAX);
	assert_int_equal(fuse_getattr(g, FUSE_ROOT_ID, &attr), 0);
	fuse_forget(g, 12345, 1);
	fuse_forget(g, UINT64_MAX, UINT64_MAX);
	fuse_forget(g, 0, 0);
	assert_int_equal(fuse_mkdir(g, g->rootfs, "d", 0755, &entry), 0);
	assert_int_equal(fuse_lookup(g, g->rootfs, "d", &entry), 0); /* twice now */
	fuse_forget(g, entry.nodeid, 1);
	assert_int_equal(fuse_getattr(g, entry.nodeid, &attr), 0);
	fuse_forget(g, entry.nodeid, UINT64_MAX);
	assert_int_equal(fuse_getattr(g, entry.nodeid, &attr), -ESTALE);
	fuse_forget(g, entry.nodeid, UINT64_MAX);
	/* a short one and one with a reply buffer are ignored */
	fuse_begin(g, FUSE_FORGET, g->rootfs);
	fuse_put(g, "1234", 4);
	assert_int_equal(fuse_send_raw(g), 0);
	assert_int_equal(fuse_getattr(g, g->rootfs, &attr), 0);
}

static void test_batch_forget(void **state)
{
	struct fuse_batch_forget_in in = {.count = 2};
	struct fuse_entry_out a;
	struct fuse_entry_out b;
	struct fuse_forget_one one[2] = {{0}};
	struct fuse_attr attr;

	(void)state;
	assert_int_equal(fuse_mkdir(g, g->rootfs, "a", 0755, &a), 0);
	assert_int_equal(fuse_mkdir(g, g->rootfs, "b", 0755, &b), 0);
	one[0].nodeid = a.nodeid;
	one[0].nlookup = 1;
	one[1].nodeid = b.nodeid;
	one[1].nlookup = 1;
	in.count = 0xffffffff; /* more than there are: none is taken */
	fuse_begin(g, FUSE_BATCH_FORGET, 0);
	fuse_put(g, &in, sizeof(in));
	fuse_put(g, one, sizeof(one));
	assert_int_equal(fuse_send_raw(g), 0);
	assert_int_equal(fuse_getattr(g, a.nodeid, &attr), 0);
	in.count = 2;
	fuse_begin(g, FUSE_BATCH_FORGET, 0);
	fuse_put(g, &in, sizeof(in));
	fuse_put(g, one, sizeof(one));
	assert_int_equal(fuse_send_raw(g), 0);
	assert_int_equal(fuse_getattr(g, a.nodeid, &attr), -ESTALE);
	assert_int_equal(fuse_getattr(g, b.nodeid, &attr), -ESTALE);
}

static void test_interrupt_has_no_reply(void **state)
{
	(void)state;
	fuse_begin(g, FUSE_INTERRUPT, 0);
	fuse_put(g, "12345678", 8);
	assert_int_equal(fuse_send_raw(g), 0);
}

static void test_node_cap(void **state)
{
	struct fuse_entry_out entry = {0};
	struct stat st;
	char name[32];
	int n = 0;
	int rc;

	(void)state;
	do {
		(void)snprintf(name, sizeof(name), "d%d", n);
		rc = fuse_mkdir(g, g->rootfs, name, 0755, &entry);
		n++;
	} while (rc == 0 && n < 1000);
	assert_int_equal(rc, -ENFILE);
	assert_int_equal(n, 64 - 2 + 1); /* root and rootfs have two, the last one failed */
	(void)snprintf(name, sizeof(name), "tree/rootfs/d%d", n - 1);
	assert_int_equal(lstat(fuse_guest_path(g, name), &st), -1); /* and made nothing */
	/* known files are still found, and one forgotten makes room for one */
	assert_int_equal(fuse_lookup(g, g->rootfs, "d5", &entry), 0);
	assert_int_equal(fuse_lookup(g, FUSE_ROOT_ID, "mounts", &entry), -ENFILE);
	assert_int_equal(fuse_lookup(g, g->rootfs, "d5", &entry), 0);
	fuse_forget(g, entry.nodeid, 3);
	assert_int_equal(fuse_lookup(g, FUSE_ROOT_ID, "mounts", &entry), 0);
}

static void test_handle_cap(void **state)
{
	struct fuse_entry_out entry;
	uint64_t fh[17];
	char buf[4];
	int fd;

	(void)state;
	assert_int_equal(fuse_create(g, g->rootfs, "f", O_RDWR, 0644, &entry, &fh[0]), 0);
	assert_int_equal(fuse_write(g, entry.nodeid, fh[0], 0, "data", 4, 0, 0), 4);
	for (int i = 1; i < 16; i++) {
		assert_int_equal(fuse_open(g, FUSE_OPEN, entry.nodeid, O_RDONLY, &fh[i]), 0);
	}
	assert_int_equal(fuse_open(g, FUSE_OPENDIR, g->rootfs, O_RDONLY, &fh[16]), -ENFILE);
	assert_int_equal(fuse_create(g, g->rootfs, "g", O_RDWR, 0644, &entry, &fh[16]), -ENFILE);
	assert_int_equal(fuse_lookup(g, g->rootfs, "f", &entry), 0);
	/* a truncating open that gets no handle doesn't truncate either */
	assert_int_equal(fuse_open(g, FUSE_OPEN, entry.nodeid, O_RDWR | O_TRUNC, &fh[16]), -ENFILE);
	fd = open(fuse_guest_path(g, "tree/rootfs/f"), O_RDONLY);
	assert_int_equal(read(fd, buf, 4), 4);
	close(fd);
	assert_int_equal(fuse_release(g, FUSE_RELEASE, entry.nodeid, fh[7]), 0);
	assert_int_equal(fuse_open(g, FUSE_OPENDIR, g->rootfs, O_RDONLY, &fh[16]), 0);
}

static void test_out_of_fds(void **state)
{
	struct rlimit old;
	struct rlimit few;
	struct fuse_entry_out entry;
	struct fuse_attr attr;
	uint64_t fh;
	int next;

	(void)state;
	assert_int_equal(mkdir(fuse_guest_path(g, "tree/rootfs/d"), 0755), 0);
	next = dup(0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(fuse_lookup(g, g->rootfs, "d", &entry), -EMFILE);
	assert_int_equal(fuse_open(g, FUSE_OPENDIR, g->rootfs, O_RDONLY, &fh), -EMFILE);
	assert_int_equal(fuse_getattr(g, g->rootfs, &attr), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(fuse_lookup(g, g->rootfs, "d", &entry), 0);
}

static void test_frame_is_fixed(void **state)
{
	struct fuse_setattr_in set = {.valid = FATTR_MODE, .mode = 0777};
	struct fuse_entry_out mounts;
	struct fuse_entry_out entry;
	uint64_t fh;

	(void)state;
	assert_int_equal(fuse_lookup(g, FUSE_ROOT_ID, "mounts", &mounts), 0);
	assert_int_equal(fuse_mkdir(g, FUSE_ROOT_ID, "x", 0755, &entry), -EROFS);
	assert_int_equal(fuse_mkdir(g, mounts.nodeid, "x", 0755, &entry), -EROFS);
	assert_int_equal(fuse_name_op(g, FUSE_RMDIR, FUSE_ROOT_ID, "rootfs"), -EROFS);
	assert_int_equal(fuse_name_op(g, FUSE_RMDIR, mounts.nodeid, "0"), -EROFS);
	assert_int_equal(fuse_rename(g, FUSE_ROOT_ID, "rootfs", g->rootfs, "x", 0), -EROFS);
	assert_int_equal(fuse_mkdir(g, g->rootfs, "x", 0755, &entry), 0);
	assert_int_equal(fuse_rename(g, g->rootfs, "x", mounts.nodeid, "x", 0), -EROFS);
	assert_int_equal(fuse_symlink(g, FUSE_ROOT_ID, "l", "/etc", &entry), -EROFS);
	assert_int_equal(fuse_create(g, mounts.nodeid, "f", O_RDWR, 0644, &entry, &fh), -EROFS);
	assert_int_equal(fuse_setattr(g, FUSE_ROOT_ID, &set), -EROFS);
	assert_int_equal(fuse_setattr(g, mounts.nodeid, &set), -EROFS);
	assert_int_equal(fuse_setattr(g, g->rootfs, &set), 0);
}

/* A read-only root: even what is open for writing, even after the guest starts over. */
static void test_frozen_root(void **state)
{
	struct fuse_setattr_in set = {.valid = FATTR_MODE, .mode = 0777};
	struct fuse_fallocate_in fa = {.length = 4096};
	struct fuse_entry_out mounts, dir, e, f;
	struct fuse_attr attr;
	uint64_t fh, ro;

	(void)state;
	assert_int_equal(fuse_create(g, g->rootfs, "f", O_RDWR, 0644, &f, &fh), 0);
	assert_int_equal(fuse_mkdir(g, g->rootfs, "d", 0755, &dir), 0);
	assert_int_equal(fuse_write(g, f.nodeid, fh, 0, "12345", 5, 0, 0), 5);
	fs_server_freeze(g->srv);
	assert_int_equal(fuse_write(g, f.nodeid, fh, 0, "x", 1, 0, 0), -EROFS);
	fa.fh = fh;
	assert_int_equal(fuse_call(g, FUSE_FALLOCATE, f.nodeid, &fa, sizeof(fa), NULL, 0), -EROFS);
	assert_int_equal(fuse_mkdir(g, dir.nodeid, "x", 0755, &e), -EROFS);
	assert_int_equal(fuse_name_op(g, FUSE_UNLINK, g->rootfs, "f"), -EROFS);
	assert_int_equal(fuse_rename(g, g->rootfs, "f", dir.nodeid, "f", 0), -EROFS);
	assert_int_equal(fuse_setattr(g, f.nodeid, &set), -EROFS);
	assert_int_equal(fuse_open(g, FUSE_OPEN, f.nodeid, O_WRONLY, &ro), -EROFS);
	assert_int_equal(fuse_open(g, FUSE_OPEN, f.nodeid, O_RDONLY | O_TRUNC, &ro), -EROFS);
	assert_int_equal(fuse_create(g, g->rootfs, "n", O_RDWR, 0644, &e, &ro), -EROFS);
	/* reading goes on, and what is not the root is as before */
	assert_int_equal(fuse_open(g, FUSE_OPEN, f.nodeid, O_RDONLY, &ro), 0);
	assert_int_equal(fuse_read(g, FUSE_READ, f.nodeid, ro, 0, 10), 5);
	assert_int_equal(fuse_lookup(g, FUSE_ROOT_ID, "mounts", &mounts), 0);
	assert_int_equal(fuse_lookup(g, mounts.nodeid, "0", &e), 0);
	assert_int_equal(fuse_mkdir(g, e.nodeid, "x", 0755, &dir), 0);
	assert_int_equal(fuse_rename(g, e.nodeid, "x", g->rootfs, "x", 0), -EROFS);
	assert_int_equal(fuse_create(g, e.nodeid, "w", O_RDWR, 0644, &dir, &ro), 0);
	assert_int_equal(fuse_write(g, dir.nodeid, ro, 0, "x", 1, 0, 0), 1);
	fuse_guest_init(g);
	assert_int_equal(fuse_mkdir(g, g->rootfs, "x", 0755, &e), -EROFS);
	assert_int_equal(fuse_getattr(g, g->rootfs, &attr), 0);
}

/* What a handle is of doesn't change when the guest forgets the node that it was opened through. */
static void test_frozen_root_of_forgotten_nodes(void **state)
{
	struct fuse_copy_file_range_in copy = {.len = 5};
	struct fuse_fallocate_in fa = {.length = 4096, .mode = FALLOC_FL_ZERO_RANGE};
	struct fuse_entry_out src, dst;
	struct fuse_write_out out;
	char is[8] = "";
	FILE *f;

	(void)state;
	assert_int_equal(fuse_create(g, g->rootfs, "src", O_RDWR, 0644, &src, &copy.fh_in), 0);
	assert_int_equal(fuse_create(g, g->rootfs, "dst", O_RDWR, 0644, &dst, &copy.fh_out), 0);
	assert_int_equal(fuse_write(g, src.nodeid, copy.fh_in, 0, "wrong", 5, 0, 0), 5);
	assert_int_equal(fuse_write(g, dst.nodeid, copy.fh_out, 0, "right", 5, 0, 0), 5);
	fuse_forget(g, dst.nodeid, 1);
	fs_server_freeze(g->srv);
	copy.nodeid_out = dst.nodeid;
	assert_int_equal(fuse_call(g, FUSE_COPY_FILE_RANGE, src.nodeid, &copy, sizeof(copy), &out,
				   sizeof(out)),
			 -EROFS);
	fa.fh = copy.fh_out;
	assert_int_equal(fuse_call(g, FUSE_FALLOCATE, dst.nodeid, &fa, sizeof(fa), NULL, 0),
			 -EROFS);
	f = fopen(fuse_guest_path(g, "tree/rootfs/dst"), "r");
	assert_non_null(f);
	assert_int_equal(fread(is, 1, sizeof(is), f), 5);
	assert_string_equal(is, "right");
	(void)fclose(f);
}

static void test_cache_promises(void **state)
{
	struct fuse_entry_out e;

	(void)state;
	assert_int_equal(fuse_lookup(g, FUSE_ROOT_ID, "rootfs", &e), 0);
	assert_int_equal(e.entry_valid, 86400);
	assert_int_equal(e.attr_valid, 1);
	assert_int_equal(fuse_mkdir(g, g->rootfs, "d", 0755, &e), 0);
	assert_int_equal(e.entry_valid, 1);
	assert_int_equal(fuse_lookup(g, g->rootfs, "missing", &e), 0); /* remembered as missing */
	assert_int_equal(e.nodeid, 0);
	assert_int_equal(e.entry_valid, 1);
	assert_int_equal(fuse_lookup(g, FUSE_ROOT_ID, "mounts", &e), 0);
	assert_int_equal(e.attr_valid, 86400);
	assert_int_equal(fuse_lookup(g, e.nodeid, "0", &e), 0);
	assert_int_equal(e.attr_valid, 0);
	assert_int_equal(fuse_mkdir(g, e.nodeid, "x", 0755, &e), 0);
	assert_int_equal(e.entry_valid, 0);
	assert_int_equal(e.attr_valid, 0);
	assert_int_equal(fuse_lookup(g, e.nodeid, "missing", &e), -ENOENT);
}

/* The last quarter of the nodes is for files in use: of others the guest is told to keep no name. */
static void test_crowded_promises(void **state)
{
	struct fuse_entry_out e, old;
	char name[16];

	(void)state;
	fuse_guest_teardown(g);
	fuse_guest_setup(g, 40, 20);
	fuse_guest_init(g);
	for (unsigned n = 3; n <= 40; n++) { /* root and rootfs are known */
		(void)snprintf(name, sizeof(name), "d%u", n);
		assert_int_equal(fuse_mkdir(g, g->rootfs, name, 0755, &e), 0);
		assert_int_equal(e.entry_valid, n < 30 ? 1 : 0);
		assert_int_equal(e.attr_valid, 1);
	}
	assert_int_equal(fuse_mkdir(g, g->rootfs, "more", 0755, &e), -ENFILE);
	/* One that was promised for longer is not, when it is asked for again. */
	assert_int_equal(fuse_lookup(g, g->rootfs, "d3", &old), 0);
	assert_int_equal(old.entry_valid, 0);
	for (unsigned n = 40; n >= 30; n--) {
		(void)snprintf(name, sizeof(name), "d%u", n);
		assert_int_equal(fuse_lookup(g, g->rootfs, name, &e), 0);
		fuse_forget(g, e.nodeid, 2);
	}
	assert_int_equal(fuse_lookup(g, g->rootfs, "d3", &old), 0);
	assert_int_equal(old.entry_valid, 1);
}

static void test_bad_configurations(void **state)
{
	struct fs_config cfg = {.root_fd = -1, .proc_self_fd_fd = -1};
	struct fs_server *srv = NULL;
	int file = open("/proc/self/exe", O_PATH | O_CLOEXEC);

	(void)state;
	assert_int_equal(fs_server_create(&cfg, &srv), -EINVAL);
	cfg.root_fd = file;
	cfg.proc_self_fd_fd = file;
	assert_int_equal(fs_server_create(&cfg, &srv), -ENOTDIR);
	close(file);
	cfg.root_fd = g->root_fd;
	cfg.proc_self_fd_fd = g->proc_fd;
	assert_null(srv);
	cfg.max_nodes = 0xffffffff; /* no more than there can be descriptors */
	cfg.max_handles = 0xffffffff;
	assert_int_equal(fs_server_create(&cfg, &srv), 0);
	fs_server_destroy(srv);
	cfg.max_nodes = 0;
	cfg.max_handles = 0;
	assert_int_equal(fs_server_create(&cfg, &srv), 0);
	fs_server_destroy(srv);
	fs_server_destroy(NULL);
}

#define RAW(f) cmocka_unit_test_setup_teardown(f, setup_raw, teardown)
#define T(f)   cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RAW(test_init_negotiates),
		RAW(test_init_offers_nothing_unasked),
		RAW(test_init_short_form),
		RAW(test_init_wrong_versions),
		RAW(test_nothing_before_init),
		RAW(test_bad_configurations),
		T(test_init_again_forgets_everything),
		T(test_short_requests_get_no_reply),
		T(test_length_field_lies),
		T(test_extension_longer_than_request),
		T(test_unknown_operations),
		T(test_every_operation_with_every_short_length),
		T(test_reply_too_small),
		T(test_stale_node_ids),
		T(test_stale_handles),
		T(test_forget_abuse),
		T(test_batch_forget),
		T(test_interrupt_has_no_reply),
		T(test_node_cap),
		T(test_handle_cap),
		T(test_out_of_fds),
		T(test_frame_is_fixed),
		T(test_frozen_root),
		T(test_frozen_root_of_forgotten_nodes),
		T(test_cache_promises),
		T(test_crowded_promises),
	};

	return cmocka_run_group_tests_name("fs_server", tests, NULL, NULL);
}
