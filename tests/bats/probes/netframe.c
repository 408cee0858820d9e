/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netframe.c - Ethernet frames with any addresses, and what a listener sees of them
 *
 *   netframe send DEVICE   read lines, send a frame for each; stop at the first that can't be sent
 *   netframe watch DEVICE  print such a line for each frame that it sees, until killed; the others are left out
 *
 * Lines:
 *   udp MAC ADDRESS TO PORT          a datagram from MAC and ADDRESS, IPv4 or IPv6, to all stations
 *   arp MAC SENDER-MAC SENDER-IP     from MAC: who has SENDER-IP?
 *   na MAC ADDRESS TARGET            a neighbour advertisement: MAC has TARGET
 *   ra MAC ADDRESS PREFIX/64 ROUTER VALID PREFERRED
 *                                    a router advertisement; the last three are lifetimes in s. It is not watched
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORDS_MAX 8

static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};

/** struct frame - as it is on the cable; what is behind @eth depends on its type */
struct frame {
	struct ether_header eth;
	union {
		struct ether_arp arp;
		struct {
			struct iphdr ip;
			struct udphdr udp;
		} __attribute__((packed)) v4;
		struct {
			struct ip6_hdr ip;
			union {
				struct udphdr udp;
				struct {
					struct nd_neighbor_advert na;
					struct nd_opt_hdr opt;
					uint8_t mac[6];
				} __attribute__((packed)) na;
				struct {
					struct nd_router_advert ra;
					struct nd_opt_hdr opt;
					uint8_t mac[6];
					struct nd_opt_prefix_info prefix;
				} __attribute__((packed)) ra;
			};
		} __attribute__((packed)) v6;
	};
} __attribute__((packed));

static void fail(const char *what, const char *whose)
{
	fprintf(stderr, "netframe: %s '%s': %s\n", what, whose, strerror(errno));
	exit(1);
}

static void wrong(const char *word)
{
	errno = EINVAL;
	fail("line with", word);
}

static void read_mac(const char *text, uint8_t *mac)
{
	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4,
		   mac + 5) != 6) {
		wrong(text);
	}
}

static void read_address(int family, const char *text, void *out)
{
	if (inet_pton(family, text, out) != 1) {
		wrong(text);
	}
}

/* --- checksums ------------------------------------------------------------------------------- */

static uint32_t sum(uint32_t s, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	}
	return s;
}

static uint16_t folded(uint32_t s)
{
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return htons((uint16_t)~s);
}

/* Of what is behind the IPv6 header. */
static uint16_t sum6(const struct frame *f, size_t len)
{
	uint32_t s = sum(0, &f->v6.ip.ip6_src, 32) + (uint32_t)len + f->v6.ip.ip6_nxt;

	return folded(sum(s, &f->v6.udp, len));
}

/* --- sending; the lengths are those of frames ------------------------------------------------ */

static size_t fill_arp(struct frame *f, char **word)
{
	static const struct arphdr request = {0};

	memcpy(f->eth.ether_dhost, everybody, 6);
	f->eth.ether_type = htons(ETHERTYPE_ARP);
	f->arp.ea_hdr = request;
	f->arp.arp_hrd = htons(ARPHRD_ETHER);
	f->arp.arp_pro = htons(ETHERTYPE_IP);
	f->arp.arp_hln = 6;
	f->arp.arp_pln = 4;
	f->arp.arp_op = htons(ARPOP_REQUEST);
	read_mac(word[2], f->arp.arp_sha);
	read_address(AF_INET, word[3], f->arp.arp_spa);
	read_address(AF_INET, word[3], f->arp.arp_tpa);
	return sizeof(f->eth) + sizeof(f->arp);
}

static size_t fill_udp4(struct frame *f, char **word)
{
	memcpy(f->eth.ether_dhost, everybody, 6);
	f->eth.ether_type = htons(ETHERTYPE_IP);
	f->v4.ip.version = 4;
	f->v4.ip.ihl = sizeof(f->v4.ip) / 4;
	f->v4.ip.tot_len = htons(sizeof(f->v4));
	f->v4.ip.ttl = 64;
	f->v4.ip.protocol = IPPROTO_UDP;
	read_address(AF_INET, word[2], &f->v4.ip.saddr);
	read_address(AF_INET, word[3], &f->v4.ip.daddr);
	f->v4.ip.check = folded(sum(0, &f->v4.ip, sizeof(f->v4.ip)));
	f->v4.udp.dest = f->v4.udp.source = htons((uint16_t)atoi(word[4]));
	f->v4.udp.len = htons(sizeof(f->v4.udp));
	return sizeof(f->eth) + sizeof(f->v4);
}

