/* SPDX-License-Identifier: Apache-2.0 */
/* test_events.c - durations, and the guest's figures as JSON */
#include "cm.h"

#include <errno.h>

#include "duration.h"
#include "oci/json.h"
#include "stats_json.h"

static void durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {{"5s", 5000},      {"250ms", 250},	    {"1m30s", 90000},
		    {"1.5h", 5400000}, {"2", 2000},	    {"0.25s", 250},
		    {"10us", 0},       {"1h0m5s", 3605000}, {"1.2345s", 1234}};
	static const char *const bad[] = {
		"", "s", "5x", "-1s", "1s2", "1..2s", "99999999999999999s", "9999999999h", "5 s"};
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(duration_parse(good[i].text, &ms), 0);
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(duration_parse(bad[i], &ms), -EINVAL);
	}
}

static const struct json *at(const struct json *j, const char *path)
{
	char copy[128], *rest = copy;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	for (char *key = strtok_r(copy, ".", &rest); key && j; key = strtok_r(NULL, ".", &rest)) {
		j = json_member(j, key);
	}
	return j;
}

static void assert_figure(const struct json *root, const char *path, uint64_t want)
{
	struct vr_err err = VR_ERR_INIT;
	const struct json *j = at(root, path);
	uint64_t got = 0;

	if (!j) {
		fail_msg("no member %s", path);
	}
	assert_int_equal(json_get_u64(j, UINT64_MAX, &got, &err), 0);
	assert_int_equal(got, want);
}

static struct json_doc *show_all(const struct ap_stats *s, const struct net_stats *net,
				 const char *egress)
{
	struct vr_err err = VR_ERR_INIT;
	struct json_doc *doc = NULL;
	char *text = NULL;
	int rc = stats_json("c1", s, net, egress, &text, &err);

	assert_no_error(rc, err);
	rc = json_parse("event", text, strlen(text), &doc, &err);
	assert_no_error(rc, err);
	free(text);
	return doc;
}

static struct json_doc *show(const struct ap_stats *s)
{
	return show_all(s, NULL, NULL);
}

static void figures_stand_where_callers_look(void **state)
{
	struct ap_stats s = {.memory_stat = "anon 5\nfile 77\n"};
	struct json_doc *doc;
	const struct json *root;

	(void)state;
	for (unsigned i = 0; i < AP_STAT_COUNT; i++) {
		s.v[i] = 100 + i;
	}
	doc = show(&s);
	root = json_doc_root(doc);
	assert_string_equal(json_text(at(root, "type")), "stats");
	assert_string_equal(json_text(at(root, "id")), "c1");
	assert_figure(root, "data.cpu.usage.total", (100 + AP_STAT_CPU_USAGE_US) * 1000);
	assert_figure(root, "data.cpu.throttling.periods", 100 + AP_STAT_CPU_PERIODS);
	assert_figure(root, "data.memory.usage.usage", 100 + AP_STAT_MEM_CURRENT);
	assert_figure(root, "data.memory.usage.limit", 100 + AP_STAT_MEM_MAX);
	assert_figure(root, "data.memory.raw.anon", 5);
	assert_figure(root, "data.memory.cache", 77);
	assert_figure(root, "data.pids.current", 100 + AP_STAT_PIDS_CURRENT);
	json_doc_free(doc);
}

static void missing_figures_are_zero_but_limits(void **state)
{
	struct ap_stats s = {0};
	struct json_doc *doc;
	const struct json *root;

	(void)state;
	for (unsigned i = 0; i < AP_STAT_COUNT; i++) {
		s.v[i] = AP_STAT_NONE;
	}
	doc = show(&s);
	root = json_doc_root(doc);
	assert_figure(root, "data.cpu.usage.total", 0);
	assert_figure(root, "data.memory.usage.limit", UINT64_MAX);
	assert_figure(root, "data.pids.limit", 0);
	assert_null(at(root, "data.memory.raw"));
	json_doc_free(doc);
}

/* The guest could have made memory.stat say anything. */
static void odd_names_are_left_out(void **state)
{
	struct ap_stats s = {
		.memory_stat = "a\"b 1\nok 2\n\x01 3\nnone\nneg -1\nbig 99999999999999999999\n"
			       " 4\nUP 5\ntwo 6 7\n"};
	struct json_doc *doc = show(&s);
	const struct json *raw = at(json_doc_root(doc), "data.memory.raw");

	(void)state;
	assert_int_equal(json_count(raw), 1);
	assert_figure(raw, "ok", 2);
	json_doc_free(doc);
}

static void the_network_has_its_place(void **state)
{
	static struct net_stats net = {.n = 1,
				       .v[0] = {.name = "eth0",
						.rx_bytes = 1,
						.rx_packets = 2,
						.rx_errors = 3,
						.rx_dropped = 4,
						.tx_bytes = 5,
						.tx_packets = 6,
						.tx_errors = 7,
						.tx_dropped = 8,
						.policy = {.allowed = {{10, 11}, {20, 21}},
							   .refused = {30, 31},
							   .spoofed = {40, 41}}}};
	static const char *const names[] = {"RxBytes", "RxPackets", "RxErrors", "RxDropped",
					    "TxBytes", "TxPackets", "TxErrors", "TxDropped"};
	struct ap_stats s = {0};
	struct json_doc *doc = show_all(&s, &net, "10.0.0.0/8:443,dns");
	const struct json *j = json_at(at(json_doc_root(doc), "data.network_interfaces"), 0);

	(void)state;
	assert_string_equal(json_text(at(j, "Name")), "eth0");
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_figure(j, names[i], i + 1);
	}
	j = json_at(at(json_doc_root(doc), "data.network_policy"), 0);
	assert_string_equal(json_text(at(j, "interface")), "eth0");
	assert_int_equal(json_count(at(j, "allowed")), 2);
	assert_string_equal(json_text(at(json_at(at(j, "allowed"), 1), "entry")), "dns");
	assert_figure(json_at(at(j, "allowed"), 0), "packets", 10);
	assert_figure(json_at(at(j, "allowed"), 1), "bytes", 21);
	assert_figure(j, "refused.packets", 30);
	assert_figure(j, "spoofed.bytes", 41);
	json_doc_free(doc);

	doc = show_all(&s, &net, "none");
	j = json_at(at(json_doc_root(doc), "data.network_policy"), 0);
	assert_int_equal(json_count(at(j, "allowed")), 0);
	assert_figure(j, "refused.bytes", 31);
	json_doc_free(doc);
	doc = show_all(&s, &net, NULL);
	j = json_at(at(json_doc_root(doc), "data.network_policy"), 0);
	assert_null(at(j, "allowed"));
	assert_null(at(j, "refused"));
	assert_figure(j, "spoofed.packets", 40);
	json_doc_free(doc);
	doc = show(&s);
	assert_int_equal(json_count(at(json_doc_root(doc), "data.network_interfaces")), 0);
	json_doc_free(doc);
}

static void out_of_memory_is_an_event(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	char *text = NULL;

	(void)state;
	assert_int_equal(stats_json_oom("c1", &text, &err), 0);
	assert_string_equal(text, "{\"type\":\"oom\",\"id\":\"c1\"}");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(figures_stand_where_callers_look),
		cmocka_unit_test(missing_figures_are_zero_but_limits),
		cmocka_unit_test(odd_names_are_left_out),
		cmocka_unit_test(the_network_has_its_place),
		cmocka_unit_test(out_of_memory_is_an_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
