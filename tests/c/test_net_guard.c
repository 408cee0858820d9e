/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net_guard.c - which frames leave a guest, judged by the filters as the kernel applies them
 */
#include "cm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <unistd.h>

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
static const struct net_egress *egress;
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
static uint16_t label; /* of the filter that decided last */

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
				label = f->label;
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

static int try_build(struct ap_net *n)
{
	n->n_links = 2;
	memcpy(n->links[0].mac, other_mac, 6);
	memcpy(n->links[1].mac, mac, 6);
	n->links[1].slot = 1;
	return net_guard_build(n, 1, egress, UPLINK, filters);
}

static void build(struct ap_net *n)
{
	int rc = try_build(n);

	assert_in_range(rc, 2, NET_GUARD_MAX);
	n_filters = (unsigned)rc;
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

/* --- the allow-list -------------------------------------------------------------------------- */

static struct net_egress list;

static void allow(const char *text)
{
	static const struct oci_spec no_mounts;
	struct vr_err err = VR_ERR_INIT;

	assert_no_error(net_egress_parse(text, &no_mounts, &list, &err), err);
	egress = &list;
}

static bool to4(const char *dst, uint8_t proto, uint16_t port, uint8_t first_byte, uint16_t frag)
{
	ether(mac, ETH_P_IP);
	frame[ETH] = first_byte;
	frame[ETH + 6] = (uint8_t)(frag >> 8);
	frame[ETH + 7] = (uint8_t)frag;
	frame[ETH + 9] = proto;
	memcpy(frame + ETH + 12, ip, 4);
	assert_int_equal(inet_pton(AF_INET, dst, frame + ETH + 16), 1);
	frame[ETH + 22] = (uint8_t)(port >> 8);
	frame[ETH + 23] = (uint8_t)port;
	return leaves(ETH_P_IP, ETH + 40);
}

static bool to6(const char *dst, uint8_t next, uint16_t port)
{
	ether(mac, ETH_P_IPV6);
	frame[ETH] = 0x60;
	frame[ETH + 6] = next;
	memcpy(frame + ETH + 8, ip6, 16);
	assert_int_equal(inet_pton(AF_INET6, dst, frame + ETH + 24), 1);
	frame[ETH + 42] = (uint8_t)(port >> 8);
	frame[ETH + 43] = (uint8_t)port;
	return leaves(ETH_P_IPV6, ETH + 64);
}

static void test_allow_list(void **state)
{
	static struct ap_net n;

	(void)state;
	memset(&n, 0, sizeof(n));
	add(&n, 1, 4, ip);
	add(&n, 1, 6, ip6);
	allow("10.0.0.0/9:443,192.0.2.7,[2001:db8::]/33,[fd00::1]:53");
	build(&n);
	assert_true(to4("10.127.0.1", 6, 443, 0x45, 0));
	assert_true(to4("10.0.0.1", 17, 443, 0x45, 0));
	assert_false(to4("10.128.0.1", 6, 443, 0x45, 0));
	assert_false(to4("10.0.0.1", 6, 444, 0x45, 0));
	assert_false(to4("10.0.0.1", 1, 443, 0x45, 0));
	/* where a port can't be seen, nothing leaves */
	assert_false(to4("10.0.0.1", 6, 443, 0x46, 0));
	assert_false(to4("10.0.0.1", 17, 443, 0x45, 1));
	assert_true(to4("10.0.0.1", 17, 443, 0x45, 0x2000)); /* the first of several */
	/* without a port anything goes */
	assert_true(to4("192.0.2.7", 1, 0, 0x45, 0));
	assert_true(to4("192.0.2.7", 17, 9, 0x4f, 1));
	assert_false(to4("192.0.2.8", 1, 0, 0x45, 0));
	assert_true(to6("2001:db8:7fff::1", 6, 1));
	assert_false(to6("2001:db8:8000::1", 6, 1));
	assert_true(to6("fd00::1", 17, 53));
	assert_false(to6("fd00::1", 0, 53)); /* an extension header */
	assert_false(to6("fd00::1", 17, 54));
	/* links go on working, spoofing stays impossible */
	assert_true(arp_leaves(mac, mac, ip));
	assert_false(arp_leaves(mac, mac, ip_alias));
	assert_true(advert_leaves(ip6, ip6));
	assert_false(advert_leaves(ip6, ip6_other));
	assert_true(to6("ff02::1:ff00:1", 58, 0) == false); /* type 0 is no solicitation */
	frame[ETH + 40] = 135;
	assert_true(leaves(ETH_P_IPV6, ETH + 64));
	assert_false(ipv4_leaves(mac, ip_alias));

	allow("none");
	build(&n);
	assert_false(to4("192.0.2.7", 1, 0, 0x45, 0));
	assert_true(arp_leaves(mac, mac, ip));
	allow("0.0.0.0/0");
	build(&n);
	assert_true(to4("203.0.113.1", 47, 0, 0x45, 0));
	assert_false(to6("2001:db8::1", 6, 1));
	n.n_addrs = 0; /* no address of its own is no way around the list */
	allow("192.0.2.7");
	build(&n);
	assert_true(to4("192.0.2.7", 6, 1, 0x45, 0));
	assert_false(to4("192.0.2.8", 6, 1, 0x45, 0));
	assert_false(lldp_leaves());
	egress = NULL;
}

static void test_labels(void **state)
{
	static struct ap_net n;

	(void)state;
	memset(&n, 0, sizeof(n));
	add(&n, 1, 4, ip);
	add(&n, 1, 6, ip6);
	build(&n);
	assert_true(ipv4_leaves(mac, ip));
	assert_int_equal(label, NET_LABEL_PASSED);
	assert_false(ipv4_leaves(mac, ip_alias));
	assert_int_equal(label, NET_LABEL_SPOOFED);
	assert_false(advert_leaves(ip6, ip6_other));
	assert_int_equal(label, NET_LABEL_SPOOFED);
	allow("10.0.0.0/9:443,192.0.2.7,[fd00::1]:53");
	build(&n);
	assert_true(to4("10.0.0.1", 17, 443, 0x45, 0));
	assert_int_equal(label, 1);
	assert_true(to4("192.0.2.7", 17, 443, 0x45, 0));
	assert_int_equal(label, 2);
	assert_true(to6("fd00::1", 17, 53));
	assert_int_equal(label, 3);
	assert_false(to4("192.0.2.8", 17, 443, 0x45, 0));
	assert_int_equal(label, NET_LABEL_REFUSED);
	assert_false(to6("fd00::1", 17, 54));
	assert_int_equal(label, NET_LABEL_REFUSED);
	assert_false(ipv4_leaves(mac, ip_alias));
	assert_int_equal(label, NET_LABEL_SPOOFED);
	assert_false(ipv6_leaves(mac, ip6_other));
	assert_int_equal(label, NET_LABEL_SPOOFED);
	assert_true(arp_leaves(mac, mac, ip));
	assert_int_equal(label, NET_LABEL_PASSED);
	egress = NULL;
}

static void test_too_many_filters(void **state)
{
	static struct ap_net n;

	(void)state;
	memset(&n, 0, sizeof(n));
	for (unsigned i = 0; i < AP_MAX_ADDRS; i++) {
		add(&n, 1, 4, ip);
	}
	allow("1.0.0.0:1,2.0.0.0:1,3.0.0.0:1,4.0.0.0:1");
	assert_int_equal(try_build(&n), -E2BIG);
	egress = NULL;
}

static void test_lists_that_are_none(void **state)
{
	static const char *const bad[] = {
		"",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0:0",
		"10.0.0.0:65536",
		"10.0.0:1",
		"example.org",
		"10.0.0.1,",
		",10.0.0.1",
		"[::1",
		"[::1]x",
		"[10.0.0.1]",
		"::1/129",
		"10.0.0.1/8/8",
		"10.0.0.1:1:1",
		"none,dns",
		"dns",
		"10.0.0.1 ",
		"10.0.0.1:+1",
		"[::1]/64:",
		"10.0.0.0/8:",
	};
	static const struct oci_spec no_mounts;
	static struct net_egress out;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vr_err err = VR_ERR_INIT;

		if (net_egress_parse(bad[i], &no_mounts, &out, &err) != -EINVAL) {
			fail_msg("accepted: '%s'", bad[i]);
		}
		assert_non_null(strstr(err.msg, "dev.volt.net.egress"));
	}
}

