/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmproc_exec.c - one more process in the container, asked for by `exec`
 *
 * The client brings what the process needs: a socket to its shim, its streams,
 * and a file with the request to the agent, which has the form the agent
 * understands but for the process id: that one is chosen here. The file is
 * decoded and encoded again, so that only well-formed requests pass.
 */
#include "vmproc_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"

struct work {
	struct ap_exec exec;
	uint8_t payload[AP_FRAME_MAX];
	uint8_t frame[AP_HEADER_LEN + AP_FRAME_MAX];
};

/* Syscalls: fstat, newfstatat, read (role vmm) */
ssize_t vmproc_exec_read(int fd, void *buf)
{
	struct stat st;

	/* Reading anything else could block. */
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)AP_FRAME_MAX) {
		return -EPROTO;
	}
	return vr_read_full(fd, buf, AP_FRAME_MAX);
}

static int frame_read(int fd, struct work *w)
{
	ssize_t n = vmproc_exec_read(fd, w->payload);

	return n < 0 ? (int)n : ap_decode_exec(w->payload, (size_t)n, &w->exec);
}

static size_t n_stdio(const struct ctl_request *req)
{
	return req->terminal ? 2 : 3;
}

int vmproc_exec_passed(const struct ap_process *plan, const int *fds, size_t n, struct passfds *out)
{
	*out = (struct passfds){.n = plan->n_fds};
	for (uint32_t i = 0; i < plan->n_fds; i++) {
		bool reads = passfds_reads(plan->fds[i]);
		bool writes = passfds_writes(plan->fds[i]);
		size_t need = (size_t)reads + writes;

		if (n < need) {
			return -EPROTO;
		}
		out->kind[i] = plan->fds[i];
		out->rfd[i] = reads ? fds[0] : -1;
		out->wfd[i] = writes ? fds[need - 1] : -1; /* need is 1 at least, then */
		fds += need;
		n -= need;
	}
	return n == 0 ? 0 : -EPROTO;
}

static struct vproc *proc_add(struct vmproc *p, const struct ctl_request *req, int *fds,
			      size_t n_fds, const struct passfds *pass)
{
	int *io = fds + CTL_EXEC_STDIO;
	const int rfd[VMPROC_STREAMS] = {io[0], -1, -1};
	const int wfd[VMPROC_STREAMS] = {req->terminal ? io[1] : -1, io[1],
					 req->terminal ? -1 : io[2]};
	struct vproc *v = vmproc_procs_add(p, req->terminal, rfd, wfd, pass);

	if (v) {
		v->host_pid = req->pid;
		v->shim_fd = vr_take_fd(&fds[CTL_EXEC_SHIM]);
		for (size_t i = 0; i < n_fds - CTL_EXEC_STDIO; i++) {
			(void)vr_take_fd(&io[i]); /* the streams' now */
		}
	}
	return v;
}

static int proc_send(struct vmproc *p, int client, struct vproc *v, struct work *w)
{
	struct vpending *slot = vmproc_agent_pending(p, client, CTL_EXEC);

	if (!slot) {
		return -EAGAIN;
	}
	slot->proc = v->id;
	w->exec.proc = v->id;
	w->exec.process.port = v->port;
	v->rows = w->exec.process.rows;
	v->cols = w->exec.process.cols;
	return vmproc_agent_send(p, slot, w->frame,
				 ap_encode_exec(&w->exec, slot->id, w->frame, sizeof(w->frame)));
}

int vmproc_exec(struct vmproc *p, int client, const struct ctl_request *req, int *fds, size_t n_fds,
		struct vr_err *err)
{
	vr_autofree struct work *w = NULL;
	size_t n_fixed = CTL_EXEC_STDIO + n_stdio(req);
	struct passfds pass;
	struct vproc *v;
	int rc;

	if (n_fds < n_fixed) {
		return vr_err_set(err, EPROTO, "exec: wrong number of descriptors");
	}
	w = malloc(sizeof(*w)); /* its pages cost nothing until they are used */
	rc = w ? frame_read(fds[CTL_EXEC_FRAME], w) : -ENOMEM;
	if (rc < 0) {
		return vr_err_sys(err, rc, "exec: read the process");
	}
	if (((w->exec.process.flags & AP_P_TTY) != 0) != req->terminal) {
		return vr_err_set(err, EPROTO, "exec: a terminal for a process without one");
	}
	if (vmproc_exec_passed(&w->exec.process, fds + n_fixed, n_fds - n_fixed, &pass) < 0) {
		return vr_err_set(err, EPROTO, "exec: wrong number of descriptors");
	}
	for (unsigned i = 0; !req->terminal && i < VMPROC_STREAMS; i++) {
		if (!(w->exec.process.stdio & 1u << i)) {
			vr_close_reset(
				&fds[CTL_EXEC_STDIO + i]); /* /dev/null: the guest has its own */
		}
	}
	v = proc_add(p, req, fds, n_fds, &pass);
	if (!v) {
		return vr_err_set(err, EAGAIN,
				  "exec: more than %u processes, or too many listening sockets, "
				  "at once",
				  VMPROC_MAX_PROCS - 1);
	}
	rc = loop_add(p->loop, v->shim_fd, EPOLLIN, vmproc_kind(p, EV_SHIM),
		      (uint32_t)(v - p->procs));
	if (rc == 0) {
		rc = proc_send(p, client, v, w);
	}
	if (rc < 0) {
		vmproc_procs_release(p, v);
	}
	return rc;
}

void vmproc_exec_answered(struct vmproc *p, uint32_t id, bool ok)
{
	struct vproc *v = vmproc_procs_find(p, id);

	if (!v) {
		return; /* ended already */
	}
	if (ok) {
		vmproc_accept_running(p, id);
		vmproc_procs_defer(p, v, PROC_WORK_RESIZE);
		return;
	}
	/* No exit will follow, and the client says why. */
	vmproc_accept_end(p, id);
	v->exited = true;
	v->status = 255;
	for (unsigned s = 0; s < AP_STREAMS; s++) {
		struct stream *stream = vmproc_procs_stream_of(v, s);

		if (stream) {
			stream_abandon(stream);
		}
	}
	vmproc_procs_defer(p, v, PROC_WORK_OVER);
}
