/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fs_file.c - open, create, read, write, seek, allocate, copy, sync
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "evil_fuse.h"

static struct fuse_guest guest;
static struct fuse_guest *const g = &guest;
static struct fuse_entry_out file;
static uint64_t fh;

static int setup(void **state)
{
	(void)state;
	fuse_guest_setup(g, 1000, 100);
	fuse_guest_init(g);
	assert_int_equal(fuse_create(g, g->rootfs, "f", O_RDWR, 0644, &file, &fh), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fuse_guest_teardown(g);
	return 0;
}

static void test_write_and_read_back(void **state)
{
	static const size_t pieces[] = {1000, 4096, 1 << 20};
	uint32_t len = 1 << 20;
	uint8_t *data = malloc(len);

	(void)state;
	assert_non_null(data);
	for (uint32_t i = 0; i < len; i++) {
		data[i] = (uint8_t)(i * 2654435761U >> 13);
	}
	for (size_t i = 0; i < VR_ARRAY_SIZE(pieces); i++) {
		g->piece = pieces[i];
		assert_int_equal(fuse_write(g, file.nodeid, fh, 12345, data, len, 0, 0), len);
		assert_int_equal(fuse_read(g, FUSE_READ, file.nodeid, fh, 12345, len), len);
		assert_memory_equal(g->reply, data, len);
		assert_int_equal(fuse_read(g, FUSE_READ, file.nodeid, fh, 12345 + len - 7, len), 7);
		assert_memory_equal(g->reply, data + len - 7, 7);
	}
	assert_int_equal(fuse_read(g, FUSE_READ, file.nodeid, fh, 0, 3), 3);
	assert_memory_equal(g->reply, "\0\0\0", 3);
	free(data);
}

static void test_read_is_bounded_by_the_buffer(void **state)
{
	uint8_t data[5000];

	(void)state;
	memset(data, 'd', sizeof(data));
	assert_int_equal(fuse_write(g, file.nodeid, fh, 0, data, sizeof(data), 0, 0), sizeof(data));
	g->room = 16 + 100;
	assert_int_equal(fuse_read(g, FUSE_READ, file.nodeid, fh, 0, sizeof(data)), 100);
	g->room = 16;
	assert_int_equal(fuse_read(g, FUSE_READ, file.nodeid, fh, 0, sizeof(data)), 0);
}

static void test_bad_ranges(void **state)
{
	static const uint64_t offsets[] = {UINT64_MAX, INT64_MAX, 1ULL << 63, UINT64_MAX - 4};

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(offsets); i++) {
		assert_int_equal(fuse_read(g, FUSE_READ, file.nodeid, fh, offsets[i], 10), -EINVAL);
		assert_int_equal(fuse_write(g, file.nodeid, fh, offsets[i], "x", 1, 0, 0), -EINVAL);
	}
	assert_int_equal(fuse_read(g, FUSE_READ, file.nodeid, fh, 0, (1 << 20) + 1), -EINVAL);
	assert_int_equal(fuse_read(g, FUSE_READ, file.nodeid, fh, 0, UINT32_MAX), -EINVAL);
	assert_int_equal(fuse_read(g, FUSE_READ, file.nodeid, fh, 1ULL << 40, 10), 0);
}

static void test_write_size_lies(void **state)
{
	struct fuse_write_in in = {.fh = fh, .size = 100};
	struct stat st;

	(void)state;
	fuse_begin(g, FUSE_WRITE, file.nodeid);
	fuse_put(g, &in, sizeof(in));
	fuse_put(g, "ten bytes.", 10);
	assert_int_equal(fuse_send(g), -EINVAL); /* says 100, has 10 */
	in.size = 5;
	fuse_begin(g, FUSE_WRITE, file.nodeid);
	fuse_put(g, &in, sizeof(in));
	fuse_put(g, "ten bytes.", 10);
	assert_int_equal(fuse_send(g), -EINVAL); /* says 5, has 10 */
	in.size = UINT32_MAX;
	fuse_begin(g, FUSE_WRITE, file.nodeid);
	fuse_put(g, &in, sizeof(in));
	assert_int_equal(fuse_send(g), -EINVAL);
	in.size = 0;
	fuse_begin(g, FUSE_WRITE, file.nodeid);
	fuse_put(g, &in, sizeof(in));
	assert_int_equal(fuse_send(g), 0);
	assert_int_equal(stat(fuse_guest_path(g, "tree/rootfs/f"), &st), 0);
	assert_int_equal(st.st_size, 0);
}

