/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec.c - run one more process in a container; see exec.h
 *
 * A shim is forked first; then the vmm gets its socket, the streams and the
 * process, and answers when the guest has executed it. If anything fails the
 * vmm lets go of the socket, and the shim ends by itself.
 */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "console.h"
#include "container.h"
#include "control.h"
#include "exec_process.h"
#include "foreground.h"
#include "pidfile.h"
#include "roles.h"
#include "sandbox/cgroup.h"
#include "stream.h"

#define SHIM_TIMEOUT_MS 10000
#define EXEC_TIMEOUT_MS 60000
#define PAUSED_LOOK_MS	100 /* is it still? */

/**
 * struct session - all fds are -1 until opened
 * @pair:   [0] the shim's, [1] the vmm's
 * @report: [0] ours, [1] the shim's
 * @master: of the terminal, for the foreground
 */
struct session {
	const struct exec_opts *o;
	struct container c;
	struct exec_process process;
	struct console console;
	int stdio[3];
	int frame_fd;
	int null_fd;
	int pair[2];
	int report[2];
	int master;
	pid_t shim;
};

static void session_init(struct session *s, const struct exec_opts *o)
{
	*s = (struct session){
		.o = o,
		.c = CONTAINER_INIT,
		.console = {.master = -1, .slave = -1},
		.stdio = {-1, -1, -1},
		.frame_fd = -1,
		.null_fd = -1,
		.pair = {-1, -1},
		.report = {-1, -1},
		.master = -1,
	};
}

/* What only the vmm and the shim may hold from now on, or their ends would go unnoticed. */
static void session_let_go(struct session *s)
{
	int *const fds[] = {&s->stdio[0], &s->stdio[1], &s->stdio[2],  &s->frame_fd, &s->null_fd,
			    &s->pair[0],  &s->pair[1],	&s->report[0], &s->report[1]};

	for (size_t i = 0; i < VR_ARRAY_SIZE(fds); i++) {
		vr_close_reset(fds[i]);
	}
	passfds_close(s->o->fds);
	console_close(&s->console);
	exec_process_finish(&s->process);
}

static int check_state(const struct container *c, struct vr_err *err)
{
	switch (container_noted(c)) {
	case OCI_STOPPED:
		return vr_err_set(err, EINVAL, "cannot exec in a stopped container");
	case OCI_PAUSED:
		return vr_err_set(err, EBUSY, "cannot exec in a paused container");
	case OCI_CREATING:
		return vr_err_set(err, EBUSY, "container '%s' is still being created", c->state.id);
	default:
		return 0;
	}
}

static int frame_make(struct session *s, struct vr_err *err)
{
	vr_autofree struct ap_exec *m = calloc(1, sizeof(*m));
	vr_autofree uint8_t *frame = malloc(AP_HEADER_LEN + AP_FRAME_MAX);
	long n;

	if (!m || !frame) {
		return vr_err_set(err, ENOMEM, "exec: out of memory");
	}
	m->proc = 1; /* the vmm chooses */
	m->process = s->process.plan;
	passfds_leave_null(s->stdio, &m->process);
	passfds_plan(s->o->fds, &m->process);
	n = ap_encode_exec(m, 1, frame, AP_HEADER_LEN + AP_FRAME_MAX);
	if (n < 0) {
		return vr_err_set(err, (int)-n,
				  "exec: too large for the guest agent (1 MiB with all strings)");
	}
	s->frame_fd = vr_memfd_of("volt-exec", frame + AP_HEADER_LEN, (size_t)n - AP_HEADER_LEN);
	return s->frame_fd < 0 ? vr_err_sys(err, s->frame_fd, "exec: make a memory file") : 0;
}

static int stdio_dup(struct session *s, unsigned i, int from, struct vr_err *err)
{
	/* A caller may have closed any of them. */
	s->stdio[i] = fcntl(from, F_DUPFD_CLOEXEC, 3);
	if (s->stdio[i] < 0) {
		s->stdio[i] = fcntl(s->null_fd, F_DUPFD_CLOEXEC, 3);
	}
	if (s->stdio[i] < 0) {
		return vr_err_sys(err, errno, "duplicate standard stream %u", i);
	}
	s->stdio[i] = stream_reopen_fd(s->stdio[i]);
	return 0;
}

static int stdio_plain(struct session *s, struct vr_err *err)
{
	int rc = 0;

	if (s->o->console_socket) {
		return vr_err_set(
			err, EINVAL,
			"cannot use console socket if runc will not detach or allocate tty");
	}
	for (unsigned i = 0; rc == 0 && i < 3; i++) {
		rc = stdio_dup(s, i, (int)i, err);
	}
	return rc;
}

static int stdio_terminal(struct session *s, struct vr_err *err)
{
	struct ap_process *p = &s->process.plan;
	int rc;

	if (!s->o->console_socket && s->o->detach) {
		return vr_err_set(
			err, EINVAL,
			"cannot allocate tty if runc will detach without setting console socket");
	}
	rc = console_open(p->rows, p->cols, &s->console, err);
	if (rc == 0 && s->o->console_socket) {
		rc = console_send(s->o->console_socket, &s->console, err);
	} else if (rc == 0) {
		s->master = vr_take_fd(&s->console.master);
		foreground_size(s->master);
	}
	for (unsigned i = 0; rc == 0 && i < 2; i++) {
		rc = stdio_dup(s, i, s->console.slave, err);
	}
	return rc;
}

