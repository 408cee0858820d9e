/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apparmor.h - the AppArmor profile of config.json, for a process of the host
 *
 * The workload isn't a process of the host, so no profile of the host's can confine it. The shim is
 * what callers take for it: it gets the profile, where they look for it. vmm and file server don't: a
 * profile speaks of the workload's files by their names, which those don't see, and what they
 * are left with is less than any profile for programs leaves.
 *
 * Trust: the profile's name is the caller's. Threads: of the process, one. Uses: base.
 */
#ifndef VOLT_SANDBOX_APPARMOR_H
#define VOLT_SANDBOX_APPARMOR_H

#include <stdbool.h>

#include "base/err.h"

/** sbx_apparmor_wanted() - is there a profile to change to, and an AppArmor on this host? */
bool sbx_apparmor_wanted(const char *profile);
/**
 * sbx_apparmor_open() - the file to change our profile with, while /proc is still in view
 *
 * Return: fd (close-on-exec), or -errno with @err.
 */
int sbx_apparmor_open(struct vr_err *err) __attribute__((warn_unused_result));
/**
 * sbx_apparmor_change() - from now on @profile confines the calling thread
 * @fd: of sbx_apparmor_open(), opened by this process
 *
 * The profile must be loaded, and the present one must permit the change (the one of no
 * confinement does). Nothing of the sandbox's stages but the last may follow: profiles for
 * containers forbid mounts.
 *
 * Return: 0 or -errno with @err.
 */
int sbx_apparmor_change(int fd, const char *profile, struct vr_err *err)
	__attribute__((warn_unused_result));

#endif /* VOLT_SANDBOX_APPARMOR_H */
