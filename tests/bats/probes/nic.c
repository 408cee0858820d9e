/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nic.c - what a network device counts, and what it is to do in the kernel's place
 *
 *   nic counts DEVICE            print NAME VALUE for each counter of its driver
 *   nic offload DEVICE on|off    let it segment and sum up, or have the kernel do both before
 *
 * By the ioctl of <linux/ethtool.h>, which a small libc doesn't come with.
 */
#include <errno.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define SIOCETHTOOL	0x8946
#define GET_DRIVER	0x03u
#define SET_TX_CHECKSUM 0x17u
#define GET_STRINGS	0x1bu
#define GET_COUNTS	0x1du
#define SET_TSO		0x1fu
#define SET_GSO		0x24u
#define SET_GRO		0x2cu
#define NAME_LEN	32u
#define STRINGS_STATS	1u
#define COUNTS_MAX	4096u

/** struct driver - struct ethtool_drvinfo */
struct driver {
	uint32_t cmd;
	char skipped[32 * 5 + 12 + 4];
	uint32_t n_stats;
	uint32_t rest[3];
};

_Static_assert(sizeof(struct driver) == 196, "as the kernel has it");

struct value {
	uint32_t cmd, data;
};

struct strings {
	uint32_t cmd, set, n;
	char name[COUNTS_MAX][NAME_LEN];
};

struct counts {
	uint32_t cmd, n;
	uint64_t value[COUNTS_MAX];
};

static const char *device;

static void call(void *arg)
{
	static int fd = -1;
	struct ifreq r = {.ifr_data = arg};

	if (fd < 0) {
		fd = socket(AF_INET, SOCK_DGRAM, 0);
	}
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", device);
	if (ioctl(fd, SIOCETHTOOL, &r) < 0) {
		fprintf(stderr, "nic: %s: request 0x%x: %s\n", device, *(uint32_t *)arg,
			strerror(errno));
		exit(1);
	}
}

static int print_counts(void)
{
	static struct strings s = {.cmd = GET_STRINGS, .set = STRINGS_STATS};
	static struct counts c = {.cmd = GET_COUNTS};
	struct driver d = {.cmd = GET_DRIVER};

	call(&d);
	if (d.n_stats > COUNTS_MAX) {
		fprintf(stderr, "nic: %s: %u counters are too many\n", device, d.n_stats);
		return 1;
	}
	s.n = c.n = d.n_stats;
	call(&s);
	call(&c);
	for (uint32_t i = 0; i < d.n_stats; i++) {
		printf("%.*s %llu\n", (int)NAME_LEN, s.name[i], (unsigned long long)c.value[i]);
	}
	return 0;
}

/* In the order in which one may need the other. */
static int set_offload(uint32_t on)
{
	static const uint32_t up[] = {SET_TX_CHECKSUM, SET_TSO, SET_GSO, SET_GRO};
	unsigned n = sizeof(up) / sizeof(up[0]);

	for (unsigned i = 0; i < n; i++) {
		struct value v = {up[on ? i : n - 1 - i], on};

		call(&v);
	}
	return 0;
}

int main(int argc, char **argv)
{
	device = argc > 2 ? argv[2] : "";
	if (argc == 3 && !strcmp(argv[1], "counts")) {
		return print_counts();
	}
	if (argc == 4 && !strcmp(argv[1], "offload") &&
	    (!strcmp(argv[3], "on") || !strcmp(argv[3], "off"))) {
		return set_offload(!strcmp(argv[3], "on"));
	}
	fprintf(stderr, "usage: see the first lines of nic.c\n");
	return 2;
}