static void test_dns_is_the_mounted_resolver(void **state)
{
	char path[] = "/tmp/resolv.XXXXXX";
	const char text[] = "search x\nnameserver 10.88.0.1\n#nameserver 1.1.1.1\n"
			    "nameserver\tfd00::53 # mine\nnameserver bad\n";
	struct oci_mount m = {
		.destination = "/etc/resolv.conf", .source = path, .opt = {.bind = true}};
	const struct oci_spec spec = {.mounts = {.v = &m, .n = 1}};
	struct vr_err err = VR_ERR_INIT;
	static struct net_egress out;
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	assert_no_error(net_egress_parse("192.0.2.1,dns", &spec, &out, &err), err);
	assert_int_equal(out.n, 3);
	assert_int_equal(out.v[1].family, 4);
	assert_int_equal(out.v[1].port, 53);
	assert_int_equal(out.v[2].family, 6);
	assert_int_equal(out.v[2].prefix, 128);
	unlink(path);
	assert_int_equal(net_egress_parse("dns", &spec, &out, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_families),
		cmocka_unit_test(test_each_byte_of_an_address_counts),
		cmocka_unit_test(test_a_family_without_addresses),
		cmocka_unit_test(test_no_address_at_all),
		cmocka_unit_test(test_as_many_as_there_may_be),
		cmocka_unit_test(test_allow_list),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_too_many_filters),
		cmocka_unit_test(test_lists_that_are_none),
		cmocka_unit_test(test_dns_is_the_mounted_resolver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
