/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foreground.c - stand in for a process of a container until it ends; see foreground.h
 *
 * At first a handler passes signals on; while we wait they are blocked and read from a
 * descriptor, beside the terminals. What the guest prints is touched by a process without
 * powers only: ourselves, when nothing comes afterwards, or else a child.
 */
#include "foreground.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/log.h"
#include "proctitle.h"
#include "sandbox/fds.h"
#include "sandbox/sandbox.h"

#define RELAY_BYTES	 4096u
#define DRAIN_TIMEOUT_MS 2000 /* of the terminal's last output, once its process has ended */

/* Not passed on: what can't be, what means us, and what a fault of our own would raise. */
static bool passed_on(int signo)
{
	static const int ours[] = {SIGKILL, SIGSTOP, SIGCHLD, SIGPIPE, SIGURG,	 SIGTSTP, SIGTTIN,
				   SIGTTOU, SIGSEGV, SIGBUS,  SIGILL,  SIGFPE,	 SIGTRAP, SIGABRT,
				   SIGSYS,  SIGXCPU, SIGXFSZ, SIGPROF, SIGVTALRM};

	for (size_t i = 0; i < VR_ARRAY_SIZE(ours); i++) {
		if (signo == ours[i]) {
			return false;
		}
	}
	/* 32 and 33 are the C library's. */
	return signo > 0 && signo < NSIG && (signo < 32 || signo >= SIGRTMIN);
}

static volatile sig_atomic_t forward_to; /* pid of the shim */

static void on_signal(int signo)
{
	(void)kill((pid_t)forward_to, signo); /* it passes signals on to the guest */
}

void foreground_signals(pid_t shim)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	forward_to = shim;
	for (int signo = 1; signo < NSIG; signo++) {
		if (passed_on(signo) && signo != SIGWINCH) {
			(void)sigaction(signo, &sa, NULL); /* can't fail for these */
		}
	}
}

void foreground_size(int master)
{
	struct winsize ws;

	for (int fd = 0; fd <= 2; fd++) {
		if (ioctl(fd, TIOCGWINSZ, &ws) == 0) {
			(void)ioctl(master, TIOCSWINSZ, &ws); /* a terminal without size works */
			return;
		}
	}
}

/* One direction of the relay: what was read and is not written yet. */
struct half {
	int from; /* -1 once it ended */
	int to;
	size_t off;
	size_t len;
	uint8_t buf[RELAY_BYTES];
};

/**
 * struct relay - between two terminals, and who waits for the shim
 * @shim:     our child; 0: our parent's, for we are the one that relays in its place
 * @status:   wait status; valid once @ended
 * @child:    relays in our place; 0: nobody does
 * @end_fd:   -1, or a pipe: it hangs up when the shim has ended
 * @alive_fd: -1, or its other end, which is closed to say so
 * @terminal: there is one, whoever has it
 */
struct relay {
	pid_t shim;
	int status;
	bool ended;
	pid_t child;
	int end_fd;
	int alive_fd;
	int sigfd;
	int master;
	struct half in;
	struct half out;
	bool terminal;
	bool raw;
	struct termios saved;
};

