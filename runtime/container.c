/* SPDX-License-Identifier: Apache-2.0 */
/* container.c - what verbs do with a container that exists; see container.h */
#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/utf8.h"
#include "container_hooks.h"
#include "control.h"
#include "host_cgroup.h"
#include "net_attach.h"
#include "oci/spec.h"
#include "sandbox/cgroup.h"

#define LOCK_TIMEOUT_MS	  30000
#define START_TIMEOUT_MS  180000
#define SIGNAL_TIMEOUT_MS 15000
#define STATE_TIMEOUT_MS  2000
/* How long roles may take to end by themselves before they are killed, and then at most. */
#define END_TIMEOUT_MS	  10000
#define KILL_TIMEOUT_MS	  10000
#define CGROUP_TIMEOUT_MS 5000
#define REASON_MAX	  4096

int container_open(const struct globals *g, const char *id, bool lock, struct container *out,
		   struct vr_err *err)
{
	int rc;

	rc = oci_id_check(id, err);
	if (rc < 0) {
		return rc;
	}
	rc = oci_root_open(g->root, false, &out->root_fd, err);
	if (rc == -ENOENT) {
		return vr_err_set(err, ENOENT,
				  "container '%s' does not exist: container does not exist", id);
	}
	if (rc == 0) {
		rc = oci_container_open(out->root_fd, id, &out->dir, err);
	}
	if (rc == 0 && lock) {
		rc = oci_container_lock(&out->dir, LOCK_TIMEOUT_MS, err);
	}
	if (rc == 0) {
		rc = oci_state_read(&out->dir, &out->state, err);
		out->have_state = rc == 0;
	}
	return rc;
}

void container_close(struct container *c)
{
	if (c->have_state) {
		oci_state_finish(&c->state);
		c->have_state = false;
	}
	oci_container_close(&c->dir);
	vr_close_reset(&c->root_fd);
}

char *container_reason(const struct container *c)
{
	char *text = NULL;
	size_t len = 0;

	if (vr_read_file(c->dir.fd, "reason", REASON_MAX, &text, &len) < 0) {
		return NULL;
	}
	if (text[0] == '\0') {
		free(text);
		return NULL;
	}
	/* The vmm's words, cut anywhere, and perhaps not ours any more: JSON and terminals get them. */
	vr_utf8_tame(text);
	return text;
}

enum oci_status container_status(const struct container *c)
{
	struct ctl_call call = {.req = {.type = CTL_STATE}, .timeout_ms = STATE_TIMEOUT_MS};
	enum oci_status noted = oci_state_status(&c->state);
	struct vr_err ignored = VR_ERR_INIT;
	uint32_t state = CTL_STATE_COUNT;
	struct vr_rd r;

	if (noted == OCI_STOPPED || noted == OCI_CREATING) {
		return noted; /* it knows no better */
	}
	if (ctl_call(c->dir.fd, &call, &ignored) == 0) {
		vr_rd_init(&r, call.data, call.data_len);
		state = vr_rd_u32(&r);
	}
	free(call.data);
	switch (state) {
	case CTL_CREATED:
	case CTL_STARTING:
		return OCI_CREATED;
	case CTL_RUNNING:
		return OCI_RUNNING;
	case CTL_PAUSED:
		return OCI_PAUSED;
	default:
		return noted; /* booting, ending, or it doesn't answer */
	}
}

enum oci_status container_noted(const struct container *c)
{
	enum oci_status noted = oci_state_status(&c->state);

	return noted == OCI_PAUSED ? container_status(c) : noted;
}

static int start_permitted(const struct container *c, struct vr_err *err)
{
	switch (container_noted(c)) {
	case OCI_CREATED:
		return 0;
	case OCI_RUNNING:
	case OCI_PAUSED:
		return vr_err_set(err, EBUSY, "cannot start an already running container");
	case OCI_STOPPED:
		return vr_err_set(err, EINVAL, "cannot start a container that has stopped");
	default:
		return vr_err_set(err, EBUSY, "container '%s' is still being created", c->state.id);
	}
}

static int delete_checked(struct container *c, bool force, struct vr_err *err);

/*
 * @hooks: its configuration if it has any, or NULL. A poststart hook that fails ends the container, and
 * removes it (runtime-spec, "Lifecycle", step 9).
 */
