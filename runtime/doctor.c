/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.c - can this host run containers? See doctor.h */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "assets.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "oci/json.h"
#include "pvh/elf.h"
#include "sandbox/cgroup.h"
#include "sandbox/landlock.h"
#include "vmm/gmem.h"
#include "vmm/kvm.h"
#include "vmm/kvm_probe.h"
#include "vmm/memlayout.h"
#include "vmsize.h"

#define PARAMETER_MAX 4096u
#define MOUNTINFO_MAX (4u << 20)
#define NEWC_MAGIC    "070701"

static const char *const verdict_names[] = {"ok", "note", "bad"};

_Static_assert(VR_ARRAY_SIZE(verdict_names) == DOCTOR_VERDICT_COUNT, "a name for each");

const char *doctor_verdict_name(enum doctor_verdict v)
{
	return v < DOCTOR_VERDICT_COUNT ? verdict_names[v] : "?";
}

__attribute__((format(printf, 4, 5))) static void
say(struct doctor_report *r, const char *name, enum doctor_verdict verdict, const char *fmt, ...)
{
	struct doctor_item *item;
	va_list ap;

	if (r->n == DOCTOR_ITEMS_MAX) {
		return; /* there are fewer checks than that */
	}
	item = &r->items[r->n++];
	item->name = name;
	item->verdict = verdict;
	va_start(ap, fmt);
	(void)vsnprintf(item->text, sizeof(item->text), fmt, ap); /* a cut sentence is fine */
	va_end(ap);
}

static const char *or_default(const char *path, const char *usual)
{
	return path ? path : usual;
}

/* ---- KVM ---------------------------------------------------------------------------------- */

static void check_guest_kernel(int kvm_fd, struct doctor_report *r)
{
	char why[200] = "";
	int rc = kvm_probe_guest_kernel(kvm_fd, why, sizeof(why));

	if (rc == 0) {
		say(r, "guest", DOCTOR_OK, "KVM runs a guest's kernel mode on the processor");
	} else {
		say(r, "guest", DOCTOR_BAD, "%s", why);
	}
}

void doctor_check_kvm(const struct doctor_world *w, struct doctor_report *r)
{
	const char *path = or_default(w->kvm, "/dev/kvm");
	vr_autoclose int fd = open(path, O_RDWR | O_CLOEXEC);
	const char *missing;

	if (fd < 0) {
		say(r, "kvm", DOCTOR_BAD, "open '%s': %s%s", path, strerror(errno),
		    errno == ENOENT ? " (no hardware virtualisation, or its module isn't loaded)"
				    : "");
		return;
	}
	say(r, "kvm", DOCTOR_OK, "'%s' opens", path);
	if (kvm_check(fd, &missing) < 0) {
		say(r, "capabilities", DOCTOR_BAD, "%s", missing);
		return;
	}
	say(r, "capabilities", DOCTOR_OK, "KVM has all that the vmm needs");
	check_guest_kernel(fd, r);
}

/* ---- what a guest is made of -------------------------------------------------------------- */

