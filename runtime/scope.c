/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope.c - a container's cgroup as a systemd scope; see scope.h
 *
 * Starting and stopping are jobs: the call returns the job's object, and a signal tells when
 * it was done. So the signal is subscribed to first.
 */
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "scope_props.h"
#include "sdbus.h"

#define DESTINATION "org.freedesktop.systemd1"
#define OBJECT	    "/org/freedesktop/systemd1"
#define MANAGER	    "org.freedesktop.systemd1.Manager"
#define SCOPE	    "org.freedesktop.systemd1.Scope"
#define PRIVATE	    "unix:path=/run/systemd/private"
#define UNIT_EXISTS "org.freedesktop.systemd1.UnitExists"
#define NO_SUCH	    "org.freedesktop.systemd1.NoSuchUnit"
#define TIMEOUT_US  (30u * 1000000u)

/**
 * struct talk - one conversation
 * @unit:   whose job is waited for
 * @result: of the job: "done", or why not; empty while there is none
 */
struct talk {
	const struct sdbus *sd;
	sd_bus *bus;
	const char *unit;
	char result[32];
};

/* ---- connecting ---- */

/* May we ask the system's manager? Root of a user namespace may not. */
static bool is_system_root(void)
{
	vr_autofree char *map = NULL;
	unsigned inside, outside, count;
	size_t len;

	if (geteuid() != 0) {
		return false;
	}
	if (vr_read_file(AT_FDCWD, "/proc/self/uid_map", 4096, &map, &len) < 0) {
		return true;
	}
	return sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 &&
	       outside == 0 && count == UINT32_MAX;
}

static int connect_to(struct talk *t, const char *address)
{
	int rc = t->sd->sd_bus_new(&t->bus);

	if (rc >= 0) {
		rc = t->sd->sd_bus_set_address(t->bus, address);
	}
	return rc < 0 ? rc : t->sd->sd_bus_start(t->bus);
}

static void hang_up(struct talk *t)
{
	if (t->bus) {
		t->bus = t->sd->sd_bus_flush_close_unref(t->bus);
	}
}

/* The system's bus; systemd's own socket where there is no bus, as systemctl does it. */
static int connect_system(struct talk *t)
{
	int rc = t->sd->sd_bus_open_system(&t->bus);

	if (rc < 0) {
		hang_up(t);
		rc = connect_to(t, PRIVATE) < 0 ? rc : 0;
	}
	return rc;
}

static int on_job_removed(sd_bus_message *m, void *ctx, sd_bus_error *ignored)
{
	struct talk *t = ctx;
	const char *job, *unit, *result;
	uint32_t id;

	(void)ignored;
	if (t->sd->sd_bus_message_read(m, "uoss", &id, &job, &unit, &result) >= 0 && t->unit &&
	    strcmp(unit, t->unit) == 0) {
		(void)snprintf(t->result, sizeof(t->result), "%s", result); /* cut: a word */
	}
	return 0;
}

static int subscribe(struct talk *t)
{
	/* No sender: systemd's own socket has none. */
	int rc = t->sd->sd_bus_match_signal(t->bus, NULL, NULL, OBJECT, MANAGER, "JobRemoved",
					    on_job_removed, t);

	if (rc >= 0) {
		rc = t->sd->sd_bus_call_method(t->bus, DESTINATION, OBJECT, MANAGER, "Subscribe",
					       NULL, NULL, "");
	}
	return rc;
}

static int talk_open(struct talk *t, const char *unit, const char *address, struct vr_err *err)
{
	int rc;

	*t = (struct talk){.sd = sdbus_load(err), .unit = unit};
	if (!t->sd) {
		return -ENOENT;
	}
	if (address) {
		rc = connect_to(t, address);
	} else if (is_system_root()) {
		rc = connect_system(t);
	} else {
		rc = t->sd->sd_bus_open_user(&t->bus);
	}
	if (rc >= 0) {
		(void)t->sd->sd_bus_set_method_call_timeout(t->bus, TIMEOUT_US);
		rc = subscribe(t);
	}
	if (rc < 0) {
		hang_up(t);
		return vr_err_set(err, -rc,
				  "systemd doesn't answer: %s (--systemd-cgroup needs a running "
				  "systemd; --cgroup-manager=cgroupfs does without)",
				  strerror(-rc));
	}
	return 0;
}

