/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_dns.c - a name server on the loopback of a namespace: when there is one, and who may ask */
#include "cm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_dns.h"

static char path[] = "/tmp/resolv.XXXXXX";
static struct oci_mount mount_ = {
	.destination = "/etc/resolv.conf", .source = path, .opt = {.bind = true}};
static const struct oci_spec spec = {.mounts = {.v = &mount_, .n = 1}};
static const struct oci_spec no_mounts;

static int set_up(void **state)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	fd = unshare(CLONE_NEWNET) == 0 ? socket(AF_INET, SOCK_DGRAM, 0) : -1;
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0) {
		return -1;
	}
	return close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static void told(const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int server(const char *addr, uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_int_equal(inet_pton(AF_INET, addr, &sa.sin_addr), 1);
	assert_return_code(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), errno);
	return fd;
}

static bool found(const struct oci_spec *s, const struct net_egress *egress)
{
	static const uint8_t want[4] = {127, 0, 0, 11};
	struct vr_err err = VR_ERR_INIT;
	uint8_t addr[4] = {1, 1, 1, 1};
	int fd = -1;

	assert_no_error(net_dns_open(s, egress, addr, &fd, &err), err);
	assert_int_equal(addr[0] != 0, fd >= 0);
	if (fd >= 0) {
		assert_memory_equal(addr, want, 4);
		close(fd);
	}
	return fd >= 0;
}

static void only_the_first_if_somebody_is_there(void **state)
{
	int fd;

	(void)state;
	assert_false(found(&no_mounts, NULL));
	told("nameserver 127.0.0.11\n");
	assert_false(found(&spec, NULL));
	fd = server("127.0.0.12", 53);
	assert_false(found(&spec, NULL));
	close(fd);
	fd = server("127.0.0.11", 40000); /* whose port 53 is translated to */
	assert_true(found(&spec, NULL));
	told("search example\nnameserver 127.0.0.11\noptions ndots:0\n");
	assert_true(found(&spec, NULL));
	told("nameserver 10.0.0.1\nnameserver 127.0.0.11\n");
	assert_false(found(&spec, NULL));
	told("nameserver ::1\nnameserver 127.0.0.11\n");
	assert_false(found(&spec, NULL));
	told("# nameserver 127.0.0.11\n");
	assert_false(found(&spec, NULL));
	close(fd);
}

static void the_socket_leads_there(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	uint8_t addr[4];
	char buf[8];
	int out = -1;
	int fd = server("127.0.0.11", 53);

	(void)state;
	told("nameserver 127.0.0.11\n");
	assert_no_error(net_dns_open(&spec, NULL, addr, &out, &err), err);
	assert_int_equal(fcntl(out, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(out, F_GETFL) & O_NONBLOCK);
	assert_int_equal(send(out, "ask", 3, 0), 3);
	assert_int_equal(recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len), 3);
	/* From a port whose answers the namespace keeps. */
	assert_int_equal(ntohs(from.sin_port) & 0xfc00, 0xf000);
	close(out);
	close(fd);
}

static void an_allow_list_must_have_it(void **state)
{
	const struct {
		const char *list;
		bool allowed;
	} cases[] = {
		{"none", false},
		{"10.0.0.0/8", false},
		{"127.0.0.11", true},
		{"127.0.0.11:53", true},
		{"127.0.0.11:54", false},
		{"127.0.0.0/8", true},
		{"127.0.0.10/31", true},
		{"127.0.0.8/31", false},
		{"0.0.0.0/0", true},
		{"[::]/0,127.0.0.12", false},
		{"dns", true},
	};
	static struct net_egress list;
	struct vr_err err = VR_ERR_INIT;
	int fd = server("127.0.0.11", 53);

	(void)state;
	told("nameserver 127.0.0.11\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_no_error(net_egress_parse(cases[i].list, &spec, &list, &err), err);
		if (found(&spec, &list) != cases[i].allowed) {
			fail_msg("with the list '%s'", cases[i].list);
		}
	}
	close(fd);
}

static void a_file_that_cant_be_read_names_nobody(void **state)
{
	struct oci_mount gone = {.destination = "/etc/resolv.conf",
				 .source = "/nonexistent/resolv.conf",
				 .opt = {.bind = true}};
	const struct oci_spec bad = {.mounts = {.v = &gone, .n = 1}};

	(void)state;
	assert_false(found(&bad, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_first_if_somebody_is_there),
		cmocka_unit_test(the_socket_leads_there),
		cmocka_unit_test(an_allow_list_must_have_it),
		cmocka_unit_test(a_file_that_cant_be_read_names_nobody),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
