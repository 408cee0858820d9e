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

static bool key_is_there(const struct net_key *k, size_t len)
{
	int at = ETH + k->off;

	return at >= 0 && (size_t)at + 4 <= len;
}

static bool key_matches(const struct net_key *k)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++) {
		v = v << 8 | frame[ETH + k->off + i];
	}
	return (v & k->mask) == (k->value & k->mask);
}

/* As the kernel does. Return: 1, 0, or -1: the frame ends before one of the keys that count */
static int filter_matches(const struct net_filter *f, size_t len)
{
	for (unsigned k = 0; k < f->n_keys; k++) {
		if (!key_is_there(&f->key[k], len)) {
			return -1;
		}
		if (!key_matches(&f->key[k])) {
			return 0;
		}
	}
	return 1;
}

static uint16_t label; /* of the filter that decided last */

/* By priority, protocols that fit, all keys. Return: leaves the guest */
static bool leaves(uint16_t proto, size_t len)
{
	int passed_over = -1; /* a priority, its rest */

	for (unsigned prio = NET_TC_PRIO; prio <= NET_TC_PRIO_LAST; prio++) {
		for (unsigned i = 0; i < n_filters; i++) {
			const struct net_filter *f = &filters[i];
			int hit = 0;

			if (f->prio == prio && passed_over != (int)prio &&
			    (f->proto == proto || f->proto == ETH_P_ALL)) {
				hit = filter_matches(f, len);
			}
			passed_over = hit < 0 ? (int)prio : passed_over;
			if (hit > 0) {
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
	frame[ETH + 24] = 0xff; /* to all on the link */
	frame[ETH + 25] = 0x02;
	frame[ETH + 39] = 1;
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
	assert_true(advert_leaves(ip6_ll, ip6_ll));
	assert_false(advert_leaves(ip6, ip6_other));
	assert_false(lldp_leaves());
}

/* An advertisement of the own address is no way to send with another one. */
static void test_adverts_have_a_source(void **state)
{
	static struct ap_net n;

	(void)state;
	memset(&n, 0, sizeof(n));
	add(&n, 1, 6, ip6);
	build(&n);
	assert_true(advert_leaves(ip6, ip6));
	assert_false(advert_leaves(ip6_other, ip6));
	assert_false(advert_leaves(zero, ip6));
	for (unsigned i = 0; i < 16; i++) {
		uint8_t a6[16];

		memcpy(a6, ip6, 16);
		a6[i] ^= 1;
		assert_false(advert_leaves(a6, ip6));
	}
}

/*
 * From the own address, behind an extension header: of type @outer and @units * 8 bytes more than
 * 8, then @inner. @second: what stands in bytes 2 and 3, of a fragment its offset
 */
static bool behind_leaves(const uint8_t *src, uint8_t outer, unsigned units, uint16_t second,
			  uint8_t inner, uint8_t type)
{
	size_t at = ETH + 48 + units * 8;

	ether(mac, ETH_P_IPV6);
	frame[ETH] = 0x60;
	frame[ETH + 6] = outer;
	memcpy(frame + ETH + 8, src, 16);
	frame[ETH + 40] = inner;
	frame[ETH + 41] = (uint8_t)units;
	frame[ETH + 42] = (uint8_t)(second >> 8);
	frame[ETH + 43] = (uint8_t)second;
	frame[at] = type;
	memcpy(frame + at + 8, ip6_other, 16);
	return leaves(ETH_P_IPV6, at + 24);
}

#define ROUTER_ALERT 0x0502

static void test_no_advert_behind_extension_headers(void **state)
{
	static const uint8_t outer[] = {0, 43, 44, 60, 135};
	static const uint8_t further[] = {0, 43, 44, 60, 135};
	static struct ap_net n;

	(void)state;
	memset(&n, 0, sizeof(n));
	add(&n, 1, 6, ip6);
	add(&n, 1, 6, ip6_ll);
	build(&n);
	for (unsigned i = 0; i < sizeof(outer); i++) {
		assert_false(behind_leaves(ip6, outer[i], 0, 0, 58, 136));
		assert_int_equal(label, NET_LABEL_SPOOFED);
		for (unsigned k = 0; k < sizeof(further); k++) {
			assert_false(behind_leaves(ip6, outer[i], 0, 0, further[k], 58));
		}
	}
	for (unsigned units = 1; units < 6; units++) {
		assert_false(behind_leaves(ip6, 0, units, ROUTER_ALERT, 58, 136));
		assert_false(behind_leaves(ip6, 60, units, 0, 58, 136));
	}
	assert_false(behind_leaves(ip6, 0, 0, ROUTER_ALERT, 58, 136));
	/* group reports, also before there is an address */
	assert_true(behind_leaves(ip6_ll, 0, 0, ROUTER_ALERT, 58, 143));
	assert_true(behind_leaves(ip6_ll, 0, 0, ROUTER_ALERT, 58, 131));
	assert_true(behind_leaves(ip6_ll, 0, 0, ROUTER_ALERT, 58, 132));
	assert_true(behind_leaves(zero, 0, 0, ROUTER_ALERT, 58, 143));
	assert_false(behind_leaves(ip6_other, 0, 0, ROUTER_ALERT, 58, 143));
}

static void test_fragments_leave(void **state)
{
	static struct ap_net n;

	(void)state;
	memset(&n, 0, sizeof(n));
	add(&n, 1, 6, ip6);
	build(&n);
	assert_true(behind_leaves(ip6, 44, 0, 0x0001, 17, 136)); /* the first */
	assert_true(behind_leaves(ip6, 44, 0, 0x05a9, 17, 136));
	assert_true(behind_leaves(ip6, 44, 0, 0xfff8, 17, 136)); /* the last */
	assert_true(behind_leaves(ip6, 44, 0, 0x0001, 58, 128)); /* a large ping */
	assert_true(behind_leaves(ip6, 44, 0, 0x05a9, 58, 136)); /* data, not a type */
	assert_false(behind_leaves(ip6, 44, 0, 0x0001, 58, 136));
	assert_false(behind_leaves(ip6_other, 44, 0, 0x0001, 17, 0));
}

/* Less than a key's four bytes after the header. */
static void test_frames_without_a_payload(void **state)
{
	static const uint16_t protos[] = {ETH_P_IP, ETH_P_ARP, ETH_P_IPV6, 0x88cc};
	static struct ap_net n;

	(void)state;
	memset(&n, 0, sizeof(n));
	add(&n, 1, 4, ip);
	add(&n, 1, 6, ip6);
	build(&n);
	for (unsigned i = 0; i < sizeof(protos) / sizeof(protos[0]); i++) {
		for (size_t len = ETH; len < ETH + 8; len++) {
			ether(mac, protos[i]);
			assert_false(leaves(protos[i], len));
			assert_int_equal(label, NET_LABEL_SPOOFED);
		}
	}
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
	add(&n, 1, 6, ip6_ll);
	n.links[1].flags = AP_L_UP; /* a router's prefix is still to come */
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

/* Nobody but the engine gives addresses: the link-local one is all there is. */
static void test_no_router_is_listened_to(void **state)
{
	static struct ap_net n;

	(void)state;
	for (unsigned with_ipv4 = 0; with_ipv4 < 2; with_ipv4++) {
		memset(&n, 0, sizeof(n));
		if (with_ipv4) {
			add(&n, 1, 4, ip);
		}
		add(&n, 1, 6, ip6_ll);
		n.links[1].flags = AP_L_UP | AP_L_NO_RA;
		build(&n);
		assert_true(ipv6_leaves(mac, ip6_ll));
		assert_true(ipv6_leaves(mac, zero));
		assert_false(ipv6_leaves(mac, ip6_other));
		assert_true(advert_leaves(ip6_ll, ip6_ll));
		assert_false(advert_leaves(ip6_ll, ip6_other));
		assert_true(ipv4_leaves(mac, ip));
		assert_int_equal(ipv4_leaves(mac, ip_alias), !with_ipv4);
		assert_int_equal(lldp_leaves(), !with_ipv4);
	}
	n.n_addrs = 0;
	build(&n);
	assert_false(ipv6_leaves(mac, ip6_ll));
	n.links[1].flags = AP_L_UP | AP_L_NO_RA;
	add(&n, 1, 6, ip6);
	build(&n);
	assert_true(ipv6_leaves(mac, ip6));
}

static void test_no_ipv6(void **state)
{
	static struct ap_net n;

	(void)state;
	for (unsigned with_ipv4 = 0; with_ipv4 < 2; with_ipv4++) {
		memset(&n, 0, sizeof(n));
		if (with_ipv4) {
			add(&n, 1, 4, ip);
		}
		n.links[1].flags = AP_L_UP | AP_L_NO_IPV6;
		build(&n);
		assert_false(ipv6_leaves(mac, ip6_ll));
		assert_false(ipv6_leaves(mac, zero));
		assert_false(advert_leaves(ip6_ll, ip6_ll));
		ether(mac, ETH_P_IPV6);
		assert_false(leaves(ETH_P_IPV6, ETH));
		assert_true(ipv4_leaves(mac, ip));
		assert_int_equal(lldp_leaves(), !with_ipv4);
	}
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

/* Of @size bytes, about and from the own address. */
static bool ndp_leaves(const char *dst, uint8_t type, uint16_t size)
{
	(void)to6(dst, 58, 0);
	frame[ETH + 4] = (uint8_t)(size >> 8);
	frame[ETH + 5] = (uint8_t)size;
	frame[ETH + 40] = type;
	memcpy(frame + ETH + 48, ip6, 16);
	return leaves(ETH_P_IPV6, ETH + 64);
}

/* What finds neighbours goes to neighbours: it is no tunnel. */
static void test_neighbours_are_on_the_link(void **state)
{
	static const uint8_t types[] = {133, 135, 136};
	static struct ap_net n;

	(void)state;
	memset(&n, 0, sizeof(n));
	add(&n, 1, 6, ip6);
	add(&n, 1, 6, ip6_ll);
	n.addrs[0].prefix = 64;
	n.addrs[1].prefix = 64;
	allow("none");
	build(&n);
	for (unsigned i = 0; i < sizeof(types); i++) {
		assert_true(ndp_leaves("ff02::1:ff00:2", types[i], 32));
		assert_true(ndp_leaves("ff02::2", types[i], 32));
		assert_true(ndp_leaves("fe80::1", types[i], 32));
		assert_true(ndp_leaves("fd01::1", types[i], 32));
		assert_false(ndp_leaves("2001:db8::1", types[i], 32));
		assert_false(ndp_leaves("fd01:0:0:1::1", types[i], 32));
		assert_false(ndp_leaves("ff05::2", types[i], 32));
		assert_false(ndp_leaves("fd01::1", types[i], 1000));
	}
	assert_false(ndp_leaves("fd01::1", 128, 32));
	assert_false(ndp_leaves("fd01::1", 134, 32));
	assert_false(ndp_leaves("ff02::1", 137, 32));
	n.addrs[0].prefix = 128; /* the far end of a line */
	n.addrs[0].flags = AP_A_PEER;
	assert_int_equal(inet_pton(AF_INET6, "fd77::1", n.addrs[0].peer), 1);
	build(&n);
	assert_true(ndp_leaves("fd77::1", 136, 32));
	assert_false(ndp_leaves("fd77::2", 136, 32));
	assert_false(ndp_leaves("fd01::1", 136, 32));
	egress = NULL;
	build(&n);
	assert_true(ndp_leaves("2001:db8::1", 136, 32)); /* as anything may */
}

/* Networks don't multiply addresses that share one. */
static void test_many_addresses_in_one_network(void **state)
{
	static struct ap_net n;

	(void)state;
	memset(&n, 0, sizeof(n));
	for (unsigned i = 0; i < AP_MAX_ADDRS; i++) {
		add(&n, 1, 6, ip6);
		n.addrs[i].addr[15] = (uint8_t)i;
		n.addrs[i].prefix = 64;
	}
	allow("none");
	build(&n);
	assert_true(ndp_leaves("ff02::1:ff00:2", 135, 32));
	for (unsigned i = 0; i < AP_MAX_ADDRS; i++) {
		n.addrs[i].addr[7] = (uint8_t)i;
	}
	assert_int_equal(try_build(&n), -E2BIG);
	egress = NULL;
	build(&n);
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
	assert_true(ndp_leaves("ff02::1:ff00:1", 135, 32));
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
		cmocka_unit_test(test_adverts_have_a_source),
		cmocka_unit_test(test_no_advert_behind_extension_headers),
		cmocka_unit_test(test_fragments_leave),
		cmocka_unit_test(test_frames_without_a_payload),
		cmocka_unit_test(test_no_router_is_listened_to),
		cmocka_unit_test(test_no_ipv6),
		cmocka_unit_test(test_neighbours_are_on_the_link),
		cmocka_unit_test(test_many_addresses_in_one_network),
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
