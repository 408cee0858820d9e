/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_hdr.c - which frame headers of the guest reach the host's kernel */
#include "cm.h"

#include <errno.h>

#include "base/checked.h"
#include "vmm/net_hdr.h"

#define MTU	 1500u
#define FEATURES (NETF_CSUM | NETF_HOST_TSO4 | NETF_HOST_TSO6 | NETF_HOST_ECN | NETF_HOST_USO)

static const struct net_hdr csum = {
	.flags = NET_HDR_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};
static const struct net_hdr tso = {.flags = NET_HDR_NEEDS_CSUM,
				   .gso_type = NET_GSO_TCPV4,
				   .hdr_len = 54,
				   .gso_size = 1460,
				   .csum_start = 34,
				   .csum_offset = 16};

static int check(struct net_hdr h, uint32_t len, uint64_t features)
{
	return net_hdr_check(&h, len, MTU, features);
}

static void test_plain(void **state)
{
	struct net_hdr h = {
		.hdr_len = 7, .gso_size = 8, .csum_start = 9, .csum_offset = 10, .num_buffers = 11};
	const struct net_hdr zero = {0};

	(void)state;
	assert_int_equal(net_hdr_check(&h, 60, MTU, 0), 0);
	assert_memory_equal(&h, &zero, sizeof(h)); /* what has no meaning doesn't go out */
	assert_int_equal(check(zero, NET_ETH_LEN, 0), 0);
	assert_int_equal(check(zero, MTU + NET_LINK_EXTRA, 0), 0);
	assert_int_equal(check(zero, NET_ETH_LEN - 1, 0), -EINVAL);
	assert_int_equal(check(zero, MTU + NET_LINK_EXTRA + 1, 0), -EINVAL);
}

static void test_checksum_range(void **state)
{
	struct net_hdr h = csum;

	(void)state;
	assert_int_equal(check(csum, 52, FEATURES), 0); /* 34 + 16 + 2 */
	assert_int_equal(check(csum, 51, FEATURES), -EINVAL);
	assert_int_equal(check(csum, 60, FEATURES & ~NETF_CSUM), -EINVAL);
	h.csum_start = NET_ETH_LEN - 1;
	assert_int_equal(check(h, 60, FEATURES), -EINVAL);
	h.csum_start = UINT16_MAX;
	h.csum_offset = UINT16_MAX;
	assert_int_equal(check(h, 60, FEATURES), -EINVAL);
	assert_int_equal(check(h, NET_FRAME_MAX, FEATURES), -EINVAL);
}

static void test_unknown_bits(void **state)
{
	(void)state;
	for (unsigned flags = 2; flags < 256; flags += 2) {
		struct net_hdr h = csum;

		h.flags = (uint8_t)flags;
		assert_int_equal(check(h, 60, FEATURES), -EINVAL);
		h.flags |= NET_HDR_NEEDS_CSUM;
		assert_int_equal(check(h, 60, FEATURES), -EINVAL);
	}
	for (unsigned type = 1; type < 256; type++) {
		struct net_hdr h = tso;
		unsigned kind = type & ~NET_GSO_ECN;
		bool known = kind == NET_GSO_TCPV4 || kind == NET_GSO_TCPV6 ||
			     (kind == NET_GSO_UDP_L4 && !(type & NET_GSO_ECN));

		h.gso_type = (uint8_t)type;
		assert_int_equal(check(h, 9000, FEATURES), known ? 0 : -EINVAL);
	}
}

static void test_segmentation(void **state)
{
	static const struct {
		uint8_t type;
		uint64_t feature;
	} kinds[] = {
		{NET_GSO_TCPV4, NETF_HOST_TSO4},
		{NET_GSO_TCPV6, NETF_HOST_TSO6},
		{NET_GSO_UDP_L4, NETF_HOST_USO},
		{NET_GSO_TCPV4 | NET_GSO_ECN, NETF_HOST_ECN},
	};
	struct net_hdr h;

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(kinds); i++) {
		h = tso;
		h.gso_type = kinds[i].type;
		assert_int_equal(check(h, NET_FRAME_MAX, FEATURES), 0);
		assert_int_equal(check(h, NET_FRAME_MAX + 1, FEATURES), -EINVAL);
		assert_int_equal(check(h, 9000, FEATURES & ~kinds[i].feature), -EINVAL);
		h.flags = 0; /* segments need checksums */
		assert_int_equal(check(h, 9000, FEATURES), -EINVAL);
	}
	h = tso;
	h.gso_size = 0;
	assert_int_equal(check(h, 9000, FEATURES), -EINVAL);
	h.gso_size = MTU;
	assert_int_equal(check(h, 9000, FEATURES), 0);
	h.gso_size = MTU + 1; /* segments that the link doesn't carry */
	assert_int_equal(check(h, 9000, FEATURES), -EINVAL);
	h = tso;
	h.hdr_len = 9001;
	assert_int_equal(check(h, 9000, FEATURES), -EINVAL);
	h.hdr_len = 9000;
	assert_int_equal(check(h, 9000, FEATURES), 0);
}

/* Whatever the header says: accepted ones hold what the kernel is told to rely on. */
static void test_random_headers(void **state)
{
	unsigned accepted = 0;
	uint64_t x = 88172645463325252ull;

	(void)state;
	for (unsigned i = 0; i < 2000000; i++) {
		struct net_hdr h;
		uint32_t len;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(&h, &x, sizeof(x));
		h.flags &= i & 1 ? 1u : 3u;
		h.gso_type &= 0x85;
		h.csum_offset = (uint16_t)(x >> 40) & (i & 2 ? 0x3f : 0xffff);
		len = (uint32_t)(x % (NET_FRAME_MAX + 100));
		if (net_hdr_check(&h, len, MTU, FEATURES) < 0) {
			continue;
		}
		accepted++;
		assert_in_range(len, NET_ETH_LEN, NET_FRAME_MAX);
		assert_true(h.csum_start + h.csum_offset + 2u <= len ||
			    !(h.flags & NET_HDR_NEEDS_CSUM));
		assert_true(h.gso_type == 0 ? h.gso_size == 0 && len <= MTU + NET_LINK_EXTRA
					    : h.gso_size > 0 && h.gso_size <= MTU);
		assert_int_equal(h.num_buffers, 0);
	}
	assert_true(accepted > 1000); /* else the loop proved nothing */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	       cmocka_unit_test(test_checksum_range),
		cmocka_unit_test(test_unknown_bits),   cmocka_unit_test(test_segmentation),
		cmocka_unit_test(test_random_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
