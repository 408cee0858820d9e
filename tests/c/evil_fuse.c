/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil_fuse.c - a FUSE client for tests: honest by default, any lie on request
 */
#include "evil_fuse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"

#define BAIT	     "the bait is untouched"
#define GUARD	     64
#define GUARD_BYTE   0xa5
#define DEFAULT_ROOM (2U << 20)

static int fds_before;

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d)) {
		n++;
	}
	closedir(d);
	return n;
}

const char *fuse_guest_path(const struct fuse_guest *g, const char *rel)
{
	static char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", g->dir, rel);
	return path;
}

static void write_bait(const struct fuse_guest *g)
{
	int fd = open(fuse_guest_path(g, "outside/bait"), O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, BAIT, sizeof(BAIT)), sizeof(BAIT));
	close(fd);
}

static void check_bait(const struct fuse_guest *g)
{
	char buf[sizeof(BAIT) + 1] = "";
	int fd = open(fuse_guest_path(g, "outside/bait"), O_RDONLY);
	struct stat st;
	DIR *d = opendir(fuse_guest_path(g, "outside"));
	int n = 0;

	assert_true(fd >= 0);
	assert_int_equal(read(fd, buf, sizeof(buf)), sizeof(BAIT));
	assert_string_equal(buf, BAIT);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
	close(fd);
	assert_non_null(d);
	while (readdir(d)) {
		n++;
	}
	closedir(d);
	assert_int_equal(n, 3); /* ".", "..", "bait" */
}

