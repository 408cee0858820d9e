/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_proto.c - the messages between the vmm and the guest agent; see agent_proto.h
 *
 * This file is tables: for each struct its fields with tag, kind and range (agent_codec.h), and
 * for each message its frame. docs/PROTOCOL-agent.md shows the same tables to a second implementer.
 */
#include "base/agent_proto.h"

#include <errno.h>
#include <string.h>

#include "base/agent_codec.h"
#include "base/bytes.h"

#define ANY32 UINT32_MAX
#define ANY64 UINT64_MAX

/* clang-format off */
#define O(s, m) (uint32_t)offsetof(struct s, m)
#define FIELD(...) {__VA_ARGS__}
/* The columns are those of struct apc_field: tag, kind, flags, offset, offset of the number, ... */
#define BOOL(t, s, m)            FIELD(t, APC_BOOL, 0, O(s, m), 0, 0, 0, 1, NULL)
#define U16(t, s, m, hi)         FIELD(t, APC_U16, 0, O(s, m), 0, 0, 0, hi, NULL)
#define U32(t, s, m, hi)         FIELD(t, APC_U32, 0, O(s, m), 0, 0, 0, hi, NULL)
#define U64(t, s, m, hi)         FIELD(t, APC_U64, 0, O(s, m), 0, 0, 0, hi, NULL)
#define MASK32(t, s, m, all)     FIELD(t, APC_U32, APC_MASK, O(s, m), 0, 0, 0, all, NULL)
/* absent when 0 */
#define OPTMASK32(t, s, m, all)                                                                    \
	FIELD(t, APC_U32, APC_OPT | APC_MASK, O(s, m), 0, 0, 0, all, NULL)
#define STR(t, s, m)             FIELD(t, APC_STR, 0, O(s, m), 0, 0, 0, 0, NULL)
#define OPTSTR(t, s, m)          FIELD(t, APC_STR, APC_OPT, O(s, m), 0, 0, 0, 0, NULL)
#define STRV(t, s, m)            FIELD(t, APC_STRV, 0, O(s, m), 0, 0, 0, 0, NULL)
#define U64_FIX(t, s, m, n)      FIELD(t, APC_U64_FIX, 0, O(s, m), 0, n, 0, 0, NULL)
#define U32_ARR(t, s, m, nm, n)  FIELD(t, APC_U32_ARR, 0, O(s, m), O(s, nm), n, 0, 0, NULL)
#define BYTES(t, s, m, n)        FIELD(t, APC_BYTES, 0, O(s, m), 0, n, 0, 0, NULL)
#define BLOB(t, s, m, nm, n, sz) FIELD(t, APC_BLOB, APC_OPT, O(s, m), O(s, nm), n, sz, 0, NULL)
#define SUB(t, s, m, tbl)        FIELD(t, APC_SUB, 0, O(s, m), 0, 0, 0, 0, &(tbl))
/* present exactly when bit @b of the u32 @fl is set */
#define SUB_IF(t, s, m, tbl, fl, b)                                                                \
	FIELD(t, APC_SUB, APC_OPT, O(s, m), O(s, fl), 0, 0, b, &(tbl))
#define LIST(t, s, m, nm, n, tbl)                                                                  \
	FIELD(t, APC_LIST, APC_OPT, O(s, m), O(s, nm), n, sizeof(((struct s *)0)->m[0]), 0, &(tbl))
#define TABLE(name, fields, fn)                                                                    \
	static const struct apc_table name = {(fields), sizeof(fields) / sizeof((fields)[0]), fn}

/* --- tables: guest -> host ---------------------------------------------------------------- */

static const struct apc_field hello_f[] = {
	U32(1, ap_hello, version, ANY32),
	MASK32(2, ap_hello, features, AP_FEAT_ALL),
	U32(3, ap_hello, n_cpus, ANY32),
	U64(4, ap_hello, mem_total, ANY64),
	U64_FIX(5, ap_hello, stamp_ns, AP_STAMP_COUNT),
	STR(6, ap_hello, release),
};
TABLE(hello_t, hello_f, NULL);

static int reply_check(const void *obj)
{
	const struct ap_reply *m = obj;

	return (m->code == 0) == (m->fail == AP_FAIL_NONE) ? 0 : -EPROTO;
}

