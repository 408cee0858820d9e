/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_fuse.c - a hostile guest's FUSE requests, against real files
 *
 * The input is read as a little program: each step picks an operation, a node,
 * names and numbers, and builds a request that is valid unless a byte says to
 * break it (length field, extension length, body, room for the reply). Nodes
 * and handles come from earlier replies, so that sequences get somewhere.
 *
 * After every request: the reply is well-formed and within its room. After
 * every input: nothing outside the exported tree was made, removed or changed,
 * no fd is left over, and the server's identity and umask are back.
 *
 * The smoke test runs pseudo-random inputs and then insists that every operation
 * succeeded at least once and failed at least once.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/checked.h"
#include "virtio-fs/fs_server.h"
#include "virtio-fs/fuse_abi.h"

#define MAX_STEPS  64
#define MAX_KNOWN  32
#define MSG_MAX	   (160 * 1024)
#define REPLY_MAX  (128 * 1024)
#define GUARD	   32
#define GUARD_BYTE 0x5a
#define BAIT	   "bait"
#define N_RANDOM   3000

/* The one world all inputs run in */
struct world {
	char dir[64];
	int root_fd;
	int proc_fd;
	struct fs_server *srv;
	uint64_t nodes[MAX_KNOWN];
	unsigned n_nodes;
	uint64_t fhs[MAX_KNOWN];
	uint64_t fh_nodes[MAX_KNOWN];
	unsigned n_fhs;
	uint8_t msg[MSG_MAX];
	size_t msg_len;
	uint8_t reply[REPLY_MAX + GUARD];
	bool has_xattr;
	unsigned good[FUSE_OPCODE_COUNT];
	unsigned bad[FUSE_OPCODE_COUNT];
};
static struct world w;

/* The input being consumed; delivers zeros when it is used up */
struct input {
	const uint8_t *data;
	size_t len;
};

static uint8_t take_u8(struct input *in)
{
	if (in->len == 0) {
		return 0;
	}
	in->len--;
	return *in->data++;
}

static uint64_t take_u64(struct input *in)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++) {
		v = v << 8 | take_u8(in);
	}
	return v;
}

static void check(bool ok, const char *what)
{
	if (!ok) {
		(void)fprintf(stderr, "fuzz_fuse: %s\n", what);
		abort();
	}
}

/* --- the world --- */

static const char *path(const char *rel)
{
	static char buf[256];

	(void)snprintf(buf, sizeof(buf), "%s/%s", w.dir, rel);
	return buf;
}

static void make_dir(const char *rel)
{
	check(mkdir(path(rel), 0755) == 0, "mkdir");
}

static void make_file(const char *rel, const char *text)
{
	int fd = open(path(rel), O_WRONLY | O_CREAT | O_EXCL, 0644);

	check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "make file");
	close(fd);
}

static void fill_tree(void)
{
	make_dir("tree");
	make_dir("tree/rootfs");
	make_dir("tree/mounts");
	make_dir("tree/mounts/0");
	make_dir("tree/rootfs/d");
	make_dir("tree/rootfs/e");
	make_file("tree/rootfs/a", "contents of a file");
	make_file("tree/rootfs/d/b", "x");
	check(symlink("/etc", path("tree/rootfs/l")) == 0, "symlink");
	check(symlink("../../outside/bait", path("tree/rootfs/m")) == 0, "symlink");
	check(mkfifo(path("tree/rootfs/p"), 0666) == 0, "mkfifo");
	w.has_xattr = setxattr(path("tree/rootfs/a"), "user.x", "1", 1, 0) == 0;
}

static int remove_one(const char *name, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(name);
}

