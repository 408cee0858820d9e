/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net_guard.c - which frames leave a guest, judged by the filters as the kernel applies them
 */
#include "cm.h"

#include <linux/if_ether.h>

#include "net_guard.h"

#define UPLINK 7
#define ETH    14

static const uint8_t mac[6] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};
static const uint8_t other_mac[6] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x56};
static const uint8_t ip[4] = {10, 1, 2, 3};
static const uint8_t ip_second[4] = {10, 1, 2, 4};
static const uint8_t ip_alias[4] = {10, 1, 2, 9};
static const uint8_t zero[16];
static const uint8_t ip6[16] = {0xfd, 1, [15] = 2};
static const uint8_t ip6_other[16] = {0xfd, 1, [15] = 3};
static const uint8_t ip6_ll[16] = {0xfe, 0x80, [15] = 9};

static struct net_filter filters[NET_GUARD_MAX];
static unsigned n_filters;
static uint8_t frame[128];

static bool key_matches(const struct net_key *k, size_t len)
{
	int at = ETH + k->off;
	uint32_t v = 0;

	if (at < 0 || (size_t)at + 4 > len) {
		return false;
	}
	for (int i = 0; i < 4; i++) {
		v = v << 8 | frame[at + i];
	}
	return (v & k->mask) == (k->value & k->mask);
}

/* As the kernel does: by priority, protocols that fit, all keys. Return: leaves the guest */
static bool leaves(uint16_t proto, size_t len)
{
	for (unsigned prio = 0; prio <= UINT16_MAX; prio++) {
		for (unsigned i = 0; i < n_filters; i++) {
			const struct net_filter *f = &filters[i];
			bool hit = f->prio == prio && (f->proto == proto || f->proto == ETH_P_ALL);

			for (unsigned k = 0; hit && k < f->n_keys; k++) {
				hit = key_matches(&f->key[k], len);
			}
			if (hit) {
				assert_true(f->to == 0 || f->to == UPLINK);
				return f->to == UPLINK;
			}
		}
	}
	fail_msg("a frame fell through all filters");
	return true;
}

static void ether(const uint8_t *src, uint16_t proto)
{
	memset(frame, 0, sizeof(frame));
	memset(frame, 0xff, 6);
	memcpy(frame + 6, src, 6);
	frame[12] = (uint8_t)(proto >> 8);
	frame[13] = (uint8_t)proto;
}

static bool ipv4_leaves(const uint8_t *src_mac, const uint8_t *src)
{
	ether(src_mac, ETH_P_IP);
	frame[ETH] = 0x45;
	memcpy(frame + ETH + 12, src, 4);
	return leaves(ETH_P_IP, ETH + 20);
}

static bool arp_leaves(const uint8_t *src_mac, const uint8_t *sender_mac, const uint8_t *sender)
{
	ether(src_mac, ETH_P_ARP);
	memcpy(frame + ETH + 8, sender_mac, 6);
	memcpy(frame + ETH + 14, sender, 4);
	return leaves(ETH_P_ARP, ETH + 28);
}

static bool ipv6_leaves(const uint8_t *src_mac, const uint8_t *src)
{
	ether(src_mac, ETH_P_IPV6);
	frame[ETH] = 0x60;
	frame[ETH + 6] = 17;
	memcpy(frame + ETH + 8, src, 16);
	return leaves(ETH_P_IPV6, ETH + 48);
}

static bool advert_leaves(const uint8_t *src, const uint8_t *target)
{
	ether(mac, ETH_P_IPV6);
	frame[ETH] = 0x60;
	frame[ETH + 6] = 58;
	memcpy(frame + ETH + 8, src, 16);
	frame[ETH + 40] = 136;
	memcpy(frame + ETH + 48, target, 16);
	return leaves(ETH_P_IPV6, ETH + 64);
}

static bool lldp_leaves(void)
{
	ether(mac, 0x88cc);
	return leaves(0x88cc, 60);
}

static void add(struct ap_net *n, uint32_t link, uint32_t family, const uint8_t *addr)
{
	struct ap_addr *a = &n->addrs[n->n_addrs++];

	*a = (struct ap_addr){.link = link, .family = family, .prefix = 24};
	memcpy(a->addr, addr, family == 4 ? 4 : 16);
}

static void build(struct ap_net *n)
{
	n->n_links = 2;
	memcpy(n->links[0].mac, other_mac, 6);
	memcpy(n->links[1].mac, mac, 6);
	n_filters = net_guard_build(n, 1, UPLINK, filters);
	assert_in_range(n_filters, 2, NET_GUARD_MAX);
	for (unsigned i = 0; i < n_filters; i++) {
		assert_in_range(filters[i].prio, NET_TC_PRIO, NET_TC_PRIO_LAST);
		assert_in_range(filters[i].n_keys, 1, NET_TC_KEYS);
		for (unsigned k = 0; k < i; k++) { /* the kernel refuses two for one priority */
			assert_true(filters[k].prio != filters[i].prio ||
				    filters[k].proto == filters[i].proto);
		}
	}
}