static const struct apc_field reply_f[] = {
	U32(1, ap_reply, code, 4095),
	U32(2, ap_reply, fail, AP_FAIL_COUNT - 1),
	U32(3, ap_reply, pid, ANY32),
	U64(4, ap_reply, t_ns, ANY64),
	OPTSTR(5, ap_reply, stage),
	OPTSTR(6, ap_reply, text),
	BLOB(7, ap_reply, body, body_len, AP_FRAME_MAX, 1),
};
TABLE(reply_t, reply_f, reply_check);

static const struct apc_field exit_f[] = {
	U32(1, ap_exit, proc, AP_PROC_ID_MAX),
	U32(2, ap_exit, status, 255),
	U32(3, ap_exit, signo, 64),
	BOOL(4, ap_exit, oom),
	U64(5, ap_exit, t_ns, ANY64),
};
TABLE(exit_t, exit_f, NULL);

static int notify_check(const void *obj)
{
	const struct ap_notify *m = obj;

	return strnlen(m->text, AP_NOTIFY_MAX + 1) <= AP_NOTIFY_MAX ? 0 : -EPROTO;
}

static const struct apc_field notify_f[] = {
	STR(1, ap_notify, text),
};
TABLE(notify_t, notify_f, notify_check);

static bool member_known(uint32_t number)
{
	return number >= 1 && number <= AP_MEMBERS_MAX;
}

static int left_check(const void *obj)
{
	return member_known(((const struct ap_left *)obj)->number) ? 0 : -EPROTO;
}

static const struct apc_field left_f[] = {
	U32(1, ap_left, number, AP_MEMBERS_MAX),
	U32(2, ap_left, status, 255),
};
TABLE(left_t, left_f, left_check);

static const struct apc_field stats_f[] = {
	U64_FIX(1, ap_stats, v, AP_STAT_COUNT),
	OPTSTR(2, ap_stats, memory_stat),
};
TABLE(stats_t, stats_f, NULL);

static const struct apc_field ps_entry_f[] = {
	U32(1, ap_ps_entry, pid, ANY32),
	U32(2, ap_ps_entry, ppid, ANY32),
	U32(3, ap_ps_entry, uid, ANY32),
	U64(4, ap_ps_entry, start_ns, ANY64),
	STR(5, ap_ps_entry, comm),
	STR(6, ap_ps_entry, cmdline),
};
TABLE(ps_entry_t, ps_entry_f, NULL);

/* --- tables: host -> guest ---------------------------------------------------------------- */

static const struct apc_table empty_t = {.f = NULL, .n = 0, .check = NULL};

static const struct apc_field configure_f[] = {
	U64(1, ap_configure, realtime_ns, ANY64),
	BOOL(2, ap_configure, has_seed),
	BYTES(3, ap_configure, seed, AP_SEED_LEN),
	OPTSTR(4, ap_configure, hostname),
};
TABLE(configure_t, configure_f, NULL);

static const struct apc_field rlimit_f[] = {
	U32(1, ap_rlimit, resource, 15),
	U64(2, ap_rlimit, soft, ANY64),
	U64(3, ap_rlimit, hard, ANY64),
};
TABLE(rlimit_t, rlimit_f, NULL);

static const struct apc_field sched_f[] = {
	U32(1, ap_sched, policy, ANY32),
	U64(2, ap_sched, flags, ANY64),
	U32(3, ap_sched, nice, ANY32),
	U32(4, ap_sched, priority, ANY32),
	U64(5, ap_sched, runtime_ns, ANY64),
	U64(6, ap_sched, deadline_ns, ANY64),
	U64(7, ap_sched, period_ns, ANY64),
};
TABLE(sched_t, sched_f, NULL);

static bool fd_known(uint32_t fd)
{
	uint32_t family = AP_FD_FAMILY(fd);

	if (!AP_FD_IS_LISTEN(fd)) {
		return (fd >= AP_FD_IN && fd <= AP_FD_BOTH) || fd == AP_FD_NULL;
	}
	if (fd != AP_FD_LISTEN(family, AP_FD_PORT(fd))) {
		return false;
	}
	return family == 0 ? AP_FD_PORT(fd) == 0
			   : (family == 4 || family == 6) && AP_FD_PORT(fd) != 0;
}

