/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_events.c - `events`: figures of a container, once or again and again */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <netlink/socket.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cmd.h"
#include "container.h"
#include "duration.h"
#include "net_attach.h"
#include "net_stats.h"
#include "oci/annotations.h"
#include "oci/spec.h"
#include "stats_json.h"

/**
 * struct source - where the figures come from
 * @nl:     a socket in the container's network namespace, NULL: none, or it isn't its own
 * @egress: its allow-list or NULL; borrowed from @spec
 */
struct source {
	const struct container *c;
	struct oci_spec *spec;
	struct nl_sock *nl;
	const char *egress;
};

/* Whose pid it was may have changed until the namespace is open, so it is asked again. */
static int open_netns(const struct container *c, struct vr_err *err)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)c->state.shim.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return vr_err_sys(err, errno, "open '%s'", path);
	}
	if (!oci_proc_alive(&c->state, &c->state.shim)) {
		(void)close(fd);
		return vr_err_set(err, ESRCH, "the container has ended");
	}
	return fd;
}

/* The network is an addition: without it the guest's figures are told all the same. */
static void source_open(const struct container *c, struct source *src)
{
	struct vr_err err = VR_ERR_INIT;
	struct oci_settings settings;
	int rc, fd;

	*src = (struct source){.c = c};
	rc = oci_spec_load(c->dir.fd, OCI_CONFIG_FILE, &src->spec, &err);
	if (rc == 0) {
		rc = oci_settings_parse("config.json", &src->spec->annotations, &settings, &err);
	}
	fd = rc == 0 ? open_netns(c, &err) : -1;
	if (fd >= 0) {
		(void)!net_stats_open(fd, &src->nl, &err);
		(void)close(fd);
		src->egress = settings.net_egress;
	}
	if (!src->nl) {
		vr_debug("events: no network figures: %s", err.msg);
	}
}

static void source_close(struct source *src)
{
	nl_socket_free(src->nl);
	oci_spec_free(src->spec);
}

static const struct net_stats *read_network(const struct source *src, struct net_stats *out)
{
	struct vr_err err = VR_ERR_INIT;

	if (!src->nl || net_stats_read(src->nl, out, &err) < 0) {
		return NULL;
	}
	return out;
}

/* Return: 0, 1 when the reader went away. */
static int say(const char *text)
{
	return puts(text) < 0 || fflush(stdout) != 0;
}

/**
 * show_once() - one event, two when memory ran out since the last
 * @oom_kills: as of the last time; AP_STAT_NONE the first time
 */
static int show_once(const struct source *src, uint64_t *oom_kills, struct vr_err *err)
{
	static struct net_stats net; /* large; one at a time */
	const struct container *c = src->c;
	vr_autofree char *text = NULL;
	vr_autofree char *oom = NULL;
	vr_autofree void *memory = NULL;
	struct ap_stats s;
	uint64_t kills;
	int rc = container_stats(c, &s, &memory, err);

	if (rc == 0) {
		rc = stats_json(c->state.id, &s, read_network(src, &net), src->egress, &text, err);
	}
	if (rc < 0) {
		return rc;
	}
	kills = s.v[AP_STAT_MEM_OOM_KILL];
	if (*oom_kills != AP_STAT_NONE && kills != AP_STAT_NONE && kills > *oom_kills) {
		rc = stats_json_oom(c->state.id, &oom, err);
		rc = rc == 0 ? say(oom) : rc;
	}
	*oom_kills = kills;
	return rc == 0 ? say(text) : rc;
}

static int watch(const struct source *src, uint64_t interval_ms)
{
	const struct container *c = src->c;
	struct vr_err ignored = VR_ERR_INIT;
	uint64_t kills = AP_STAT_NONE;
	int rc = 0;

	while (rc == 0 && oci_state_status(&c->state) != OCI_STOPPED) {
		rc = show_once(src, &kills, &ignored);
		if (rc < 0) {
			rc = 0; /* paused, or just ending: the next round will tell */
		}
		for (uint64_t left = interval_ms; rc == 0 && left > 0;) {
			uint64_t step = VR_MIN(left, (uint64_t)1000);

			(void)poll(NULL, 0, (int)step);
			left = oci_state_status(&c->state) == OCI_STOPPED ? 0 : left - step;
		}
	}
	return 0;
}

int cmd_events(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	struct container c = CONTAINER_INIT;
	struct source src;
	const char *interval = "5s";
	uint64_t interval_ms = 0, kills = AP_STAT_NONE;
	bool once = false;
	const struct opt table[] = {
		{"stats", 0, OPT_SWITCH, &once, "print the figures once"},
		{"interval", 0, OPT_STRING, &interval, "time between two (default: 5s)"},
	};
	char **operands;
	int rc = cmd_args("events", "ID", table, VR_ARRAY_SIZE(table), 1, 1, argc, argv, &operands,
			  err);

	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	if (duration_parse(interval, &interval_ms) < 0 || interval_ms == 0) {
		return vr_err_set(err, EINVAL,
				  "events: option '--interval': '%s' is no duration above 0",
				  interval);
	}
	rc = container_open(g, operands[0], false, &c, err);
	if (rc == 0 && oci_state_status(&c.state) == OCI_STOPPED) {
		rc = vr_err_set(err, ESRCH, "container with id %s is not running", c.state.id);
	}
	if (rc == 0) {
		source_open(&c, &src);
		rc = once ? show_once(&src, &kills, err) : watch(&src, interval_ms);
		source_close(&src);
	}
	container_close(&c);
	return rc > 0 ? 0 : rc;
}
