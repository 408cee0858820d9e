/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_agent_proto.c - hostile payloads for both sides of the agent protocol
 *
 * The input's first byte picks a message, the rest is its payload. Property: what a decoder accepts
 * has exactly one encoding, so encoding it again gives the same bytes; and every borrowed string
 * lies inside the payload (a sanitizer would see it otherwise).
 *
 * The smoke test damages a few bytes, lengths or whole TLVs of valid messages, and then insists that
 * every decoder accepted and refused something.
 */
#include "fuzz.h"

#include "base/agent_proto.h"

#define N_RANDOM 50000

static uint8_t out[AP_HEADER_LEN + AP_FRAME_MAX];

static union {
	struct ap_configure configure;
	struct ap_container create;
	struct ap_start start;
	struct ap_exec exec;
	struct ap_signal signal;
	struct ap_resize resize;
	struct ap_accept accept;
	struct ap_join join;
	struct ap_resources update;
	struct ap_net net;
	struct ap_hello hello;
	struct ap_reply reply;
	struct ap_exit exit;
	struct ap_notify notify;
	struct ap_left left;
	struct ap_stats stats;
	struct ap_ps_entry ps[AP_MAX_PS];
} m;
static size_t n_ps;

#define REQUEST(name)                                                                              \
	static int d_##name(const uint8_t *p, size_t n)                                            \
	{                                                                                          \
		return ap_decode_##name(p, n, &m.name);                                            \
	}                                                                                          \
	static long e_##name(void)                                                                 \
	{                                                                                          \
		return ap_encode_##name(&m.name, 1, out, sizeof(out));                             \
	}
REQUEST(configure)
REQUEST(create)
REQUEST(start)
REQUEST(exec)
REQUEST(signal)
REQUEST(resize)
REQUEST(accept)
REQUEST(join)
REQUEST(update)
REQUEST(net)
REQUEST(reply)

#define EVENT(name)                                                                                \
	static int d_##name(const uint8_t *p, size_t n)                                            \
	{                                                                                          \
		return ap_decode_##name(p, n, &m.name);                                            \
	}                                                                                          \
	static long e_##name(void)                                                                 \
	{                                                                                          \
		return ap_encode_##name(&m.name, out, sizeof(out));                                \
	}
EVENT(hello)
EVENT(exit)
EVENT(notify)
EVENT(left)

/* Bodies have no header; room for one is left so that all look alike. */
static int d_stats(const uint8_t *p, size_t n)
{
	return ap_decode_stats(p, n, &m.stats);
}

static long body(long n)
{
	return n < 0 ? n : n + (long)AP_HEADER_LEN;
}

static long e_stats(void)
{
	return body(ap_encode_stats(&m.stats, out + AP_HEADER_LEN, AP_FRAME_MAX));
}

static int d_ps(const uint8_t *p, size_t n)
{
	return ap_decode_ps(p, n, m.ps, AP_MAX_PS, &n_ps);
}

static long e_ps(void)
{
	return body(ap_encode_ps(m.ps, n_ps, out + AP_HEADER_LEN, AP_FRAME_MAX));
}

static struct {
	const char *name;
	int (*decode)(const uint8_t *p, size_t n);
	long (*encode)(void);
	unsigned long accepted;
	unsigned long refused;
} messages[] = {
	{"configure", d_configure, e_configure, 0, 0},
	{"create", d_create, e_create, 0, 0},
	{"start", d_start, e_start, 0, 0},
	{"exec", d_exec, e_exec, 0, 0},
	{"signal", d_signal, e_signal, 0, 0},
	{"resize", d_resize, e_resize, 0, 0},
	{"update", d_update, e_update, 0, 0},
	{"reply", d_reply, e_reply, 0, 0},
	{"hello", d_hello, e_hello, 0, 0},
	{"exit", d_exit, e_exit, 0, 0},
	{"stats", d_stats, e_stats, 0, 0},
	{"ps", d_ps, e_ps, 0, 0},
	{"net", d_net, e_net, 0, 0},
	{"accept", d_accept, e_accept, 0, 0},
	{"join", d_join, e_join, 0, 0},
	{"left", d_left, e_left, 0, 0},
	{"notify", d_notify, e_notify, 0, 0},
};
#define N_MESSAGES (sizeof(messages) / sizeof(messages[0]))

/*
 * Why a payload may be refused, as far as its TLVs show; what lies in them is one reason. Tags
 * ascend, and repeat in lists only.
 */
