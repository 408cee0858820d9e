/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fs_readdir.c - listing directories in pages of any size, with and without lookups
 */
#include <dirent.h>
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
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "evil_fuse.h"

#define N_FILES 300

static struct fuse_guest guest;
static struct fuse_guest *const g = &guest;
static uint64_t dir;
static uint64_t dir_fh;

/* What a listing brought */
struct listing {
	unsigned seen[N_FILES];
	unsigned dots;
	unsigned others;
	unsigned pages;
	unsigned looked_up;
	uint64_t last_off;
};

static int setup_cap(unsigned max_nodes)
{
	struct fuse_entry_out e;
	char rel[64];

	fuse_guest_setup(g, max_nodes, 20);
	fuse_guest_init(g);
	assert_int_equal(fuse_mkdir(g, g->rootfs, "d", 0755, &e), 0);
	dir = e.nodeid;
	for (int i = 0; i < N_FILES; i++) {
		/* names of all lengths, so that every padding occurs */
		(void)snprintf(rel, sizeof(rel), "tree/rootfs/d/f%03d%.*s", i, i % 24,
			       "abcdefghijklmnopqrstuvwx");
		assert_int_equal(mknod(fuse_guest_path(g, rel), S_IFREG | 0644, 0), 0);
	}
	assert_int_equal(fuse_open(g, FUSE_OPENDIR, dir, O_RDONLY, &dir_fh), 0);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return setup_cap(1000);
}

static int setup_few(void **state)
{
	(void)state;
	return setup_cap(50);
}

static int teardown(void **state)
{
	(void)state;
	fuse_guest_teardown(g);
	return 0;
}

static void note_name(struct listing *l, const char *name, size_t len)
{
	char buf[300] = "";
	int i;

	memcpy(buf, name, len);
	if (strcmp(buf, ".") == 0 || strcmp(buf, "..") == 0) {
		l->dots++;
	} else if (sscanf(buf, "f%3d", &i) == 1 && i >= 0 && i < N_FILES) {
		l->seen[i]++;
	} else {
		l->others++;
	}
}

/* Take the entries of the page in g->reply apart; @max of them at most. Returns how many. */
static unsigned take_page(struct listing *l, bool plus, unsigned max)
{
	size_t off = 0;
	unsigned n = 0;

	while (off < g->reply_len && n < max) {
		struct fuse_entry_out e = {0};
		struct fuse_dirent d;

		if (plus) {
			assert_true(g->reply_len - off >= sizeof(e));
			memcpy(&e, g->reply + off, sizeof(e));
			off += sizeof(e);
		}
		assert_true(g->reply_len - off >= sizeof(d));
		memcpy(&d, g->reply + off, sizeof(d));
		off += sizeof(d);
		assert_true(d.namelen > 0 && d.namelen <= 255);
		assert_true(g->reply_len - off >= d.namelen);
		note_name(l, (const char *)g->reply + off, d.namelen);
		off += vr_align_up(sizeof(d) + d.namelen, 8) - sizeof(d);
		assert_true(off <= g->reply_len);
		l->last_off = d.off;
		if (e.nodeid) {
			assert_true(g->reply[off - 1] == 0 || d.namelen % 8 == 0);
			assert_int_equal(e.attr.ino, d.ino);
			assert_true(S_ISREG(e.attr.mode));
			l->looked_up++;
			fuse_forget(g, e.nodeid, 0); /* keeps the reply, drops nothing */
		}
		n++;
	}
	return n;
}

static void list_all(struct listing *l, uint32_t op, uint32_t size)
{
	int64_t n;

	memset(l, 0, sizeof(*l));
	while ((n = fuse_read(g, op, dir, dir_fh, l->last_off, size)) > 0) {
		assert_true(n <= size);
		(void)take_page(l, op == FUSE_READDIRPLUS, UINT32_MAX);
		l->pages++;
		assert_true(l->pages < 10000);
	}
	assert_int_equal(n, 0);
}

static void check_complete(const struct listing *l)
{
	for (int i = 0; i < N_FILES; i++) {
		assert_int_equal(l->seen[i], 1);
	}
	assert_int_equal(l->dots, 2);
	assert_int_equal(l->others, 0);
}

static void test_pages_of_any_size(void **state)
{
	static const uint32_t sizes[] = {64, 100, 511, 4096, 65536, 1 << 20, UINT32_MAX};
	struct listing l;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(sizes); i++) {
		list_all(&l, FUSE_READDIR, sizes[i]);
		check_complete(&l);
	}
	assert_int_equal(l.pages, 1);
}

static void test_plus_pages_of_any_size(void **state)
{
	static const uint32_t sizes[] = {192, 300, 4096, 65536, UINT32_MAX};
	struct listing l;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(sizes); i++) {
		list_all(&l, FUSE_READDIRPLUS, sizes[i]);
		check_complete(&l);
		assert_int_equal(l.looked_up, N_FILES);
	}
}

