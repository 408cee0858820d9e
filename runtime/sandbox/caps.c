/* SPDX-License-Identifier: Apache-2.0 */
/* caps.c - capabilities, no_new_privs, dumpability, resource limits; see caps.h */
#include "sandbox/caps.h"

#include <errno.h>
#include <grp.h>
#include <linux/securebits.h>
#include <stdbool.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/checked.h"

/* NO_SETUID_FIXUP is left alone: with it, setfsuid() would no longer drop DAC_OVERRIDE. */
#define ROLE_SECUREBITS                                                                            \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |                      \
	 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

/* Linux 6.3, after Debian 12's headers */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE		 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

static bool listed(const int *caps, size_t n, int cap)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (caps[i] == cap) {
			return true;
		}
	}
	return false;
}

static int holds(cap_value_t cap, bool *out)
{
	cap_t state = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;
	int ret = 0;

	if (!state) {
		return -errno;
	}
	if (cap_get_flag(state, cap, CAP_EFFECTIVE, &value) < 0) {
		ret = -errno;
	} else {
		*out = value == CAP_SET;
	}
	(void)cap_free(state); /* fails only for what cap_get_proc() didn't return */
	return ret;
}

static int narrow_bounding(const int *caps, size_t n)
{
	int cap;

	/* cap_get_bound() is negative behind the last capability this kernel knows. */
	for (cap = 0; cap_get_bound(cap) >= 0; cap++) {
		if (!listed(caps, n, cap) && cap_drop_bound(cap) < 0) {
			return -errno;
		}
	}
	return 0;
}

/* Keep a listed capability only where it is held: raising others is EPERM. */
static int fill_set(cap_t from, cap_t to, const int *caps, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		cap_value_t cap = caps[i];
		cap_flag_value_t held = CAP_CLEAR;

		if (cap_get_flag(from, cap, CAP_PERMITTED, &held) < 0) {
			return -errno;
		}
		if (held != CAP_SET) {
			continue;
		}
		if (cap_set_flag(to, CAP_PERMITTED, 1, &cap, CAP_SET) < 0 ||
		    cap_set_flag(to, CAP_EFFECTIVE, 1, &cap, CAP_SET) < 0) {
			return -errno;
		}
	}
	return 0;
}

static int narrow_sets(const int *caps, size_t n)
{
	cap_t now = cap_get_proc();
	cap_t then = cap_init();
	int ret = 0;

	if (!now || !then) {
		ret = -errno;
		goto out;
	}
	ret = fill_set(now, then, caps, n);
	if (ret == 0 && cap_set_proc(then) < 0) {
		ret = -errno;
	}
out:
	(void)cap_free(then); /* NULL is refused with an error nobody needs */
	(void)cap_free(now);
	return ret;
}

int sbx_caps_keep(const int *caps, size_t n)
{
	bool setpcap = false;
	int ret;

	ret = holds(CAP_SETPCAP, &setpcap);
	if (ret < 0) {
		return ret;
	}
	/* Without CAP_SETPCAP these can't be done and don't matter: no_new_privs, no root. */
	if (setpcap) {
		if (prctl(PR_SET_SECUREBITS, ROLE_SECUREBITS, 0, 0, 0) < 0) {
			return -errno;
		}
		ret = narrow_bounding(caps, n);
		if (ret < 0) {
			return ret;
		}
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) {
		return -errno;
	}
	return narrow_sets(caps, n);
}

int sbx_no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int sbx_undumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

int sbx_no_new_code(void)
{
	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) < 0 && errno != EINVAL) {
		return -errno;
	}
	return 0;
}

int sbx_become(uid_t uid)
{
	cap_t state = cap_get_proc();
	int ret = 0;

	if (!state) {
		return -errno;
	}
	/* The permitted ones survive; the effective ones are put back. */
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setresgid(uid, uid, uid) < 0 ||
	    setresuid(uid, uid, uid) < 0 || cap_set_proc(state) < 0) {
		ret = -errno;
	}
	(void)cap_free(state); /* fails only for what cap_get_proc() didn't return */
	return ret;
}

int sbx_drop_groups(void)
{
	if (setgroups(0, NULL) < 0 && errno != EPERM) {
		return -errno;
	}
	return 0;
}

static int set_limit(int what, rlim_t value)
{
	struct rlimit now;
	struct rlimit then = {value, value};

	if (setrlimit(what, &then) == 0) {
		return 0;
	}
	if (errno != EPERM || getrlimit(what, &now) < 0) {
		return -errno;
	}
	value = VR_MIN(value, now.rlim_max);
	then = (struct rlimit){value, value};
	return setrlimit(what, &then) < 0 ? -errno : 0;
}

int sbx_limits(unsigned nofile)
{
	static const struct {
		int what;
		rlim_t value;
	} limits[] = {
		/*
		 * One byte, not zero: zero does not stop a core pattern that is a pipe,
		 * one stops both kinds (fs/coredump.c, since Linux 2.6.24).
		 */
		{RLIMIT_CORE, 1},   {RLIMIT_MEMLOCK, 0}, {RLIMIT_MSGQUEUE, 0},
		{RLIMIT_RTPRIO, 0}, {RLIMIT_NICE, 0},
	};

	for (size_t i = 0; i < VR_ARRAY_SIZE(limits); i++) {
		int ret = set_limit(limits[i].what, limits[i].value);

		if (ret < 0) {
			return ret;
		}
	}
	return nofile == 0 ? 0 : set_limit(RLIMIT_NOFILE, nofile);
}
