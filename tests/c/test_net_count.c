/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_count.c - counters of the filters at a tap, from messages as the kernel sends them */
#include "cm.h"

#include "net_count.h"
#include "nl_build.h"

#define VO 0x564f0000u

static struct net_counts counts;

static void hear(struct nlb_filter f)
{
	struct nl_msg *m = nlb_filter(&f);

	net_count_filter(nlmsg_hdr(m), &counts);
	nlmsg_free(m);
}

static struct nlb_filter sample(uint32_t label)
{
	return (struct nlb_filter){.prio = NET_TC_PRIO,
				   .kind = "u32",
				   .class_id = label ? VO | label : 0,
				   .action = "mirred",
				   .to = 5,
				   .stats_len = 16,
				   .bytes = 1000,
				   .packets = 10};
}

static void assert_nothing(void)
{
	static const struct net_counts none;

	assert_memory_equal(&counts, &none, sizeof(none));
}

static void counters_add_up_by_label(void **state)
{
	(void)state;
	memset(&counts, 0, sizeof(counts));
	hear(sample(1));
	hear(sample(2));
	hear(sample(2)); /* TCP, then UDP */
	hear(sample(NET_EGRESS_MAX));
	hear(sample(NET_LABEL_REFUSED));
	hear(sample(NET_LABEL_SPOOFED));
	hear(sample(NET_LABEL_SPOOFED));
	assert_int_equal(counts.allowed[0].packets, 10);
	assert_int_equal(counts.allowed[1].packets, 20);
	assert_int_equal(counts.allowed[1].bytes, 2000);
	assert_int_equal(counts.allowed[NET_EGRESS_MAX - 1].bytes, 1000);
	assert_int_equal(counts.refused.packets, 10);
	assert_int_equal(counts.spoofed.bytes, 2000);
	assert_int_equal(counts.redirect_to, 0); /* a tap's filters don't tell whose tap it is */
	hear(sample(0));
	assert_int_equal(counts.redirect_to, 5);
}

static void what_is_not_ours_counts_nothing(void **state)
{
	struct nlb_filter f;

	(void)state;
	memset(&counts, 0, sizeof(counts));
	hear(sample(NET_LABEL_PASSED)); /* nobody asks for these */
	hear(sample(NET_EGRESS_MAX + 1));
	f = sample(1);
	f.prio = NET_TC_PRIO - 1;
	hear(f);
	f.prio = NET_TC_PRIO_LAST + 1;
	hear(f);
	f = sample(1);
	f.kind = "flower";
	hear(f);
	f = sample(1);
	f.action = NULL; /* a hash table's own entry */
	hear(f);
	f = sample(0);
	f.action = "gact";
	hear(f);
	assert_nothing();
}

static void short_messages_count_nothing(void **state)
{
	struct nlb_filter f = sample(1);
	struct nl_msg *m;
	uint32_t whole;

	(void)state;
	memset(&counts, 0, sizeof(counts));
	f.stats_len = 11;
	hear(f);
	f.stats_len = 0;
	hear(f);
	assert_nothing();
	f = sample(1);
	f.stats_len = 12; /* without padding is enough */
	m = nlb_filter(&f);
	whole = nlmsg_hdr(m)->nlmsg_len;
	for (uint32_t len = sizeof(struct nlmsghdr); len < whole; len++) {
		nlmsg_hdr(m)->nlmsg_len = len;
		net_count_filter(nlmsg_hdr(m), &counts);
	}
	nlmsg_hdr(m)->nlmsg_len = whole;
	nlmsg_hdr(m)->nlmsg_type = RTM_DELTFILTER;
	net_count_filter(nlmsg_hdr(m), &counts);
	assert_nothing();
	nlmsg_hdr(m)->nlmsg_type = RTM_NEWTFILTER;
	net_count_filter(nlmsg_hdr(m), &counts);
	assert_int_equal(counts.allowed[0].packets, 10);
	nlmsg_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_add_up_by_label),
		cmocka_unit_test(what_is_not_ours_counts_nothing),
		cmocka_unit_test(short_messages_count_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