static int start(struct container *c, const struct oci_spec *hooks, struct vr_err *err)
{
	struct ctl_call call = {.req = {.type = CTL_START}, .timeout_ms = START_TIMEOUT_MS};
	struct vr_err ignored = VR_ERR_INIT;
	vr_autofree char *text = NULL;
	int rc = container_hooks_state(hooks, &c->state, &text, err);

	if (rc < 0) {
		return rc;
	}
	call.req.body = text;
	call.req.body_len = text ? strlen(text) : 0;
	rc = ctl_call(c->dir.fd, &call, err);
	free(call.data); /* there is none */
	if (!call.refused && (rc == -ECONNREFUSED || rc == -ENOENT)) {
		return vr_err_set(err, EINVAL, "cannot start a container that has stopped");
	}
	if (rc == -EALREADY) {
		/* An earlier start was killed before it could note that it runs. */
		c->state.status = OCI_RUNNING;
		(void)!oci_state_write(&c->dir, &c->state, NULL);
	}
	if (rc < 0) {
		return rc;
	}
	c->state.status = OCI_RUNNING;
	rc = oci_state_write(&c->dir, &c->state, err);
	if (rc == 0) {
		rc = container_poststart(hooks, &c->state, err);
	}
	if (rc < 0) {
		(void)!delete_checked(c, true, &ignored); /* the hook's failure counts */
	}
	return rc;
}

int container_start(struct container *c, struct vr_err *err)
{
	struct oci_spec *hooks;
	int rc = start_permitted(c, err);

	if (rc < 0) {
		return rc;
	}
	hooks = container_hooks_load(&c->dir);
	rc = start(c, hooks, err);
	oci_spec_free(hooks);
	return rc;
}

static void kill_proc(const struct oci_state *s, const struct oci_proc *p)
{
	vr_autoclose int pidfd = -1;

	if (oci_proc_alive(s, p)) {
		pidfd = vr_pidfd_open_checked(p->pid, p->start);
		if (pidfd >= 0) {
			(void)!vr_pidfd_send_signal(pidfd,
						    SIGKILL); /* fails only when it is gone */
		}
	}
}

/* Wait until a role has ended, if it is still there; the lock tells for sure. */
static void wait_proc(const struct oci_state *s, const struct oci_proc *p, uint64_t deadline)
{
	vr_autoclose int pidfd = -1;
	uint64_t now = vr_now_ms();

	if (oci_proc_alive(s, p)) {
		pidfd = vr_pidfd_open_checked(p->pid, p->start);
		if (pidfd >= 0) {
			(void)!vr_pidfd_wait(pidfd, now < deadline ? (int)(deadline - now) : 0);
		}
	}
}

/* Of a container in another one's VM that leaves the VM, and the others in it, alone. */
static void kill_roles(const struct oci_state *s)
{
	kill_proc(s, &s->vmm);
	kill_proc(s, &s->fs);
	kill_proc(s, &s->net);
	kill_proc(s, &s->shim);
}

/*
 * KILL without the vmm, which may be stopped, frozen, or not ours any more. One that has just ended, or
 * is about to, has told the shim before it let go of its sockets.
 *
 * @grace_ms: for that
 */
static int kill_from_outside(const struct oci_state *s, unsigned grace_ms, struct vr_err *err)
{
	wait_proc(s, &s->shim, vr_now_ms() + grace_ms);
	if (!oci_proc_alive(s, &s->shim)) {
		return 0;
	}
	kill_roles(s);
	wait_proc(s, &s->shim, vr_now_ms() + KILL_TIMEOUT_MS);
	return oci_proc_alive(s, &s->shim)
		       ? vr_err_set(err, ETIMEDOUT, "container '%s': its processes don't end",
				    s->id)
		       : 0;
}

int container_kill(struct container *c, uint32_t signo, bool all, struct vr_err *err)
{
	struct ctl_call call = {.req = {.type = CTL_SIGNAL, .signo = signo, .all = all},
				.timeout_ms = SIGNAL_TIMEOUT_MS};
	bool ended;
	int rc;

	switch (oci_state_status(&c->state)) {
	case OCI_STOPPED:
		/* all of none, as runc has it */
		return all ? 0 : vr_err_set(err, ESRCH, "container not running");
	case OCI_CREATING:
		return vr_err_set(err, EBUSY, "container not running: '%s' is still being created",
				  c->state.id);
	default:
		break;
	}
	rc = ctl_call(c->dir.fd, &call, err);
	ended = !call.refused && (rc == -ECONNREFUSED || rc == -ENOENT || rc == -ECONNRESET);
	if (rc == -ESRCH && signo == SIGKILL) {
		return 0; /* it ended while we asked, as was wanted */
	}
	if (rc < 0 && signo == SIGKILL) { /* whatever the vmm says */
		return kill_from_outside(&c->state, ended ? END_TIMEOUT_MS : 0, err);
	}
	return ended || rc == -ESRCH ? vr_err_set(err, ESRCH, "container not running") : rc;
}

