/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_fixture.h - small configurations, parsed and compiled for the guest
 *
 * Include after cm.h. JSON is written with ' for ".
 */
#ifndef TESTS_PLAN_FIXTURE_H
#define TESTS_PLAN_FIXTURE_H

#include "guest_plan.h"
#include "oci/spec.h"

/** struct planned - a parsed configuration and what became of it */
struct planned {
	struct oci_spec *spec;
	struct guest_plan plan;
	struct ap_container *c; /* of @plan */
	struct vr_err err;
	int rc;
};

/** spec_of() - parse; a text that is refused fails the test */
static inline struct oci_spec *spec_of(const char *text)
{
	struct vr_err err = VR_ERR_INIT;
	struct oci_spec *spec = NULL;
	char *json = quoted(text);

	assert_no_error(oci_spec_parse("config.json", json, strlen(json), &spec, &err), err);
	free(json);
	return spec;
}

/** plan_any() - compile; @rc and @err say how it went */
static inline void plan_any(struct planned *p, const char *text)
{
	*p = (struct planned){.spec = spec_of(text)};
	p->rc = guest_plan_build(p->spec, &p->plan, &p->err);
	p->c = p->plan.container;
}

/** plan_of() - compile; failure fails the test */
static inline void plan_of(struct planned *p, const char *text)
{
	plan_any(p, text);
	assert_no_error(p->rc, p->err);
	assert_int_equal(p->rc, 0);
	assert_int_equal(p->err.code, 0); /* success never touches it */
}

static inline void plan_done(struct planned *p)
{
	guest_plan_finish(&p->plan);
	oci_spec_free(p->spec);
}

/** plan_refused() - compiling fails with exactly this */
static inline void plan_refused(const char *text, int code, const char *message)
{
	struct planned p;

	plan_any(&p, text);
	assert_int_equal(p.rc, -code);
	assert_int_equal(p.err.code, code);
	assert_message(p.err, message);
	plan_done(&p);
}

#define CONFIG(rest)  "{'ociVersion':'1.2.0','root':{'path':'rootfs'}" rest "}"
#define LINUX(rest)   CONFIG(",'linux':{" rest "}")
#define PROCESS(rest) CONFIG(",'process':{'cwd':'/','args':['sh']" rest "}")
#define MOUNTS(rest)  CONFIG(",'mounts':[" rest "]")

#endif /* TESTS_PLAN_FIXTURE_H */
