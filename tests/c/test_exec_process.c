/* SPDX-License-Identifier: Apache-2.0 */
/* test_exec_process.c - which process an `exec` means */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>

#include "exec_process.h"
#include "oci/spec.h"

static const char config[] =
	"{'ociVersion':'1.2.0','root':{'path':'rootfs'},"
	"'process':{'terminal':true,'user':{'uid':5,'gid':6,'additionalGids':[7]},"
	"'args':['init'],'env':['PATH=/bin','A=1','HOME=/h'],'cwd':'/w',"
	"'capabilities':{'bounding':['CAP_KILL'],'effective':['CAP_KILL'],"
	"'permitted':['CAP_KILL']}},"
	"'linux':{'namespaces':[{'type':'pid'}],"
	"'seccomp':{'defaultAction':'SCMP_ACT_ALLOW','syscalls':["
	"{'names':['mount'],'action':'SCMP_ACT_ERRNO'}]}}}";

static struct oci_spec *load(void)
{
	char *text = quoted(config);
	struct oci_spec *spec = NULL;
	struct vr_err err = VR_ERR_INIT;
	int rc = oci_spec_parse("config.json", text, strlen(text), &spec, &err);

	assert_no_error(rc, err);
	free(text);
	return spec;
}

static int merge(struct oci_spec *spec, const struct exec_opts *o, struct vr_err *err)
{
	return exec_process_merge(spec->process, spec->doc, o, err);
}

static const char *const ls[] = {"ls", "-l"};

static void the_configuration_is_inherited(void **state)
{
	const struct exec_opts o = {.args = ls, .n_args = 2};
	struct vr_err err = VR_ERR_INIT;
	struct oci_spec *spec = load();
	const struct oci_process *p = spec->process;

	(void)state;
	assert_int_equal(merge(spec, &o, &err), 0);
	assert_int_equal(p->args.n, 2);
	assert_string_equal(p->args.v[1], "-l");
	assert_null(p->args.v[2]);
	assert_int_equal(p->user.uid, 5);
	assert_int_equal(p->env.n, 3);
	assert_string_equal(p->cwd, "/w");
	assert_false(p->terminal); /* only --tty gives one */
	assert_int_equal(p->caps->mask[OCI_CAPS_EFFECTIVE], 1ull << CAP_KILL);
	oci_spec_free(spec);
}

static void options_change_it(void **state)
{
	const char *env[] = {"A=2", "B=3", "PATH=/sbin"}, *gids[] = {"8"};
	const char *caps[] = {"CAP_NET_RAW", "chown", "CAP_NONSENSE"}; /* that one warns */
	const struct exec_opts o = {.args = ls,
				    .n_args = 2,
				    .cwd = "/tmp",
				    .user = "1000:1001",
				    .env = {.v = env, .n = 3},
				    .gids = {.v = gids, .n = 1},
				    .caps = {.v = caps, .n = 3},
				    .no_new_privs = true,
				    .tty = true};
	const uint64_t want = 1ull << CAP_KILL | 1ull << CAP_NET_RAW | 1ull << CAP_CHOWN;
	struct vr_err err = VR_ERR_INIT;
	struct oci_spec *spec = load();
	const struct oci_process *p = spec->process;

	(void)state;
	assert_int_equal(merge(spec, &o, &err), 0);
	assert_string_equal(p->cwd, "/tmp");
	assert_int_equal(p->user.uid, 1000);
	assert_int_equal(p->user.gid, 1001);
	assert_int_equal(p->user.additional_gids.n, 2);
	assert_int_equal(p->user.additional_gids.v[1], 8);
	assert_int_equal(p->env.n, 4);
	assert_string_equal(p->env.v[0], "PATH=/sbin"); /* replaced where it stood */
	assert_string_equal(p->env.v[1], "A=2");
	assert_string_equal(p->env.v[2], "HOME=/h");
	assert_string_equal(p->env.v[3], "B=3");
	assert_true(p->terminal && p->no_new_privileges);
	assert_int_equal(p->caps->mask[OCI_CAPS_BOUNDING], want);
	assert_int_equal(p->caps->mask[OCI_CAPS_EFFECTIVE], want);
	assert_int_equal(p->caps->mask[OCI_CAPS_PERMITTED], want);
	assert_int_equal(p->caps->mask[OCI_CAPS_INHERITABLE], 0);
	assert_int_equal(p->caps->mask[OCI_CAPS_AMBIENT], 0);
	oci_spec_free(spec);
}

static void refuse(struct exec_opts o, const char *message)
{
	struct vr_err err = VR_ERR_INIT;
	struct oci_spec *spec = load();

	o.args = ls;
	o.n_args = 2;
	assert_int_equal(merge(spec, &o, &err), -EINVAL);
	assert_message(err, message);
	oci_spec_free(spec);
}

