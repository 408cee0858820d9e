/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fs_queues.c - FUSE requests on a queue in guest RAM, while another processor changes them
 *
 * Whatever a request says when it is looked at again, one of the two things that it said is done, or it
 * is refused: nothing outside the shared tree is touched, no descriptor is lost (fuse_guest_teardown()),
 * and an honest request is served afterwards.
 */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "evil_fuse.h"
#include "evil_guest.h"
#include "fs_queues.h"

#define QUEUE	    1u
#define SIZE	    16u
#define ROOM	    8192u
#define ROUNDS	    400u
#define ROUNDS_MOST 200000u
#define REPLY_GUARD 64u
#define GUARD_BYTE  0xa5u
#define NAMES_AT    sizeof(struct fuse_in_header)
#define FIELD_AT(f) offsetof(struct fuse_in_header, f)

/** struct rig - a file server, a guest, and what is between them */
struct rig {
	struct fuse_guest files;
	struct eg *g;
	struct fs_wires wires;
	_Atomic uint32_t page[FS_IRQ_PAGE_BYTES / sizeof(uint32_t)];
	struct fs_queues queues;
	struct fs_queue_msg msg;
	uint64_t req;	/* where requests lie: their addresses don't change */
	uint64_t reply; /* with a guard behind it */
	uint64_t rootfs;
	uint64_t unique;
};

/* What the request says now is offered, and served. Return: the used length; -1 when it wasn't used */
static int64_t offer(struct rig *r, uint32_t len)
{
	struct eg_buf bufs[] = {{.len = len, .addr = r->req},
				{.len = ROOM, .in = true, .addr = r->reply}};
	struct eg_used used;

	eg_fill(r->g, r->reply + ROOM, GUARD_BYTE, REPLY_GUARD);
	(void)eg_add_chain(r->g, QUEUE, bufs, 2);
	fs_queues_kicked(&r->queues, QUEUE);
	return eg_used_next(r->g, QUEUE, &used) ? (int64_t)used.len : -1;
}

static void put_header(struct rig *r, uint32_t opcode, uint64_t nodeid, uint32_t len)
{
	const struct fuse_in_header h = {.len = len,
					 .opcode = opcode,
					 .unique = ++r->unique,
					 .nodeid = nodeid,
					 .uid = r->files.uid,
					 .gid = r->files.gid};

	eg_put(r->g, r->req, &h, sizeof(h));
}

/* A request whose body is @body. Return: its length */
static uint32_t put_request(struct rig *r, uint32_t opcode, uint64_t nodeid, const void *body,
			    size_t body_len)
{
	uint32_t len = (uint32_t)(sizeof(struct fuse_in_header) + body_len);

	put_header(r, opcode, nodeid, len);
	eg_put(r->g, r->req + sizeof(struct fuse_in_header), body, body_len);
	return len;
}

/* The reply to one that was used with @used bytes. Return: its error; @out has what follows */
static int reply_of(struct rig *r, int64_t used, void *out, size_t out_len)
{
	struct fuse_out_header h;
	uint8_t guard[REPLY_GUARD];

	assert_true(used >= (int64_t)sizeof(h) && used <= (int64_t)ROOM);
	eg_get(r->g, r->reply, &h, sizeof(h));
	assert_int_equal(h.len, used);
	eg_get(r->g, r->reply + ROOM, guard, sizeof(guard));
	for (size_t i = 0; i < sizeof(guard); i++) {
		assert_int_equal(guard[i], GUARD_BYTE);
	}
	if (h.error == 0 && out_len > 0) {
		assert_true(h.len >= sizeof(h) + out_len);
		eg_get(r->g, r->reply + sizeof(h), out, out_len);
	}
	assert_true(h.error <= 0 && h.error > -4096);
	return h.error;
}

static int lookup(struct rig *r, uint64_t dir, const char *name, uint64_t *out_node)
{
	struct fuse_entry_out entry = {0};
	uint32_t len = put_request(r, FUSE_LOOKUP, dir, name, strlen(name) + 1);
	int rc = reply_of(r, offer(r, len), &entry, sizeof(entry));

	*out_node = entry.nodeid;
	return rc;
}