/* Ask, and note the new status. */
static int change(struct container *c, enum ctl_type type, enum oci_status to, struct vr_err *err)
{
	struct ctl_call call = {.req = {.type = type}, .timeout_ms = SIGNAL_TIMEOUT_MS};
	int rc = ctl_call(c->dir.fd, &call, err);

	if (rc < 0) {
		return rc;
	}
	c->state.status = to;
	return oci_state_write(&c->dir, &c->state, err);
}

int container_pause(struct container *c, struct vr_err *err)
{
	enum oci_status status = container_status(c);

	if (status != OCI_RUNNING && status != OCI_CREATED) {
		return vr_err_set(err, EINVAL, "container not running or created: %s",
				  oci_status_name(status));
	}
	c->state.paused_created = status == OCI_CREATED;
	return change(c, CTL_PAUSE, OCI_PAUSED, err);
}

int container_resume(struct container *c, struct vr_err *err)
{
	enum oci_status to = c->state.status; /* of a pause that was killed before its note */

	if (container_status(c) != OCI_PAUSED) {
		return vr_err_set(err, EINVAL, "container not paused");
	}
	if (to == OCI_PAUSED) {
		to = c->state.paused_created ? OCI_CREATED : OCI_RUNNING;
	}
	return change(c, CTL_RESUME, to, err);
}

/*
 * What the vmm says are its execs' shims, as far as they are in the container's cgroup: callers signal
 * them, and one that was taken over could name anybody.
 *
 * @data: bytes of the answer; @out has room for all
 *
 * Return: how many
 */
static size_t pids_of_ours(const struct oci_state *s, const void *data, size_t len, pid_t *out)
{
	struct vr_rd r;
	size_t n = 0;

	vr_rd_init(&r, data, len);
	while (vr_rd_left(&r) >= sizeof(uint32_t)) {
		pid_t pid = (pid_t)vr_rd_u32(&r);

		if (!s->cgroup_path || sbx_cgroup_holds(s->cgroup_path, pid)) {
			out[n++] = pid;
		}
	}
	return n;
}

int container_pids(const struct container *c, pid_t **out_pids, size_t *out_n, struct vr_err *err)
{
	struct ctl_call call = {.req = {.type = CTL_PS}, .timeout_ms = SIGNAL_TIMEOUT_MS};
	pid_t *pids;
	int rc;

	if (oci_state_status(&c->state) == OCI_STOPPED) {
		*out_pids =
			calloc(1, sizeof(**out_pids)); /* as runc: a stopped container has none */
		*out_n = 0;
		return *out_pids ? 0 : vr_err_set(err, ENOMEM, "list processes: out of memory");
	}
	rc = ctl_call(c->dir.fd, &call, err);
	if (rc < 0) {
		return rc;
	}
	pids = calloc(call.data_len / sizeof(uint32_t) + 1, sizeof(*pids));
	if (pids) {
		pids[0] = c->state.shim.pid;
		*out_n = 1 + pids_of_ours(&c->state, call.data, call.data_len, pids + 1);
	}
	free(call.data);
	*out_pids = pids;
	return pids ? 0 : vr_err_set(err, ENOMEM, "list processes: out of memory");
}

int container_stats(const struct container *c, struct ap_stats *out, void **out_memory,
		    struct vr_err *err)
{
	struct ctl_call call = {.req = {.type = CTL_STATS}, .timeout_ms = SIGNAL_TIMEOUT_MS};
	int rc = ctl_call(c->dir.fd, &call, err);

	if (rc < 0) {
		return rc;
	}
	if (ap_decode_stats(call.data, call.data_len, out) < 0) {
		free(call.data);
		return vr_err_set(err, EPROTO, "the guest agent's figures are malformed");
	}
	*out_memory = call.data;
	return 0;
}

int container_update(const struct container *c, const struct ap_resources *res, struct vr_err *err)
{
	vr_autofree uint8_t *frame = malloc(CTL_BODY_MAX);
	struct ctl_call call = {.req = {.type = CTL_UPDATE}, .timeout_ms = SIGNAL_TIMEOUT_MS};
	long n;
	int rc;

	if (!frame) {
		return vr_err_set(err, ENOMEM, "update: out of memory");
	}
	n = ap_encode_update(res, 1, frame, CTL_BODY_MAX); /* the vmm chooses the id */
	if (n < 0) {
		return vr_err_sys(err, (int)n, "update: encode the limits");
	}
	call.req.body = frame + AP_HEADER_LEN;
	call.req.body_len = (size_t)n - AP_HEADER_LEN;
	rc = ctl_call(c->dir.fd, &call, err);
	free(call.data); /* there is none */
	return rc;
}