/* ---- messages ---- */

static int put_value(const struct talk *t, sd_bus_message *m, const struct scope_prop *p)
{
	switch (p->type[0]) {
	case 'b':
	case 'i':
		return t->sd->sd_bus_message_append(m, p->type, (int)p->num);
	case 'u':
		return t->sd->sd_bus_message_append(m, p->type, (uint32_t)p->num);
	case 's':
		return t->sd->sd_bus_message_append(m, p->type, p->text);
	case 'a':
		return t->sd->sd_bus_message_append_array(m, 'y', p->text, p->len);
	default:
		return t->sd->sd_bus_message_append(m, p->type, p->num);
	}
}

static int put_prop(const struct talk *t, sd_bus_message *m, const struct scope_prop *p)
{
	const struct sdbus *sd = t->sd;
	int rc = sd->sd_bus_message_open_container(m, 'r', "sv");

	rc = rc < 0 ? rc : sd->sd_bus_message_append(m, "s", p->name);
	rc = rc < 0 ? rc : sd->sd_bus_message_open_container(m, 'v', p->type);
	rc = rc < 0 ? rc : put_value(t, m, p);
	rc = rc < 0 ? rc : sd->sd_bus_message_close_container(m);
	return rc < 0 ? rc : sd->sd_bus_message_close_container(m);
}

static int put_props(const struct talk *t, sd_bus_message *m, const struct scope_props *p)
{
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < p->n; i++) {
		rc = put_prop(t, m, &p->v[i]);
	}
	return rc;
}

static int put_pids(const struct talk *t, sd_bus_message *m, const struct scope *s)
{
	const struct sdbus *sd = t->sd;
	uint32_t pids[16];
	size_t n = VR_MIN(s->n_pids, VR_ARRAY_SIZE(pids));
	int rc;

	for (size_t i = 0; i < n; i++) {
		pids[i] = (uint32_t)s->pids[i];
	}
	rc = sd->sd_bus_message_open_container(m, 'r', "sv");
	rc = rc < 0 ? rc : sd->sd_bus_message_append(m, "s", "PIDs");
	rc = rc < 0 ? rc : sd->sd_bus_message_open_container(m, 'v', "au");
	rc = rc < 0 ? rc : sd->sd_bus_message_append_array(m, 'u', pids, n * sizeof(pids[0]));
	rc = rc < 0 ? rc : sd->sd_bus_message_close_container(m);
	return rc < 0 ? rc : sd->sd_bus_message_close_container(m);
}

static int put_unit(const struct talk *t, sd_bus_message *m, const struct scope *s)
{
	static const char *const yes[] = {"Delegate", "CPUAccounting", "MemoryAccounting",
					  "TasksAccounting", "IOAccounting"};
	const struct sdbus *sd = t->sd;
	int rc = sd->sd_bus_message_append(m, "(sv)", "Description", "s", s->description);

	rc = rc < 0 ? rc : sd->sd_bus_message_append(m, "(sv)", "Slice", "s", s->slice);
	for (size_t i = 0; rc >= 0 && i < VR_ARRAY_SIZE(yes); i++) {
		rc = sd->sd_bus_message_append(m, "(sv)", yes[i], "b", 1);
	}
	/* It must not end with the system's first targets, nor wait for them. */
	rc = rc < 0 ? rc : sd->sd_bus_message_append(m, "(sv)", "DefaultDependencies", "b", 0);
	return rc < 0 ? rc : put_pids(t, m, s);
}