void fuse_guest_setup(struct fuse_guest *g, unsigned max_nodes, unsigned max_handles)
{
	static const char *const dirs[] = {"outside", "tree", "tree/rootfs", "tree/mounts",
					   "tree/mounts/0"};
	const char *tmp = getenv("TMPDIR");
	struct fs_config cfg = {.max_nodes = max_nodes, .max_handles = max_handles};

	memset(g, 0, sizeof(*g));
	fds_before = count_fds();
	(void)snprintf(g->dir, sizeof(g->dir), "%s/volt-fs-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(g->dir));
	for (size_t i = 0; i < VR_ARRAY_SIZE(dirs); i++) {
		assert_int_equal(mkdir(fuse_guest_path(g, dirs[i]), 0755), 0);
	}
	write_bait(g);
	g->root_fd = open(fuse_guest_path(g, "tree"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	g->proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(g->root_fd >= 0 && g->proc_fd >= 0);
	g->msg = malloc(FUSE_GUEST_MAX_MSG);
	g->reply = malloc(FUSE_GUEST_MAX_MSG + GUARD);
	assert_true(g->msg && g->reply);
	cfg.root_fd = g->root_fd;
	cfg.proc_self_fd_fd = g->proc_fd;
	cfg.can_chown = geteuid() == 0;
	assert_int_equal(fs_server_create(&cfg, &g->srv), 0);
	g->uid = geteuid();
	g->gid = getegid();
	g->room = DEFAULT_ROOM;
	g->piece = 4096;
}

void fuse_guest_init(struct fuse_guest *g)
{
	struct fuse_init_in in = {.major = 7, .minor = 41, .flags = ~0U, .flags2 = ~0U};
	struct fuse_init_out out;
	struct fuse_entry_out entry;

	assert_int_equal(fuse_call(g, FUSE_INIT, 0, &in, sizeof(in), &out, sizeof(out)), 0);
	assert_int_equal(fuse_lookup(g, FUSE_ROOT_ID, "rootfs", &entry), 0);
	g->rootfs = entry.nodeid;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

void fuse_guest_teardown(struct fuse_guest *g)
{
	fs_server_destroy(g->srv);
	close(g->root_fd);
	close(g->proc_fd);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(count_fds(), fds_before);
	check_bait(g);
	assert_int_equal(nftw(g->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(g->msg);
	free(g->reply);
}

void fuse_begin(struct fuse_guest *g, uint32_t opcode, uint64_t nodeid)
{
	struct fuse_in_header h = {
		.opcode = opcode,
		.unique = ++g->unique,
		.nodeid = nodeid,
		.uid = g->uid,
		.gid = g->gid,
	};

	g->msg_len = 0;
	g->ext_len = 0;
	fuse_put(g, &h, sizeof(h));
}

void fuse_put(struct fuse_guest *g, const void *data, size_t len)
{
	assert_true(len <= FUSE_GUEST_MAX_MSG - g->msg_len);
	if (len) {
		memcpy(g->msg + g->msg_len, data, len);
	}
	g->msg_len += len;
}

void fuse_str(struct fuse_guest *g, const char *s)
{
	fuse_put(g, s, strlen(s) + 1);
}

/* Cut a buffer into pieces: the first one odd, then @piece bytes each, as few as the limit asks. */
static unsigned cut(uint8_t *buf, size_t len, size_t piece, struct iovec *iov)
{
	unsigned n = 0;
	size_t off = 0;

	if (len / piece > FS_SERVER_IOV_MAX - 2) {
		piece = len / (FS_SERVER_IOV_MAX - 2) + 1;
	}
	while (off < len) {
		size_t part = VR_MIN(n == 0 ? (size_t)7 : piece, len - off);

		iov[n].iov_base = buf + off;
		iov[n].iov_len = part;
		off += part;
		n++;
	}
	return n;
}

int64_t fuse_send_raw(struct fuse_guest *g)
{
	static struct iovec req[FS_SERVER_IOV_MAX];
	static struct iovec reply[FS_SERVER_IOV_MAX];
	struct fuse_in_header h;
	int64_t rc;
	unsigned n_req;
	unsigned n_reply;

	if (g->msg_len >= sizeof(h)) {
		memcpy(&h, g->msg, sizeof(h));
		h.len = (uint32_t)((int64_t)g->msg_len + g->len_lie);
		h.total_extlen = (uint16_t)(g->ext_len / 8);
		memcpy(g->msg, &h, sizeof(h));
	}
	memset(g->reply + g->room, GUARD_BYTE, GUARD);
	n_req = cut(g->msg, g->msg_len, g->piece, req);
	n_reply = cut(g->reply, g->room, g->piece, reply);
	rc = fs_server_handle(g->srv, req, n_req, reply, n_reply);
	for (size_t i = 0; i < GUARD; i++) {
		assert_int_equal(g->reply[g->room + i], GUARD_BYTE);
	}
	return rc;
}

int fuse_send(struct fuse_guest *g)
{
	struct fuse_out_header h;
	int64_t rc = fuse_send_raw(g);

	assert_true(rc >= (int64_t)sizeof(h));
	assert_true((size_t)rc <= g->room);
	memcpy(&h, g->reply, sizeof(h));
	assert_int_equal(h.len, rc);
	assert_int_equal(h.unique, g->unique);
	assert_true(h.error <= 0 && h.error > -512);
	if (h.error) {
		assert_int_equal(h.len, sizeof(h));
	}
	g->reply_len = (size_t)rc - sizeof(h);
	memmove(g->reply, g->reply + sizeof(h), g->reply_len);
	return h.error;
}

/* Send; the answer must then have exactly @out_len bytes. */
static int send_expect(struct fuse_guest *g, void *out, size_t out_len)
{
	int rc = fuse_send(g);

	if (rc == 0) {
		assert_int_equal(g->reply_len, out_len);
		if (out) {
			memcpy(out, g->reply, out_len);
		}
	}
	return rc;
}

int fuse_call(struct fuse_guest *g, uint32_t opcode, uint64_t nodeid, const void *in, size_t in_len,
	      void *out, size_t out_len)
{
	fuse_begin(g, opcode, nodeid);
	fuse_put(g, in, in_len);
	return send_expect(g, out, out_len);
}

int fuse_lookup(struct fuse_guest *g, uint64_t dir, const char *name, struct fuse_entry_out *out)
{
	return fuse_call(g, FUSE_LOOKUP, dir, name, strlen(name) + 1, out, sizeof(*out));
}

int fuse_name_op(struct fuse_guest *g, uint32_t opcode, uint64_t dir, const char *name)
{
	return fuse_call(g, opcode, dir, name, strlen(name) + 1, NULL, 0);
}

int fuse_mkdir(struct fuse_guest *g, uint64_t dir, const char *name, uint32_t mode,
	       struct fuse_entry_out *out)
{
	struct fuse_mkdir_in in = {.mode = mode};

	fuse_begin(g, FUSE_MKDIR, dir);
	fuse_put(g, &in, sizeof(in));
	fuse_str(g, name);
	return send_expect(g, out, sizeof(*out));
}

int fuse_mknod(struct fuse_guest *g, uint64_t dir, const char *name, uint32_t mode, uint32_t rdev,
	       struct fuse_entry_out *out)
{
	struct fuse_mknod_in in = {.mode = mode, .rdev = rdev};

	fuse_begin(g, FUSE_MKNOD, dir);
	fuse_put(g, &in, sizeof(in));
	fuse_str(g, name);
	return send_expect(g, out, sizeof(*out));
}

int fuse_symlink(struct fuse_guest *g, uint64_t dir, const char *name, const char *target,
		 struct fuse_entry_out *out)
{
	fuse_begin(g, FUSE_SYMLINK, dir);
	fuse_str(g, name);
	fuse_str(g, target);
	return send_expect(g, out, sizeof(*out));
}

int fuse_rename(struct fuse_guest *g, uint64_t dir, const char *name, uint64_t newdir,
		const char *newname, uint32_t flags)
{
	struct fuse_rename2_in in = {.newdir = newdir, .flags = flags};

	fuse_begin(g, FUSE_RENAME2, dir);
	fuse_put(g, &in, sizeof(in));
	fuse_str(g, name);
	fuse_str(g, newname);
	return send_expect(g, NULL, 0);
}

int fuse_link(struct fuse_guest *g, uint64_t node, uint64_t dir, const char *name,
	      struct fuse_entry_out *out)
{
	struct fuse_link_in in = {.oldnodeid = node};

	fuse_begin(g, FUSE_LINK, dir);
	fuse_put(g, &in, sizeof(in));
	fuse_str(g, name);
	return send_expect(g, out, sizeof(*out));
}

int fuse_create(struct fuse_guest *g, uint64_t dir, const char *name, uint32_t flags, uint32_t mode,
		struct fuse_entry_out *out, uint64_t *out_fh)
{
	struct fuse_create_in in = {.flags = flags, .mode = mode | S_IFREG};
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} reply;
	int rc;

	fuse_begin(g, FUSE_CREATE, dir);
	fuse_put(g, &in, sizeof(in));
	fuse_str(g, name);
	rc = send_expect(g, &reply, sizeof(reply));
	if (rc == 0) {
		*out = reply.entry;
		*out_fh = reply.open.fh;
	}
	return rc;
}

int fuse_open(struct fuse_guest *g, uint32_t opcode, uint64_t node, uint32_t flags,
	      uint64_t *out_fh)
{
	struct fuse_open_in in = {.flags = flags};
	struct fuse_open_out out;
	int rc = fuse_call(g, opcode, node, &in, sizeof(in), &out, sizeof(out));

	if (rc == 0) {
		*out_fh = out.fh;
	}
	return rc;
}

int fuse_release(struct fuse_guest *g, uint32_t opcode, uint64_t node, uint64_t fh)
{
	struct fuse_release_in in = {.fh = fh};

	return fuse_call(g, opcode, node, &in, sizeof(in), NULL, 0);
}

int64_t fuse_write(struct fuse_guest *g, uint64_t node, uint64_t fh, uint64_t off, const void *data,
		   uint32_t len, uint32_t write_flags, uint32_t flags)
{
	struct fuse_write_in in = {
		.fh = fh,
		.offset = off,
		.size = len,
		.write_flags = write_flags,
		.flags = flags,
	};
	struct fuse_write_out out;
	int rc;

	fuse_begin(g, FUSE_WRITE, node);
	fuse_put(g, &in, sizeof(in));
	fuse_put(g, data, len);
	rc = send_expect(g, &out, sizeof(out));
	return rc < 0 ? rc : (int64_t)out.size;
}

int64_t fuse_read(struct fuse_guest *g, uint32_t opcode, uint64_t node, uint64_t fh, uint64_t off,
		  uint32_t size)
{
	struct fuse_read_in in = {.fh = fh, .offset = off, .size = size};
	int rc;

	fuse_begin(g, opcode, node);
	fuse_put(g, &in, sizeof(in));
	rc = fuse_send(g);
	return rc < 0 ? rc : (int64_t)g->reply_len;
}

void fuse_forget(struct fuse_guest *g, uint64_t node, uint64_t nlookup)
{
	struct fuse_forget_in in = {.nlookup = nlookup};

	fuse_begin(g, FUSE_FORGET, node);
	fuse_put(g, &in, sizeof(in));
	assert_int_equal(fuse_send_raw(g), 0);
}

int fuse_getattr(struct fuse_guest *g, uint64_t node, struct fuse_attr *out)
{
	struct fuse_getattr_in in = {0};
	struct fuse_attr_out reply;
	int rc = fuse_call(g, FUSE_GETATTR, node, &in, sizeof(in), &reply, sizeof(reply));

	if (rc == 0) {
		*out = reply.attr;
	}
	return rc;
}

int fuse_setattr(struct fuse_guest *g, uint64_t node, const struct fuse_setattr_in *in)
{
	struct fuse_attr_out reply;

	return fuse_call(g, FUSE_SETATTR, node, in, sizeof(*in), &reply, sizeof(reply));
}