static int process_check(const void *obj)
{
	const struct ap_process *p = obj;
	bool has_filter = (p->flags & AP_P_HAS_SECCOMP) != 0;

	if (p->args.count == 0 || p->cwd[0] != '/') {
		return -EPROTO;
	}
	if (p->oom_score_adj < -1000 || p->oom_score_adj > 1000) {
		return -EPROTO;
	}
	if (p->port != 0 && p->port != AP_PORT_STDIO(p->port)) {
		return -EPROTO;
	}
	for (uint32_t i = 0; i < p->n_fds; i++) {
		if (!fd_known(p->fds[i])) {
			return -EPROTO;
		}
	}
	return has_filter == (p->n_seccomp > 0) ? 0 : -EPROTO;
}

static const struct apc_field process_f[] = {
	MASK32(1, ap_process, flags, AP_P_ALL),
	MASK32(2, ap_process, stdio, AP_STDIO_ALL),
	STRV(3, ap_process, args),
	STRV(4, ap_process, env),
	STR(5, ap_process, cwd),
	U32(6, ap_process, uid, ANY32),
	U32(7, ap_process, gid, ANY32),
	U32(8, ap_process, umask, 0777),
	U32_ARR(9, ap_process, gids, n_gids, AP_MAX_GIDS),
	U64_FIX(10, ap_process, caps, AP_CAPS_COUNT),
	LIST(11, ap_process, rlimits, n_rlimits, AP_MAX_RLIMITS, rlimit_t),
	U32(12, ap_process, oom_score_adj, ANY32),
	SUB(13, ap_process, sched, sched_t),
	U32(14, ap_process, ioprio, 0xffff),
	U32(15, ap_process, personality, ANY32),
	U64(16, ap_process, cpus_initial, ANY64),
	U64(17, ap_process, cpus_final, ANY64),
	BLOB(18, ap_process, seccomp, n_seccomp, AP_MAX_SECCOMP, 8),
	U32(19, ap_process, seccomp_flags, ANY32),
	U16(20, ap_process, rows, UINT16_MAX),
	U16(21, ap_process, cols, UINT16_MAX),
	U32(22, ap_process, port, AP_PORT_STDIO(UINT32_MAX)),
	U32_ARR(23, ap_process, fds, n_fds, AP_MAX_FDS),
	OPTSTR(24, ap_process, cgroup),
};
TABLE(process_t, process_f, process_check);

static int mount_check(const void *obj)
{
	const struct ap_mount *m = obj;

	return m->dest[0] == '/' ? 0 : -EPROTO;
}

static const struct apc_field mount_f[] = {
	STR(1, ap_mount, dest),
	STR(2, ap_mount, type),
	OPTSTR(3, ap_mount, source),
	OPTSTR(4, ap_mount, data),
	U32(5, ap_mount, share, ANY32),
	MASK32(6, ap_mount, flags, AP_M_ALL),
	U64(7, ap_mount, ms_flags, ANY64),
	U64(8, ap_mount, ms_clear, ANY64),
	U64(9, ap_mount, attr_set, ANY64),
	U64(10, ap_mount, attr_clear, ANY64),
	U32_ARR(11, ap_mount, propagation, n_propagation, AP_MAX_PROPAGATION),
};
TABLE(mount_t, mount_f, mount_check);

static int device_check(const void *obj)
{
	const struct ap_device *d = obj;
	bool known = d->type == 'c' || d->type == 'b' || d->type == 'p';

	return known && d->path[0] == '/' ? 0 : -EPROTO;
}

static const struct apc_field device_f[] = {
	STR(1, ap_device, path),
	U32(2, ap_device, type, 'p'),
	U32(3, ap_device, major, ANY32),
	U32(4, ap_device, minor, ANY32),
	U32(5, ap_device, mode, 07777),
	U32(6, ap_device, uid, ANY32),
	U32(7, ap_device, gid, ANY32),
};
TABLE(device_t, device_f, device_check);

