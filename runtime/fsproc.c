/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsproc.c - the fs role: serve the virtio-fs queues straight from guest RAM
 *
 * Guest RAM is a shared memfd, kicks come as eventfds from KVM, interrupts
 * leave as eventfds to KVM: the vmm is not on the data path. It only tells us
 * where the queues are (FS_OP_START) and when to let go of them (FS_OP_STOP).
 * The end of the vmm's socket is our end.
 */
#include "roles.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "fs_queues.h"
#include "proctitle.h"
#include "sandbox/fds.h"
#include "sandbox/sandbox.h"
#include "userns.h"
#include "virtio-fs/fs_server.h"
#include "vmm/gmem.h"

struct fsproc {
	const struct fs_plan *plan;
	struct gmem *mem;
	struct fs_server *server;
	struct fs_queues queues;
};

/* Return: false when the vmm is gone. Syscalls: recvfrom, sendto (role fs) */
static bool vmm_serve(struct fsproc *f)
{
	struct fs_queue_msg m;
	int32_t answer = -EPROTO;
	ssize_t n = recv(f->plan->vmm_fd, &m, sizeof(m), 0);

	if (n < 0 && errno == EINTR) {
		return true;
	}
	if (n <= 0) {
		return false;
	}
	if (n == (ssize_t)sizeof(m) && m.op == FS_OP_START) {
		answer = fs_queues_start(&f->queues, &m);
	} else if (n == (ssize_t)sizeof(m) && m.op == FS_OP_STOP) {
		fs_queues_stop(&f->queues);
		answer = 0;
	} else if (n == (ssize_t)sizeof(m) && m.op == FS_OP_FREEZE) {
		fs_server_freeze(f->server);
		answer = 0;
	}
	return send(f->plan->vmm_fd, &answer, sizeof(answer), MSG_NOSIGNAL) ==
	       (ssize_t)sizeof(answer);
}

/* Syscalls: poll (role fs) */
static void serve(struct fsproc *f)
{
	struct pollfd p[1 + FS_QUEUES];

	p[0] = (struct pollfd){.fd = f->plan->vmm_fd, .events = POLLIN};
	for (unsigned i = 0; i < FS_QUEUES; i++) {
		p[1 + i] = (struct pollfd){.fd = f->plan->wires.kick_fd[i], .events = POLLIN};
	}
	for (;;) {
		if (poll(p, VR_ARRAY_SIZE(p), -1) < 0) {
			if (errno != EINTR) {
				return;
			}
			continue;
		}
		if (p[0].revents != 0 && !vmm_serve(f)) {
			return;
		}
		for (unsigned i = 0; i < FS_QUEUES; i++) {
			if (p[1 + i].revents & POLLIN) {
				fs_queues_kicked(&f->queues, i);
			}
		}
	}
}

/* Every file the guest knows costs an fd here. */
static void fd_limit_raise(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl); /* then the guest gets ENFILE sooner */
	}
}

static int prepare(struct fsproc *f, struct vr_err *err)
{
	const struct fs_plan *plan = f->plan;
	struct sbx_fs_tree tree = SBX_FS_TREE_INIT;
	struct fs_config cfg = {.can_chown = true, .max_nodes = plan->max_files};
	int rc;

	fd_limit_raise();
	rc = gmem_map(plan->ram_fd, plan->ram_bytes, &f->mem);
	if (rc < 0) {
		return vr_err_sys(err, rc, "map guest memory for the file server");
	}
	rc = sbx_fs_tree_build(&plan->rootfs, plan->shares, plan->n_shares, &tree, err);
	if (rc < 0) {
		return rc;
	}
	if (plan->userns_fd >= 0) {
		rc = userns_enter(plan->userns_fd, plan->uid, plan->gid, err);
		if (rc < 0) {
			return rc;
		}
	}
	const int keep[] = {
		plan->report_fd,    plan->vmm_fd,	    plan->alive_fd,
		plan->wires.irq_fd, plan->wires.kick_fd[0], plan->wires.kick_fd[1],
		tree.root_fd,	    tree.proc_self_fd,	    role_log_fd(),
	};
	rc = sbx_close_fds(keep, VR_ARRAY_SIZE(keep));
	if (rc < 0) {
		return vr_err_sys(err, rc, "close foreign file descriptors");
	}
	cfg.root_fd = tree.root_fd;
	cfg.proc_self_fd_fd = tree.proc_self_fd;
	rc = fs_server_create(&cfg, &f->server);
	if (rc < 0) {
		return vr_err_sys(err, rc, "create the file server");
	}
	f->queues = (struct fs_queues){.mem = f->mem, .server = f->server, .wires = &plan->wires};
	return sbx_stage_fs_final(&tree, err);
}

noreturn void fsproc_main(const struct fs_plan *plan)
{
	struct vr_err err = VR_ERR_INIT;
	struct fsproc *f = calloc(1, sizeof(*f));

	vr_log_set_role("fs");
	proctitle_set("volt-fs", plan->id);
	proctitle_forget_environment();
	(void)setsid(); /* fails only for a group leader */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ,
		     SIG_IGN); /* an inherited file size limit must not let the guest end us */
	if (!f) {
		(void)vr_err_set(&err, ENOMEM, "create the file server: out of memory");
	} else {
		role_stdio_null(plan->null_fd);
		f->plan = plan;
		(void)prepare(f, &err);
	}
	role_report(plan->report_fd, err.code != 0 ? &err : NULL);
	if (err.code != 0) {
		_exit(1);
	}
	(void)close(plan->report_fd); /* nothing more to say to `create` */
	serve(f);
	_exit(0);
}