static int session_open(struct session *s, struct vr_err *err)
{
	int type = SOCK_SEQPACKET | SOCK_CLOEXEC;
	int rc;

	s->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (s->null_fd < 0) {
		return vr_err_sys(err, errno, "open '/dev/null'");
	}
	rc = s->process.plan.flags & AP_P_TTY ? stdio_terminal(s, err) : stdio_plain(s, err);
	if (rc == 0) {
		rc = frame_make(s, err);
	}
	if (rc < 0) {
		return rc;
	}
	if (socketpair(AF_UNIX, type, 0, s->pair) < 0 ||
	    socketpair(AF_UNIX, type, 0, s->report) < 0) {
		return vr_err_sys(err, errno, "make socket pairs");
	}
	return 0;
}

static int shim_start(struct session *s, struct vr_err *err)
{
	const struct shim_exec_plan plan = {
		.id = s->c.state.id,
		.report_fd = s->report[1],
		.vmm_fd = s->pair[0],
		.null_fd = s->null_fd,
		.tty_fd = s->console.slave,
		.apparmor = s->process.apparmor,
	};
	const char *cgroup = s->c.state.cgroup_path;
	bool inside;
	pid_t pid = sbx_cgroup_fork(0, cgroup, &inside);
	int rc;

	if (pid == 0) {
		shim_exec_main(&plan);
	}
	if (pid < 0) {
		return vr_err_sys(err, pid, "start the shim process");
	}
	s->shim = pid;
	vr_close_reset(&s->report[1]);
	vr_close_reset(&s->pair[0]);
	rc = role_report_read(s->report[0], "shim", SHIM_TIMEOUT_MS, err);
	if (rc == 0 && cgroup && !inside) {
		rc = sbx_cgroup_attach(cgroup, s->shim, err);
	}
	return rc;
}

static int ask(struct session *s, struct vr_err *err)
{
	bool tty = (s->process.plan.flags & AP_P_TTY) != 0;
	int fds[CTL_FDS_MAX] = {
		[CTL_EXEC_SHIM] = s->pair[1],
		[CTL_EXEC_FRAME] = s->frame_fd,
		[CTL_EXEC_STDIO] = s->stdio[0],
		s->stdio[1],
		s->stdio[2],
	};
	size_t n_fds = tty ? CTL_EXEC_FDS_TTY : CTL_EXEC_FDS;
	struct ctl_call call = {
		.req = {.type = CTL_EXEC, .pid = (uint32_t)s->shim, .terminal = tty},
		.fds = fds,
		.n_fds = n_fds + passfds_list(s->o->fds, fds + n_fds),
		.timeout_ms = EXEC_TIMEOUT_MS,
	};
	int rc = ctl_call(s->c.dir.fd, &call, err);

	free(call.data); /* there is none */
	if (!call.refused && (rc == -ECONNREFUSED || rc == -ENOENT || rc == -ECONNRESET)) {
		if (oci_state_status(&s->c.state) == OCI_STOPPED) {
			return vr_err_set(err, EINVAL, "cannot exec in a stopped container");
		}
	}
	return rc;
}

static void shim_end(struct session *s)
{
	if (s->shim > 0) {
		(void)kill(s->shim, SIGKILL); /* our child, not reaped: it is it */
		while (waitpid(s->shim, NULL, 0) < 0 && errno == EINTR) {
		}
	}
}

static int open_container(struct session *s, const struct globals *g, struct vr_err *err)
{
	for (;;) {
		int rc = container_open(g, s->o->id, false, &s->c, err);

		if (rc < 0 || !s->o->ignore_paused || container_noted(&s->c) != OCI_PAUSED) {
			return rc;
		}
		container_close(&s->c);
		s->c = (struct container)CONTAINER_INIT;
		(void)poll(NULL, 0, PAUSED_LOOK_MS);
	}
}

static int session_start(struct session *s, const struct globals *g, struct vr_err *err)
{
	int rc = open_container(s, g, err);

	if (rc == 0) {
		rc = check_state(&s->c, err);
	}
	if (rc == 0) {
		rc = exec_process_load(s->c.dir.fd, s->o, &s->process, err);
	}
	if (rc == 0) {
		rc = session_open(s, err);
	}
	if (rc == 0) {
		rc = shim_start(s, err);
	}
	if (rc == 0 && !s->o->detach) {
		foreground_signals(s->shim);
	}
	if (rc == 0) {
		rc = ask(s, err);
	}
	return rc < 0 ? rc : pidfile_write(s->o->pid_file, s->shim, err);
}

int exec_run(const struct globals *g, const struct exec_opts *o, struct vr_err *err)
{
	struct session s;
	int rc;

	session_init(&s, o);
	rc = session_start(&s, g, err);
	session_let_go(&s);
	container_close(&s.c);
	if (rc < 0) {
		shim_end(&s);
		vr_close_reset(&s.master);
		return rc;
	}
	return o->detach ? 0 : foreground_wait_caged(s.shim, s.master);
}
