/* SPDX-License-Identifier: Apache-2.0 */
/* net_dns.c - a name server on the loopback of the container's namespace; see net_dns.h */
#include "net_dns.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/log.h"
#include "net_tc.h"
#include "resolv_conf.h"

#define DNS_PORT 53u
#define LIST_MAX (1u << 20)

#define PORT_RANGE "/proc/sys/net/ipv4/ip_local_port_range"

/*
 * Ports from which the namespace's own sockets send. The guest's kernel doesn't choose any of them
 * (it has 32768 to 60999), and one mask tells them.
 */
#define OWN_PORTS	"61440 62463"
#define OWN_PORTS_VALUE 0xf000u
#define OWN_PORTS_MASK	0xfc00u

static int take_first(void *ctx, uint32_t family, const uint8_t addr[16], struct vr_err *err)
{
	(void)err;
	if (family == 4 && addr[0] == 127) {
		memcpy(ctx, addr, 4);
	}
	return 1; /* the first is who is asked */
}

/* proc(5): the second column has address and port in hexadecimal, the address as it is in memory */
static bool has_socket(const char *list, const uint8_t addr[4])
{
	const char *line = strchr(list, '\n');
	uint32_t want, have;

	memcpy(&want, addr, sizeof(want));
	for (; line; line = strchr(line + 1, '\n')) {
		if (sscanf(line + 1, " %*[^:]: %8" SCNx32 ":", &have) == 1 && have == want) {
			return true;
		}
	}
	return false;
}

/* Its port needn't be 53: docker's is anywhere, and translated. */
static bool somebody_there(const uint8_t addr[4])
{
	vr_autofree char *list = NULL;
	size_t len;

	return vr_read_file(AT_FDCWD, "/proc/self/net/udp", LIST_MAX, &list, &len) == 0 &&
	       has_socket(list, addr);
}

/* Without it the server's own questions have no answers; it still knows the containers. */
static void keep_ports(void)
{
	vr_autoclose int fd = open(PORT_RANGE, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, OWN_PORTS, sizeof(OWN_PORTS) - 1) < 0) {
		vr_debug("write '%s': %s", PORT_RANGE, strerror(errno));
	}
}

static int connect_to(const uint8_t addr[4], int *out_fd, struct vr_err *err)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(DNS_PORT)};
	vr_autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(&sa.sin_addr, addr, 4);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		return vr_err_sys(err, errno, "reach the container's name server %u.%u.%u.%u",
				  addr[0], addr[1], addr[2], addr[3]);
	}
	*out_fd = vr_take_fd(&fd);
	return 0;
}

int net_dns_open(const struct oci_spec *spec, const struct net_egress *egress, uint8_t addr[4],
		 int *out_fd, struct vr_err *err)
{
	struct vr_err why = VR_ERR_INIT;
	uint8_t found[4] = {0};
	int rc = resolv_conf_each(spec, take_first, found, &why);

	memset(addr, 0, 4);
	if (rc < 0 && rc != -ENODATA) {
		vr_debug("%s", why.msg); /* whether it can be mounted is decided elsewhere */
	}
	if (found[0] == 0 || !somebody_there(found) ||
	    (egress && !net_egress_allows(egress, 4, found, DNS_PORT))) {
		return 0;
	}
	keep_ports();
	rc = connect_to(found, out_fd, err);
	if (rc == 0) {
		memcpy(addr, found, 4);
	}
	return rc;
}

/* From a name server to one of OWN_PORTS: IPv4 without options, no fragment. */
static struct net_filter answers(uint8_t protocol, uint16_t prio)
{
	return (struct net_filter){
		.prio = prio,
		.proto = ETH_P_IP,
		.keep = true,
		.n_keys = 4,
		.key = {{.off = 0, .value = 0x45000000u, .mask = 0xff000000u},
			{.off = 4, .value = 0, .mask = 0x00003fffu},
			{.off = 8, .value = (uint32_t)protocol << 16, .mask = 0x00ff0000u},
			{.off = 20,
			 .value = DNS_PORT << 16 | OWN_PORTS_VALUE,
			 .mask = 0xffff0000u | OWN_PORTS_MASK}},
	};
}

int net_dns_filters(struct nl_sock *nl, int ifindex, int tap, uint16_t prio)
{
	/* Both answer, with the same address: whoever asked sees no difference. */
	const struct net_filter arp = {
		.prio = prio, .proto = ETH_P_ARP, .to = tap, .keep = true, .n_keys = 1};
	const struct net_filter udp = answers(IPPROTO_UDP, (uint16_t)(prio + 1));
	const struct net_filter tcp = answers(IPPROTO_TCP, (uint16_t)(prio + 1));
	int rc = net_tc_filter(nl, ifindex, &arp);

	rc = rc < 0 ? rc : net_tc_filter(nl, ifindex, &udp);
	return rc < 0 ? rc : net_tc_filter(nl, ifindex, &tcp);
}
