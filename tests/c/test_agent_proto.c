/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_proto.c - every message survives the wire; nothing malformed is accepted */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/agent_proto.h"

static uint8_t frame[AP_HEADER_LEN + AP_FRAME_MAX];
static struct ap_container box_in;
static struct ap_container box_out;

static const char *const args[] = {"/bin/sh", "-c", "", "echo hi"};
static const char *const env[] = {"PATH=/bin", "A="};

/* The payload of the frame just encoded, its header checked. */
static const uint8_t *payload(long n, uint16_t type, uint32_t id, size_t *len)
{
	struct ap_header h;

	assert_true(n >= (long)AP_HEADER_LEN);
	assert_int_equal(ap_decode_header(frame, &h), 0);
	assert_int_equal(h.type, type);
	assert_int_equal(h.id, id);
	assert_int_equal(h.len, n - (long)AP_HEADER_LEN);
	*len = h.len;
	return frame + AP_HEADER_LEN;
}

static void fill_process(struct ap_process *p)
{
	static const uint8_t bpf[16] = {6, 0, 0, 0, 0, 0, 0xff, 0x7f, 6};

	memset(p, 0, sizeof(*p));
	p->flags = AP_P_TTY | AP_P_HAS_SECCOMP | AP_P_HAS_OOM;
	p->stdio = AP_STDIO_ALL;
	p->port = AP_PORT_STDIO(0x12345678);
	p->args = (struct ap_strv){.count = 4, .vec = args};
	p->env = (struct ap_strv){.count = 2, .vec = env};
	p->cwd = "/tmp";
	p->uid = 1000;
	p->gid = 1001;
	p->umask = 0777;
	p->n_gids = 2;
	p->gids[0] = 5;
	p->gids[1] = UINT32_MAX;
	p->caps[AP_CAPS_AMBIENT] = UINT64_MAX;
	p->n_rlimits = 1;
	p->rlimits[0] = (struct ap_rlimit){7, 1024, UINT64_MAX};
	p->oom_score_adj = -1000;
	p->sched.nice = -20;
	p->sched.deadline_ns = 77;
	p->seccomp = bpf;
	p->n_seccomp = 2;
	p->rows = 24;
	p->cols = UINT16_MAX;
	p->n_fds = AP_MAX_FDS;
	for (uint32_t i = 0; i < AP_MAX_FDS; i++) {
		p->fds[i] = AP_FD_IN + i % 3;
	}
}

static void fill_container(struct ap_container *c)
{
	static const char *const masked[] = {"/proc/kcore", "/sys/firmware"};

	ap_container_init(c);
	c->flags = AP_C_READONLY_ROOT | AP_C_HAS_PROCESS;
	c->namespaces = AP_NS_ALL;
	c->hostname = "name";
	c->boottime_s = -5;
	c->boottime_ns = 999999999;
	c->n_mounts = AP_MAX_MOUNTS;
	for (uint32_t i = 0; i < AP_MAX_MOUNTS; i++) {
		c->mounts[i] = (struct ap_mount){.dest = "/d",
						 .type = "bind",
						 .share = i,
						 .n_propagation = 1,
						 .propagation = {1u << 19}};
	}
	c->mounts[1].source = "tmpfs";
	c->mounts[1].data = "size=1";
	c->masked = (struct ap_strv){.count = 2, .vec = masked};
	c->n_devices = 1;
	c->devices[0] = (struct ap_device){"/dev/fuse", 'c', 10, 229, 0666, 1, 2};
	c->n_sysctls = 1;
	c->sysctls[0] = (struct ap_kv){"net.core.somaxconn", "1"};
	c->n_net_sysctls = AP_MAX_NET_SYSCTLS;
	for (uint32_t i = 0; i < AP_MAX_NET_SYSCTLS; i++) {
		c->net_sysctls[i] = (struct ap_kv){"net/ipv4/ip_forward", i ? "0" : "1"};
	}
	c->resources.memory_max = 1 << 20;
	c->resources.pids_max = AP_NO_LIMIT;
	c->resources.cpus = "0-1";
	c->n_uidmaps = 1;
	c->uidmaps[0] = (struct ap_idmap){0, 100000, 65536};
	c->n_hooks = 1;
	c->hooks[0] = (struct ap_hook){.path = "/h", .timeout_s = 3};
	c->hooks[0].args = (struct ap_strv){.count = 2, .vec = args};
	fill_process(&c->process);
}

static void check_strv(const struct ap_strv *v, const char *const *want, size_t n)
{
	const char *s = NULL;

	assert_int_equal(v->count, n);
	for (size_t i = 0; i < n; i++) {
		s = ap_strv_next(v, s);
		assert_string_equal(s, want[i]);
	}
	assert_null(n ? ap_strv_next(v, s) : ap_strv_next(v, NULL));
}