static void test_write_above_the_limit(void **state)
{
	uint32_t len = (1 << 20) + 4096;
	uint8_t *data = calloc(1, len);

	(void)state;
	assert_int_equal(fuse_write(g, file.nodeid, fh, 0, data, len, 0, 0), -EINVAL);
	free(data);
}

static void test_append(void **state)
{
	uint64_t ap;

	(void)state;
	assert_int_equal(fuse_open(g, FUSE_OPEN, file.nodeid, O_WRONLY | O_APPEND, &ap), 0);
	assert_int_equal(fuse_write(g, file.nodeid, fh, 0, "0123456789", 10, 0, 0), 10);
	/* the guest's idea of the end may be old: the host's counts */
	assert_int_equal(fuse_write(g, file.nodeid, ap, 3, "AB", 2, 0, O_APPEND), 2);
	assert_int_equal(fuse_read(g, FUSE_READ, file.nodeid, fh, 0, 100), 12);
	assert_memory_equal(g->reply, "0123456789AB", 12);
	/* a page written back goes where it belongs, O_APPEND or not */
	assert_int_equal(fuse_write(g, file.nodeid, ap, 3, "CD", 2, FUSE_WRITE_CACHE, O_APPEND), 2);
	assert_int_equal(fuse_read(g, FUSE_READ, file.nodeid, fh, 0, 100), 12);
	assert_memory_equal(g->reply, "012CD56789AB", 12);
}

static void test_open_modes(void **state)
{
	uint64_t ro;
	uint64_t wo;
	uint64_t bad;
	struct stat st;

	(void)state;
	assert_int_equal(fuse_write(g, file.nodeid, fh, 0, "data", 4, 0, 0), 4);
	assert_int_equal(fuse_open(g, FUSE_OPEN, file.nodeid, O_RDONLY, &ro), 0);
	assert_int_equal(fuse_write(g, file.nodeid, ro, 0, "x", 1, 0, 0), -EBADF);
	assert_int_equal(fuse_open(g, FUSE_OPEN, file.nodeid, O_WRONLY, &wo), 0);
	assert_int_equal(fuse_read(g, FUSE_READ, file.nodeid, wo, 0, 1), -EBADF);
	assert_int_equal(fuse_open(g, FUSE_OPEN, file.nodeid, O_ACCMODE, &bad), -EINVAL);
	assert_int_equal(fuse_open(g, FUSE_OPEN, g->rootfs, O_RDONLY, &bad), -EISDIR);
	assert_int_equal(fuse_open(g, FUSE_OPENDIR, file.nodeid, O_RDONLY, &bad), -ENOTDIR);
	/* flags without a meaning here are dropped, whatever they say */
	assert_int_equal(fuse_open(g, FUSE_OPEN, file.nodeid,
				   O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_DIRECTORY | O_PATH |
					   O_TMPFILE | O_NOFOLLOW | O_ASYNC,
				   &bad),
			 0);
	assert_int_equal(fuse_read(g, FUSE_READ, file.nodeid, bad, 1, 2), 2);
	assert_int_equal(fuse_open(g, FUSE_OPEN, file.nodeid, O_RDWR | O_TRUNC, &bad), 0);
	assert_int_equal(stat(fuse_guest_path(g, "tree/rootfs/f"), &st), 0);
	assert_int_equal(st.st_size, 0);
}