static const struct apc_field kv_f[] = {
	STR(1, ap_kv, key),
	STR(2, ap_kv, value),
};
TABLE(kv_t, kv_f, NULL);

static const struct apc_field io_max_f[] = {
	U32(1, ap_io_max, major, ANY32),
	U32(2, ap_io_max, minor, ANY32),
	U64(3, ap_io_max, rbps, ANY64),
	U64(4, ap_io_max, wbps, ANY64),
	U64(5, ap_io_max, riops, ANY64),
	U64(6, ap_io_max, wiops, ANY64),
};
TABLE(io_max_t, io_max_f, NULL);

static const struct apc_field resources_f[] = {
	U64(1, ap_resources, memory_max, ANY64),
	U64(2, ap_resources, memory_swap_max, ANY64),
	U64(3, ap_resources, memory_low, ANY64),
	U64(4, ap_resources, memory_high, ANY64),
	U64(5, ap_resources, cpu_quota_us, ANY64),
	U64(6, ap_resources, cpu_period_us, ANY64),
	U64(7, ap_resources, cpu_burst_us, ANY64),
	U64(8, ap_resources, cpu_weight, ANY64),
	U64(9, ap_resources, cpu_idle, ANY64),
	U64(10, ap_resources, pids_max, ANY64),
	U64(11, ap_resources, io_weight, ANY64),
	OPTSTR(12, ap_resources, cpus),
	OPTSTR(13, ap_resources, mems),
	LIST(14, ap_resources, io, n_io, AP_MAX_IO, io_max_t),
	LIST(15, ap_resources, unified, n_unified, AP_MAX_UNIFIED, kv_t),
};
TABLE(resources_t, resources_f, NULL);

static const struct apc_field idmap_f[] = {
	U32(1, ap_idmap, inside, ANY32),
	U32(2, ap_idmap, outside, ANY32),
	U32(3, ap_idmap, count, ANY32),
};
TABLE(idmap_t, idmap_f, NULL);

static const struct apc_field hook_f[] = {
	STR(1, ap_hook, path),
	STRV(2, ap_hook, args),
	STRV(3, ap_hook, env),
	U32(4, ap_hook, timeout_s, ANY32),
};
TABLE(hook_t, hook_f, NULL);

static const struct apc_field container_f[] = {
	MASK32(1, ap_container, flags, AP_C_ALL),
	MASK32(2, ap_container, namespaces, AP_NS_ALL),
	OPTSTR(3, ap_container, rootfs),
	OPTSTR(4, ap_container, hostname),
	OPTSTR(5, ap_container, domainname),
	U32(6, ap_container, rootfs_propagation, ANY32),
	U64(7, ap_container, monotonic_s, ANY64),
	U32(8, ap_container, monotonic_ns, 999999999),
	U64(9, ap_container, boottime_s, ANY64),
	U32(10, ap_container, boottime_ns, 999999999),
	LIST(11, ap_container, mounts, n_mounts, AP_MAX_MOUNTS, mount_t),
	STRV(12, ap_container, masked),
	STRV(13, ap_container, readonly),
	LIST(14, ap_container, devices, n_devices, AP_MAX_DEVICES, device_t),
	LIST(15, ap_container, sysctls, n_sysctls, AP_MAX_SYSCTLS, kv_t),
	SUB(16, ap_container, resources, resources_t),
	LIST(17, ap_container, uidmaps, n_uidmaps, AP_MAX_IDMAPS, idmap_t),
	LIST(18, ap_container, gidmaps, n_gidmaps, AP_MAX_IDMAPS, idmap_t),
	LIST(19, ap_container, hooks, n_hooks, AP_MAX_HOOKS, hook_t),
	SUB_IF(20, ap_container, process, process_t, flags, AP_C_HAS_PROCESS),
	OPTMASK32(21, ap_container, joined, AP_NS_JOINED),
	LIST(22, ap_container, net_sysctls, n_net_sysctls, AP_MAX_NET_SYSCTLS, kv_t),
};

static int container_check(const void *obj)
{
	const struct ap_container *c = obj;
	bool has = (c->flags & AP_C_HAS_PROCESS) != 0;

	if (c->joined & ~c->namespaces) {
		return -EPROTO;
	}
	return has == (c->process.cwd != NULL) ? 0 : -EPROTO;
}
TABLE(container_t, container_f, container_check);