static void test_too_small_for_one(void **state)
{
	struct listing l;

	(void)state;
	assert_int_equal(fuse_read(g, FUSE_READDIR, dir, dir_fh, 0, 0), -EINVAL);
	assert_int_equal(fuse_read(g, FUSE_READDIR, dir, dir_fh, 0, 31), -EINVAL);
	assert_int_equal(fuse_read(g, FUSE_READDIRPLUS, dir, dir_fh, 0, 159), -EINVAL);
	g->room = 16;
	assert_int_equal(fuse_read(g, FUSE_READDIR, dir, dir_fh, 0, 4096), -EINVAL);
	g->room = 16 + 4096;
	list_all(&l, FUSE_READDIR, UINT32_MAX); /* the buffer is the limit */
	check_complete(&l);
	assert_true(l.pages > 1);
}

/* The guest may take only part of a page and go on from there, or go back. */
static void test_seek_within(void **state)
{
	struct listing l = {0};
	struct listing again = {0};

	(void)state;
	assert_true(fuse_read(g, FUSE_READDIR, dir, dir_fh, 0, 4096) > 0);
	assert_int_equal(take_page(&l, false, 5), 5);
	while (fuse_read(g, FUSE_READDIR, dir, dir_fh, l.last_off, 4096) > 0) {
		assert_true(take_page(&l, false, 7) > 0);
	}
	check_complete(&l);
	list_all(&again, FUSE_READDIR, 4096);
	check_complete(&again);
}

static void test_wild_offsets(void **state)
{
	static const uint64_t offs[] = {1, 12345, INT64_MAX, INT64_MAX - 1, 1ULL << 62};
	struct listing l;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(offs); i++) {
		int64_t n = fuse_read(g, FUSE_READDIR, dir, dir_fh, offs[i], 4096);

		assert_true(n >= 0 || n == -EINVAL || n == -EIO || n == -ENOENT);
	}
	assert_int_equal(fuse_read(g, FUSE_READDIR, dir, dir_fh, UINT64_MAX, 4096), -EINVAL);
	assert_int_equal(fuse_read(g, FUSE_READDIR, dir, dir_fh, 1ULL << 63, 4096), -EINVAL);
	list_all(&l, FUSE_READDIR, 4096);
	check_complete(&l);
}

/* Nearly out of nodes: names still come, without lookups */
static void test_plus_in_crowded_table(void **state)
{
	struct listing l;

	(void)state;
	list_all(&l, FUSE_READDIRPLUS, 4096);
	check_complete(&l);
	/* Three quarters of 50; root, rootfs and d take three. */
	assert_int_equal(l.looked_up, 38 - 3);
}

static void test_plus_counts_lookups(void **state)
{
	struct listing l;
	struct fuse_entry_out e;
	struct fuse_attr attr;

	(void)state;
	list_all(&l, FUSE_READDIRPLUS, 4096);
	assert_int_equal(fuse_lookup(g, dir, "f000", &e), 0);
	fuse_forget(g, e.nodeid, 1); /* the lookup's */
	assert_int_equal(fuse_getattr(g, e.nodeid, &attr), 0);
	fuse_forget(g, e.nodeid, 1); /* the listing's */
	assert_int_equal(fuse_getattr(g, e.nodeid, &attr), -ESTALE);
}

static void test_handles(void **state)
{
	struct fuse_fsync_in sync = {.fh = dir_fh};
	uint64_t other;

	(void)state;
	assert_int_equal(fuse_open(g, FUSE_OPENDIR, g->rootfs, O_RDONLY, &other), 0);
	assert_int_equal(fuse_read(g, FUSE_READDIR, dir, other, 0, 4096), -EBADF);
	assert_int_equal(fuse_call(g, FUSE_FSYNCDIR, dir, &sync, sizeof(sync), NULL, 0), 0);
	assert_int_equal(fuse_release(g, FUSE_RELEASE, dir, dir_fh), -EBADF);
	assert_int_equal(fuse_release(g, FUSE_RELEASEDIR, dir, dir_fh), 0);
	assert_int_equal(fuse_read(g, FUSE_READDIR, dir, dir_fh, 0, 4096), -EBADF);
	assert_int_equal(fuse_call(g, FUSE_FSYNCDIR, dir, &sync, sizeof(sync), NULL, 0), -EBADF);
}

/* A removed directory lists as empty, and its handle closes. */
static void test_removed_directory(void **state)
{
	struct fuse_entry_out e;
	uint64_t h;
	int64_t n;

	(void)state;
	assert_int_equal(fuse_mkdir(g, g->rootfs, "gone", 0755, &e), 0);
	assert_int_equal(fuse_open(g, FUSE_OPENDIR, e.nodeid, O_RDONLY, &h), 0);
	assert_int_equal(fuse_name_op(g, FUSE_RMDIR, g->rootfs, "gone"), 0);
	n = fuse_read(g, FUSE_READDIR, e.nodeid, h, 0, 4096);
	assert_true(n == 0 || n == -ENOENT);
	assert_int_equal(fuse_release(g, FUSE_RELEASEDIR, e.nodeid, h), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_pages_of_any_size),
		T(test_plus_pages_of_any_size),
		T(test_too_small_for_one),
		T(test_seek_within),
		T(test_wild_offsets),
		cmocka_unit_test_setup_teardown(test_plus_in_crowded_table, setup_few, teardown),
		T(test_plus_counts_lookups),
		T(test_handles),
		T(test_removed_directory),
	};

	return cmocka_run_group_tests_name("fs_readdir", tests, NULL, NULL);
}
