/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_events.c - `events`: figures of a container, once or again and again */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "cmd.h"
#include "container.h"
#include "duration.h"
#include "stats_json.h"

/* Return: 0, 1 when the reader went away. */
static int say(const char *text)
{
	return puts(text) < 0 || fflush(stdout) != 0;
}

/**
 * show_once() - one event, two when memory ran out since the last
 * @oom_kills: as of the last time; AP_STAT_NONE the first time
 */
static int show_once(const struct container *c, uint64_t *oom_kills, struct vr_err *err)
{
	vr_autofree char *text = NULL;
	vr_autofree char *oom = NULL;
	vr_autofree void *memory = NULL;
	struct ap_stats s;
	uint64_t kills;
	int rc = container_stats(c, &s, &memory, err);

	if (rc == 0) {
		rc = stats_json(c->state.id, &s, &text, err);
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

static int watch(const struct container *c, uint64_t interval_ms)
{
	struct vr_err ignored = VR_ERR_INIT;
	uint64_t kills = AP_STAT_NONE;
	int rc = 0;

	while (rc == 0 && oci_state_status(&c->state) != OCI_STOPPED) {
		rc = show_once(c, &kills, &ignored);
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
		rc = once ? show_once(&c, &kills, err) : watch(&c, interval_ms);
	}
	container_close(&c);
	return rc > 0 ? 0 : rc;
}