static const struct apc_field start_f[] = {
	OPTSTR(1, ap_start, state),
};
TABLE(start_t, start_f, NULL);

static int exec_check(const void *obj)
{
	return ((const struct ap_exec *)obj)->proc != 0 ? 0 : -EPROTO;
}

static const struct apc_field exec_f[] = {
	U32(1, ap_exec, proc, AP_PROC_ID_MAX),
	SUB(2, ap_exec, process, process_t),
};
TABLE(exec_t, exec_f, exec_check);

static const struct apc_field signal_f[] = {
	U32(1, ap_signal, proc, AP_PROC_ID_MAX),
	U32(2, ap_signal, signo, 64),
	BOOL(3, ap_signal, all),
};
TABLE(signal_t, signal_f, NULL);

static int accept_check(const void *obj)
{
	const struct ap_accept *m = obj;

	return m->stream >= AP_STREAMS - AP_MAX_FDS && m->port == AP_PORT_STDIO(m->port) ? 0 : -EPROTO;
}

static const struct apc_field accept_f[] = {
	U32(1, ap_accept, proc, AP_PROC_ID_MAX),
	U32(2, ap_accept, stream, AP_STREAMS - 1),
	U32(3, ap_accept, port, AP_PORT_STDIO(UINT32_MAX)),
};
TABLE(accept_t, accept_f, accept_check);

static const struct apc_field resize_f[] = {
	U32(1, ap_resize, proc, AP_PROC_ID_MAX),
	U16(2, ap_resize, rows, UINT16_MAX),
	U16(3, ap_resize, cols, UINT16_MAX),
};
TABLE(resize_t, resize_f, NULL);

static int join_check(const void *obj)
{
	const struct ap_join *m = obj;

	return member_known(m->number) && m->port == AP_PORT_STDIO(m->port) ? 0 : -EPROTO;
}

static const struct apc_field join_f[] = {
	U32(1, ap_join, number, AP_MEMBERS_MAX),
	U32(2, ap_join, slot, AP_MAX_LINKS - 1),
	U32(3, ap_join, port, AP_PORT_STDIO(UINT32_MAX)),
};
TABLE(join_t, join_f, join_check);

static bool link_known(uint32_t link)
{
	return link < AP_MAX_LINKS || link == AP_LINK_LO;
}

/* The bits of an address in its family, 0 for a family that isn't one. */
static uint32_t family_bits(uint32_t family)
{
	return family == 4 ? 32 : family == 6 ? 128 : 0;
}

static int link_check(const void *obj)
{
	const struct ap_link *l = obj;
	size_t len = strlen(l->name);

	return len >= 1 && len <= AP_NET_NAME_MAX ? 0 : -EPROTO;
}

static const struct apc_field link_f[] = {
	STR(1, ap_link, name),
	BYTES(2, ap_link, mac, 6),
	U32(3, ap_link, mtu, 65535),
	U32(4, ap_link, txqlen, ANY32),
	MASK32(5, ap_link, flags, AP_L_ALL),
	U32(6, ap_link, slot, AP_MAX_LINKS - 1),
};
TABLE(link_t, link_f, link_check);

static int addr_check(const void *obj)
{
	const struct ap_addr *a = obj;
	uint32_t bits = family_bits(a->family);

	return link_known(a->link) && bits != 0 && a->prefix <= bits ? 0 : -EPROTO;
}

static const struct apc_field addr_f[] = {
	U32(1, ap_addr, link, 255),
	U32(2, ap_addr, family, 6),
	U32(3, ap_addr, prefix, 128),
	U32(4, ap_addr, scope, 255),
	MASK32(5, ap_addr, flags, AP_A_ALL),
	BYTES(6, ap_addr, addr, 16),
	BYTES(7, ap_addr, peer, 16),
	BYTES(8, ap_addr, broadcast, 16),
};
TABLE(addr_t, addr_f, addr_check);

