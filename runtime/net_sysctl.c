/* SPDX-License-Identifier: Apache-2.0 */
/* net_sysctl.c - kernel parameters of a network namespace; see net_sysctl.h */
#include "net_sysctl.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"

#define PORT_RANGE "ipv4/ip_local_port_range"

/**
 * struct parameter
 * @initial: of Linux, the guest's, too; several numbers are separated by tabs
 * @follows: writing ip_forward, or forwarding of all interfaces, changes it: told whenever forwarding is on
 */
struct parameter {
	const char *name;
	const char *initial;
	bool follows;
};

/* Of the namespace. */
static const struct parameter whole[] = {
	{"core/somaxconn", "4096", false},
	{"ipv4/ip_forward", "0", false}, /* before what follows from it */
	{"ipv6/conf/all/forwarding", "0", false},
	{"ipv4/ip_unprivileged_port_start", "1024", false},
	{"ipv4/ping_group_range", "1\t0", false},
	{PORT_RANGE, "32768\t60999", false},
	{"ipv4/ip_local_reserved_ports", "", false},
	{"ipv4/ip_nonlocal_bind", "0", false},
	{"ipv4/ip_default_ttl", "64", false},
	{"ipv4/ip_no_pmtu_disc", "0", false},
	{"ipv4/icmp_echo_ignore_all", "0", false},
	{"ipv4/icmp_echo_ignore_broadcasts", "1", false},
	{"ipv4/tcp_abort_on_overflow", "0", false},
	{"ipv4/tcp_base_mss", "1024", false},
	{"ipv4/tcp_congestion_control", "cubic", false},
	{"ipv4/tcp_ecn", "2", false},
	{"ipv4/tcp_fastopen", "1", false},
	{"ipv4/tcp_fin_timeout", "60", false},
	{"ipv4/tcp_keepalive_intvl", "75", false},
	{"ipv4/tcp_keepalive_probes", "9", false},
	{"ipv4/tcp_keepalive_time", "7200", false},
	{"ipv4/tcp_moderate_rcvbuf", "1", false},
	{"ipv4/tcp_mtu_probing", "0", false},
	{"ipv4/tcp_no_metrics_save", "0", false},
	{"ipv4/tcp_notsent_lowat", "4294967295", false},
	{"ipv4/tcp_orphan_retries", "0", false},
	{"ipv4/tcp_reordering", "3", false},
	{"ipv4/tcp_retries1", "3", false},
	{"ipv4/tcp_retries2", "15", false},
	{"ipv4/tcp_rfc1337", "0", false},
	{"ipv4/tcp_sack", "1", false},
	{"ipv4/tcp_slow_start_after_idle", "1", false},
	{"ipv4/tcp_syn_retries", "6", false},
	{"ipv4/tcp_synack_retries", "5", false},
	{"ipv4/tcp_syncookies", "1", false},
	{"ipv4/tcp_timestamps", "1", false},
	{"ipv4/tcp_tw_reuse", "2", false},
	{"ipv4/tcp_window_scaling", "1", false},
	{"ipv6/bindv6only", "0", false},
	{"ipv6/ip_nonlocal_bind", "0", false},
};

/* Of each interface, "all" and "default". disable_ipv6 and the way to an address are AP_MSG_NET's. */
static const struct parameter ipv4[] = {
	{"forwarding", "0", true},	  {"accept_local", "0", false},
	{"accept_redirects", "1", true},  {"arp_accept", "0", false},
	{"arp_announce", "0", false},	  {"arp_filter", "0", false},
	{"arp_ignore", "0", false},	  {"arp_notify", "0", false},
	{"log_martians", "0", false},	  {"proxy_arp", "0", false},
	{"route_localnet", "0", false},	  {"rp_filter", "0", false},
	{"secure_redirects", "1", false}, {"send_redirects", "1", false},
	{"src_valid_mark", "0", false},
};
static const struct parameter ipv6[] = {
	{"forwarding", "0", true},	  {"accept_ra", "1", false},
	{"accept_ra_defrtr", "1", false}, {"accept_ra_pinfo", "1", false},
	{"accept_redirects", "1", false}, {"accept_source_route", "0", false},
	{"autoconf", "1", false},	  {"dad_transmits", "1", false},
	{"hop_limit", "64", false},	  {"ndisc_notify", "0", false},
	{"proxy_ndp", "0", false},	  {"router_solicitations", "-1", false},
	{"use_tempaddr", "0", false},
};

_Static_assert(VR_ARRAY_SIZE(whole) +
			       (VR_ARRAY_SIZE(ipv4) + VR_ARRAY_SIZE(ipv6)) * (AP_MAX_LINKS + 2) <=
		       AP_MAX_NET_SYSCTLS,
	       "room for all");

/* Return: whether there is one; without the newline */
static bool read_value(const char *key, char value[NET_SYSCTL_VALUE_MAX])
{
	char path[sizeof("/proc/sys/") + NET_SYSCTL_KEY_MAX];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/sys/%s", key); /* fits */
	vr_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	n = fd < 0 ? -1 : read(fd, value, NET_SYSCTL_VALUE_MAX);
	if (n == (ssize_t)NET_SYSCTL_VALUE_MAX) {
		vr_warn("sysctl %s of the container's network is too long for the VM", key);
		return false;
	}
	if (n < 0) {
		return false;
	}
	value[n] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return true;
}

/* @always: also when it is what it is by default */
static void take(struct net_sysctls *out, const char *initial, bool always)
{
	uint32_t n = out->n;

	if (read_value(out->key[n], out->value[n]) &&
	    (always || strcmp(out->value[n], initial) != 0)) {
		out->kv[n] = (struct ap_kv){.key = out->key[n], .value = out->value[n]};
		out->n++;
	}
}

static void take_conf(struct net_sysctls *out, const char *family, const char *ifname,
		      const struct parameter *p, size_t n, bool forwards)
{
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(out->key[out->n], NET_SYSCTL_KEY_MAX, "net/%s/conf/%s/%s", family,
			       ifname, p[i].name);
		take(out, p[i].initial, forwards && p[i].follows);
	}
}

/* Return: was it taken? */
static bool has(const struct net_sysctls *s, const char *key)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (strcmp(s->key[i], key) == 0) {
			return true;
		}
	}
	return false;
}

void net_sysctl_read(const struct net_scan *s, bool own_ports, struct net_sysctls *out)
{
	const char *name[AP_MAX_LINKS + 2] = {"all", "default"};
	size_t n_names = 2;
	bool forwards4, forwards6;

	out->n = 0;
	for (size_t i = 0; i < VR_ARRAY_SIZE(whole); i++) {
		if (!own_ports || strcmp(whole[i].name, PORT_RANGE) != 0) {
			(void)snprintf(out->key[out->n], NET_SYSCTL_KEY_MAX, "net/%s",
				       whole[i].name);
			take(out, whole[i].initial, false);
		}
	}
	for (uint32_t i = 0; i < s->net.n_links; i++) {
		name[n_names++] = s->net.links[i].name;
	}
	forwards4 = has(out, "net/ipv4/ip_forward");
	forwards6 = has(out, "net/ipv6/conf/all/forwarding");
	for (size_t i = 0; i < n_names; i++) {
		take_conf(out, "ipv4", name[i], ipv4, VR_ARRAY_SIZE(ipv4), forwards4);
		take_conf(out, "ipv6", name[i], ipv6, VR_ARRAY_SIZE(ipv6), forwards6);
	}
}