/* Is the lock that every role holds free? Return: 0, -ETIMEDOUT or -errno */
static int wait_lock_free(int dirfd, uint64_t deadline)
{
	vr_autoclose int fd = openat(dirfd, "alive", O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		return errno == ENOENT ? 0 : -errno; /* none was ever started */
	}
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			return -errno;
		}
		if (vr_now_ms() >= deadline) {
			return -ETIMEDOUT;
		}
		(void)poll(NULL, 0, 2);
	}
	return 0;
}

static int wait_roles_gone(const struct container *c, unsigned timeout_ms)
{
	uint64_t deadline = vr_now_ms() + timeout_ms;

	if (c->have_state) {
		wait_proc(&c->state, &c->state.vmm, deadline);
		wait_proc(&c->state, &c->state.fs, deadline);
		wait_proc(&c->state, &c->state.net, deadline);
	}
	return wait_lock_free(c->dir.fd, deadline);
}

/*
 * A container in another one's VM: is the lock held by that one's vmm alone? That lets go of it when it hears of the end, but not
 * while it is stopped, and perhaps never if it was taken over. What it has of the container then is descriptors.
 * (Processes that are not in the state are in the cgroup, and removing that fails while there are any.)
 */
static bool held_by_machine(const struct container *c)
{
	const struct oci_state *s = &c->state;

	return c->have_state && s->machine && !oci_proc_alive(s, &s->shim) &&
	       !oci_proc_alive(s, &s->fs);
}

static int end_roles(struct container *c, struct vr_err *err)
{
	const char *cgroup = c->have_state ? c->state.cgroup_path : NULL;
	int rc;

	if (c->have_state) {
		kill_proc(&c->state, &c->state.shim); /* the others follow */
	}
	rc = wait_roles_gone(c, END_TIMEOUT_MS);
	if (rc == -ETIMEDOUT) {
		if (c->have_state) {
			kill_roles(&c->state);
		}
		if (cgroup) {
			(void)!sbx_cgroup_kill(cgroup, NULL); /* whoever is not in the state */
		}
		rc = wait_roles_gone(c, KILL_TIMEOUT_MS);
	}
	if (rc == -ETIMEDOUT && held_by_machine(c)) {
		rc = 0;
	}
	if (rc < 0) {
		return vr_err_sys(err, rc, "wait for the processes of container '%s'", c->dir.id);
	}
	return 0;
}

/* The taps went with their processes; what redirected to them on the engine's interfaces didn't. */
static void release_network(const struct container *c)
{
	struct vr_err ignored = VR_ERR_INIT;
	struct oci_spec *spec;

	if (oci_spec_load(c->dir.fd, OCI_CONFIG_FILE, &spec, &ignored) == 0) {
		net_detach(spec);
		oci_spec_free(spec);
	}
}

int container_destroy(struct container *c, struct vr_err *err)
{
	bool existed = c->have_state && c->state.status != OCI_CREATING;
	struct oci_spec *hooks = existed ? container_hooks_load(&c->dir) : NULL;
	int rc = end_roles(c, err);

	if (rc == 0 && !(c->have_state && c->state.machine)) {
		release_network(c);
	}
	if (rc == 0 && c->have_state && c->state.cgroup_path) {
		rc = host_cgroup_remove(c->state.cgroup_path, c->state.systemd_cgroup,
					CGROUP_TIMEOUT_MS, err);
	}
	if (rc == 0) {
		rc = oci_container_remove(&c->dir, err);
	}
	if (rc == 0) {
		container_poststop(hooks, &c->state);
	}
	oci_spec_free(hooks);
	return rc;
}

static int delete_checked(struct container *c, bool force, struct vr_err *err)
{
	enum oci_status status;

	if (!c->have_state) {
		return container_destroy(c, err); /* asked for by force only */
	}
	status = oci_state_status(&c->state);
	if (status != OCI_STOPPED && status != OCI_CREATED && !force) {
		return vr_err_set(err, EBUSY, "cannot delete container %s that is not stopped: %s",
				  c->state.id, oci_status_name(status));
	}
	return container_destroy(c, err);
}

int container_delete(const struct globals *g, const char *id, bool force, struct vr_err *err)
{
	struct container c = CONTAINER_INIT;
	int rc = container_open(g, id, true, &c, err);

	if (rc == -ENOENT && force) {
		rc = 0; /* nothing there is what was wanted */
	} else if (rc == 0 || (rc == -ENODATA && force)) {
		rc = delete_checked(&c, force, err);
	}
	container_close(&c);
	return rc;
}
