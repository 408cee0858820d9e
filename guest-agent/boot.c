/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot.c - from the kernel's first process to a connected agent; see boot.h
 *
 * The kernel starts us on the initramfs, which pivot_root refuses as an old root. So the first act
 * is a tmpfs moved over it and entered; the initramfs stays underneath, where nobody sees it.
 */
#include "boot.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cgroup.h"
#include "conn.h"
#include "fail.h"
#include "layout.h"
#include "sys.h"

#define DIAL_TRIES     100
#define DIAL_PAUSE_MS  20
#define READ_AHEAD_KIB "1024"

static void must(int rc, const char *what)
{
	if (rc < 0) {
		agent_die("boot: %s: %s", what, fail_errno_text(-rc));
	}
}

static int mount_fs(const char *type, const char *at, unsigned long flags, const char *data)
{
	return sys_rc(mount(type, at, type, flags, data));
}

static void own_root(void)
{
	static const char *const dirs[] = {"proc", "sys",      "dev",	       "mnt",
					   "run",  "run/volt", "run/volt/dev", "run/volt/root"};

	must(mount_fs("tmpfs", "/mnt", 0, "mode=0755"), "mount own root");
	must(sys_rc(chdir("/mnt")), "enter own root");
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		must(sys_rc(mkdir(dirs[i], 0755)), dirs[i]);
	}
	must(sys_rc(mount(".", "/", NULL, MS_MOVE, NULL)), "move own root");
	must(sys_rc(chroot(".")), "chroot to own root");
	must(sys_rc(chdir("/")), "enter own root");
}

static void kernel_mounts(void)
{
	unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	must(mount_fs("proc", "/proc", safe, NULL), "mount /proc");
	must(mount_fs("sysfs", "/sys", safe, NULL), "mount /sys");
	must(mount_fs("devtmpfs", "/dev", MS_NOSUID, "mode=0755"), "mount /dev");
	/* as many as systemd allows on hosts, whose limits containers may have as theirs */
	(void)sys_write_file(-1, "/proc/sys/fs/nr_open", "1073741816");
}

static bool cgroups(void)
{
	unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (mount_fs("cgroup2", LAYOUT_CGROUP, safe, "nsdelegate,memory_recursiveprot") < 0 &&
	    mount_fs("cgroup2", LAYOUT_CGROUP, safe, NULL) < 0) {
		agent_log("no cgroups: %s", fail_errno_text(errno));
		return false;
	}
	cgroup_enable();
	return true;
}

/* The default window of 128 KiB is smaller than one request may be. */
static void read_ahead(void)
{
	char path[80];
	struct stat st;

	if (stat(LAYOUT_SHARE, &st) == 0) {
		snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", major(st.st_dev),
			 minor(st.st_dev));
		(void)sys_write_file(-1, path, READ_AHEAD_KIB); /* speed only */
	}
}

int boot_share(const char *tag)
{
	if (mount(tag, LAYOUT_SHARE, "virtiofs", 0, NULL) < 0) {
		return -errno;
	}
	read_ahead();
	return 0;
}

static void loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &ifr) < 0) {
		agent_log("loopback: %s", fail_errno_text(errno));
	}
	sys_close(&s);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

void boot_describe(struct ap_hello *hello)
{
	static struct utsname uts;
	struct sysinfo info = {0};

	(void)uname(&uts);    /* can't fail with a valid buffer */
	(void)sysinfo(&info); /* likewise */
	hello->version = AP_VERSION;
	hello->release = uts.release;
	hello->mem_total = (uint64_t)info.totalram * info.mem_unit;
	hello->n_cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	hello->features |= exists("/proc/sys/kernel/seccomp") ? AP_FEAT_SECCOMP : 0;
	hello->features |= exists("/proc/self/ns/user") ? AP_FEAT_USERNS : 0;
	hello->features |= exists("/proc/self/ns/time") ? AP_FEAT_TIMENS : 0;
}

void boot_mounts(struct ap_hello *hello)
{
	umask(022);
	(void)prctl(VA_PR_SET_DUMPABLE, 0, 0, 0, 0);
	own_root();
	kernel_mounts();
	(void)sys_write_file(-1, "/proc/self/oom_score_adj", "-1000");
	hello->features |= cgroups() ? AP_FEAT_CGROUP : 0;
	/* an image VM has none; CREATE will miss it if it should be there */
	hello->features |= boot_share(LAYOUT_SHARE_TAG) == 0 ? AP_FEAT_SHARE : 0;
	loopback_up();
	boot_describe(hello);
	hello->stamp_ns[AP_STAMP_MOUNTS] = sys_now_ns();
}

/* Wait for the answer to a connect that is under way. Return: 0, or -errno */
static int dial_wait(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int err = 0;
	socklen_t len = sizeof(err);

	if (poll(&p, 1, 2000) <= 0) {
		return -ETIMEDOUT;
	}
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ? -errno : -err;
}

int boot_connect(uint32_t port)
{
	int rc = -ENODEV;

	for (int i = 0; i < DIAL_TRIES; i++) {
		int fd = agent_dial(port);

		rc = fd < 0 ? fd : dial_wait(fd);
		if (rc == 0) {
			return fd;
		}
		sys_close(&fd);
		(void)poll(NULL, 0, DIAL_PAUSE_MS);
	}
	return rc;
}