static void check_process(const struct ap_process *p)
{
	check_strv(&p->args, args, 4);
	check_strv(&p->env, env, 2);
	assert_string_equal(p->cwd, "/tmp");
	assert_int_equal(p->gid, 1001);
	assert_int_equal(p->umask, 0777);
	assert_int_equal(p->n_gids, 2);
	assert_int_equal(p->gids[1], UINT32_MAX);
	assert_true(p->caps[AP_CAPS_AMBIENT] == UINT64_MAX);
	assert_true(p->rlimits[0].hard == UINT64_MAX);
	assert_int_equal(p->oom_score_adj, -1000);
	assert_int_equal(p->sched.nice, -20);
	assert_int_equal(p->n_seccomp, 2);
	assert_int_equal(p->seccomp[8], 6);
	assert_int_equal(p->cols, UINT16_MAX);
	assert_int_equal(p->port, 0x52345670);
}

static void create_round_trip(void **state)
{
	size_t len;
	const uint8_t *p;

	(void)state;
	fill_container(&box_in);
	p = payload(ap_encode_create(&box_in, 9, frame, sizeof(frame)), AP_MSG_CREATE, 9, &len);
	assert_int_equal(ap_decode_create(p, len, &box_out), 0);
	assert_int_equal(box_out.namespaces, AP_NS_ALL);
	assert_string_equal(box_out.hostname, "name");
	assert_null(box_out.domainname);
	assert_null(box_out.rootfs);
	assert_int_equal(box_out.boottime_s, -5);
	assert_int_equal(box_out.n_mounts, AP_MAX_MOUNTS);
	assert_int_equal(box_out.mounts[AP_MAX_MOUNTS - 1].share, AP_MAX_MOUNTS - 1);
	assert_string_equal(box_out.mounts[1].data, "size=1");
	assert_null(box_out.mounts[2].data);
	assert_int_equal(box_out.mounts[2].propagation[0], 1u << 19);
	assert_string_equal(ap_strv_next(&box_out.masked, NULL), "/proc/kcore");
	check_strv(&box_out.readonly, NULL, 0);
	assert_int_equal(box_out.devices[0].gid, 2);
	assert_string_equal(box_out.sysctls[0].value, "1");
	assert_int_equal(box_out.n_net_sysctls, AP_MAX_NET_SYSCTLS);
	assert_string_equal(box_out.net_sysctls[0].value, "1");
	assert_string_equal(box_out.net_sysctls[AP_MAX_NET_SYSCTLS - 1].key, "net/ipv4/ip_forward");
	assert_int_equal(box_out.resources.pids_max, AP_NO_LIMIT);
	assert_true(box_out.resources.cpu_weight == AP_UNSET);
	assert_string_equal(box_out.resources.cpus, "0-1");
	assert_int_equal(box_out.uidmaps[0].outside, 100000);
	assert_int_equal(box_out.hooks[0].args.count, 2);
	check_process(&box_out.process);
}

/* What was decoded can be encoded again, byte for byte: blobs instead of arrays. */
static void decoded_encodes_the_same(void **state)
{
	static uint8_t first[sizeof(frame)];
	long n;

	(void)state;
	fill_container(&box_in);
	n = ap_encode_create(&box_in, 9, first, sizeof(first));
	assert_true(n > 0);
	assert_int_equal(
		ap_decode_create(first + AP_HEADER_LEN, (size_t)n - AP_HEADER_LEN, &box_out), 0);
	assert_int_equal(ap_encode_create(&box_out, 9, frame, sizeof(frame)), n);
	assert_memory_equal(first, frame, (size_t)n);
}

static void container_without_process(void **state)
{
	size_t len;
	const uint8_t *p;

	(void)state;
	ap_container_init(&box_in);
	p = payload(ap_encode_create(&box_in, 1, frame, sizeof(frame)), AP_MSG_CREATE, 1, &len);
	assert_int_equal(ap_decode_create(p, len, &box_out), 0);
	assert_null(box_out.process.cwd);
	box_in.flags = AP_C_HAS_PROCESS;
	assert_int_equal(ap_encode_create(&box_in, 1, frame, sizeof(frame)), -EINVAL);
}