static void bad_options_are_named(void **state)
{
	const char *unnamed[] = {"=x"}, *word[] = {"wheel"};

	(void)state;
	refuse((struct exec_opts){.user = "root"}, "exec: option '--user': 'root' is not a number");
	refuse((struct exec_opts){.user = "1:"}, "exec: option '--user': '' is not a number");
	refuse((struct exec_opts){.user = "4294967295"},
	       "exec: option '--user': '4294967295' is not a number");
	refuse((struct exec_opts){.cwd = "tmp"}, "exec: option '--cwd': 'tmp' is not absolute");
	refuse((struct exec_opts){.env = {.v = unnamed, .n = 1}},
	       "exec: option '--env': '=x' has no name");
	refuse((struct exec_opts){.gids = {.v = word, .n = 1}},
	       "exec: option '--additional-gids': 'wheel' is not a number");
}

static void affinity_is_of_virtual_cpus(void **state)
{
	struct oci_exec_affinity a = {.initial = "0-1,3"};
	struct oci_process proc = {.exec_affinity = &a};
	struct vr_err err = VR_ERR_INIT;
	struct ap_process out = {0};

	(void)state;
	assert_int_equal(exec_process_affinity(&proc, &out, &err), 0);
	assert_int_equal(out.cpus_initial, 0xb);
	assert_int_equal(out.cpus_final, 0);
	a.final = "63";
	assert_int_equal(exec_process_affinity(&proc, &out, &err), 0);
	assert_int_equal(out.cpus_final, UINT64_C(1) << 63);
	a.final = "1,64";
	assert_int_equal(exec_process_affinity(&proc, &out, &err), -EINVAL);
	assert_message(err,
		       "exec: process.execCPUAffinity.final: '1,64' names a CPU that no microVM "
		       "has");
	proc.exec_affinity = NULL;
	assert_int_equal(exec_process_affinity(&proc, &out, NULL), 0);
}

/* A state directory with config.json, and a process file beside it. */
struct world {
	char dir[32];
	int dirfd;
	char process[64];
};

static int setup(void **state)
{
	static const char process[] =
		"{'args':['true'],'cwd':'/','user':{'uid':1,'gid':2},'terminal':true}";
	struct world *w = calloc(1, sizeof(*w));
	char *text = quoted(config), *ptext = quoted(process);

	assert_non_null(w);
	strcpy(w->dir, "/tmp/volt-exec-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->process, sizeof(w->process), "%s/process", w->dir);
	w->dirfd = open(w->dir, O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 2; i++) {
		const char *content = i == 0 ? text : ptext;
		int fd = openat(w->dirfd, i == 0 ? "config.json" : "process", O_WRONLY | O_CREAT,
				0600);

		assert_int_equal(write(fd, content, strlen(content)), strlen(content));
		close(fd);
	}
	free(text);
	free(ptext);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	unlinkat(w->dirfd, "config.json", 0);
	unlinkat(w->dirfd, "process", 0);
	close(w->dirfd);
	rmdir(w->dir);
	free(w);
	return 0;
}

static void the_containers_filter_holds_for_all(void **state)
{
	struct world *w = *state;
	const struct exec_opts o = {.process_file = w->process};
	struct vr_err err = VR_ERR_INIT;
	struct exec_process p;
	int rc = exec_process_load(w->dirfd, &o, &p, &err);

	assert_no_error(rc, err);
	assert_int_equal(p.plan.uid, 1);
	assert_true(p.plan.flags & AP_P_TTY);
	assert_true(p.plan.flags & AP_P_HAS_SECCOMP);
	assert_true(p.plan.n_seccomp > 0);
	exec_process_finish(&p);
}

static void something_to_run_is_needed(void **state)
{
	struct world *w = *state;
	const struct exec_opts o = {0};
	const struct exec_opts missing = {.process_file = "/nowhere/process.json"};
	struct vr_err err = VR_ERR_INIT;
	struct exec_process p;

	assert_int_equal(exec_process_load(w->dirfd, &o, &p, &err), -EINVAL);
	assert_message(err, "exec: missing arguments: neither a command nor --process is given");
	exec_process_finish(&p);
	assert_int_equal(exec_process_load(w->dirfd, &missing, &p, &err), -ENOENT);
	exec_process_finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_configuration_is_inherited),
		cmocka_unit_test(options_change_it),
		cmocka_unit_test(bad_options_are_named),
		cmocka_unit_test(affinity_is_of_virtual_cpus),
		cmocka_unit_test_setup_teardown(the_containers_filter_holds_for_all, setup,
						teardown),
		cmocka_unit_test_setup_teardown(something_to_run_is_needed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