static void test_create_existing(void **state)
{
	struct fuse_entry_out e;
	uint64_t again;

	(void)state;
	assert_int_equal(fuse_write(g, file.nodeid, fh, 0, "data", 4, 0, 0), 4);
	assert_int_equal(fuse_create(g, g->rootfs, "f", O_RDWR | O_EXCL, 0600, &e, &again),
			 -EEXIST);
	assert_int_equal(fuse_create(g, g->rootfs, "f", O_RDWR, 0600, &e, &again), 0);
	assert_int_equal(e.nodeid, file.nodeid);
	assert_int_equal(e.attr.mode & 07777, 0644);
	assert_int_equal(fuse_read(g, FUSE_READ, e.nodeid, again, 0, 10), 4);
	assert_int_equal(fuse_create(g, g->rootfs, "f", O_RDWR | O_TRUNC, 0600, &e, &again), 0);
	assert_int_equal(fuse_read(g, FUSE_READ, e.nodeid, again, 0, 10), 0);
	assert_int_equal(mkdir(fuse_guest_path(g, "tree/rootfs/d"), 0755), 0);
	assert_int_equal(fuse_create(g, g->rootfs, "d", O_RDWR, 0600, &e, &again), -EISDIR);
}

static void test_create_without_permission_bits(void **state)
{
	struct fuse_entry_out e;
	uint64_t h;

	(void)state;
	assert_int_equal(fuse_create(g, g->rootfs, "z", O_RDWR, 0, &e, &h), 0);
	assert_int_equal(e.attr.mode, S_IFREG);
	assert_int_equal(fuse_write(g, e.nodeid, h, 0, "x", 1, 0, 0), 1);
	assert_int_equal(fuse_create(g, g->rootfs, "y", O_RDWR, 0177777, &e, &h), 0);
	assert_int_equal(e.attr.mode, S_IFREG | 07777);
}

static void test_tmpfile(void **state)
{
	struct fuse_create_in in = {.flags = O_RDWR, .mode = S_IFREG | 0640};
	struct fuse_entry_out e;
	struct fuse_entry_out l;
	struct fuse_open_out o;

	(void)state;
	fuse_begin(g, FUSE_TMPFILE, g->rootfs);
	fuse_put(g, &in, sizeof(in));
	fuse_str(g, "/"); /* what Linux sends */
	if (fuse_send(g) == -EOPNOTSUPP) {
		skip();
	}
	assert_int_equal(g->reply_len, sizeof(e) + sizeof(o));
	memcpy(&e, g->reply, sizeof(e));
	memcpy(&o, g->reply + sizeof(e), sizeof(o));
	assert_int_equal(e.attr.nlink, 0);
	assert_int_equal(e.attr.mode, S_IFREG | 0640);
	assert_int_equal(fuse_write(g, e.nodeid, o.fh, 0, "tmp", 3, 0, 0), 3);
	assert_int_equal(fuse_link(g, e.nodeid, g->rootfs, "named", &l), 0);
	assert_int_equal(l.nodeid, e.nodeid);
	assert_int_equal(l.attr.size, 3);
	in.flags = O_RDONLY;
	fuse_begin(g, FUSE_TMPFILE, g->rootfs);
	fuse_put(g, &in, sizeof(in));
	assert_int_equal(fuse_send(g), -EINVAL);
}

static void test_cache_flags_of_open(void **state)
{
	struct fuse_open_in in = {.flags = O_RDONLY};
	struct fuse_open_out out;
	struct fuse_entry_out e;
	uint64_t h;

	(void)state;
	assert_int_equal(fuse_call(g, FUSE_OPEN, file.nodeid, &in, sizeof(in), &out, sizeof(out)),
			 0);
	assert_int_equal(out.open_flags, FOPEN_KEEP_CACHE | FOPEN_NOFLUSH);
	assert_int_equal(fuse_lookup(g, FUSE_ROOT_ID, "mounts", &e), 0);
	assert_int_equal(fuse_lookup(g, e.nodeid, "0", &e), 0);
	assert_int_equal(fuse_create(g, e.nodeid, "f", O_RDWR, 0644, &e, &h), 0);
	in.flags = O_RDWR;
	assert_int_equal(fuse_call(g, FUSE_OPEN, e.nodeid, &in, sizeof(in), &out, sizeof(out)), 0);
	assert_int_equal(out.open_flags, 0);
}

