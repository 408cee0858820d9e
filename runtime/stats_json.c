/* SPDX-License-Identifier: Apache-2.0 */
/* stats_json.c - the guest's figures as the JSON that `events` prints; see stats_json.h */
#include "stats_json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "oci/json.h"

#define RAW_LINES_MAX 256u

/* A figure that the guest doesn't have counts as nothing. */
static uint64_t figure(const struct ap_stats *s, enum ap_stat which)
{
	return s->v[which] == AP_STAT_NONE ? 0 : s->v[which];
}

static uint64_t ns(const struct ap_stats *s, enum ap_stat which)
{
	uint64_t us = figure(s, which);

	return us > UINT64_MAX / 1000 ? UINT64_MAX : us * 1000;
}

static void gen_cpu(struct json_gen *g, const struct ap_stats *s)
{
	json_gen_key(g, "cpu");
	json_gen_object_open(g);
	json_gen_key(g, "usage");
	json_gen_object_open(g);
	json_gen_kv_u64(g, "total", ns(s, AP_STAT_CPU_USAGE_US));
	json_gen_kv_u64(g, "kernel", ns(s, AP_STAT_CPU_SYSTEM_US));
	json_gen_kv_u64(g, "user", ns(s, AP_STAT_CPU_USER_US));
	json_gen_object_close(g);
	json_gen_key(g, "throttling");
	json_gen_object_open(g);
	json_gen_kv_u64(g, "periods", figure(s, AP_STAT_CPU_PERIODS));
	json_gen_kv_u64(g, "throttledPeriods", figure(s, AP_STAT_CPU_THROTTLED));
	json_gen_kv_u64(g, "throttledTime", ns(s, AP_STAT_CPU_THROTTLED_US));
	json_gen_object_close(g);
	json_gen_object_close(g);
}

static void gen_entry(struct json_gen *g, const char *key, uint64_t limit, uint64_t usage,
		      uint64_t max, uint64_t failures)
{
	json_gen_key(g, key);
	json_gen_object_open(g);
	json_gen_kv_u64(g, "limit", limit); /* all ones without a limit, as elsewhere */
	json_gen_kv_u64(g, "usage", usage);
	json_gen_kv_u64(g, "max", max);
	json_gen_kv_u64(g, "failcnt", failures);
	json_gen_object_close(g);
}

/* One line of memory.stat: a name of small letters, digits and "_", a blank, a number. */
static bool raw_line(char *line, uint64_t *out)
{
	size_t len = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_");
	char *end;

	if (len == 0 || len > 64 || line[len] != ' ' || line[len + 1] < '0' ||
	    line[len + 1] > '9') {
		return false;
	}
	errno = 0;
	*out = strtoull(line + len + 1, &end, 10);
	line[len] = '\0';
	return errno == 0 && *end == '\0';
}

/* Return: what the page cache holds, for "cache". */
static uint64_t gen_raw(struct json_gen *g, const char *memory_stat)
{
	vr_autofree char *copy = strdup(memory_stat);
	char *rest = copy;
	unsigned lines = 0;
	uint64_t v, cache = 0;

	json_gen_key(g, "raw");
	json_gen_object_open(g);
	for (char *line = copy ? strtok_r(copy, "\n", &rest) : NULL; line && lines < RAW_LINES_MAX;
	     line = strtok_r(NULL, "\n", &rest), lines++) {
		if (!raw_line(line, &v)) {
			continue;
		}
		json_gen_kv_u64(g, line, v);
		if (strcmp(line, "file") == 0) {
			cache = v;
		}
	}
	json_gen_object_close(g);
	return cache;
}

static void gen_memory(struct json_gen *g, const struct ap_stats *s)
{
	uint64_t cache = 0;

	json_gen_key(g, "memory");
	json_gen_object_open(g);
	gen_entry(g, "usage", s->v[AP_STAT_MEM_MAX], figure(s, AP_STAT_MEM_CURRENT),
		  figure(s, AP_STAT_MEM_PEAK), figure(s, AP_STAT_MEM_OOM));
	gen_entry(g, "swap", s->v[AP_STAT_SWAP_MAX], figure(s, AP_STAT_SWAP_CURRENT), 0, 0);
	gen_entry(g, "kernel", 0, 0, 0, 0);
	gen_entry(g, "kernelTCP", 0, 0, 0, 0);
	if (s->memory_stat) {
		cache = gen_raw(g, s->memory_stat);
	}
	json_gen_kv_u64(g, "cache", cache);
	json_gen_object_close(g);
}

static void gen_io(struct json_gen *g, const char *op, uint64_t value)
{
	json_gen_object_open(g);
	json_gen_kv_u64(g, "major", 0); /* the guest has no devices that mean something here */
	json_gen_kv_u64(g, "minor", 0);
	json_gen_kv_str(g, "op", op);
	json_gen_kv_u64(g, "value", value);
	json_gen_object_close(g);
}