static int make_start(const struct talk *t, const struct scope *s, const struct scope_props *p,
		      sd_bus_message **out)
{
	const struct sdbus *sd = t->sd;
	sd_bus_message *m = NULL;
	int rc = sd->sd_bus_message_new_method_call(t->bus, &m, DESTINATION, OBJECT, MANAGER,
						    "StartTransientUnit");

	rc = rc < 0 ? rc : sd->sd_bus_message_append(m, "ss", s->name, "replace");
	rc = rc < 0 ? rc : sd->sd_bus_message_open_container(m, 'a', "(sv)");
	rc = rc < 0 ? rc : put_unit(t, m, s);
	rc = rc < 0 ? rc : put_props(t, m, p);
	rc = rc < 0 ? rc : sd->sd_bus_message_close_container(m);
	rc = rc < 0 ? rc : sd->sd_bus_message_append(m, "a(sa(sv))", 0);
	*out = m;
	return rc;
}

/* What systemd said, or what the library did. Return: negative errno */
static int call_fail(const struct talk *t, sd_bus_error *e, int rc, const char *what,
		     struct vr_err *err)
{
	rc = vr_err_set(err, -rc, "systemd: %s '%s': %s", what, t->unit,
			e->message ? e->message : strerror(-rc));
	t->sd->sd_bus_error_free(e);
	return rc;
}

static int wait_for_job(struct talk *t, const char *what, struct vr_err *err)
{
	uint64_t deadline = vr_now_ms() + TIMEOUT_US / 1000;
	int rc;

	while (t->result[0] == '\0') {
		rc = t->sd->sd_bus_process(t->bus, NULL);
		if (rc == 0) {
			rc = vr_now_ms() > deadline ? -ETIMEDOUT
						    : t->sd->sd_bus_wait(t->bus, 1000000);
		}
		if (rc < 0 && rc != -EINTR) {
			return vr_err_sys(err, rc, "systemd: %s '%s'", what, t->unit);
		}
	}
	if (strcmp(t->result, "done") != 0) {
		return vr_err_set(err, EIO, "systemd: %s '%s': the job ended with '%s'", what,
				  t->unit, t->result);
	}
	return 0;
}

/* ---- the operations ---- */

static void forget(const struct talk *t)
{
	/* Mostly there is nothing to forget. */
	(void)t->sd->sd_bus_call_method(t->bus, DESTINATION, OBJECT, MANAGER, "ResetFailedUnit",
					NULL, NULL, "s", t->unit);
}

static int start_once(struct talk *t, const struct scope *s, const struct scope_props *p,
		      bool *out_exists, struct vr_err *err)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	int rc = make_start(t, s, p, &m);

	*out_exists = false;
	if (rc >= 0) {
		t->result[0] = '\0';
		rc = t->sd->sd_bus_call(t->bus, m, TIMEOUT_US, &e, NULL);
	}
	if (m) {
		(void)t->sd->sd_bus_message_unref(m);
	}
	if (rc < 0) {
		*out_exists = e.name && strcmp(e.name, UNIT_EXISTS) == 0;
		return call_fail(t, &e, rc, "start", err);
	}
	return wait_for_job(t, "start", err);
}

static int control_group(const struct talk *t, char out[SBX_CGROUP_PATH_MAX], struct vr_err *err)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	vr_autofree char *path = NULL;
	const char *object;
	int rc = t->sd->sd_bus_call_method(t->bus, DESTINATION, OBJECT, MANAGER, "GetUnit", &e,
					   &reply, "s", t->unit);

	rc = rc < 0 ? rc : t->sd->sd_bus_message_read(reply, "o", &object);
	rc = rc < 0 ? rc
		    : t->sd->sd_bus_get_property_string(t->bus, DESTINATION, object, SCOPE,
							"ControlGroup", &e, &path);
	if (reply) {
		(void)t->sd->sd_bus_message_unref(reply);
	}
	if (rc < 0) {
		return call_fail(t, &e, rc, "find the cgroup of", err);
	}
	if (path[0] != '/' || path[1] == '\0' || strlen(path) >= SBX_CGROUP_PATH_MAX) {
		return vr_err_set(err, EIO, "systemd: the cgroup of '%s' is '%.80s'", t->unit,
				  path);
	}
	memcpy(out, path, strlen(path) + 1);
	return 0;
}