static void test_flush_and_fsync(void **state)
{
	struct fuse_flush_in flush = {.fh = fh};
	struct fuse_fsync_in sync = {.fh = fh};

	(void)state;
	assert_int_equal(fuse_call(g, FUSE_FLUSH, file.nodeid, &flush, sizeof(flush), NULL, 0), 0);
	assert_int_equal(fuse_call(g, FUSE_FSYNC, file.nodeid, &sync, sizeof(sync), NULL, 0), 0);
	sync.fsync_flags = FUSE_FSYNC_FDATASYNC;
	assert_int_equal(fuse_call(g, FUSE_FSYNC, file.nodeid, &sync, sizeof(sync), NULL, 0), 0);
	assert_int_equal(fuse_call(g, FUSE_FSYNCDIR, file.nodeid, &sync, sizeof(sync), NULL, 0),
			 -EBADF);
	sync.fh++;
	assert_int_equal(fuse_call(g, FUSE_FSYNC, file.nodeid, &sync, sizeof(sync), NULL, 0),
			 -EBADF);
	flush.fh++;
	assert_int_equal(fuse_call(g, FUSE_FLUSH, file.nodeid, &flush, sizeof(flush), NULL, 0),
			 -EBADF);
	assert_int_equal(fuse_read(g, FUSE_READ, file.nodeid, fh, 0, 1), 0); /* still open */
}

static int seek(uint64_t off, uint32_t whence, uint64_t *out_off)
{
	struct fuse_lseek_in in = {.fh = fh, .offset = off, .whence = whence};
	struct fuse_lseek_out out;
	int rc = fuse_call(g, FUSE_LSEEK, file.nodeid, &in, sizeof(in), &out, sizeof(out));

	if (rc == 0) {
		*out_off = out.offset;
	}
	return rc;
}

static void test_lseek(void **state)
{
	uint64_t off;

	(void)state;
	assert_int_equal(fuse_write(g, file.nodeid, fh, 1 << 20, "x", 1, 0, 0), 1);
	assert_int_equal(seek(0, SEEK_HOLE, &off), 0);
	assert_int_equal(off, 0);
	assert_int_equal(seek(0, SEEK_DATA, &off), 0);
	assert_int_equal(off, 1 << 20);
	assert_int_equal(seek((1 << 20) + 1, SEEK_DATA, &off), -ENXIO);
	assert_int_equal(seek(0, SEEK_SET, &off), -EINVAL);
	assert_int_equal(seek(0, SEEK_END, &off), -EINVAL);
	assert_int_equal(seek(0, 77, &off), -EINVAL);
	assert_int_equal(seek(UINT64_MAX, SEEK_DATA, &off), -EINVAL);
}

static int falloc(uint64_t off, uint64_t len, uint32_t mode)
{
	struct fuse_fallocate_in in = {.fh = fh, .offset = off, .length = len, .mode = mode};

	return fuse_call(g, FUSE_FALLOCATE, file.nodeid, &in, sizeof(in), NULL, 0);
}

static void test_fallocate(void **state)
{
	struct fuse_attr attr;

	(void)state;
	if (falloc(0, 8192, 0) == -EOPNOTSUPP) {
		skip();
	}
	assert_int_equal(fuse_getattr(g, file.nodeid, &attr), 0);
	assert_int_equal(attr.size, 8192);
	assert_int_equal(falloc(8192, 4096, FALLOC_FL_KEEP_SIZE), 0);
	assert_int_equal(fuse_getattr(g, file.nodeid, &attr), 0);
	assert_int_equal(attr.size, 8192);
	assert_int_equal(falloc(0, 4096, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE), 0);
	assert_int_equal(falloc(0, 4096, FALLOC_FL_COLLAPSE_RANGE), -EOPNOTSUPP);
	assert_int_equal(falloc(0, 4096, 1U << 31), -EOPNOTSUPP);
	assert_int_equal(falloc(0, 0, 0), -EINVAL);
	assert_int_equal(falloc(INT64_MAX, 1, 0), -EINVAL);
	assert_int_equal(falloc(1, UINT64_MAX, 0), -EINVAL);
	assert_int_equal(falloc(UINT64_MAX, 1, 0), -EINVAL);
}