static int open_asset(const char *path, const char *asset, struct vr_err *err)
{
	int fd;

	if (!path) {
		return asset_open(asset, err);
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? vr_err_sys(err, errno, "open '%s'", path) : fd;
}

/* The same checks that a boot makes, against the memory of a machine without a limit. */
static int parse_kernel(int fd, struct elf_plan *plan, struct vr_err *err)
{
	vr_autoclose int ram_fd = gmem_memfd(VMSIZE_DEFAULT_RAM);
	struct gmem *ram = NULL;
	int rc = ram_fd < 0 ? ram_fd : gmem_map(ram_fd, VMSIZE_DEFAULT_RAM, &ram);

	if (rc < 0) {
		return vr_err_sys(err, rc, "reserve guest memory");
	}
	rc = elf_parse(ram, fd, plan, err);
	gmem_unmap(ram);
	return rc;
}

static void check_kernel(const struct doctor_world *w, struct doctor_report *r)
{
	struct vr_err err = VR_ERR_INIT;
	vr_autoclose int fd = open_asset(w->kernel, ASSET_KERNEL, &err);
	struct elf_plan plan = {0};

	if (fd < 0 || parse_kernel(fd, &plan, &err) < 0) {
		say(r, "kernel", DOCTOR_BAD, "%s", err.msg);
		return;
	}
	say(r, "kernel", DOCTOR_OK, "the guest's kernel is a valid image of %llu MiB",
	    (unsigned long long)((plan.end - plan.seg[0].paddr) / ML_MIB));
}

static void check_initramfs(const struct doctor_world *w, struct doctor_report *r)
{
	struct vr_err err = VR_ERR_INIT;
	vr_autoclose int fd = open_asset(w->initramfs, ASSET_INITRAMFS, &err);
	char magic[sizeof(NEWC_MAGIC) - 1] = "";
	struct stat st;

	if (fd < 0) {
		say(r, "initramfs", DOCTOR_BAD, "%s", err.msg);
		return;
	}
	if (fstat(fd, &st) < 0 || pread(fd, magic, sizeof(magic), 0) != sizeof(magic) ||
	    memcmp(magic, NEWC_MAGIC, sizeof(magic)) != 0) {
		say(r, "initramfs", DOCTOR_BAD, "the guest's initramfs is no cpio archive");
		return;
	}
	say(r, "initramfs", DOCTOR_OK, "the guest's initramfs has %lld KiB",
	    (long long)(st.st_size / 1024));
}

/* ---- the cage ----------------------------------------------------------------------------- */

static void check_landlock(const struct doctor_world *w, struct doctor_report *r)
{
	int abi = sbx_landlock_abi(w->landlock_max);

	if (abi == 0) {
		say(r, "landlock", DOCTOR_NOTE,
		    "the host's kernel has no Landlock: the cage has one layer less");
	} else if (abi < 4) {
		say(r, "landlock", DOCTOR_NOTE,
		    "version %d, which knows files but not TCP (4) and signals (6)", abi);
	} else {
		say(r, "landlock", DOCTOR_OK, "version %d", abi);
	}
}

static void check_seccomp(struct doctor_report *r)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0) {
		say(r, "seccomp", DOCTOR_BAD, "system call filters that kill a process: %s",
		    strerror(errno));
		return;
	}
	say(r, "seccomp", DOCTOR_OK, "system call filters are there");
}

/* The effective capabilities that opening and handing out mounts and namespaces takes. */
static void check_privilege(struct doctor_report *r)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &head, data) < 0 ||
	    !(data[CAP_SYS_ADMIN / 32].effective & (1u << (CAP_SYS_ADMIN % 32)))) {
		say(r, "privilege", DOCTOR_BAD,
		    "not root: running without CAP_SYS_ADMIN is not supported yet");
		return;
	}
	say(r, "privilege", DOCTOR_OK, "namespaces and mounts can be made");
}

/* Calls younger than most; all fail with something else when they are there. */
static void check_host_kernel(struct doctor_report *r)
{
	static const struct {
		long number;
		const char *name;
	} calls[] = {
		{SYS_open_tree, "open_tree"},	{SYS_mount_setattr, "mount_setattr"},
		{SYS_openat2, "openat2"},	{SYS_close_range, "close_range"},
		{SYS_pidfd_open, "pidfd_open"},
	};
	struct utsname uts = {0};

	(void)uname(&uts); /* can't fail; the release is for people only */
	for (size_t i = 0; i < VR_ARRAY_SIZE(calls); i++) {
		if (syscall(calls[i].number, -1, -1L, -1L, -1L, -1L) < 0 && errno == ENOSYS) {
			say(r, "host", DOCTOR_BAD, "Linux %s has no %s(2); 5.12 is needed",
			    uts.release, calls[i].name);
			return;
		}
	}
	say(r, "host", DOCTOR_OK, "Linux %s", uts.release);
}

/* ---- surroundings ------------------------------------------------------------------------- */

static void check_cgroup(struct doctor_report *r)
{
	switch (sbx_cgroup_mode()) {
	case SBX_CGROUP_V2:
		say(r, "cgroup", DOCTOR_OK, "version 2");
		break;
	case SBX_CGROUP_V1:
		say(r, "cgroup", DOCTOR_OK, "version 1");
		break;
	case SBX_CGROUP_NONE:
		say(r, "cgroup", DOCTOR_NOTE,
		    "none is mounted: containers run with --cgroup-manager=disabled only");
		break;
	}
}