static void init(struct rig *r)
{
	const struct fuse_init_in in = {.major = 7, .minor = 41, .flags = ~0U, .flags2 = ~0U};
	struct fuse_init_out out;
	uint32_t len = put_request(r, FUSE_INIT, 0, &in, sizeof(in));

	assert_int_equal(reply_of(r, offer(r, len), &out, sizeof(out)), 0);
	assert_int_equal(lookup(r, FUSE_ROOT_ID, "rootfs", &r->rootfs), 0);
}

/* As the vmm does when the driver says DRIVER_OK. */
static void start(struct rig *r)
{
	r->msg = (struct fs_queue_msg){.op = FS_OP_START, .n_queues = FS_QUEUES};
	r->msg.layout[QUEUE] = eg_queue_make(r->g, QUEUE, SIZE, EG_LAYOUT_HONEST);
	assert_true(r->msg.layout[QUEUE].ready);
	assert_int_equal(fs_queues_start(&r->queues, &r->msg), 0);
	init(r);
}

static int rig_setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	int fd;

	assert_non_null(r);
	fuse_guest_setup(&r->files, 0, 0);
	fd = open(fuse_guest_path(&r->files, "tree/rootfs/content"), O_CREAT | O_WRONLY | O_CLOEXEC,
		  0644);
	assert_int_equal(write(fd, "content", 7), 7);
	(void)close(fd);
	r->g = eg_create();
	r->wires = (struct fs_wires){.irq_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
				     .page_fd = -1,
				     .irq_page = r->page};
	for (unsigned q = 0; q < FS_QUEUES; q++) {
		r->wires.kick_fd[q] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	r->req = eg_alloc(r->g, 4096, 4096);
	r->reply = eg_alloc(r->g, ROOM + REPLY_GUARD, 4096);
	r->queues =
		(struct fs_queues){.mem = eg_mem(r->g), .server = r->files.srv, .wires = &r->wires};
	start(r);
	*state = r;
	return 0;
}

static int rig_teardown(void **state)
{
	struct rig *r = *state;

	fs_queues_stop(&r->queues);
	for (unsigned q = 0; q < FS_QUEUES; q++) {
		(void)close(r->wires.kick_fd[q]);
	}
	(void)close(r->wires.irq_fd);
	eg_destroy(r->g);
	fuse_guest_teardown(&r->files);
	free(r);
	return 0;
}

/* Still there for whoever asks properly. */
static void assert_serves(struct rig *r)
{
	uint64_t node;

	assert_int_equal(lookup(r, r->rootfs, "content", &node), 0);
	assert_true(node != 0);
}

/**
 * struct flip - a field of the request, and the two things that it says in turn
 * @right, @wrong: errors that the one and the other have; 1: any, or none
 */
struct flip {
	size_t at;
	unsigned width;
	uint64_t a, b;
	int right, wrong;
};

/* Offer what is at r->req until both answers were seen, and no other ever was. */
static void flip_request(struct rig *r, uint32_t len, const struct flip *f)
{
	unsigned n_right = 0;
	unsigned n_wrong = 0;

	eg_flip_start(r->g, r->req + f->at, f->width, f->a, f->b);
	for (unsigned i = 0; i < ROUNDS_MOST && (i < ROUNDS || !n_right || !n_wrong); i++) {
		int64_t used = offer(r, len);
		int rc = reply_of(r, used, NULL, 0);

		if (f->right != 1) {
			assert_true(rc == f->right || rc == f->wrong);
		}
		n_right += rc == f->right || f->right == 1;
		n_wrong += rc == f->wrong || f->wrong == 1;
		if (i % 64 == 63) {
			(void)sched_yield();
		}
	}
	assert_true(eg_flip_stop(r->g) > 0);
	assert_true(n_right > 0 && n_wrong > 0);
	assert_serves(r);
}

static uint64_t word_of(const char text[8])
{
	uint64_t v;

	memcpy(&v, text, sizeof(v));
	return v;
}

