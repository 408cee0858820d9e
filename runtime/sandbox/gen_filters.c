/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gen_filters.c - prints the roles' programs as C, for seccomp.c
 *
 * A program of the build. Every list is compiled for two sets of pids: the instructions
 * that differ are those to be filled in, and nothing else may differ.
 */
#include <linux/filter.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "sandbox/seccomp_build.h"
#include "sandbox/seccomp_roles.h"

struct pids {
	pid_t own;
	pid_t child;
};

static const struct pids one = {0x11111111, 0x22222222};
static const struct pids other = {0x33333333, 0x44444444};

static void die(enum sbx_role role, const char *why)
{
	(void)fprintf(stderr, "gen_filters: %s: %s\n", sbx_role_defs[role].name, why);
	exit(1);
}

static bool same(const struct sock_filter *a, const struct sock_filter *b)
{
	return a->code == b->code && a->jt == b->jt && a->jf == b->jf && a->k == b->k;
}

static void print_program(enum sbx_role role, const struct sbx_filter *f)
{
	printf("static const struct sock_filter insns_%d[] = {\n", (int)role);
	for (size_t i = 0; i < f->len; i++) {
		printf("\t{0x%02x, %u, %u, 0x%08x},\n", f->insns[i].code, f->insns[i].jt,
		       f->insns[i].jf, f->insns[i].k);
	}
	printf("};\n\n");
}

/* Return: how many there are */
static unsigned print_places(enum sbx_role role, const struct sbx_filter *a,
			     const struct sbx_filter *b)
{
	unsigned n = 0;

	printf("static const struct pid_place pids_%d[] = {\n", (int)role);
	for (size_t i = 0; i < a->len; i++) {
		uint32_t x = a->insns[i].k;
		uint32_t y = b->insns[i].k;
		bool own = x == (uint32_t)one.own && y == (uint32_t)other.own;
		bool child = x == (uint32_t)one.child && y == (uint32_t)other.child;

		if (own || child) {
			printf("\t{%zu, %s},\n", i, child ? "true" : "false");
			n++;
		} else if (!same(&a->insns[i], &b->insns[i])) {
			die(role, "the program differs with the pid in more than the pid");
		}
	}
	printf("\t{0, false},\n};\n\n"); /* C has no empty arrays */
	return n;
}

int main(void)
{
	unsigned n_pids[SBX_ROLE_COUNT];
	struct sbx_filter a, b;

	/* Not what this machine's kernel can, if it has filters at all, but what 4.14 could. */
	if (seccomp_api_set(3) < 0) {
		die(SBX_ROLE_SHIM, "this libseccomp doesn't know API level 3");
	}
	for (unsigned role = 0; role < SBX_ROLE_COUNT; role++) {
		if (sbx_filter_build(role, one.own, one.child, &a) < 0 ||
		    sbx_filter_build(role, other.own, other.child, &b) < 0) {
			die(role, "the list can't be compiled");
		}
		if (a.len != b.len) {
			die(role, "the program's length depends on the pid");
		}
		print_program(role, &a);
		n_pids[role] = print_places(role, &a, &b);
		sbx_filter_finish(&a);
		sbx_filter_finish(&b);
	}
	printf("static const struct ready ready[SBX_ROLE_COUNT] = {\n");
	for (unsigned role = 0; role < SBX_ROLE_COUNT; role++) {
		printf("\t[%u] = {insns_%u, sizeof(insns_%u) / sizeof(insns_%u[0]), pids_%u, "
		       "%u},\n",
		       role, role, role, role, role, n_pids[role]);
	}
	printf("};\n");
	return 0;
}