/* @len: of what is behind the header */
static size_t fill_ipv6(struct frame *f, uint8_t next, size_t len, const char *from, const char *to)
{
	memcpy(f->eth.ether_dhost, all_nodes_mac, 6);
	f->eth.ether_type = htons(ETHERTYPE_IPV6);
	f->v6.ip.ip6_flow = htonl(6u << 28);
	f->v6.ip.ip6_plen = htons((uint16_t)len);
	f->v6.ip.ip6_nxt = next;
	f->v6.ip.ip6_hlim = 255;
	read_address(AF_INET6, from, &f->v6.ip.ip6_src);
	read_address(AF_INET6, to, &f->v6.ip.ip6_dst);
	return sizeof(f->eth) + sizeof(f->v6.ip) + len;
}

static size_t fill_udp6(struct frame *f, char **word)
{
	size_t len = fill_ipv6(f, IPPROTO_UDP, sizeof(f->v6.udp), word[2], word[3]);

	f->v6.udp.dest = f->v6.udp.source = htons((uint16_t)atoi(word[4]));
	f->v6.udp.len = htons(sizeof(f->v6.udp));
	f->v6.udp.check = sum6(f, sizeof(f->v6.udp));
	return len;
}

static size_t fill_na(struct frame *f, char **word)
{
	size_t len = fill_ipv6(f, IPPROTO_ICMPV6, sizeof(f->v6.na), word[2], "ff02::1");

	f->v6.na.na.nd_na_type = ND_NEIGHBOR_ADVERT;
	f->v6.na.na.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
	read_address(AF_INET6, word[3], &f->v6.na.na.nd_na_target);
	f->v6.na.opt = (struct nd_opt_hdr){ND_OPT_TARGET_LINKADDR, 1};
	memcpy(f->v6.na.mac, f->eth.ether_shost, 6);
	f->v6.na.na.nd_na_cksum = sum6(f, sizeof(f->v6.na));
	return len;
}

static size_t fill_ra(struct frame *f, char **word)
{
	size_t len = fill_ipv6(f, IPPROTO_ICMPV6, sizeof(f->v6.ra), word[2], "ff02::1");
	struct nd_opt_prefix_info prefix = {
		.nd_opt_pi_type = ND_OPT_PREFIX_INFORMATION,
		.nd_opt_pi_len = sizeof(prefix) / 8,
		.nd_opt_pi_prefix_len = 64,
		.nd_opt_pi_flags_reserved = ND_OPT_PI_FLAG_ONLINK | ND_OPT_PI_FLAG_AUTO,
		.nd_opt_pi_valid_time = htonl((uint32_t)atoi(word[5])),
		.nd_opt_pi_preferred_time = htonl((uint32_t)atoi(word[6])),
	};
	char *slash = strchr(word[3], '/');

	if (!slash || strcmp(slash, "/64") != 0) {
		wrong(word[3]);
	}
	*slash = '\0';
	f->v6.ra.ra.nd_ra_type = ND_ROUTER_ADVERT;
	f->v6.ra.ra.nd_ra_curhoplimit = 64;
	f->v6.ra.ra.nd_ra_router_lifetime = htons((uint16_t)atoi(word[4]));
	f->v6.ra.opt = (struct nd_opt_hdr){ND_OPT_SOURCE_LINKADDR, 1};
	memcpy(f->v6.ra.mac, f->eth.ether_shost, 6);
	read_address(AF_INET6, word[3], &prefix.nd_opt_pi_prefix);
	f->v6.ra.prefix = prefix;
	f->v6.ra.ra.nd_ra_cksum = sum6(f, sizeof(f->v6.ra));
	return len;
}

/* Return: the frame's length. */
static size_t fill(struct frame *f, char **word, int n)
{
	memset(f, 0, sizeof(*f));
	if (n < 2) {
		wrong(n ? word[0] : "");
	}
	read_mac(word[1], f->eth.ether_shost);
	if (n == 4 && !strcmp(word[0], "arp")) {
		return fill_arp(f, word);
	}
	if (n == 4 && !strcmp(word[0], "na")) {
		return fill_na(f, word);
	}
	if (n == 7 && !strcmp(word[0], "ra")) {
		return fill_ra(f, word);
	}
	if (n == 5 && !strcmp(word[0], "udp")) {
		return strchr(word[2], ':') ? fill_udp6(f, word) : fill_udp4(f, word);
	}
	wrong(word[0]);
	return 0;
}