static void a_header_that_changes(void **state)
{
	struct rig *r = *state;
	uint32_t len = (uint32_t)sizeof(struct fuse_in_header) + 8;
	const struct flip flips[] = {
		{FIELD_AT(len), 4, len, UINT32_MAX, 0, -EINVAL},
		{FIELD_AT(len), 4, len, 0, 0, -EINVAL},
		{FIELD_AT(opcode), 4, FUSE_LOOKUP, 0xffff, 0, -ENOSYS},
		{FIELD_AT(opcode), 4, FUSE_LOOKUP, FUSE_RMDIR, 0, -ENOTDIR},
		{FIELD_AT(nodeid), 8, r->rootfs, 0x7777777777777777, 0, -ESTALE},
		{FIELD_AT(nodeid), 8, r->rootfs, UINT64_MAX, 0, -ESTALE},
		{FIELD_AT(total_extlen), 4, 0, UINT32_MAX, 0, -EINVAL},
		{FIELD_AT(unique), 8, 1, UINT64_MAX, 1, 1},
	};

	for (size_t i = 0; i < VR_ARRAY_SIZE(flips); i++) {
		assert_int_equal(put_request(r, FUSE_LOOKUP, r->rootfs, "content", 8), len);
		flip_request(r, len, &flips[i]);
	}
}

/* Names are components; one that becomes a path, or loses its end, between two looks would be a way out. */
static void a_name_that_changes(void **state)
{
	struct rig *r = *state;
	/* eight bytes, which change all at once; that nobody has a name is an answer, not an error */
	static const struct {
		const char a[8], b[8];
	} names[] = {
		{"content", "../../x"},	   {"content", "a/../bc"},
		{"content", "..\0\0\0\0"}, {"content", {'n', 'o', '_', 'e', 'n', 'd', '_', '_'}},
		{"nothere", "/nthere"},
	};

	for (size_t i = 0; i < VR_ARRAY_SIZE(names); i++) {
		const struct flip f = {NAMES_AT, 8,	 word_of(names[i].a), word_of(names[i].b),
				       0,	 -EINVAL};
		uint32_t len = put_request(r, FUSE_LOOKUP, r->rootfs, names[i].a, 8);

		flip_request(r, len, &f);
	}
}

/* Of two names that are made, no third one comes to be, in the tree or outside it. */
static void a_name_that_changes_while_it_is_made(void **state)
{
	struct rig *r = *state;
	struct {
		struct fuse_mkdir_in in;
		char name[8];
	} body = {.in = {.mode = 0755}};

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t len = put_request(r, FUSE_MKDIR, r->rootfs, &body, sizeof(body));
		int rc;

		eg_flip_start(r->g, r->req + NAMES_AT + sizeof(body.in), 8, word_of("made-it"),
			      word_of("../up/x"));
		rc = reply_of(r, offer(r, len), NULL, 0);
		(void)eg_flip_stop(r->g);
		assert_true(rc == 0 || rc == -EINVAL);
		assert_int_equal(rmdir(fuse_guest_path(&r->files, "tree/rootfs/made-it")),
				 rc == 0 ? 0 : -1);
		assert_int_equal(access(fuse_guest_path(&r->files, "tree/up"), F_OK), -1);
	}
	assert_serves(r);
}

static uint64_t open_file(struct rig *r, uint64_t *out_node)
{
	const struct fuse_open_in in = {.flags = O_RDWR};
	struct fuse_open_out out;
	uint32_t len;

	assert_int_equal(lookup(r, r->rootfs, "content", out_node), 0);
	len = put_request(r, FUSE_OPEN, *out_node, &in, sizeof(in));
	assert_int_equal(reply_of(r, offer(r, len), &out, sizeof(out)), 0);
	return out.fh;
}

static void close_file(struct rig *r, uint64_t node, uint64_t fh)
{
	const struct fuse_release_in in = {.fh = fh};
	uint32_t len = put_request(r, FUSE_RELEASE, node, &in, sizeof(in));

	assert_int_equal(reply_of(r, offer(r, len), NULL, 0), 0);
}