static int route_check(const void *obj)
{
	const struct ap_route *r = obj;
	uint32_t bits = family_bits(r->family);

	if (bits == 0 || r->prefix > bits || r->src_prefix > bits) {
		return -EPROTO;
	}
	return link_known(r->link) || r->link == AP_LINK_NONE ? 0 : -EPROTO;
}

static const struct apc_field route_f[] = {
	U32(1, ap_route, link, 255),
	U32(2, ap_route, family, 6),
	MASK32(3, ap_route, flags, AP_R_ALL),
	U32(4, ap_route, type, 255),
	U32(5, ap_route, scope, 255),
	U32(6, ap_route, protocol, 255),
	U32(7, ap_route, table, ANY32),
	U32(8, ap_route, tos, 255),
	U32(9, ap_route, priority, ANY32),
	U32(10, ap_route, prefix, 128),
	U32(11, ap_route, src_prefix, 128),
	BYTES(12, ap_route, dst, 16),
	BYTES(13, ap_route, src, 16),
	BYTES(14, ap_route, gateway, 16),
	BYTES(15, ap_route, prefsrc, 16),
	U32_ARR(16, ap_route, metrics, n_metrics, AP_MAX_METRICS),
};
TABLE(route_t, route_f, route_check);

static int neigh_check(const void *obj)
{
	const struct ap_neigh *n = obj;

	return link_known(n->link) && family_bits(n->family) != 0 ? 0 : -EPROTO;
}

static const struct apc_field neigh_f[] = {
	U32(1, ap_neigh, link, 255),
	U32(2, ap_neigh, family, 6),
	BYTES(3, ap_neigh, addr, 16),
	BYTES(4, ap_neigh, mac, 6),
};
TABLE(neigh_t, neigh_f, neigh_check);

static int rule_check(const void *obj)
{
	const struct ap_rule *r = obj;
	uint32_t bits = family_bits(r->family);

	if (bits == 0 || r->src_prefix > bits || r->dst_prefix > bits) {
		return -EPROTO;
	}
	return (link_known(r->in_link) || r->in_link == AP_LINK_NONE) &&
			       (link_known(r->out_link) || r->out_link == AP_LINK_NONE)
		       ? 0
		       : -EPROTO;
}

static const struct apc_field rule_f[] = {
	U32(1, ap_rule, family, 6),
	U32(2, ap_rule, action, 255),
	U32(3, ap_rule, priority, ANY32),
	U32(4, ap_rule, table, ANY32),
	U32(5, ap_rule, goto_priority, ANY32),
	U32(6, ap_rule, tos, 255),
	U32(7, ap_rule, mark, ANY32),
	U32(8, ap_rule, mark_mask, ANY32),
	U32(9, ap_rule, in_link, 255),
	U32(10, ap_rule, out_link, 255),
	U32(11, ap_rule, src_prefix, 128),
	U32(12, ap_rule, dst_prefix, 128),
	BYTES(13, ap_rule, src, 16),
	BYTES(14, ap_rule, dst, 16),
};
TABLE(rule_t, rule_f, rule_check);

static int net_check(const void *obj)
{
	static const uint8_t none[4];
	const struct ap_net *m = obj;
	uint32_t slots = 0;

	for (uint32_t i = 0; i < m->n_links; i++) {
		if (slots & (1u << m->links[i].slot)) {
			return -EPROTO;
		}
		slots |= 1u << m->links[i].slot;
	}
	return m->resolver[0] == 127 || memcmp(m->resolver, none, sizeof(none)) == 0 ? 0 : -EPROTO;
}

static const struct apc_field net_f[] = {
	LIST(1, ap_net, links, n_links, AP_MAX_LINKS, link_t),
	LIST(2, ap_net, addrs, n_addrs, AP_MAX_ADDRS, addr_t),
	LIST(3, ap_net, routes, n_routes, AP_MAX_ROUTES, route_t),
	LIST(4, ap_net, neighs, n_neighs, AP_MAX_NEIGHS, neigh_t),
	LIST(5, ap_net, rules, n_rules, AP_MAX_RULES, rule_t),
	BYTES(6, ap_net, resolver, 4),
};
TABLE(net_t, net_f, net_check);

/* clang-format on */

/* --- frames -------------------------------------------------------------------------------- */