/* Only of what it has, only what members may share; and nothing has just one encoding: no field. */
static void some_namespaces_may_be_joined(void **state)
{
	static const struct {
		uint32_t namespaces;
		uint32_t joined;
		int code;
	} cases[] = {{AP_NS_ALL, AP_NS_JOINED, 0},
		     {AP_NS_IPC | AP_NS_MOUNT, AP_NS_IPC, 0},
		     {AP_NS_IPC, AP_NS_UTS, -EPROTO},
		     {AP_NS_PID | AP_NS_IPC, AP_NS_PID | AP_NS_UTS, -EPROTO},
		     {AP_NS_ALL, AP_NS_USER, -EPROTO},
		     {AP_NS_ALL, AP_NS_MOUNT | AP_NS_PID, -EPROTO},
		     {AP_NS_ALL, AP_NS_CGROUP, -EPROTO},
		     {AP_NS_ALL, AP_NS_TIME, -EPROTO},
		     {AP_NS_ALL, 1, -EPROTO},
		     {AP_NS_ALL, 0, -EPROTO}};
	size_t len, without;
	const uint8_t *p;

	(void)state;
	ap_container_init(&box_in);
	box_in.namespaces = AP_NS_ALL;
	p = payload(ap_encode_create(&box_in, 1, frame, sizeof(frame)), AP_MSG_CREATE, 1, &without);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		box_in.namespaces = AP_NS_ALL;
		box_in.joined = AP_NS_PID;
		p = payload(ap_encode_create(&box_in, 1, frame, sizeof(frame)), AP_MSG_CREATE, 1,
			    &len);
		assert_int_equal(len, without + 12);
		memcpy(frame + AP_HEADER_LEN + 12 + 8, &cases[i].namespaces, 4); /* second field */
		memcpy(frame + AP_HEADER_LEN + len - 4, &cases[i].joined, 4);	 /* last one */
		assert_int_equal(ap_decode_create(p, len, &box_out), cases[i].code);
		box_in.namespaces = cases[i].namespaces;
		box_in.joined = cases[i].joined;
		assert_int_equal(ap_encode_create(&box_in, 1, frame, sizeof(frame)) < 0,
				 cases[i].joined != 0 && cases[i].code < 0);
		if (cases[i].code == 0) {
			assert_int_equal(box_out.joined, cases[i].joined);
		}
	}
	assert_int_equal(ap_decode_create(frame + AP_HEADER_LEN, without, &box_out), 0);
	assert_int_equal(box_out.joined, 0);
}

static void small_requests_round_trip(void **state)
{
	struct ap_signal s = {.proc = AP_PROC_ID_MAX, .signo = 64, .all = true};
	struct ap_resize r = {.proc = 1, .rows = 2, .cols = 3};
	struct ap_accept a = {.proc = 3, .stream = 4, .port = AP_PORT_STDIO(7)};
	struct ap_join j = {
		.number = AP_MEMBERS_MAX, .slot = AP_MAX_LINKS - 1, .port = AP_PORT_STDIO(8)};
	struct ap_configure c = {.realtime_ns = UINT64_MAX, .has_seed = true, .seed = {1}};
	struct ap_start st = {.state = "{}"};
	struct ap_resources u;
	static struct ap_exec e;
	size_t len;
	const uint8_t *p;

	(void)state;
	p = payload(ap_encode_signal(&s, 2, frame, sizeof(frame)), AP_MSG_SIGNAL, 2, &len);
	s = (struct ap_signal){0};
	assert_int_equal(ap_decode_signal(p, len, &s), 0);
	assert_true(s.proc == AP_PROC_ID_MAX && s.signo == 64 && s.all);
	p = payload(ap_encode_resize(&r, 2, frame, sizeof(frame)), AP_MSG_RESIZE, 2, &len);
	assert_int_equal(ap_decode_resize(p, len, &r), 0);
	assert_true(r.rows == 2 && r.cols == 3);
	p = payload(ap_encode_accept(&a, 2, frame, sizeof(frame)), AP_MSG_ACCEPT, 2, &len);
	assert_int_equal(ap_decode_accept(p, len, &a), 0);
	assert_true(a.proc == 3 && a.stream == 4 && a.port == AP_PORT_STDIO(7));
	p = payload(ap_encode_join(&j, 2, frame, sizeof(frame)), AP_MSG_JOIN, 2, &len);
	j = (struct ap_join){0};
	assert_int_equal(ap_decode_join(p, len, &j), 0);
	assert_true(j.number == AP_MEMBERS_MAX && j.slot == AP_MAX_LINKS - 1 &&
		    j.port == AP_PORT_STDIO(8));
	p = payload(ap_encode_configure(&c, 2, frame, sizeof(frame)), AP_MSG_CONFIGURE, 2, &len);
	assert_int_equal(ap_decode_configure(p, len, &c), 0);
	assert_true(c.realtime_ns == UINT64_MAX && c.has_seed && c.seed[0] == 1 && !c.hostname);
	p = payload(ap_encode_start(&st, 2, frame, sizeof(frame)), AP_MSG_START, 2, &len);
	assert_int_equal(ap_decode_start(p, len, &st), 0);
	assert_string_equal(st.state, "{}");
	ap_resources_init(&u);
	u.n_unified = 1;
	u.unified[0] = (struct ap_kv){"memory.high", "1"};
	p = payload(ap_encode_update(&u, 2, frame, sizeof(frame)), AP_MSG_UPDATE, 2, &len);
	assert_int_equal(ap_decode_update(p, len, &u), 0);
	assert_string_equal(u.unified[0].key, "memory.high");
	e.proc = 4;
	fill_process(&e.process);
	p = payload(ap_encode_exec(&e, 2, frame, sizeof(frame)), AP_MSG_EXEC, 2, &len);
	assert_int_equal(ap_decode_exec(p, len, &e), 0);
	check_process(&e.process);
	(void)payload(ap_encode_empty(AP_MSG_PS, 2, frame, sizeof(frame)), AP_MSG_PS, 2, &len);
	assert_int_equal(ap_decode_empty(frame, 0), 0);
	assert_int_equal(ap_decode_empty(frame, 1), -EPROTO);
}