/* How much is read or written, where, and of which file. */
static void sizes_and_handles_that_change(void **state)
{
	struct rig *r = *state;
	uint64_t node;
	uint64_t fh = open_file(r, &node);
	const struct fuse_read_in in = {.fh = fh, .size = 7};
	struct {
		struct fuse_write_in in;
		char data[16];
	} out = {.in = {.fh = fh, .size = 16}};
	const size_t body = sizeof(struct fuse_in_header);
	const struct flip reads[] = {
		{body + offsetof(struct fuse_read_in, fh), 8, fh, UINT64_MAX, 0, -EBADF},
		{body + offsetof(struct fuse_read_in, size), 4, 7, UINT32_MAX, 1, 1},
		{body + offsetof(struct fuse_read_in, offset), 8, 0, 1ull << 63, 0, -EINVAL},
	};
	const struct flip writes[] = {
		{body + offsetof(struct fuse_write_in, fh), 8, fh, UINT64_MAX, 0, -EBADF},
		{body + offsetof(struct fuse_write_in, size), 4, 16, UINT32_MAX, 0, -EINVAL},
		{body + offsetof(struct fuse_write_in, size), 4, 16, 4096, 0, -EINVAL},
	};
	struct stat st;

	for (size_t i = 0; i < VR_ARRAY_SIZE(reads); i++) {
		flip_request(r, put_request(r, FUSE_READ, node, &in, sizeof(in)), &reads[i]);
	}
	for (size_t i = 0; i < VR_ARRAY_SIZE(writes); i++) {
		flip_request(r, put_request(r, FUSE_WRITE, node, &out, sizeof(out)), &writes[i]);
	}
	assert_int_equal(stat(fuse_guest_path(&r->files, "tree/rootfs/content"), &st), 0);
	assert_int_equal(st.st_size, 16);
	close_file(r, node, fh);
}

/* Where a request lies: checked once, in RAM, or the queue is broken and served no more. */
static void descriptors_that_change(void **state)
{
	struct rig *r = *state;
	static const struct {
		unsigned i, at, width;
		uint64_t b;
	} flips[] = {
		{0, 0, 8, EG_RAM_BYTES - 8}, {0, 0, 8, UINT64_MAX - 8},
		{0, 8, 4, UINT32_MAX},	     {1, 0, 8, EG_RAM_BYTES - 8},
		{1, 8, 4, UINT32_MAX},	     {0, 12, 2, EG_DESC_NEXT | EG_DESC_INDIRECT},
		{1, 12, 2, EG_DESC_NEXT},    {0, 14, 2, SIZE},
	};

	for (size_t i = 0; i < VR_ARRAY_SIZE(flips); i++) {
		unsigned n_used = 0;
		unsigned n_broken = 0;

		for (unsigned k = 0; k < ROUNDS_MOST && (k < ROUNDS || !n_used || !n_broken); k++) {
			struct eg_buf bufs[] = {{.len = 48, .addr = r->req},
						{.len = ROOM, .in = true, .addr = r->reply}};
			uint64_t desc = eg_layout(r->g, QUEUE)->desc;
			uint64_t a = 0;
			uint16_t head;

			(void)put_request(r, FUSE_LOOKUP, r->rootfs, "content", 8);
			head = eg_add_chain(r->g, QUEUE, bufs, 2);
			desc += (flips[i].i == 0 ? head : eg_desc_get(r->g, QUEUE, head).next) *
				16u;
			eg_get(r->g, desc + flips[i].at, &a, flips[i].width);
			eg_flip_start(r->g, desc + flips[i].at, flips[i].width, a, flips[i].b);
			fs_queues_kicked(&r->queues, QUEUE);
			(void)eg_flip_stop(r->g);
			if (r->queues.vq[QUEUE].broken) {
				n_broken++;
			} else {
				n_used++;
			}
			start(r); /* a driver that begins anew */
		}
		assert_true(n_used > 0 && n_broken > 0);
		assert_serves(r);
	}
}

/* What the vmm says of the queues, which may have been taken over. */
static void queues_that_cannot_be(void **state)
{
	struct rig *r = *state;
	struct fs_queue_msg more[2] = {r->msg}; /* what lies behind its queues is zeros */
	struct fs_queue_msg m = r->msg;

	more[0].n_queues = FS_QUEUES + 1;
	assert_int_equal(fs_queues_start(&r->queues, more), -EINVAL);
	m.number = AP_MEMBERS_MAX + 1;
	assert_int_equal(fs_queues_start(&r->queues, &m), -EINVAL);
	m = r->msg;
	m.layout[QUEUE].size = 3;
	assert_true(fs_queues_start(&r->queues, &m) < 0);
	m = r->msg;
	m.layout[QUEUE].used = EG_RAM_BYTES - 2;
	assert_true(fs_queues_start(&r->queues, &m) < 0);
	assert_int_equal(r->queues.n, 0);
	fs_queues_kicked(&r->queues, QUEUE); /* nobody is there */
	start(r);
	assert_serves(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_header_that_changes, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_name_that_changes, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_name_that_changes_while_it_is_made, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(sizes_and_handles_that_change, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(descriptors_that_change, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(queues_that_cannot_be, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