/* Return: false when this direction is over. Syscalls: read (role proxy) */
static bool half_read(struct half *h)
{
	ssize_t n = read(h->from, h->buf, sizeof(h->buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
		return true;
	}
	if (n <= 0) {
		h->from = -1;
		return false;
	}
	h->off = 0;
	h->len = (size_t)n;
	return true;
}

/* Syscalls: write (role proxy) */
static void half_write(struct half *h)
{
	ssize_t n = write(h->to, h->buf + h->off, h->len - h->off);

	if (n < 0 && errno != EINTR && errno != EAGAIN) {
		n = (ssize_t)(h->len - h->off); /* nobody reads it: go on without */
	}
	h->off += n > 0 ? (size_t)n : 0;
	if (h->off == h->len) {
		h->off = 0;
		h->len = 0;
	}
}

/* A relay that didn't end by itself was ended by its filter, or never got into its cage. */
static void reap_child(struct relay *r)
{
	int status = 0;

	if (r->child <= 0 || waitpid(r->child, &status, WNOHANG) == 0) {
		return;
	}
	r->child = 0;
	if (status != 0 && !r->ended) {
		vr_error("the relay of the container's terminal ended before it");
		(void)kill(r->shim, SIGKILL); /* not reaped: it is it */
	}
}

/* Syscalls: wait4 (role proxy) */
static void reap(struct relay *r)
{
	if (r->shim > 0 && !r->ended && waitpid(r->shim, &r->status, WNOHANG) != 0) {
		r->ended = true; /* an error, too: there is nothing left to wait for */
	}
	reap_child(r);
}

/* The shim learns a new size of the terminal from the kernel. Syscalls: read, ioctl, kill (role proxy) */
static void take_signals(struct relay *r)
{
	struct signalfd_siginfo si;

	while (read(r->sigfd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGCHLD) {
			reap(r);
		} else if (si.ssi_signo == SIGWINCH && r->terminal) {
			foreground_size(r->master); /* without it nothing happens */
		} else if (r->shim > 0 && !r->ended) {
			(void)kill(r->shim, (int)si.ssi_signo); /* not reaped: it is it */
		}
	}
}

/* @master: taken over, or -1 */
static void relay_start(struct relay *r, pid_t shim, int master)
{
	struct termios t;
	sigset_t set;

	*r = (struct relay){.shim = shim,
			    .status = W_EXITCODE(1, 0),
			    .end_fd = -1,
			    .alive_fd = -1,
			    .terminal = master >= 0,
			    .master = master,
			    .in = {.from = master >= 0 ? 0 : -1, .to = master},
			    .out = {.from = master, .to = 1}};
	(void)sigemptyset(&set); /* none of these three can fail */
	for (int signo = 1; signo < NSIG; signo++) {
		if (passed_on(signo) || signo == SIGCHLD) {
			(void)sigaddset(&set, signo);
		}
	}
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	r->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->master < 0) {
		return;
	}
	(void)!vr_set_nonblock(r->master, true); /* our own descriptor */
	if (tcgetattr(0, &r->saved) == 0) {
		t = r->saved;
		cfmakeraw(&t);
		r->raw = tcsetattr(0, TCSANOW, &t) == 0;
	}
	foreground_size(r->master);
}

static short events_of(const struct half *h)
{
	return h->from >= 0 && h->len == 0 ? POLLIN : 0;
}

/* Return: false when the terminal is at its end. Syscalls: poll (role proxy) */
static bool relay_step(struct relay *r, int timeout_ms)
{
	struct pollfd p[5] = {
		{.fd = r->sigfd, .events = POLLIN},
		{.fd = events_of(&r->in) ? r->in.from : -1, .events = POLLIN},
		{.fd = r->master,
		 .events = (short)(events_of(&r->out) | (r->in.len > 0 ? POLLOUT : 0))},
		{.fd = r->out.len > 0 ? r->out.to : -1, .events = POLLOUT},
		{.fd = r->ended ? -1 : r->end_fd},
	};
	int rc = poll(p, VR_ARRAY_SIZE(p), timeout_ms);

	if (rc == 0 || (rc < 0 && errno != EINTR)) {
		return false;
	}
	if (rc < 0) {
		return true;
	}
	if (p[0].revents) {
		take_signals(r);
	}
	if (p[4].revents) {
		r->ended = true;
	}
	if (p[1].revents) {
		(void)half_read(&r->in); /* its end ends nothing else */
	}
	if (r->in.len > 0 && (p[2].revents & POLLOUT)) {
		half_write(&r->in);
	}
	if (p[3].revents) {
		half_write(&r->out);
	}
	if (r->out.len == 0 && (p[2].revents & (POLLIN | POLLHUP | POLLERR))) {
		return half_read(&r->out);
	}
	return true;
}

static void relay_until_end(struct relay *r)
{
	reap(r);
	while (!r->ended && r->sigfd >= 0) {
		if (!relay_step(r, -1)) { /* the terminal hung up: its process will end */
			vr_close_reset(&r->master);
			r->in.from = -1;
		}
	}
	while (r->shim > 0 && !r->ended && waitpid(r->shim, &r->status, 0) < 0 && errno == EINTR) {
	}
	while (r->master >= 0 && relay_step(r, DRAIN_TIMEOUT_MS)) {
	}
	vr_close_reset(&r->master);
}