static int collect(const struct sbx_cgroup_limits *limits, const struct oci_kvs *annotations,
		   struct scope_props *p, struct vr_err *err)
{
	int rc = 0;

	p->n = 0;
	if (limits) {
		rc = scope_props_limits(limits, sbx_cgroup_mode() == SBX_CGROUP_V2, p, err);
	}
	return rc < 0 ? rc : scope_props_annotations(annotations, p, err);
}

int scope_probe(const char *address, struct vr_err *err)
{
	struct talk t;
	int rc = talk_open(&t, NULL, address, err);

	if (rc == 0) {
		hang_up(&t);
	}
	return rc;
}

int scope_start(const struct scope *s, const char *address, char out_path[SBX_CGROUP_PATH_MAX],
		struct vr_err *err)
{
	vr_autofree struct scope_props *p = calloc(1, sizeof(*p));
	bool exists;
	struct talk t;
	int rc;

	if (!p) {
		return vr_err_set(err, ENOMEM, "systemd: out of memory");
	}
	rc = collect(s->limits, s->annotations, p, err);
	if (rc == 0) {
		rc = talk_open(&t, s->name, address, err);
	}
	if (rc == 0) {
		rc = start_once(&t, s, p, &exists, err);
		if (rc < 0 && exists) {
			forget(&t);
			rc = start_once(&t, s, p, &exists, err);
		}
		rc = rc < 0 ? rc : control_group(&t, out_path, err);
		hang_up(&t);
	}
	scope_props_finish(p);
	return rc;
}

static int set_properties(struct talk *t, const struct scope_props *p, struct vr_err *err)
{
	const struct sdbus *sd = t->sd;
	sd_bus_error e = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	int rc = sd->sd_bus_message_new_method_call(t->bus, &m, DESTINATION, OBJECT, MANAGER,
						    "SetUnitProperties");

	rc = rc < 0 ? rc : sd->sd_bus_message_append(m, "sb", t->unit, 1); /* until reboot */
	rc = rc < 0 ? rc : sd->sd_bus_message_open_container(m, 'a', "(sv)");
	rc = rc < 0 ? rc : put_props(t, m, p);
	rc = rc < 0 ? rc : sd->sd_bus_message_close_container(m);
	rc = rc < 0 ? rc : sd->sd_bus_call(t->bus, m, TIMEOUT_US, &e, NULL);
	if (m) {
		(void)sd->sd_bus_message_unref(m);
	}
	return rc < 0 ? call_fail(t, &e, rc, "change", err) : 0;
}

int scope_set(const char *name, const char *address, const struct sbx_cgroup_limits *limits,
	      struct vr_err *err)
{
	vr_autofree struct scope_props *p = calloc(1, sizeof(*p));
	struct talk t;
	int rc;

	if (!p) {
		return vr_err_set(err, ENOMEM, "systemd: out of memory");
	}
	rc = collect(limits, NULL, p, err);
	if (rc == 0 && p->n > 0) {
		rc = talk_open(&t, name, address, err);
		if (rc == 0) {
			rc = set_properties(&t, p, err);
			hang_up(&t);
		}
	}
	scope_props_finish(p);
	return rc;
}

int scope_stop(const char *name, const char *address, struct vr_err *err)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	struct talk t;
	int rc = talk_open(&t, name, address, err);

	if (rc < 0) {
		return rc;
	}
	rc = t.sd->sd_bus_call_method(t.bus, DESTINATION, OBJECT, MANAGER, "StopUnit", &e, NULL,
				      "ss", name, "replace");
	if (rc < 0 && e.name && strcmp(e.name, NO_SUCH) == 0) {
		t.sd->sd_bus_error_free(&e);
		rc = 0; /* its last process has ended, and it with it */
	} else if (rc < 0) {
		rc = call_fail(&t, &e, rc, "stop", err);
	} else {
		rc = wait_for_job(&t, "stop", err);
		forget(&t);
	}
	hang_up(&t);
	return rc;
}