static int send_all(int fd)
{
	char line[256];
	struct frame f;

	while (fgets(line, sizeof(line), stdin)) {
		char *word[WORDS_MAX];
		size_t len;
		int n = 0;

		for (char *w = strtok(line, " \n"); w && n < WORDS_MAX; w = strtok(NULL, " \n")) {
			word[n++] = w;
		}
		len = fill(&f, word, n);
		if (send(fd, &f, len, 0) != (ssize_t)len) {
			fail("send", word[0]);
		}
	}
	return 0;
}

/* --- watching -------------------------------------------------------------------------------- */

static void print(const struct frame *f, const char *kind, int family, const void *from,
		  const void *about)
{
	char address[2][INET6_ADDRSTRLEN];
	const uint8_t *m = f->eth.ether_shost;

	inet_ntop(family, from, address[0], sizeof(address[0]));
	inet_ntop(family, about, address[1], sizeof(address[1]));
	printf("%s %02x:%02x:%02x:%02x:%02x:%02x %s %s", kind, m[0], m[1], m[2], m[3], m[4], m[5],
	       address[0], address[1]);
}

static void show_arp(const struct frame *f)
{
	const uint8_t *m = f->eth.ether_shost, *s = f->arp.arp_sha;
	char address[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, f->arp.arp_spa, address, sizeof(address));
	printf("arp %02x:%02x:%02x:%02x:%02x:%02x %02x:%02x:%02x:%02x:%02x:%02x %s\n", m[0], m[1],
	       m[2], m[3], m[4], m[5], s[0], s[1], s[2], s[3], s[4], s[5], address);
}

static void show_ipv4(const struct frame *f, size_t len)
{
	if (len < sizeof(f->eth) + sizeof(f->v4) || f->v4.ip.protocol != IPPROTO_UDP) {
		return;
	}
	print(f, "udp", AF_INET, &f->v4.ip.saddr, &f->v4.ip.daddr);
	printf(" %u\n", ntohs(f->v4.udp.dest));
}

static void show_ipv6(const struct frame *f, size_t len)
{
	size_t rest = len - sizeof(f->eth);

	if (rest >= sizeof(f->v6.ip) + sizeof(f->v6.udp) && f->v6.ip.ip6_nxt == IPPROTO_UDP) {
		print(f, "udp", AF_INET6, &f->v6.ip.ip6_src, &f->v6.ip.ip6_dst);
		printf(" %u\n", ntohs(f->v6.udp.dest));
	} else if (rest >= sizeof(f->v6.ip) + sizeof(f->v6.na.na) &&
		   f->v6.ip.ip6_nxt == IPPROTO_ICMPV6 &&
		   f->v6.na.na.nd_na_type == ND_NEIGHBOR_ADVERT) {
		print(f, "na", AF_INET6, &f->v6.ip.ip6_src, &f->v6.na.na.nd_na_target);
		printf("\n");
	}
}

static void watch(int fd) __attribute__((noreturn));
static void watch(int fd)
{
	for (;;) {
		struct frame f;
		ssize_t n;

		memset(&f, 0, sizeof(f));
		n = recv(fd, &f, sizeof(f), 0);
		if (n < 0) {
			fail("recv", "a frame");
		}
		if (n < (ssize_t)sizeof(f.eth)) {
			continue;
		}
		if (f.eth.ether_type == htons(ETHERTYPE_ARP)) {
			show_arp(&f);
		} else if (f.eth.ether_type == htons(ETHERTYPE_IP)) {
			show_ipv4(&f, (size_t)n);
		} else if (f.eth.ether_type == htons(ETHERTYPE_IPV6)) {
			show_ipv6(&f, (size_t)n);
		}
		fflush(stdout);
	}
}

/* Return: a socket that hears all frames of @device, those for others, too. */
static int open_device(const char *device)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = htons(ETH_P_ALL),
				.sll_ifindex = (int)if_nametoindex(device)};
	struct packet_mreq all = {.mr_ifindex = a.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0) {
		fail("open", device);
	}
	return fd;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "send")) {
		return send_all(open_device(argv[2]));
	}
	if (argc == 3 && !strcmp(argv[1], "watch")) {
		watch(open_device(argv[2]));
	}
	fprintf(stderr, "usage: see the first lines of netframe.c\n");
	return 2;
}
