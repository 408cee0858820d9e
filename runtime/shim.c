/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim.c - the process that callers take for the container
 *
 * Callers wait for it, signal it, read its /proc entries, enter its network,
 * mount and pid namespaces. So it lives where the container would: in the
 * namespaces of config.json, with the rootfs and the bind mounts as its "/".
 * Beyond that it passes signals to the vmm, keeps the reason of a bad end for `state`, and exits
 * with the guest's status. It ends at once when the vmm does.
 */
#include "roles.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/log.h"
#include "oci/state.h"
#include "proctitle.h"
#include "sandbox/apparmor.h"
#include "sandbox/fds.h"
#include "sandbox/sandbox.h"
#include "userns.h"

#define STATUS_KILLED (128 + SIGKILL)

static int move_mount_fd(int tree_fd, int target_fd)
{
	if (syscall(SYS_move_mount, tree_fd, "", target_fd, "",
		    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
		return -errno;
	}
	return 0;
}

static int namespaces_enter(const struct shim_plan *plan, struct vr_err *err)
{
	for (unsigned i = 0; i < plan->n_ns_fds; i++) {
		if (setns(plan->ns_fds[i], 0) < 0) {
			return vr_err_sys(err, errno, "join namespace");
		}
	}
	if (plan->new_uts && plan->hostname &&
	    sethostname(plan->hostname, strlen(plan->hostname)) < 0) {
		return vr_err_sys(err, errno, "set hostname '%s'", plan->hostname);
	}
	return 0;
}

/*
 * A bind that has no mount point in the rootfs yet is left out: the guest makes
 * the mount point, the host never writes into an untrusted rootfs.
 */
static void bind_attach(const struct shim_bind *b, int root_fd)
{
	vr_autoclose int target =
		vr_openat2(root_fd, b->dest, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);

	if (target < 0 || move_mount_fd(b->tree_fd, target) < 0) {
		vr_debug("bind '%s' is not visible through the shim", b->dest);
	}
}

static void proc_attach(int root_fd)
{
	vr_autoclose int target = vr_openat2(root_fd, "proc", O_PATH | O_DIRECTORY | O_NOFOLLOW, 0,
					     RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
	vr_autoclose int fs = -1;
	vr_autoclose int mnt = -1;

	if (target < 0) {
		return; /* the rootfs has no /proc: nothing to show */
	}
	fs = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		return;
	}
	mnt = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
			   MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (mnt >= 0) {
		(void)move_mount_fd(mnt, target); /* a convenience for `podman top` */
	}
}

/*
 * Make the rootfs our "/", with the container's binds on it. All trees are
 * detached clones made by `create`: an fd of another mount namespace can't be
 * cloned, and a path would have to be trusted. It goes on top of the old root
 * just for the moment that pivot_root wants a mount point.
 */
static int root_enter(const struct shim_plan *plan, struct vr_err *err)
{
	int tree = plan->rootfs_tree_fd;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0) {
		return vr_err_sys(err, errno, "make a mount namespace for the shim");
	}
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0) {
		return vr_err_sys(err, errno, "mount the rootfs for the shim");
	}
	for (unsigned i = 0; i < plan->n_binds; i++) {
		bind_attach(&plan->binds[i], tree);
	}
	if (plan->new_pid) {
		proc_attach(tree);
	}
	if (fchdir(tree) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ||
	    mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0) {
		return vr_err_sys(err, errno, "enter the rootfs");
	}
	return 0;
}

/*
 * Become the session that the terminal signals: of a resized window, that is. A
 * hang-up the guest's own terminal tells its processes.
 */
static int tty_adopt(int tty_fd, struct vr_err *err)
{
	if (tty_fd >= 0 && ioctl(tty_fd, TIOCSCTTY, 0) < 0) {
		return vr_err_sys(err, errno, "make the terminal the controlling one");
	}
	return 0;
}

static int signals_block(void)
{
	sigset_t all;

	(void)sigfillset(&all); /* can't fail */
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0) {
		return -errno;
	}
	return signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The profile comes last: what it forbids has been done by then. */
static int narrow(int *keep, size_t n, int null_fd, int *profile_fd, const char *profile,
		  struct vr_err *err)
{
	int rc;

	role_stdio_null(null_fd);
	keep[n++] = *profile_fd;
	rc = sbx_close_fds(keep, n);
	if (rc < 0) {
		return vr_err_sys(err, rc, "close foreign file descriptors");
	}
	if (*profile_fd >= 0) {
		rc = sbx_apparmor_change(*profile_fd, profile, err);
		vr_close_reset(profile_fd);
	}
	return rc < 0 ? rc : sbx_stage_shim_final(err);
}

/* Return: 0 with @out -1 when no profile is wanted, or -errno */
static int profile_open(const char *profile, int *out, struct vr_err *err)
{
	*out = sbx_apparmor_wanted(profile) ? sbx_apparmor_open(err) : -1;
	return *out < 0 && err->code != 0 ? *out : 0;
}