static void guest_messages_round_trip(void **state)
{
	struct ap_hello h = {.version = AP_VERSION, .features = AP_FEAT_ALL, .release = "6.12"};
	struct ap_exit x = {.proc = 3, .signo = 9, .oom = true, .t_ns = 5};
	struct ap_left l = {.number = AP_MEMBERS_MAX, .status = 255};
	struct ap_stats s = {.memory_stat = "anon 1\n"};
	struct ap_ps_entry ps[2] = {{.pid = 1, .comm = "a", .cmdline = ""},
				    {.pid = 2, .comm = "b", .cmdline = "b c"}};
	struct ap_reply r = {.text = "t"};
	uint8_t body[512];
	size_t len;
	size_t n;
	const uint8_t *p;
	long bl;

	(void)state;
	h.stamp_ns[AP_STAMP_HELLO] = 7;
	p = payload(ap_encode_hello(&h, frame, sizeof(frame)), AP_MSG_HELLO, 0, &len);
	assert_int_equal(ap_decode_hello(p, len, &h), 0);
	assert_true(h.stamp_ns[AP_STAMP_HELLO] == 7 && strcmp(h.release, "6.12") == 0);
	p = payload(ap_encode_exit(&x, frame, sizeof(frame)), AP_MSG_EXIT, 0, &len);
	assert_int_equal(ap_decode_exit(p, len, &x), 0);
	assert_true(x.proc == 3 && x.signo == 9 && x.oom && x.t_ns == 5);
	p = payload(ap_encode_left(&l, frame, sizeof(frame)), AP_MSG_LEFT, 0, &len);
	l = (struct ap_left){0};
	assert_int_equal(ap_decode_left(p, len, &l), 0);
	assert_true(l.number == AP_MEMBERS_MAX && l.status == 255);
	s.v[AP_STAT_IO_WIOS] = AP_STAT_NONE;
	bl = ap_encode_stats(&s, body, sizeof(body));
	assert_int_equal(ap_decode_stats(body, (size_t)bl, &s), 0);
	assert_true(s.v[AP_STAT_IO_WIOS] == AP_STAT_NONE && strcmp(s.memory_stat, "anon 1\n") == 0);
	bl = ap_encode_ps(ps, 2, body, sizeof(body));
	r.body = body;
	r.body_len = (uint32_t)bl;
	p = payload(ap_encode_reply(&r, 8, frame, sizeof(frame)), AP_MSG_REPLY, 8, &len);
	memset(body, 0, sizeof(body));
	assert_int_equal(ap_decode_reply(p, len, &r), 0);
	assert_int_equal(ap_decode_ps(r.body, r.body_len, ps, 2, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(ps[1].cmdline, "b c");
	assert_int_equal(ap_decode_ps(r.body, r.body_len, ps, 1, &n), -EPROTO);
	r.fail = AP_FAIL_SETUP; /* a failure with code 0 */
	assert_int_equal(ap_encode_reply(&r, 8, frame, sizeof(frame)), -EINVAL);
}

static void a_notify_is_a_text_of_some_length(void **state)
{
	static char text[AP_NOTIFY_MAX + 2];
	struct ap_notify m = {.text = text};
	const uint8_t *p;
	size_t len;

	(void)state;
	memset(text, 'x', AP_NOTIFY_MAX);
	p = payload(ap_encode_notify(&m, frame, sizeof(frame)), AP_MSG_NOTIFY, 0, &len);
	assert_int_equal(ap_decode_notify(p, len, &m), 0);
	assert_string_equal(m.text, text);
	assert_int_equal(ap_decode_notify(p, len - 1, &m), -EPROTO);
	text[AP_NOTIFY_MAX] = 'x';
	m.text = text;
	assert_int_equal(ap_encode_notify(&m, frame, sizeof(frame)), -EINVAL);
	assert_string_equal(ap_type_name(AP_MSG_NOTIFY), "notify");
}

static void passed_descriptors_are_of_a_kind(void **state)
{
	static const uint32_t good[] = {AP_FD_IN,	    AP_FD_BOTH,
					AP_FD_NULL,	    AP_FD_LISTEN(0, 0),
					AP_FD_LISTEN(4, 1), AP_FD_LISTEN(6, UINT16_MAX)};
	static const uint32_t bad[] = {0,
				       9,
				       AP_FD_LISTEN(0, 0) | 1,
				       AP_FD_LISTEN(4, 80) | 1u << 8,
				       AP_FD_LISTEN(0, 1),
				       AP_FD_LISTEN(4, 0),
				       AP_FD_LISTEN(5, 80)};
	static struct ap_exec e;

	(void)state;
	e.proc = 1;
	fill_process(&e.process);
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		e.process.fds[AP_MAX_FDS - 1] = good[i];
		assert_true(ap_encode_exec(&e, 1, frame, sizeof(frame)) > 0);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e.process.fds[AP_MAX_FDS - 1] = bad[i];
		assert_int_equal(ap_encode_exec(&e, 1, frame, sizeof(frame)), -EINVAL);
	}
	e.process.n_fds = AP_MAX_FDS + 1;
	assert_int_equal(ap_encode_exec(&e, 1, frame, sizeof(frame)), -E2BIG);
}

static void connections_are_to_passed_descriptors(void **state)
{
	static const struct ap_accept bad[] = {
		{.proc = 1, .stream = 2, .port = AP_PORT_STDIO(0)},
		{.proc = 1, .stream = AP_STREAMS, .port = AP_PORT_STDIO(0)},
		{.proc = 1, .stream = 3, .port = AP_PORT_STDIO(0) + 1},
		{.proc = 1, .stream = 3, .port = AP_PORT_CONTROL},
		{.proc = AP_PROC_ID_MAX + 1, .stream = 3, .port = AP_PORT_STDIO(0)},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ap_encode_accept(&bad[i], 1, frame, sizeof(frame)), -EINVAL);
	}
}

