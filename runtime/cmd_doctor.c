/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_doctor.c - `doctor`: can this host run containers? */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "cmd.h"
#include "doctor.h"

static void print_text(const struct doctor_report *r)
{
	for (size_t i = 0; i < r->n; i++) {
		printf("%-5s %-13s %s\n", doctor_verdict_name(r->items[i].verdict),
		       r->items[i].name, r->items[i].text);
	}
	printf("\ncontainers %s on this host\n",
	       doctor_healthy(r) ? "can be run" : "can not be run");
}

int cmd_doctor(const struct globals *g, int argc, char **argv, struct vr_err *err)
{
	const struct doctor_world world = {0};
	struct doctor_report report = {0};
	vr_autofree char *text = NULL;
	const char *format = "text";
	bool kvm_only = false;
	const struct opt table[] = {
		{"format", 'f', OPT_STRING, &format, "text or json"},
		{"kvm", 0, OPT_SWITCH, &kvm_only, "look at KVM only"},
	};
	char **operands;
	int rc = cmd_args("doctor", "", table, VR_ARRAY_SIZE(table), 0, 0, argc, argv, &operands,
			  err);

	(void)g;
	if (rc != 0) {
		return rc < 0 ? rc : 0;
	}
	if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0) {
		return vr_err_set(err, EINVAL,
				  "doctor: option '--format': '%s' is neither text nor json",
				  format);
	}
	kvm_only ? doctor_check_kvm(&world, &report) : doctor_check(&world, &report);
	if (strcmp(format, "text") == 0) {
		print_text(&report);
		return doctor_healthy(&report) ? 0 : 1;
	}
	rc = doctor_json(&report, &text, err);
	if (rc < 0) {
		return rc;
	}
	(void)fputs(text, stdout); /* there is nobody else to tell */
	return doctor_healthy(&report) ? 0 : 1;
}