static long put_header(uint16_t type, uint32_t id, size_t len, void *buf)
{
	struct vr_wr w;

	vr_wr_init(&w, buf, AP_HEADER_LEN);
	vr_wr_u32(&w, (uint32_t)len);
	vr_wr_u16(&w, type);
	vr_wr_u16(&w, 0);
	vr_wr_u32(&w, id);
	return (long)(len + AP_HEADER_LEN);
}

static long encode_frame(uint16_t type, uint32_t id, const struct apc_table *t, const void *obj,
			 void *buf, size_t cap)
{
	long n;

	if (cap < AP_HEADER_LEN) {
		return -EMSGSIZE;
	}
	n = apc_encode(t, obj, (char *)buf + AP_HEADER_LEN, cap - AP_HEADER_LEN);
	return n < 0 ? n : put_header(type, id, (size_t)n, buf);
}

long ap_encode_payload(uint16_t type, uint32_t id, const void *payload, size_t len, void *buf,
		       size_t cap)
{
	if (len > AP_FRAME_MAX || cap < AP_HEADER_LEN || cap - AP_HEADER_LEN < len) {
		return -EMSGSIZE;
	}
	memcpy((char *)buf + AP_HEADER_LEN, payload, len);
	return put_header(type, id, len, buf);
}

const char *ap_strv_next(const struct ap_strv *v, const char *prev)
{
	const char *next = prev ? prev + strlen(prev) + 1 : v->blob;

	return next && next < v->blob + v->len ? next : NULL;
}

void ap_resources_init(struct ap_resources *r)
{
	memset(r, 0, sizeof(*r));
	r->memory_max = r->memory_swap_max = r->memory_low = r->memory_high = AP_UNSET;
	r->cpu_quota_us = r->cpu_period_us = r->cpu_burst_us = AP_UNSET;
	r->cpu_weight = r->cpu_idle = r->pids_max = r->io_weight = AP_UNSET;
}

void ap_container_init(struct ap_container *c)
{
	memset(c, 0, sizeof(*c));
	ap_resources_init(&c->resources);
}

const char *ap_type_name(uint16_t type)
{
	static const char *const requests[] = {
		[AP_MSG_CONFIGURE] = "configure",
		[AP_MSG_CREATE] = "create",
		[AP_MSG_START] = "start",
		[AP_MSG_EXEC] = "exec",
		[AP_MSG_SIGNAL] = "signal",
		[AP_MSG_RESIZE] = "resize",
		[AP_MSG_STATS] = "stats",
		[AP_MSG_PS] = "ps",
		[AP_MSG_FREEZE] = "freeze",
		[AP_MSG_THAW] = "thaw",
		[AP_MSG_UPDATE] = "update",
		[AP_MSG_SHUTDOWN] = "shutdown",
		[AP_MSG_NET] = "net",
		[AP_MSG_ACCEPT] = "accept",
		[AP_MSG_JOIN] = "join",
	};

	switch (type) {
	case AP_MSG_HELLO:
		return "hello";
	case AP_MSG_REPLY:
		return "reply";
	case AP_MSG_EXIT:
		return "exit";
	case AP_MSG_NOTIFY:
		return "notify";
	case AP_MSG_LEFT:
		return "left";
	default:
		return ap_type_is_request(type) ? requests[type] : "unknown";
	}
}

bool ap_type_is_request(uint16_t type)
{
	return type >= AP_MSG_CONFIGURE && type <= AP_MSG_JOIN;
}

int ap_decode_header(const uint8_t hdr[AP_HEADER_LEN], struct ap_header *out)
{
	struct vr_rd r;
	uint32_t len;
	uint16_t type;
	uint16_t zero;
	uint32_t id;
	bool event;

	vr_rd_init(&r, hdr, AP_HEADER_LEN);
	len = vr_rd_u32(&r);
	type = vr_rd_u16(&r);
	zero = vr_rd_u16(&r);
	id = vr_rd_u32(&r);
	event = type == AP_MSG_HELLO || type == AP_MSG_EXIT || type == AP_MSG_NOTIFY ||
		type == AP_MSG_LEFT;
	if (zero != 0 || (!event && type != AP_MSG_REPLY && !ap_type_is_request(type))) {
		return -EPROTO;
	}
	if (event != (id == 0)) {
		return -EPROTO;
	}
	if (len > AP_FRAME_MAX) {
		return -EMSGSIZE;
	}
	*out = (struct ap_header){.len = len, .type = type, .id = id};
	return 0;
}