/* A good message with another value in field @i, on the wire. Return: what the decoder says */
static int decode_join_with(size_t i, uint32_t value)
{
	struct ap_join j = {.number = 1, .slot = 0, .port = AP_PORT_STDIO(0)};
	size_t len;
	const uint8_t *p =
		payload(ap_encode_join(&j, 1, frame, sizeof(frame)), AP_MSG_JOIN, 1, &len);

	assert_int_equal(len, 3 * 12);
	memcpy(frame + AP_HEADER_LEN + 12 * i + 8, &value, 4);
	return ap_decode_join(p, len, &j);
}

static int decode_left_with(size_t i, uint32_t value)
{
	struct ap_left l = {.number = 1, .status = 0};
	size_t len;
	const uint8_t *p = payload(ap_encode_left(&l, frame, sizeof(frame)), AP_MSG_LEFT, 0, &len);

	assert_int_equal(len, 2 * 12);
	memcpy(frame + AP_HEADER_LEN + 12 * i + 8, &value, 4);
	return ap_decode_left(p, len, &l);
}

static void members_have_numbers_slots_and_ports(void **state)
{
	static const struct {
		size_t field;
		uint32_t value;
		int code;
	} joins[] = {{0, 1, 0},
		     {0, AP_MEMBERS_MAX, 0},
		     {0, 0, -EPROTO},
		     {0, AP_MEMBERS_MAX + 1, -EPROTO},
		     {1, AP_MAX_LINKS - 1, 0},
		     {1, AP_MAX_LINKS, -EPROTO},
		     {2, AP_PORT_STDIO(UINT32_MAX), 0},
		     {2, AP_PORT_STDIO(0) + 1, -EPROTO},
		     {2, AP_PORT_CONTROL, -EPROTO},
		     {2, 0, -EPROTO},
		     {2, UINT32_MAX, -EPROTO}},
	  lefts[] = {{0, AP_MEMBERS_MAX, 0},
		     {0, 0, -EPROTO},
		     {0, AP_MEMBERS_MAX + 1, -EPROTO},
		     {1, 255, 0},
		     {1, 256, -EPROTO}};
	struct ap_join j = {.number = 0, .port = AP_PORT_STDIO(0)};
	struct ap_left l = {.number = 0};

	(void)state;
	for (size_t i = 0; i < sizeof(joins) / sizeof(joins[0]); i++) {
		assert_int_equal(decode_join_with(joins[i].field, joins[i].value), joins[i].code);
	}
	for (size_t i = 0; i < sizeof(lefts) / sizeof(lefts[0]); i++) {
		assert_int_equal(decode_left_with(lefts[i].field, lefts[i].value), lefts[i].code);
	}
	assert_int_equal(ap_encode_join(&j, 1, frame, sizeof(frame)), -EINVAL);
	assert_int_equal(ap_encode_left(&l, frame, sizeof(frame)), -EINVAL);
	assert_string_equal(ap_type_name(AP_MSG_JOIN), "join");
	assert_string_equal(ap_type_name(AP_MSG_LEFT), "left");
	assert_true(ap_type_is_request(AP_MSG_JOIN));
	assert_false(ap_type_is_request(AP_MSG_JOIN + 1));
	assert_false(ap_type_is_request(AP_MSG_LEFT));
}