static const char *fault_of(const uint8_t *p, size_t n)
{
	uint16_t last = 0;

	while (n > 0) {
		uint16_t tag, zero;
		uint32_t len;

		if (n < 8) {
			return "a TLV's header is cut off";
		}
		memcpy(&tag, p, sizeof(tag));
		memcpy(&zero, p + 2, sizeof(zero));
		memcpy(&len, p + 4, sizeof(len));
		if (zero != 0) {
			return "reserved bytes";
		}
		if (len > n - 8) {
			return "a value is cut off";
		}
		if (tag < last || tag == 0) {
			return "order of tags";
		}
		last = tag;
		p += 8 + len;
		n -= 8 + len;
	}
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *fault;
	size_t which;
	uint8_t *exact;
	long n;

	if (size < 1 || size > AP_FRAME_MAX) {
		return 0;
	}
	which = data[0] % N_MESSAGES;
	size--;
	exact = malloc(size ? size : 1);
	if (!exact) {
		return 0;
	}
	memcpy(exact, data + 1, size);
	fault = fault_of(exact, size);
	if (messages[which].decode(exact, size)) {
		messages[which].refused++;
		fuzz_outcome("%s refused: %s", messages[which].name, fault ? fault : "fields");
		free(exact);
		return 0;
	}
	fuzz_must(!fault, "what is accepted is made of TLVs in order");
	messages[which].accepted++;
	fuzz_outcome("%s accepted", messages[which].name);
	n = messages[which].encode();
	if (n != (long)(size + AP_HEADER_LEN) || memcmp(out + AP_HEADER_LEN, exact, size) != 0) {
		fprintf(stderr, "%s: accepted bytes that it would not write\n",
			messages[which].name);
		abort();
	}
	free(exact);
	return 0;
}

#ifndef VOLT_LIBFUZZER

static uint32_t rnd(uint32_t below)
{
	return fuzz_random() % below;
}

static const char *const words[] = {"/bin/sh", "", "a=b", "/dev/null"};

static struct ap_strv strv(void)
{
	return (struct ap_strv){.count = rnd(4) + 1, .vec = words};
}

static void some_process(struct ap_process *p)
{
	p->args = strv();
	p->env = strv();
	p->cwd = "/";
	p->n_gids = rnd(5);
	p->n_rlimits = rnd(3);
	p->n_fds = rnd(4);
	for (uint32_t i = 0; i < p->n_fds; i++) {
		p->fds[i] = rnd(2) ? rnd(4) ? 1 + rnd(3) : AP_FD_NULL
				   : AP_FD_LISTEN(rnd(2) ? 4 : 6, 1 + rnd(65535));
	}
	p->caps[rnd(AP_CAPS_COUNT)] = rnd(1000);
	if (rnd(2)) {
		p->flags |= AP_P_HAS_SECCOMP;
		p->seccomp = (const uint8_t *)"0123456789abcdef";
		p->n_seccomp = 1 + rnd(2);
	}
}

static void some_container(struct ap_container *c)
{
	ap_container_init(c);
	c->namespaces = AP_NS_ALL;
	c->joined = rnd(2) ? AP_NS_IPC | AP_NS_UTS : 0;
	c->n_mounts = rnd(4);
	for (uint32_t i = 0; i < c->n_mounts; i++) {
		c->mounts[i] = (struct ap_mount){
			.dest = "/m", .type = "tmpfs", .data = rnd(2) ? "x" : NULL};
	}
	c->n_devices = rnd(2);
	c->devices[0] = (struct ap_device){.path = "/dev/x", .type = 'c'};
	c->n_uidmaps = rnd(3);
	c->masked = strv();
	c->hostname = rnd(2) ? "h" : NULL;
	if (rnd(2)) {
		c->flags |= AP_C_HAS_PROCESS;
		some_process(&c->process);
	}
}

static void some_net(struct ap_net *n)
{
	n->n_links = rnd(3);
	for (uint32_t i = 0; i < n->n_links; i++) {
		n->links[i] = (struct ap_link){
			.slot = 4 * i + rnd(4), .name = "eth0", .mtu = 1500, .flags = AP_L_UP};
	}
	n->n_addrs = rnd(3);
	n->n_routes = rnd(3);
	for (uint32_t i = 0; i < 2; i++) {
		n->addrs[i] = (struct ap_addr){.family = rnd(2) ? 4 : 6, .prefix = 24};
		n->routes[i] = (struct ap_route){
			.family = rnd(2) ? 4 : 6, .link = AP_LINK_LO, .n_metrics = rnd(3)};
	}
	n->n_neighs = rnd(2);
	n->neighs[0] = (struct ap_neigh){.family = 4};
	n->n_rules = rnd(2);
	n->rules[0] =
		(struct ap_rule){.family = 6, .in_link = AP_LINK_NONE, .out_link = AP_LINK_LO};
}