long ap_encode_empty(uint16_t type, uint32_t id, void *buf, size_t cap)
{
	return encode_frame(type, id, &empty_t, NULL, buf, cap);
}

int ap_decode_empty(const void *p, size_t len)
{
	(void)p;
	return len == 0 ? 0 : -EPROTO;
}

/* A request's pair: the encoder makes a frame, the decoder reads its payload. */
#define REQUEST(name, type, msg, table)                                                            \
	long ap_encode_##name(const struct msg *m, uint32_t id, void *buf, size_t cap)             \
	{                                                                                          \
		return encode_frame(type, id, &(table), m, buf, cap);                              \
	}                                                                                          \
	int ap_decode_##name(const void *p, size_t len, struct msg *out)                           \
	{                                                                                          \
		return apc_decode(&(table), p, len, out, sizeof(*out));                            \
	}

REQUEST(configure, AP_MSG_CONFIGURE, ap_configure, configure_t)
REQUEST(create, AP_MSG_CREATE, ap_container, container_t)
REQUEST(start, AP_MSG_START, ap_start, start_t)
REQUEST(exec, AP_MSG_EXEC, ap_exec, exec_t)
REQUEST(signal, AP_MSG_SIGNAL, ap_signal, signal_t)
REQUEST(accept, AP_MSG_ACCEPT, ap_accept, accept_t)
REQUEST(resize, AP_MSG_RESIZE, ap_resize, resize_t)
REQUEST(join, AP_MSG_JOIN, ap_join, join_t)
REQUEST(update, AP_MSG_UPDATE, ap_resources, resources_t)
REQUEST(net, AP_MSG_NET, ap_net, net_t)
REQUEST(reply, AP_MSG_REPLY, ap_reply, reply_t)

long ap_encode_hello(const struct ap_hello *m, void *buf, size_t cap)
{
	return encode_frame(AP_MSG_HELLO, 0, &hello_t, m, buf, cap);
}

int ap_decode_hello(const void *p, size_t len, struct ap_hello *out)
{
	return apc_decode(&hello_t, p, len, out, sizeof(*out));
}

long ap_encode_exit(const struct ap_exit *m, void *buf, size_t cap)
{
	return encode_frame(AP_MSG_EXIT, 0, &exit_t, m, buf, cap);
}

int ap_decode_exit(const void *p, size_t len, struct ap_exit *out)
{
	return apc_decode(&exit_t, p, len, out, sizeof(*out));
}

long ap_encode_notify(const struct ap_notify *m, void *buf, size_t cap)
{
	return encode_frame(AP_MSG_NOTIFY, 0, &notify_t, m, buf, cap);
}

int ap_decode_notify(const void *p, size_t len, struct ap_notify *out)
{
	return apc_decode(&notify_t, p, len, out, sizeof(*out));
}

long ap_encode_left(const struct ap_left *m, void *buf, size_t cap)
{
	return encode_frame(AP_MSG_LEFT, 0, &left_t, m, buf, cap);
}

int ap_decode_left(const void *p, size_t len, struct ap_left *out)
{
	return apc_decode(&left_t, p, len, out, sizeof(*out));
}

long ap_encode_stats(const struct ap_stats *m, void *buf, size_t cap)
{
	return apc_encode(&stats_t, m, buf, cap);
}

int ap_decode_stats(const void *p, size_t len, struct ap_stats *out)
{
	return apc_decode(&stats_t, p, len, out, sizeof(*out));
}

long ap_encode_ps(const struct ap_ps_entry *m, size_t n, void *buf, size_t cap)
{
	return apc_encode_list(&ps_entry_t, m, n, sizeof(*m), buf, cap);
}

int ap_decode_ps(const void *p, size_t len, struct ap_ps_entry *out, size_t cap, size_t *out_n)
{
	return apc_decode_list(&ps_entry_t, p, len, out, sizeof(*out), cap, out_n);
}