static void stream_ports_are_of_their_own(void **state)
{
	static const uint32_t bad[] = {1,
				       4,
				       AP_PORT_CONTROL,
				       0x10000,
				       AP_PORT_STDIO_MIN - 16,
				       AP_PORT_STDIO_MIN + 1,
				       AP_PORT_STDIO_MIN + 8,
				       0x80000000u,
				       UINT32_MAX};
	static struct ap_exec e;

	(void)state;
	e.proc = 1;
	fill_process(&e.process);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e.process.port = bad[i];
		assert_int_equal(ap_encode_exec(&e, 1, frame, sizeof(frame)), -EINVAL);
	}
	e.process.port = 0; /* no streams */
	assert_true(ap_encode_exec(&e, 1, frame, sizeof(frame)) > 0);
	assert_int_equal(AP_PORT_STDIO(0), AP_PORT_STDIO_MIN);
	assert_int_equal(AP_PORT_STDIO(UINT32_MAX), 0x7ffffff0);
	assert_true(AP_PORT_STDIO(UINT32_MAX) + AP_STREAMS - 1 >
		    AP_PORT_STDIO(UINT32_MAX)); /* no overflow */
}

/* A name server elsewhere than on the guest's own loopback would take another's place. */
static void resolvers_are_on_the_loopback(void **state)
{
	const struct {
		uint8_t addr[4];
		int code;
	} cases[] = {{{0, 0, 0, 0}, 0},
		     {{127, 0, 0, 11}, 0},
		     {{127, 255, 255, 254}, 0},
		     {{10, 0, 0, 1}, -EPROTO},
		     {{0, 0, 0, 1}, -EPROTO}};
	static struct ap_net in, out;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(in.resolver, 0, sizeof(in.resolver));
		(void)payload(ap_encode_net(&in, 3, frame, sizeof(frame)), AP_MSG_NET, 3, &len);
		memcpy(frame + AP_HEADER_LEN + len - 4, cases[i].addr, 4); /* the last field */
		assert_int_equal(ap_decode_net(frame + AP_HEADER_LEN, len, &out), cases[i].code);
		memcpy(in.resolver, cases[i].addr, 4);
		assert_int_equal(ap_encode_net(&in, 3, frame, sizeof(frame)) < 0,
				 cases[i].code < 0);
		if (cases[i].code == 0) {
			assert_memory_equal(out.resolver, cases[i].addr, 4);
		}
	}
}

static void every_prefix_is_refused(void **state)
{
	static struct ap_exec e;
	static uint8_t copy[16384];
	long n;

	(void)state;
	e.proc = 1;
	fill_process(&e.process);
	n = ap_encode_exec(&e, 1, frame, sizeof(frame));
	assert_in_range(n, AP_HEADER_LEN + 1, sizeof(copy));
	for (size_t len = 0; len < (size_t)n - AP_HEADER_LEN; len++) {
		/* in memory of exactly that size, so that a sanitizer sees a read beyond it */
		uint8_t *exact = malloc(len ? len : 1);

		assert_non_null(exact);
		memcpy(exact, frame + AP_HEADER_LEN, len);
		assert_int_equal(ap_decode_exec(exact, len, &e), -EPROTO);
		free(exact);
	}
}