static void test_both_families(void **state)
{
	static struct ap_net n;

	(void)state;
	memset(&n, 0, sizeof(n));
	add(&n, 0, 4, ip_alias); /* another interface's */
	add(&n, 1, 4, ip);
	add(&n, 1, 4, ip_second);
	add(&n, 1, 6, ip6);
	add(&n, 1, 6, ip6_ll);
	build(&n);
	assert_true(ipv4_leaves(mac, ip));
	assert_true(ipv4_leaves(mac, ip_second));
	assert_false(ipv4_leaves(mac, ip_alias));
	assert_false(ipv4_leaves(mac, zero));
	assert_false(ipv4_leaves(other_mac, ip));
	assert_true(arp_leaves(mac, mac, ip));
	assert_true(arp_leaves(mac, mac, zero)); /* a probe */
	assert_false(arp_leaves(mac, mac, ip_alias));
	assert_false(arp_leaves(mac, other_mac, ip));
	assert_false(arp_leaves(other_mac, mac, ip));
	assert_true(ipv6_leaves(mac, ip6));
	assert_true(ipv6_leaves(mac, ip6_ll));
	assert_true(ipv6_leaves(mac, zero));
	assert_false(ipv6_leaves(mac, ip6_other));
	assert_false(ipv6_leaves(other_mac, ip6));
	assert_true(advert_leaves(ip6, ip6));
	assert_true(advert_leaves(ip6_ll, ip6));
	assert_false(advert_leaves(ip6, ip6_other));
	assert_false(lldp_leaves());
}

static void test_each_byte_of_an_address_counts(void **state)
{
	static struct ap_net n;
	uint8_t m[6], a4[4], a6[16];

	(void)state;
	memset(&n, 0, sizeof(n));
	add(&n, 1, 4, ip);
	add(&n, 1, 6, ip6);
	build(&n);
	for (unsigned i = 0; i < 6; i++) {
		memcpy(m, mac, 6);
		m[i] ^= 1;
		assert_false(ipv4_leaves(m, ip));
		assert_false(arp_leaves(mac, m, ip));
	}
	for (unsigned i = 0; i < 4; i++) {
		memcpy(a4, ip, 4);
		a4[i] ^= 1;
		assert_false(ipv4_leaves(mac, a4));
		assert_false(arp_leaves(mac, mac, a4));
	}
	for (unsigned i = 0; i < 16; i++) {
		memcpy(a6, ip6, 16);
		a6[i] ^= 1;
		assert_false(ipv6_leaves(mac, a6));
		assert_false(advert_leaves(ip6, a6));
	}
}

static void test_a_family_without_addresses(void **state)
{
	static struct ap_net n;

	(void)state;
	memset(&n, 0, sizeof(n));
	add(&n, 1, 4, ip);
	add(&n, 1, 6, ip6_ll); /* a router's prefix is still to come */
	build(&n);
	assert_false(ipv4_leaves(mac, ip_alias));
	assert_true(ipv6_leaves(mac, ip6_other));
	assert_true(advert_leaves(ip6_ll, ip6_other));
	assert_false(ipv6_leaves(other_mac, ip6_ll));

	memset(&n, 0, sizeof(n));
	add(&n, 1, 6, ip6);
	build(&n);
	assert_true(ipv4_leaves(mac, ip)); /* perhaps by DHCP */
	assert_true(ipv4_leaves(mac, zero));
	assert_true(arp_leaves(mac, mac, ip_alias));
	assert_false(arp_leaves(mac, other_mac, ip_alias));
	assert_false(ipv6_leaves(mac, ip6_other));
}

static void test_no_address_at_all(void **state)
{
	static struct ap_net n;

	(void)state;
	memset(&n, 0, sizeof(n));
	build(&n);
	assert_true(ipv4_leaves(mac, ip));
	assert_true(lldp_leaves());
	assert_false(ipv4_leaves(other_mac, ip));
}

static void test_as_many_as_there_may_be(void **state)
{
	static struct ap_net n;

	(void)state;
	memset(&n, 0, sizeof(n));
	for (unsigned i = 0; i < AP_MAX_ADDRS; i++) {
		add(&n, 1, i % 2 ? 4 : 6, i % 2 ? ip : ip6);
	}
	build(&n);
	assert_true(ipv4_leaves(mac, ip));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_families),
		cmocka_unit_test(test_each_byte_of_an_address_counts),
		cmocka_unit_test(test_a_family_without_addresses),
		cmocka_unit_test(test_no_address_at_all),
		cmocka_unit_test(test_as_many_as_there_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