static void test_copy_file_range(void **state)
{
	struct fuse_copy_file_range_in in = {.fh_in = fh, .len = 5, .off_in = 2, .off_out = 1};
	struct fuse_write_out out;
	struct fuse_entry_out e;
	uint64_t dst;

	(void)state;
	assert_int_equal(fuse_write(g, file.nodeid, fh, 0, "0123456789", 10, 0, 0), 10);
	assert_int_equal(fuse_create(g, g->rootfs, "dst", O_RDWR, 0644, &e, &dst), 0);
	in.fh_out = dst;
	in.nodeid_out = e.nodeid;
	assert_int_equal(
		fuse_call(g, FUSE_COPY_FILE_RANGE, file.nodeid, &in, sizeof(in), &out, sizeof(out)),
		0);
	assert_int_equal(out.size, 5);
	assert_int_equal(fuse_read(g, FUSE_READ, e.nodeid, dst, 0, 100), 6);
	assert_memory_equal(g->reply, "\00023456", 6);
	in.len = UINT64_MAX; /* bounded, not refused: the guest asks again for the rest */
	in.off_out = 0;
	assert_int_equal(
		fuse_call(g, FUSE_COPY_FILE_RANGE, file.nodeid, &in, sizeof(in), &out, sizeof(out)),
		0);
	assert_int_equal(out.size, 8);
	in.off_in = INT64_MAX;
	assert_int_equal(
		fuse_call(g, FUSE_COPY_FILE_RANGE, file.nodeid, &in, sizeof(in), &out, sizeof(out)),
		-EINVAL);
	in.off_in = 0;
	in.flags = 1;
	assert_int_equal(
		fuse_call(g, FUSE_COPY_FILE_RANGE, file.nodeid, &in, sizeof(in), &out, sizeof(out)),
		-EINVAL);
	in.flags = 0;
	in.nodeid_out = file.nodeid; /* not that handle's file */
	assert_int_equal(
		fuse_call(g, FUSE_COPY_FILE_RANGE, file.nodeid, &in, sizeof(in), &out, sizeof(out)),
		-EBADF);
}

static void test_syncfs(void **state)
{
	struct fuse_entry_out e;

	(void)state;
	assert_int_equal(fuse_call(g, FUSE_SYNCFS, g->rootfs, "\0\0\0\0\0\0\0", 8, NULL, 0), 0);
	assert_int_equal(fuse_call(g, FUSE_SYNCFS, file.nodeid, "\0\0\0\0\0\0\0", 8, NULL, 0), 0);
	assert_int_equal(fuse_mknod(g, g->rootfs, "fifo", S_IFIFO | 0600, 0, &e), 0);
	assert_int_equal(fuse_call(g, FUSE_SYNCFS, e.nodeid, "\0\0\0\0\0\0\0", 8, NULL, 0), -EPERM);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_write_and_read_back),
		T(test_read_is_bounded_by_the_buffer),
		T(test_bad_ranges),
		T(test_write_size_lies),
		T(test_write_above_the_limit),
		T(test_append),
		T(test_open_modes),
		T(test_create_existing),
		T(test_create_without_permission_bits),
		T(test_tmpfile),
		T(test_cache_flags_of_open),
		T(test_flush_and_fsync),
		T(test_lseek),
		T(test_fallocate),
		T(test_copy_file_range),
		T(test_syncfs),
	};

	return cmocka_run_group_tests_name("fs_file", tests, NULL, NULL);
}