/* Any single byte changed: refused, or a struct whose borrowed parts stay inside the payload. */
static void mutations_stay_inside(void **state)
{
	static struct ap_exec e;
	size_t len;
	size_t refused = 0;
	const char *s = NULL;

	(void)state;
	e.proc = 1;
	fill_process(&e.process);
	len = (size_t)ap_encode_exec(&e, 1, frame, sizeof(frame)) - AP_HEADER_LEN;
	for (size_t i = 0; i < len * 8; i++) {
		uint8_t *exact = malloc(len);

		assert_non_null(exact);
		memcpy(exact, frame + AP_HEADER_LEN, len);
		exact[i / 8] ^= (uint8_t)(1u << (i % 8));
		if (ap_decode_exec(exact, len, &e)) {
			refused++;
		} else {
			while ((s = ap_strv_next(&e.process.args, s))) {
				assert_true(s >= (char *)exact && s < (char *)exact + len);
			}
			assert_in_range(strlen(e.process.cwd), 1, len);
			assert_in_range(e.process.n_gids, 0, AP_MAX_GIDS);
		}
		free(exact);
	}
	assert_true(refused > len); /* most of the bits are structure */
}

static void put(uint8_t *p, uint16_t tag, uint16_t zero, uint32_t len)
{
	uint8_t h[8] = {(uint8_t)tag,	      (uint8_t)(tag >> 8), (uint8_t)zero,
			(uint8_t)(zero >> 8), (uint8_t)len,	   (uint8_t)(len >> 8),
			(uint8_t)(len >> 16), (uint8_t)(len >> 24)};

	memcpy(p, h, sizeof(h));
}

static void tags_order_and_lengths(void **state)
{
	struct ap_resize r;
	uint8_t p[64] = {0};

	(void)state;
	put(p, 1, 0, 4);
	put(p + 12, 2, 0, 2);
	put(p + 22, 3, 0, 2);
	assert_int_equal(ap_decode_resize(p, 32, &r), 0);
	put(p, 1, 1, 4); /* the zero is not */
	assert_int_equal(ap_decode_resize(p, 32, &r), -EPROTO);
	put(p, 4, 0, 4); /* unknown */
	assert_int_equal(ap_decode_resize(p, 32, &r), -EPROTO);
	put(p, 1, 0, 4);
	put(p + 22, 2, 0, 2); /* twice */
	assert_int_equal(ap_decode_resize(p, 32, &r), -EPROTO);
	put(p + 12, 3, 0, 2); /* out of order */
	assert_int_equal(ap_decode_resize(p, 32, &r), -EPROTO);
	put(p + 12, 2, 0, 2);
	assert_int_equal(ap_decode_resize(p, 22, &r), -EPROTO); /* one missing */
	put(p + 22, 3, 0, 3);					/* too long for what it is */
	assert_int_equal(ap_decode_resize(p, 33, &r), -EPROTO);
	put(p + 22, 3, 0, UINT32_MAX);
	assert_int_equal(ap_decode_resize(p, 32, &r), -EPROTO);
}

static void header_rules(void **state)
{
	uint8_t h[AP_HEADER_LEN] = {0, 0, 0, 0, AP_MSG_PS, 0, 0, 0, 1};
	struct ap_header out;

	(void)state;
	assert_int_equal(ap_decode_header(h, &out), 0);
	h[8] = 0; /* a request without an id */
	assert_int_equal(ap_decode_header(h, &out), -EPROTO);
	h[4] = AP_MSG_EXIT;
	assert_int_equal(ap_decode_header(h, &out), 0);
	h[4] = AP_MSG_LEFT;
	assert_int_equal(ap_decode_header(h, &out), 0);
	h[4] = AP_MSG_JOIN;
	assert_int_equal(ap_decode_header(h, &out), -EPROTO);
	h[8] = 1; /* an event with one */
	assert_int_equal(ap_decode_header(h, &out), 0);
	h[4] = AP_MSG_LEFT;
	assert_int_equal(ap_decode_header(h, &out), -EPROTO);
	h[4] = AP_MSG_EXIT;
	assert_int_equal(ap_decode_header(h, &out), -EPROTO);
	h[4] = 0x7f;
	assert_int_equal(ap_decode_header(h, &out), -EPROTO);
	h[4] = AP_MSG_PS;
	h[6] = 1;
	assert_int_equal(ap_decode_header(h, &out), -EPROTO);
	h[6] = 0;
	h[2] = 0x10; /* 1 MiB exactly, then one more */
	assert_int_equal(ap_decode_header(h, &out), 0);
	h[0] = 1;
	assert_int_equal(ap_decode_header(h, &out), -EMSGSIZE);
}

