/* SPDX-License-Identifier: Apache-2.0 */
/*
 * globals.h - options that stand before the verb
 */
#ifndef VOLT_GLOBALS_H
#define VOLT_GLOBALS_H

#include <stdbool.h>

#include "sandbox/sandbox.h"

/**
 * struct globals - parsed once in main.c
 * @root:           --root, or NULL for the default
 * @systemd_cgroup: --systemd-cgroup, or --cgroup-manager=systemd
 * @no_cgroup:      --cgroup-manager=disabled
 * @vmm:            --vmm-user
 * @failure:        exit code of a failure of the verb, 0 before there is one
 */
struct globals {
	const char *root;
	const char *log;
	const char *log_format;
	const char *log_level;
	const char *cgroup_manager;
	const char *vmm_user;
	struct sbx_user vmm;
	bool debug;
	bool systemd_cgroup;
	bool no_cgroup;
	bool help;
	bool version;
	int failure;
};

#endif /* VOLT_GLOBALS_H */