static void remove_world(void)
{
	(void)nftw(w.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void setup_world(void)
{
	struct rlimit lim = {.rlim_cur = 1 << 20, .rlim_max = 1 << 20};
	const char *tmp = getenv("TMPDIR");

	(void)signal(SIGXFSZ, SIG_IGN);
	check(setrlimit(RLIMIT_FSIZE, &lim) == 0, "setrlimit");
	(void)snprintf(w.dir, sizeof(w.dir), "%s/volt-fuzz-XXXXXX", tmp ? tmp : "/dev/shm");
	check(mkdtemp(w.dir) != NULL, "mkdtemp");
	(void)atexit(remove_world);
	make_dir("outside");
	make_file("outside/bait", BAIT);
	w.proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	check(w.proc_fd >= 0, "open /proc/self/fd");
}

static unsigned count_names(const char *rel)
{
	DIR *d = opendir(path(rel));
	unsigned n = 0;

	check(d != NULL, "a directory of ours is gone");
	while (readdir(d)) {
		n++;
	}
	closedir(d);
	return n;
}

static void check_world(int fd_floor)
{
	struct stat st;
	int fd = dup(0);

	check(fd == fd_floor, "fds left over");
	close(fd);
	check(count_names(".") == 4, "something new beside the tree");
	check(count_names("outside") == 3, "something new outside the tree");
	check(count_names("tree") == 4, "the frame changed");
	check(count_names("tree/mounts") == 3, "the frame changed");
	check(lstat(path("outside/bait"), &st) == 0 && st.st_size == 4 && st.st_nlink == 1 &&
		      S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0644 && st.st_uid == geteuid(),
	      "the bait was touched");
	check((uid_t)syscall(SYS_setfsuid, -1) == geteuid(), "fs uid not restored");
	check((gid_t)syscall(SYS_setfsgid, -1) == getegid(), "fs gid not restored");
	check(umask(0) == 0, "umask not restored");
}

/* --- requests --- */

static void put(const void *data, size_t len)
{
	len = VR_MIN(len, sizeof(w.msg) - w.msg_len);
	memcpy(w.msg + w.msg_len, data, len);
	w.msg_len += len;
}

static void put_name(struct input *in)
{
	static const char *const good[] = {"a", "b",  "d",  "e",      "l",	"m",
					   "p", "n1", "n2", "rootfs", "mounts", "0"};
	static const char *const evil[] = {"..", ".",	    "",	    "/",	"../outside/x",
					   "d/", "a/../..", "/etc", "l/passwd", "./a"};
	uint8_t pick = take_u8(in);
	const char *name =
		pick < 0xc0 ? good[pick % VR_ARRAY_SIZE(good)] : evil[pick % VR_ARRAY_SIZE(evil)];

	if (pick < 0xe8) {
		put(name, strlen(name) + 1);
		return;
	}
	for (unsigned n = take_u8(in); n > 0; n--) { /* raw bytes, the NUL left to chance */
		uint8_t c = take_u8(in);

		put(&c, 1);
	}
}

static void put_xattr_name(struct input *in)
{
	static const char *const names[] = {"user.x",	 "user.x", "security.capability",
					    "trusted.x", "user.",  "system.posix_acl_access"};
	const char *name = names[take_u8(in) % VR_ARRAY_SIZE(names)];

	put(name, strlen(name) + 1);
}

static uint64_t take_node(struct input *in)
{
	uint8_t pick = take_u8(in);

	if (pick >= 0xf0) {
		return take_u64(in);
	}
	return w.n_nodes ? w.nodes[pick % w.n_nodes] : FUSE_ROOT_ID;
}

/* A handle, with its node in *@node unless the input wants them apart */
static uint64_t take_fh(struct input *in, uint64_t *node)
{
	uint8_t pick = take_u8(in);

	if (pick >= 0xf0 || w.n_fhs == 0) {
		return take_u64(in);
	}
	if (pick < 0xe0) {
		*node = w.fh_nodes[pick % w.n_fhs];
	}
	return w.fhs[pick % w.n_fhs];
}

/* A number that is mostly small */
static uint64_t take_num(struct input *in)
{
	uint8_t kind = take_u8(in);

	if (kind < 0x80) {
		return kind & 7;
	}
	if (kind < 0xc0) {
		return kind;
	}
	if (kind < 0xf0) {
		return (uint64_t)take_u8(in) << 8 | take_u8(in);
	}
	return take_u64(in);
}

/* How a request's arguments are laid out: a letter each, see put_args() */
static const struct {
	uint8_t opcode;
	const char *layout;
} shapes[] = {
	{FUSE_LOOKUP, "s"},
	{FUSE_FORGET, "n"},
	{FUSE_GETATTR, "44F"},
	{FUSE_SETATTR, "4_Fn8nnn4442_44_"},
	{FUSE_READLINK, ""},
	{FUSE_SYMLINK, "ss"},
	{FUSE_MKNOD, "m44_s"},
	{FUSE_MKDIR, "m4s"},
	{FUSE_UNLINK, "s"},
	{FUSE_RMDIR, "s"},
	{FUSE_RENAME, "Nss"},
	{FUSE_LINK, "Ns"},
	{FUSE_OPEN, "o4"},
	{FUSE_READ, "Fn48_4_"},
	{FUSE_WRITE, "Fnw48__d"},
	{FUSE_STATFS, ""},
	{FUSE_RELEASE, "F448"},
	{FUSE_FSYNC, "F4_"},
	{FUSE_SETXATTR, "x4__ad"},
	{FUSE_GETXATTR, "4_a"},
	{FUSE_LISTXATTR, "4_"},
	{FUSE_REMOVEXATTR, "a"},
	{FUSE_FLUSH, "F__8"},
	{FUSE_OPENDIR, "o4"},
	{FUSE_READDIR, "Dn48_4_"},
	{FUSE_RELEASEDIR, "D448"},
	{FUSE_FSYNCDIR, "D4_"},
	{FUSE_ACCESS, "4_"},
	{FUSE_CREATE, "om44s"},
	{FUSE_INTERRUPT, "8"},
	{FUSE_BATCH_FORGET, "4_NnNn"},
	{FUSE_FALLOCATE, "Fnn4_"},
	{FUSE_READDIRPLUS, "Dn48_4_"},
	{FUSE_RENAME2, "N4_ss"},
	{FUSE_LSEEK, "Fn4_"},
	{FUSE_COPY_FILE_RANGE, "FnPnnz"},
	{FUSE_SYNCFS, "8"},
	{FUSE_TMPFILE, "om44s"},
	{FUSE_STATX, "44F44"},
	{FUSE_DESTROY, ""},
	{FUSE_INIT, "vj44"},
};

static void put_u32(uint32_t v)
{
	put(&v, sizeof(v));
}

static void put_u64(uint64_t v)
{
	put(&v, sizeof(v));
}

static uint32_t take_mode(struct input *in)
{
	static const uint32_t types[] = {S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK, 0xffff0000};
	uint8_t pick = take_u8(in);

	return types[pick % VR_ARRAY_SIZE(types)] | 0600 | take_u8(in);
}

static void put_args(struct input *in, const char *layout, uint64_t *node)
{
	static const uint32_t accmodes[] = {
		O_RDONLY,	 O_RDWR,    O_RDWR | O_TRUNC, O_WRONLY | O_APPEND,
		O_RDWR | O_EXCL, O_ACCMODE, 0x7fffffff};
	size_t data_at = 0;
	uint8_t n;
	uint64_t other = 1;

	for (; *layout; layout++) {
		switch (*layout) {
		case '4':
			put_u32((uint32_t)take_num(in));
			break;
		case '8':
		case 'n':
			put_u64(take_num(in));
			break;
		case '_':
			put_u32(0);
			break;
		case '2':
		case 'm':
			put_u32(take_mode(in));
			break;
		case 'o':
			n = take_u8(in);
			put_u32(accmodes[n % VR_ARRAY_SIZE(accmodes)]);
			break;
		case 's':
			put_name(in);
			break;
		case 'a':
			put_xattr_name(in);
			break;
		case 'N':
			put_u64(take_node(in));
			break;
		case 'F':
		case 'D':
			put_u64(take_fh(in, node));
			break;
		case 'P': /* nodeid_out, fh_out */
			other = take_fh(in, node);
			put_u64(*node);
			put_u64(other);
			break;
		case 'z':
			put_u64(take_u8(in) < 0xf0 ? 0 : 1);
			break;
		case 'w':
		case 'x': /* size of the data to come, filled in below */
			data_at = w.msg_len;
			put_u32(0);
			break;
		case 'v':
			put_u32(7);
			break;
		case 'j':
			put_u32(take_u8(in) < 0xe0 ? 41 : 20);
			break;
		case 'd':
		default: {
			uint32_t len = (uint32_t)take_num(in) % 66000;

			memcpy(w.msg + data_at, &len, sizeof(len));
			while (len-- > 0) {
				put("D", 1);
			}
			break;
		}
		}
	}
}

/* Deliberate damage to a finished request, rarely. Returns the room for the reply. */
static size_t damage(struct input *in, struct fuse_in_header *h)
{
	uint8_t kind = take_u8(in);
	size_t at;

	switch (kind) {
	case 0xf0:
		h->len += (uint32_t)take_num(in);
		break;
	case 0xf1:
		h->len -= (uint32_t)take_num(in);
		break;
	case 0xf2:
		h->total_extlen = (uint16_t)take_num(in);
		break;
	case 0xf3:
		return take_u8(in);
	case 0xf4: /* cut short, honestly */
		w.msg_len -= VR_MIN(w.msg_len, (size_t)take_u8(in));
		h->len = (uint32_t)w.msg_len;
		break;
	case 0xf5:
	case 0xf6:
		at = sizeof(*h) + take_u8(in);
		if (at < w.msg_len) {
			w.msg[at] = take_u8(in);
		}
		break;
	case 0xf7: /* a group extension */
		put("\x10\0\0\0\x20\0\0\0\1\0\0\0\xf4\1\0\0", 16);
		h->len = (uint32_t)w.msg_len;
		h->total_extlen = 2;
		break;
	case 0xf8:
		h->opcode = (uint32_t)take_num(in);
		break;
	default:
		break;
	}
	return sizeof(w.reply) - GUARD;
}

static void learn_node(const uint8_t *p)
{
	struct fuse_entry_out e;

	memcpy(&e, p, sizeof(e));
	if (e.nodeid && w.n_nodes < MAX_KNOWN) {
		w.nodes[w.n_nodes++] = e.nodeid;
	}
}

static void learn_fh(const uint8_t *p, uint64_t node)
{
	struct fuse_open_out o;

	memcpy(&o, p, sizeof(o));
	if (w.n_fhs < MAX_KNOWN) {
		w.fh_nodes[w.n_fhs] = node;
		w.fhs[w.n_fhs++] = o.fh;
	}
}

/* Remember nodes and handles from a good reply of @len bytes (with its header). */
static void learn(const struct fuse_in_header *h, size_t len)
{
	const uint8_t *p = w.reply + sizeof(struct fuse_out_header);
	uint64_t node;

	len -= sizeof(struct fuse_out_header);
	switch (h->opcode) {
	case FUSE_CREATE:
	case FUSE_TMPFILE:
		check(len == sizeof(struct fuse_entry_out) + sizeof(struct fuse_open_out),
		      "create");
		memcpy(&node, p, sizeof(node));
		learn_fh(p + sizeof(struct fuse_entry_out), node);
		learn_node(p);
		break;
	case FUSE_LOOKUP:
	case FUSE_MKDIR:
	case FUSE_MKNOD:
	case FUSE_SYMLINK:
	case FUSE_LINK:
		check(len == sizeof(struct fuse_entry_out), "entry");
		learn_node(p);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		check(len == sizeof(struct fuse_open_out), "open");
		learn_fh(p, h->nodeid);
		break;
	default:
		break;
	}
}

static void send_request(const struct fuse_in_header *h, size_t room)
{
	struct iovec req[3] = {
		{w.msg, VR_MIN(w.msg_len, (size_t)13)},
		{w.msg + VR_MIN(w.msg_len, (size_t)13), 0},
		{w.msg, 0},
	};
	struct iovec reply[2] = {{w.reply, VR_MIN(room, (size_t)9)}, {w.reply + 9, 0}};
	struct fuse_out_header out;
	int64_t rc;

	req[1].iov_len = w.msg_len - req[0].iov_len;
	reply[1].iov_len = room - reply[0].iov_len;
	memset(w.reply + room, GUARD_BYTE, GUARD);
	rc = fs_server_handle(w.srv, req, 3, reply, 2);
	for (size_t i = 0; i < GUARD; i++) {
		check(w.reply[room + i] == GUARD_BYTE, "wrote behind the reply");
	}
	if (rc <= 0) {
		check(rc == 0 || rc == -EPROTO, "return value");
		return;
	}
	check((size_t)rc >= sizeof(out) && (size_t)rc <= room, "reply length");
	memcpy(&out, w.reply, sizeof(out));
	check(out.len == rc && out.unique == h->unique, "reply header");
	check(out.error <= 0 && out.error > -512, "error number");
	if (h->opcode < FUSE_OPCODE_COUNT) {
		fuzz_outcome("operation %u: %d", h->opcode, out.error);
		*(out.error ? &w.bad[h->opcode] : &w.good[h->opcode]) += 1;
	}
	if (out.error == 0) {
		learn(h, (size_t)rc);
	}
}

static void step(struct input *in)
{
	static const uint32_t ids[] = {0, 1000, 500, 0, 1000, 500, 7, UINT32_MAX};
	struct fuse_in_header h = {.unique = take_u8(in)};
	unsigned shape = take_u8(in) % VR_ARRAY_SIZE(shapes);
	size_t room;

	if (shapes[shape].opcode >= FUSE_DESTROY && shape >= VR_ARRAY_SIZE(shapes) - 2 &&
	    take_u8(in) < 0xf0) {
		shape = 0; /* ending the session is rare */
	}
	h.opcode = shapes[shape].opcode;
	h.uid = ids[take_u8(in) % VR_ARRAY_SIZE(ids)];
	h.gid = h.uid;
	h.nodeid = take_node(in);
	w.msg_len = 0;
	put(&h, sizeof(h));
	put_args(in, shapes[shape].layout, &h.nodeid);
	h.len = (uint32_t)w.msg_len;
	room = damage(in, &h);
	memcpy(w.msg, &h, VR_MIN(sizeof(h), w.msg_len));
	send_request(&h, room);
}

static void send_fixed(uint32_t opcode, uint64_t nodeid, const void *args, size_t len)
{
	struct fuse_in_header h = {.opcode = opcode, .nodeid = nodeid};

	h.len = (uint32_t)(sizeof(h) + len);
	w.msg_len = 0;
	put(&h, sizeof(h));
	put(args, len);
	send_request(&h, sizeof(w.reply) - GUARD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuse_init_in init = {.major = 7, .minor = 41, .flags = ~0U, .flags2 = ~0U};
	struct fs_config cfg = {.max_nodes = 24, .max_handles = 12, .can_chown = geteuid() == 0};
	struct input in = {data, size};
	int fd_floor;

	if (w.dir[0] == '\0') {
		setup_world();
	}
	fill_tree();
	fd_floor = dup(0);
	check(fd_floor >= 0, "dup");
	close(fd_floor);
	w.root_fd = open(path("tree"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	cfg.root_fd = w.root_fd;
	cfg.proc_self_fd_fd = w.proc_fd;
	check(fs_server_create(&cfg, &w.srv) == 0, "create server");
	w.n_nodes = 0;
	w.n_fhs = 0;
	send_fixed(FUSE_INIT, 0, &init, sizeof(init));
	w.nodes[w.n_nodes++] = FUSE_ROOT_ID;
	send_fixed(FUSE_LOOKUP, FUSE_ROOT_ID, "rootfs", 7);
	send_fixed(FUSE_LOOKUP, w.nodes[1], "a", 2);
	send_fixed(FUSE_LOOKUP, w.nodes[1], "d", 2);
	send_fixed(FUSE_LOOKUP, w.nodes[1], "l", 2);
	for (int i = 0; i < MAX_STEPS && in.len > 0; i++) {
		step(&in);
	}
	fs_server_destroy(w.srv);
	close(w.root_fd);
	check(chdir("/") == 0, "chdir");
	check_world(fd_floor);
	check(nftw(path("tree"), remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, "clean up");
	return 0;
}

#ifndef VOLT_LIBFUZZER

/* Every operation that answers must have been seen both working and refused. */
static int check_not_vacuous(void)
{
	int missing = 0;

	for (size_t i = 0; i < VR_ARRAY_SIZE(shapes); i++) {
		uint8_t op = shapes[i].opcode;

		if (op == FUSE_FORGET || op == FUSE_BATCH_FORGET || op == FUSE_INTERRUPT ||
		    (!w.has_xattr && (op == FUSE_GETXATTR || op == FUSE_REMOVEXATTR))) {
			continue;
		}
		if (!w.good[op] || (!w.bad[op] && op != FUSE_DESTROY)) {
			(void)fprintf(stderr, "operation %u: %u good, %u bad replies\n", op,
				      w.good[op], w.bad[op]);
			missing++;
		}
	}
	return missing ? 1 : 0;
}

static bool smoke(void)
{
	static uint8_t buf[600];

	for (int i = 0; i < N_RANDOM; i++) {
		for (size_t j = 0; j < sizeof(buf); j++) {
			buf[j] = (uint8_t)fuzz_random();
		}
		(void)LLVMFuzzerTestOneInput(buf, sizeof(buf));
	}
	return check_not_vacuous() == 0;
}

static const struct fuzz_known known[] = {
	FUZZ_KNOWN("empty", "operation 1: 0"),
	FUZZ_KNOWN("bad-read-only", "operation 4: -30"),
	FUZZ_KNOWN("bad-stale", "operation 17: -116"),
};
#endif /* VOLT_LIBFUZZER */

FUZZ_MAIN("fuse", known, smoke)
