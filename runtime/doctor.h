/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor.h - can this host run containers, and if not, what is missing?
 *
 * Each check is one item with a sentence. Only what makes `create` fail, or the cage
 * worse than promised to be possible at all, is a failure; what costs time or a layer of the
 * cage is a remark.
 *
 * Uses: base, oci/json, pvh, sandbox, vmm. Used by: cmd_doctor, launch.
 */
#ifndef VOLT_DOCTOR_H
#define VOLT_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum doctor_verdict {
	DOCTOR_OK,
	DOCTOR_NOTE, /* containers run, but */
	DOCTOR_BAD,  /* containers don't run */
	DOCTOR_VERDICT_COUNT,
};

#define DOCTOR_ITEMS_MAX 16u

/** struct doctor_item - @name is a static word, @text a sentence without a full stop */
struct doctor_item {
	const char *name;
	enum doctor_verdict verdict;
	char text[256];
};

struct doctor_report {
	struct doctor_item items[DOCTOR_ITEMS_MAX];
	size_t n;
};

/**
 * struct doctor_world - where to look, so that tests can show another host
 * @kvm:           NULL: /dev/kvm
 * @tun:           NULL: /dev/net/tun
 * @kernel:        NULL: the installed one
 * @initramfs:     likewise
 * @nx_huge_pages: NULL: kvm's parameter of that name
 * @mountinfo:     NULL: /proc/self/mountinfo
 * @landlock_max:  as for sbx_landlock_abi()
 */
struct doctor_world {
	const char *kvm;
	const char *tun;
	const char *kernel;
	const char *initramfs;
	const char *nx_huge_pages;
	const char *mountinfo;
	int landlock_max;
};

/** doctor_check_kvm() - only what concerns KVM: "kvm", "capabilities", "guest" */
void doctor_check_kvm(const struct doctor_world *w, struct doctor_report *out);

/** doctor_check() - all items; takes up to a second where KVM is emulated */
void doctor_check(const struct doctor_world *w, struct doctor_report *out);

/** doctor_healthy() - is no item bad? */
bool doctor_healthy(const struct doctor_report *r);

/** doctor_verdict_name() - "ok", "note", "bad" */
const char *doctor_verdict_name(enum doctor_verdict v);

/**
 * doctor_json() - the report: {"ok": bool, "items": [{"name", "verdict", "text"}]}
 * @out: malloc'd text
 *
 * Return: 0 or -ENOMEM with @err.
 */
int doctor_json(const struct doctor_report *r, char **out, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * doctor_explain_boot() - append to the message of a failed boot what is wrong with KVM
 *
 * For the case that the guest never got to its agent; nothing is appended when the
 * probe finds nothing. Takes up to a second.
 */
void doctor_explain_boot(struct vr_err *err);

#endif /* VOLT_DOCTOR_H */