static void gen_blkio(struct json_gen *g, const struct ap_stats *s)
{
	json_gen_key(g, "blkio");
	json_gen_object_open(g);
	json_gen_key(g, "ioServiceBytesRecursive");
	json_gen_array_open(g);
	gen_io(g, "Read", figure(s, AP_STAT_IO_RBYTES));
	gen_io(g, "Write", figure(s, AP_STAT_IO_WBYTES));
	json_gen_array_close(g);
	json_gen_key(g, "ioServicedRecursive");
	json_gen_array_open(g);
	gen_io(g, "Read", figure(s, AP_STAT_IO_RIOS));
	gen_io(g, "Write", figure(s, AP_STAT_IO_WIOS));
	json_gen_array_close(g);
	json_gen_object_close(g);
}

/* The member names are those of the structures that other runtimes print. */
static void gen_interface(struct json_gen *g, const struct net_if_stats *s)
{
	json_gen_object_open(g);
	json_gen_kv_str(g, "Name", s->name);
	json_gen_kv_u64(g, "RxBytes", s->rx_bytes);
	json_gen_kv_u64(g, "RxPackets", s->rx_packets);
	json_gen_kv_u64(g, "RxErrors", s->rx_errors);
	json_gen_kv_u64(g, "RxDropped", s->rx_dropped);
	json_gen_kv_u64(g, "TxBytes", s->tx_bytes);
	json_gen_kv_u64(g, "TxPackets", s->tx_packets);
	json_gen_kv_u64(g, "TxErrors", s->tx_errors);
	json_gen_kv_u64(g, "TxDropped", s->tx_dropped);
	json_gen_object_close(g);
}

static void gen_count(struct json_gen *g, const struct net_count *c)
{
	json_gen_kv_u64(g, "packets", c->packets);
	json_gen_kv_u64(g, "bytes", c->bytes);
}

static void gen_dropped(struct json_gen *g, const char *key, const struct net_count *c)
{
	json_gen_key(g, key);
	json_gen_object_open(g);
	gen_count(g, c);
	json_gen_object_close(g);
}

static void gen_allowed(struct json_gen *g, const struct net_if_stats *s, const char *egress)
{
	vr_autofree char *copy = strdup(egress);
	char *rest = copy;
	const char *entry;
	unsigned i = 0;

	json_gen_key(g, "allowed");
	json_gen_array_open(g);
	while (strcmp(egress, "none") != 0 && i < NET_EGRESS_MAX &&
	       (entry = strsep(&rest, ",")) != NULL) {
		json_gen_object_open(g);
		json_gen_kv_str(g, "entry", entry);
		gen_count(g, &s->policy.allowed[i++]);
		json_gen_object_close(g);
	}
	json_gen_array_close(g);
}

static void gen_policy(struct json_gen *g, const struct net_if_stats *s, const char *egress)
{
	json_gen_object_open(g);
	json_gen_kv_str(g, "interface", s->name);
	if (egress) {
		gen_allowed(g, s, egress);
		gen_dropped(g, "refused", &s->policy.refused);
	}
	gen_dropped(g, "spoofed", &s->policy.spoofed);
	json_gen_object_close(g);
}

static void gen_network(struct json_gen *g, const struct net_stats *net, const char *egress)
{
	unsigned n = net ? net->n : 0;

	json_gen_key(g, "network_interfaces");
	json_gen_array_open(g);
	for (unsigned i = 0; i < n; i++) {
		gen_interface(g, &net->v[i]);
	}
	json_gen_array_close(g);
	json_gen_key(g, "network_policy");
	json_gen_array_open(g);
	for (unsigned i = 0; i < n; i++) {
		gen_policy(g, &net->v[i], egress);
	}
	json_gen_array_close(g);
}

static void gen_data(struct json_gen *g, const struct ap_stats *s)
{
	gen_cpu(g, s);
	gen_memory(g, s);
	json_gen_key(g, "pids");
	json_gen_object_open(g);
	json_gen_kv_u64(g, "current", figure(s, AP_STAT_PIDS_CURRENT));
	json_gen_kv_u64(g, "limit", figure(s, AP_STAT_PIDS_MAX));
	json_gen_object_close(g);
	gen_blkio(g, s);
}

static struct json_gen *event_begin(const char *type, const char *id)
{
	struct json_gen *g = json_gen_create(false);

	if (g) {
		json_gen_object_open(g);
		json_gen_kv_str(g, "type", type);
		json_gen_kv_str(g, "id", id);
	}
	return g;
}

static int event_end(struct json_gen *g, char **out_text, struct vr_err *err)
{
	const char *text;
	char *copy;

	json_gen_object_close(g);
	text = json_gen_finish(g, NULL);
	copy = text ? strdup(text) : NULL;
	json_gen_destroy(g);
	if (!copy) {
		return vr_err_set(err, ENOMEM, "events: out of memory");
	}
	*out_text = copy;
	return 0;
}

int stats_json(const char *id, const struct ap_stats *s, const struct net_stats *net,
	       const char *egress, char **out_text, struct vr_err *err)
{
	struct json_gen *g = event_begin("stats", id);

	if (!g) {
		return vr_err_set(err, ENOMEM, "events: out of memory");
	}
	json_gen_key(g, "data");
	json_gen_object_open(g);
	gen_data(g, s);
	gen_network(g, net, egress);
	json_gen_object_close(g);
	return event_end(g, out_text, err);
}

int stats_json_oom(const char *id, char **out_text, struct vr_err *err)
{
	struct json_gen *g = event_begin("oom", id);

	return g ? event_end(g, out_text, err) : vr_err_set(err, ENOMEM, "events: out of memory");
}