static void limits_hold_on_both_sides(void **state)
{
	static const char *many[AP_MAX_STRINGS + 1];
	static struct ap_exec e;

	(void)state;
	e.proc = 1;
	fill_process(&e.process);
	for (size_t i = 0; i <= AP_MAX_STRINGS; i++) {
		many[i] = "x";
	}
	e.process.args = (struct ap_strv){.count = AP_MAX_STRINGS, .vec = many};
	assert_true(ap_encode_exec(&e, 1, frame, sizeof(frame)) > 0);
	e.process.args.count++;
	assert_int_equal(ap_encode_exec(&e, 1, frame, sizeof(frame)), -E2BIG);
	fill_process(&e.process);
	e.process.n_gids = AP_MAX_GIDS + 1;
	assert_int_equal(ap_encode_exec(&e, 1, frame, sizeof(frame)), -E2BIG);
	fill_process(&e.process);
	e.process.n_seccomp = AP_MAX_SECCOMP + 1;
	assert_int_equal(ap_encode_exec(&e, 1, frame, sizeof(frame)), -E2BIG);
	fill_process(&e.process);
	e.process.umask = 01000;
	assert_int_equal(ap_encode_exec(&e, 1, frame, sizeof(frame)), -EINVAL);
	fill_process(&e.process);
	e.process.cwd = NULL;
	assert_int_equal(ap_encode_exec(&e, 1, frame, sizeof(frame)), -EINVAL);
	fill_process(&e.process);
	assert_int_equal(ap_encode_exec(&e, 1, frame, 100), -EMSGSIZE);
	assert_int_equal(ap_encode_exec(&e, 1, frame, 4), -EMSGSIZE);
	fill_container(&box_in);
	box_in.n_mounts = AP_MAX_MOUNTS + 1;
	assert_int_equal(ap_encode_create(&box_in, 1, frame, sizeof(frame)), -E2BIG);
}

static void one_mount_too_many(void **state)
{
	long n;

	(void)state;
	/* the last TLV of the mounts becomes one more: the decoder must count for itself */
	fill_container(&box_in);
	n = ap_encode_create(&box_in, 1, frame, sizeof(frame));
	for (long i = AP_HEADER_LEN; i + 8 < n;) {
		uint32_t len =
			frame[i + 4] | (uint32_t)frame[i + 5] << 8 | (uint32_t)frame[i + 6] << 16;

		if (frame[i] == 11) {
			long size = 8 + (long)len;

			memmove(frame + i + size, frame + i, (size_t)(n - i));
			assert_int_equal(ap_decode_create(frame + AP_HEADER_LEN,
							  (size_t)(n + size) - AP_HEADER_LEN,
							  &box_out),
					 -EPROTO);
			return;
		}
		i += 8 + (long)len;
	}
	fail_msg("no mount in the frame");
}

static void strings_end_where_they_say(void **state)
{
	struct ap_start s;
	uint8_t p[16] = {0};

	(void)state;
	put(p, 1, 0, 3);
	memcpy(p + 8, "ab", 3);
	assert_int_equal(ap_decode_start(p, 11, &s), 0);
	p[9] = 0; /* a NUL inside */
	assert_int_equal(ap_decode_start(p, 11, &s), -EPROTO);
	memcpy(p + 8, "abc", 3); /* none at the end */
	assert_int_equal(ap_decode_start(p, 11, &s), -EPROTO);
	put(p, 1, 0, 0); /* not even the NUL */
	assert_int_equal(ap_decode_start(p, 8, &s), -EPROTO);
	assert_int_equal(ap_decode_start(p, 0, &s), 0);
	assert_null(s.state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_round_trip),
		cmocka_unit_test(decoded_encodes_the_same),
		cmocka_unit_test(container_without_process),
		cmocka_unit_test(some_namespaces_may_be_joined),
		cmocka_unit_test(small_requests_round_trip),
		cmocka_unit_test(guest_messages_round_trip),
		cmocka_unit_test(stream_ports_are_of_their_own),
		cmocka_unit_test(passed_descriptors_are_of_a_kind),
		cmocka_unit_test(connections_are_to_passed_descriptors),
		cmocka_unit_test(members_have_numbers_slots_and_ports),
		cmocka_unit_test(a_notify_is_a_text_of_some_length),
		cmocka_unit_test(resolvers_are_on_the_loopback),
		cmocka_unit_test(every_prefix_is_refused),
		cmocka_unit_test(mutations_stay_inside),
		cmocka_unit_test(tags_order_and_lengths),
		cmocka_unit_test(header_rules),
		cmocka_unit_test(limits_hold_on_both_sides),
		cmocka_unit_test(one_mount_too_many),
		cmocka_unit_test(strings_end_where_they_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