/* Fill message number @which with something its encoder takes. */
static void some_message(size_t which)
{
	memset(&m, 0, sizeof(m));
	n_ps = rnd(3);
	switch (which) {
	case 1:
		some_container(&m.create);
		break;
	case 2:
		m.start.state = rnd(2) ? "{}" : NULL;
		break;
	case 3:
		m.exec.proc = 1 + rnd(9);
		some_process(&m.exec.process);
		break;
	case 6:
		ap_resources_init(&m.update);
		m.update.cpus = "0";
		break;
	case 7:
		m.reply.text = rnd(2) ? "text" : NULL;
		break;
	case 8:
		m.hello.release = "6";
		break;
	case 11:
		m.ps[0].comm = m.ps[1].comm = "c";
		m.ps[0].cmdline = m.ps[1].cmdline = "";
		break;
	case 12:
		some_net(&m.net);
		break;
	case 13:
		m.accept =
			(struct ap_accept){.stream = 3 + rnd(13), .port = AP_PORT_STDIO(rnd(1000))};
		break;
	case 14:
		m.join = (struct ap_join){.number = 1 + rnd(AP_MEMBERS_MAX),
					  .slot = rnd(AP_MAX_LINKS),
					  .port = AP_PORT_STDIO(rnd(1000))};
		break;
	case 15:
		m.left = (struct ap_left){.number = 1 + rnd(AP_MEMBERS_MAX), .status = rnd(256)};
		break;
	case 16:
		m.notify.text = rnd(2) ? "READY=1" : "";
		break;
	default:
		break;
	}
}

static void damage(uint8_t *p, size_t *n)
{
	for (uint32_t k = rnd(3); k > 0 && *n > 0; k--) {
		size_t at = rnd((uint32_t)*n);
		size_t len = 1 + rnd(12);

		switch (rnd(4)) {
		case 0:
			p[at] ^= (uint8_t)(1u << rnd(8));
			break;
		case 1:
			p[at] = (uint8_t)rnd(256);
			break;
		case 2: /* cut bytes out */
			len = len < *n - at ? len : *n - at;
			memmove(p + at, p + at + len, *n - at - len);
			*n -= len;
			break;
		default:
			*n = at; /* cut the rest off */
		}
	}
}

static bool smoke(void)
{
	static uint8_t in[1 + AP_FRAME_MAX];

	for (int i = 0; i < N_RANDOM; i++) {
		size_t which = rnd(N_MESSAGES);
		size_t n;
		long len;

		some_message(which);
		len = messages[which].encode();
		if (len < (long)AP_HEADER_LEN || len > 16384) {
			fprintf(stderr, "%s: seed not encoded\n", messages[which].name);
			return false;
		}
		n = (size_t)len - AP_HEADER_LEN;
		in[0] = (uint8_t)which;
		memcpy(in + 1, out + AP_HEADER_LEN, n);
		damage(in + 1, &n);
		LLVMFuzzerTestOneInput(in, n + 1);
	}
	for (size_t i = 0; i < N_MESSAGES; i++) {
		if (messages[i].accepted == 0 || messages[i].refused == 0) {
			fprintf(stderr, "%s: accepted %lu, refused %lu: tests nothing\n",
				messages[i].name, messages[i].accepted, messages[i].refused);
			return false;
		}
	}
	return true;
}

static const struct fuzz_known known[] = {
	FUZZ_KNOWN("start", "start accepted"),
	FUZZ_KNOWN("notify", "notify accepted"),
	FUZZ_REPAIRED("bad-start-tag", "start refused: fields", "start accepted", 1, 1),
	FUZZ_REPAIRED("bad-start-reserved", "start refused: reserved bytes", "start accepted", 4,
		      0),
	FUZZ_REPAIRED("bad-start-length", "start refused: a value is cut off", "start accepted", 5,
		      3),
	FUZZ_RESIZED("bad-start-short", "start refused: a TLV's header is cut off",
		     "start accepted", 1, 1, 1 + 8 + 1),
	FUZZ_REPAIRED("bad-start-string", "start refused: fields", "start accepted", 11, 0),
	FUZZ_RESIZED("bad-start-twice", "start refused: fields", "start accepted", 1, 1, 1 + 8 + 3),
	FUZZ_KNOWN("signal", "signal accepted"),
	FUZZ_KNOWN("bad-signal-empty", "signal refused: fields"),
	FUZZ_REPAIRED("bad-signal-number", "signal refused: fields", "signal accepted", 21, 64),
	FUZZ_REPAIRED("bad-signal-bool", "signal refused: fields", "signal accepted", 33, 1),
	FUZZ_REPAIRED("bad-signal-order", "signal refused: order of tags", "signal accepted", 13,
		      2),
	FUZZ_REPAIRED("bad-left-member", "left refused: fields", "left accepted", 9, 1),
};
#endif

FUZZ_MAIN("agent_proto", known, smoke)