static void check_tun(const struct doctor_world *w, struct doctor_report *r)
{
	const char *path = or_default(w->tun, "/dev/net/tun");
	vr_autoclose int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		say(r, "tun", DOCTOR_NOTE, "open '%s': %s: containers have no network", path,
		    strerror(errno));
		return;
	}
	say(r, "tun", DOCTOR_OK, "'%s' opens", path);
}

static bool has_text(const char *path, size_t max, const char *what, bool at_start)
{
	vr_autofree char *text = NULL;
	size_t len;

	if (vr_read_file(AT_FDCWD, path, max, &text, &len) < 0) {
		return false;
	}
	return at_start ? strncmp(text, what, strlen(what)) == 0 : strstr(text, what) != NULL;
}

/*
 * Making a VM makes a kernel thread that recovers huge pages, which joins the creator's
 * cgroups; without favordynmods that waits for a grace period of RCU.
 */
static void check_vm_creation(const struct doctor_world *w, struct doctor_report *r)
{
	const char *pages =
		or_default(w->nx_huge_pages, "/sys/module/kvm/parameters/nx_huge_pages");
	const char *mounts = or_default(w->mountinfo, "/proc/self/mountinfo");
	bool off = has_text(pages, PARAMETER_MAX, "N", true) ||
		   has_text(pages, PARAMETER_MAX, "never", true);

	if (access(pages, R_OK) < 0) {
		return; /* no KVM, or one without that thread */
	}
	if (off || has_text(mounts, MOUNTINFO_MAX, "favordynmods", false)) {
		say(r, "start-up", DOCTOR_OK, "making a VM doesn't wait for cgroups");
		return;
	}
	say(r, "start-up", DOCTOR_NOTE,
	    "each start may wait 20 to 100 ms: mount cgroup2 with favordynmods, or, on processors "
	    "without the iTLB multihit flaw, set kvm.nx_huge_pages=never");
}

void doctor_check(const struct doctor_world *w, struct doctor_report *r)
{
	doctor_check_kvm(w, r);
	check_kernel(w, r);
	check_initramfs(w, r);
	check_host_kernel(r);
	check_privilege(r);
	check_seccomp(r);
	check_landlock(w, r);
	check_cgroup(r);
	check_tun(w, r);
	check_vm_creation(w, r);
}

bool doctor_healthy(const struct doctor_report *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->items[i].verdict == DOCTOR_BAD) {
			return false;
		}
	}
	return true;
}

int doctor_json(const struct doctor_report *r, char **out, struct vr_err *err)
{
	struct json_gen *g = json_gen_create(true);
	const char *text;

	json_gen_object_open(g);
	json_gen_kv_bool(g, "ok", doctor_healthy(r));
	json_gen_key(g, "items");
	json_gen_array_open(g);
	for (size_t i = 0; i < r->n; i++) {
		json_gen_object_open(g);
		json_gen_kv_str(g, "name", r->items[i].name);
		json_gen_kv_str(g, "verdict", doctor_verdict_name(r->items[i].verdict));
		json_gen_kv_str(g, "text", r->items[i].text);
		json_gen_object_close(g);
	}
	json_gen_array_close(g);
	json_gen_object_close(g);
	text = json_gen_finish(g, NULL);
	*out = text ? strdup(text) : NULL;
	json_gen_destroy(g);
	return *out ? 0 : vr_err_set(err, ENOMEM, "doctor: out of memory");
}

void doctor_explain_boot(struct vr_err *err)
{
	vr_autoclose int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	char why[200] = "";
	size_t used = strlen(err->msg);

	if (fd < 0 || kvm_probe_guest_kernel(fd, why, sizeof(why)) != -EOPNOTSUPP) {
		return;
	}
	(void)snprintf(err->msg + used, sizeof(err->msg) - used, " (on this host %s)",
		       why); /* a cut sentence is fine */
}