static int prepare(const struct shim_plan *plan, int sigfd, struct vr_err *err)
{
	int keep[6] = {plan->report_fd, plan->vmm_fd, plan->alive_fd, plan->reason_fd, sigfd};
	int profile_fd = -1;
	int rc;

	rc = tty_adopt(plan->tty_fd, err);
	if (rc == 0) {
		rc = profile_open(plan->apparmor, &profile_fd, err);
	}
	if (rc == 0) {
		rc = namespaces_enter(plan, err);
	}
	if (rc == 0) {
		rc = root_enter(plan, err);
	}
	if (rc == 0 && plan->userns_fd >= 0) {
		rc = userns_enter(plan->userns_fd, 0, 0, err);
	}
	return rc < 0 ? rc : narrow(keep, 5, plan->null_fd, &profile_fd, plan->apparmor, err);
}

static int prepare_exec(const struct shim_exec_plan *plan, int sigfd, struct vr_err *err)
{
	int keep[4] = {plan->report_fd, plan->vmm_fd, sigfd};
	int rc = tty_adopt(plan->tty_fd, err);
	int profile_fd = -1;

	if (rc == 0 && chdir("/") < 0) { /* or the caller's directory could not be unmounted */
		rc = vr_err_sys(err, errno, "leave the current directory");
	}
	if (rc == 0) {
		rc = profile_open(plan->apparmor, &profile_fd, err);
	}
	return rc < 0 ? rc : narrow(keep, 3, plan->null_fd, &profile_fd, plan->apparmor, err);
}

/* Syscalls: read, sendto (role shim) */
static void signal_forward(int sigfd, int vmm_fd)
{
	struct signalfd_siginfo si;
	struct shim_signal_msg msg;

	while (read(sigfd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGCHLD) {
			continue; /* has no children; whoever sent it meant none of the guest's */
		}
		msg.signo = si.ssi_signo;
		msg.from_tty = si.ssi_code == SI_KERNEL;
		(void)send(vmm_fd, &msg, sizeof(msg),
			   MSG_NOSIGNAL | MSG_DONTWAIT); /* lost with the vmm only */
	}
}

/*
 * What the vmm said last. When it died with a signal of ours unread, that error is told
 * first, and the status that it had sent only after it. The reason is written, once, before
 * our end tells callers to look for it.
 *
 * Return: the exit status. Syscalls: recvfrom, write (role shim)
 */
static int status_read(int vmm_fd, int reason_fd)
{
	struct shim_exit_msg msg;
	ssize_t n = recv(vmm_fd, &msg, sizeof(msg), 0); /* cuts what is longer */

	if (n < 0 && errno == ECONNRESET) {
		n = recv(vmm_fd, &msg, sizeof(msg), 0);
	}
	if (n < (ssize_t)SHIM_EXIT_MIN) {
		return STATUS_KILLED; /* the vmm died: its container was killed */
	}
	if (reason_fd >= 0 && n > (ssize_t)SHIM_EXIT_MIN) {
		(void)!write(reason_fd, msg.reason, (size_t)n - SHIM_EXIT_MIN); /* best effort */
	}
	return (int)(msg.status & 0xff);
}

/* Return: the exit status. Syscalls: poll, ppoll (role shim) */
static int wait_for_exit(int sigfd, int vmm_fd, int reason_fd)
{
	struct pollfd p[2] = {{.fd = vmm_fd, .events = POLLIN}, {.fd = sigfd, .events = POLLIN}};

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR) {
			return STATUS_KILLED;
		}
		if (p[1].revents & POLLIN) {
			signal_forward(sigfd, vmm_fd);
		}
		if (p[0].revents != 0) {
			return status_read(vmm_fd, reason_fd);
		}
	}
}

/* setsid: callers kill the process group on a timeout; fails only for a group leader. */
static int start(const char *id, struct vr_err *err)
{
	int sigfd;

	vr_log_set_role("shim");
	proctitle_set("volt-shim", id);
	proctitle_forget_environment();
	(void)setsid();
	sigfd = signals_block();
	if (sigfd < 0) {
		(void)vr_err_sys(err, sigfd, "block signals");
	}
	return sigfd;
}

static noreturn void serve(int report_fd, int sigfd, int vmm_fd, int reason_fd,
			   const struct vr_err *err)
{
	if (err->code != 0) {
		role_report(report_fd, err);
		_exit(1);
	}
	role_report(report_fd, NULL);
	(void)close(report_fd);
	_exit(wait_for_exit(sigfd, vmm_fd, reason_fd));
}

noreturn void shim_main(const struct shim_plan *plan)
{
	struct vr_err err = VR_ERR_INIT;
	int sigfd = start(plan->id, &err);

	if (sigfd >= 0) {
		(void)!prepare(plan, sigfd, &err); /* err tells */
	}
	serve(plan->report_fd, sigfd, plan->vmm_fd, plan->reason_fd, &err);
}

noreturn void shim_exec_main(const struct shim_exec_plan *plan)
{
	struct vr_err err = VR_ERR_INIT;
	char title[OCI_ID_MAX + 16];
	int sigfd;

	(void)snprintf(title, sizeof(title), "%s (exec)", plan->id); /* cut: a title */
	sigfd = start(title, &err);
	if (sigfd >= 0) {
		(void)!prepare_exec(plan, sigfd, &err); /* err tells */
	}
	serve(plan->report_fd, sigfd, plan->vmm_fd, -1, &err);
}