/* Return: the shim's exit code as a shell would show it. Syscalls: close, ioctl, wait4 (role proxy) */
static int relay_finish(struct relay *r)
{
	vr_close_reset(&r->alive_fd); /* the child relays what is left, and ends */
	while (r->child > 0 && waitpid(r->child, NULL, 0) < 0 && errno == EINTR) {
	}
	vr_close_reset(&r->sigfd);
	if (r->raw) {
		(void)tcsetattr(0, TCSADRAIN, &r->saved); /* our terminal may be gone */
	}
	return WIFEXITED(r->status) ? WEXITSTATUS(r->status) : 128 + WTERMSIG(r->status);
}

/*
 * The process has streams of its own. If we held on to ours, a writer would not notice that it
 * closed its stdin, nor a reader that it closed its stdout. stderr stays: we may have to say something.
 */
static void release_streams(void)
{
	vr_autoclose int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null_fd >= 0 && fd <= 1; fd++) {
		(void)dup2(null_fd, fd); /* fails only for a bad null_fd */
	}
}

/*
 * The guest's output passes through us, into the caller's terminal. Whatever goes wrong there
 * shall have nothing of the caller's rights, and of its secrets.
 */
static int give_up_powers(const struct relay *r)
{
	const int keep[] = {r->sigfd, r->master, r->end_fd, vr_log_fd()};
	struct vr_err err = VR_ERR_INIT;
	int rc;

	proctitle_forget_environment();
	rc = sbx_close_fds(keep, VR_ARRAY_SIZE(keep));
	if (rc < 0) {
		(void)vr_err_sys(&err, rc, "close foreign file descriptors");
	} else {
		rc = sbx_stage_proxy_final(r->shim, &err);
	}
	if (rc < 0) {
		vr_error("%s", err.msg);
	}
	return rc;
}

/* The child: its signals are blocked, the terminal is in raw mode already. */
static noreturn void relay_main(struct relay *r, const char *id, pid_t parent, int end_fd)
{
	vr_log_set_role("relay");
	proctitle_set("volt-relay", id);
	r->shim = 0;
	r->end_fd = end_fd;
	/* Without the parent nobody would end us while the container lives. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent ||
	    give_up_powers(r) < 0) {
		_exit(1);
	}
	foreground_size(r->master); /* what changed meanwhile */
	relay_until_end(r);
	_exit(0);
}

/* From now on a child has the terminal, and we have nothing to do with it. */
static int relay_fork(struct relay *r, const char *id)
{
	pid_t parent = getpid();
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0) {
		return -errno;
	}
	r->child = fork();
	if (r->child == 0) {
		(void)close(pair[1]); /* or we would never see its end */
		relay_main(r, id, parent, pair[0]);
	}
	(void)close(pair[0]); /* the child's */
	r->alive_fd = pair[1];
	vr_close_reset(&r->master);
	r->in.from = -1;
	r->out.from = -1;
	return r->child < 0 ? -EAGAIN : 0; /* fork()'s, or as good */
}

int foreground_wait(const char *id, pid_t shim, int master)
{
	static struct relay r; /* large */
	int rc;

	if (master < 0) {
		release_streams();
	}
	relay_start(&r, shim, master);
	if (master >= 0) {
		rc = relay_fork(&r, id);
		if (rc < 0) {
			vr_error("start the relay of the container's terminal: %s", strerror(-rc));
			(void)kill(shim, SIGKILL); /* not reaped: it is it */
		}
	}
	relay_until_end(&r);
	return relay_finish(&r);
}

int foreground_wait_caged(pid_t shim, int master)
{
	static struct relay r; /* large */

	if (master < 0) {
		release_streams();
	}
	relay_start(&r, shim, master);
	if (give_up_powers(&r) < 0) {
		(void)kill(shim, SIGKILL); /* not reaped: it is it */
	}
	relay_until_end(&r);
	return relay_finish(&r);
}
