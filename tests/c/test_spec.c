/* SPDX-License-Identifier: Apache-2.0 */
/* test_spec.c - config.json: each value arrives in its place; process and resources files */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "full_config.h"
#include "oci/names.h"
#include "oci/spec.h"
#include "oci/spec_check.h"

static struct oci_spec *load(const char *text)
{
	struct vr_err err = VR_ERR_INIT;
	struct oci_spec *spec = NULL;
	char *json = quoted(text);

	assert_no_error(oci_spec_parse("config.json", json, strlen(json), &spec, &err), err);
	free(json);
	assert_int_equal(err.code, 0); /* success never touches it */
	return spec;
}

static void minimal_config_gets_defaults(void **state)
{
	struct oci_spec *s = load("{'ociVersion':'1.0.0','root':{'path':'r'}}");

	(void)state;
	assert_null(s->process);
	assert_non_null(s->linux_);
	assert_null(s->hooks);
	assert_null(s->vm);
	assert_null(s->hostname);
	assert_false(s->root->readonly);
	assert_int_equal(s->mounts.n, 0);
	assert_null(s->linux_->resources);
	assert_null(oci_spec_ns(s, OCI_NS_PID));
	assert_int_equal(s->warnings.n, 0);
	assert_string_equal(s->name, "config.json");
	oci_spec_free(s);
	oci_spec_free(NULL);
}

static void nulls_are_absent_fields(void **state)
{
	struct oci_spec *s = load("{'ociVersion':'1.0.0','root':{'path':'r'},'process':null,"
				  "'hostname':null,'mounts':null,'linux':{'resources':null,"
				  "'namespaces':null,'intelRdt':null}}");

	(void)state;
	assert_null(s->process);
	assert_null(s->hostname);
	assert_int_equal(s->mounts.n, 0);
	oci_spec_free(s);
}

static void process_values(void **state)
{
	struct oci_spec *s = load(full_config);
	const struct oci_process *p = s->process;

	(void)state;
	assert_true(p->terminal);
	assert_int_equal(p->console_size->height, 24);
	assert_int_equal(p->console_size->width, 80);
	assert_int_equal(p->user.uid, 1000);
	assert_int_equal(p->user.gid, 1001);
	assert_true(p->user.umask.set);
	assert_int_equal(p->user.umask.v, 022);
	assert_int_equal(p->user.additional_gids.n, 2);
	assert_int_equal(p->user.additional_gids.v[1], 6);
	assert_int_equal(p->args.n, 3);
	assert_string_equal(p->args.v[2], "true");
	assert_null(p->args.v[3]); /* fit for execve */
	assert_string_equal(p->env.v[1], "B=");
	assert_string_equal(p->cwd, "/w");
	assert_int_equal(p->rlimits.n, 1);
	assert_int_equal(p->rlimits.v[0].resource, RLIMIT_NOFILE);
	assert_int_equal(p->rlimits.v[0].soft, 1024);
	assert_true(p->rlimits.v[0].hard == UINT64_MAX);
	assert_true(p->no_new_privileges);
	assert_true(p->oom_score_adj.set);
	assert_int_equal(p->oom_score_adj.v, -500);
	assert_int_equal(p->scheduler->policy, 6);
	assert_int_equal(p->scheduler->nice, 5);
	assert_int_equal(p->scheduler->flags, 3);
	assert_int_equal(p->scheduler->runtime_ns, 10);
	assert_int_equal(p->scheduler->deadline_ns, 20);
	assert_int_equal(p->scheduler->period_ns, 30);
	assert_int_equal(p->io_priority->ioprio_class, 3);
	assert_int_equal(p->io_priority->priority, 3);
	assert_string_equal(p->exec_affinity->initial, "0-1");
	assert_string_equal(p->exec_affinity->final, "2,4");
	assert_string_equal(p->selinux_label, "l");
	oci_spec_free(s);
}

static void capability_sets_become_masks(void **state)
{
	struct oci_spec *s = load(full_config);
	const struct oci_caps *c = s->process->caps;
	uint64_t kill_cap = UINT64_C(1) << 5;
	uint64_t net_raw = UINT64_C(1) << 13;

	(void)state;
	assert_int_equal(c->present, 0x1f);
	assert_true(c->mask[OCI_CAPS_BOUNDING] == (kill_cap | net_raw));
	assert_true(c->mask[OCI_CAPS_EFFECTIVE] == kill_cap);
	assert_true(c->mask[OCI_CAPS_PERMITTED] == (kill_cap | net_raw));
	/* net_raw is not inheritable, so it can't be ambient */
	assert_true(c->mask[OCI_CAPS_AMBIENT] == kill_cap);
	oci_spec_free(s);
}

static void unknown_capabilities_warn(void **state)
{
	struct oci_spec *s =
		load("{'ociVersion':'1.0.0','root':{'path':'r'},'process':{'cwd':'/','args':['a'],"
		     "'capabilities':{'bounding':['CAP_KILL','CAP_NEW'],"
		     "'effective':['CAP_KILL']}}}");

	(void)state;
	assert_true(s->process->caps->mask[OCI_CAPS_BOUNDING] == UINT64_C(1) << 5);
	assert_true(s->process->caps->mask[OCI_CAPS_EFFECTIVE] == 0);
	assert_int_equal(s->warnings.n, 2);
	assert_string_equal(s->warnings.v[0],
			    "config.json: process.capabilities.bounding[1]: unknown capability "
			    "'CAP_NEW' is ignored");
	assert_string_equal(s->warnings.v[1],
			    "config.json: process.capabilities.effective: names capabilities that "
			    "are not permitted; they are ignored");
	oci_spec_free(s);
}

static void warnings_are_bounded(void **state)
{
	char text[4096];
	size_t len;
	struct oci_spec *s;

	(void)state;
	len = (size_t)snprintf(text, sizeof(text),
			       "{'ociVersion':'1.0.0','root':{'path':'r'},'process':{'cwd':'/',"
			       "'args':['a'],'capabilities':{'bounding':['CAP_X'");
	for (int i = 0; i < 100; i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, ",'CAP_X%d'", i);
	}
	(void)snprintf(text + len, sizeof(text) - len, "]}}}");
	s = load(text);
	assert_int_equal(s->warnings.n, 32);
	assert_null(s->warnings.v[32]);
	oci_spec_free(s);
}

static void mount_values(void **state)
{
	struct oci_spec *s = load(full_config);
	const struct oci_mount *m = &s->mounts.v[0];

	(void)state;
	assert_int_equal(s->mounts.n, 1);
	assert_string_equal(m->destination, "/data");
	assert_string_equal(m->type, "bind");
	assert_string_equal(m->source, "/src");
	assert_true(m->opt.bind);
	assert_int_equal(m->opt.flags, MS_BIND | MS_REC | MS_RDONLY);
	assert_null(m->opt.data);
	assert_int_equal(m->uid_mappings.n, 1);
	assert_int_equal(m->gid_mappings.v[0].host_id, 1000);
	oci_spec_free(s);
}

static struct oci_spec *load_mount(const char *mount)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
		       "{'ociVersion':'1.0.0','root':{'path':'r'},'mounts':[%s]}", mount);
	return load(text);
}

static void mount_options_go_where_they_belong(void **state)
{
	struct oci_spec *s = load_mount(
		"{'destination':'/t','type':'tmpfs','options':['nosuid','strictatime','mode=755',"
		"'rw','ro','rw','size=65536k','tmpcopyup','rprivate','slave','','noexec','exec']}");
	const struct oci_mount_options *o = &s->mounts.v[0].opt;

	(void)state;
	assert_int_equal(o->flags, MS_NOSUID | MS_STRICTATIME);
	assert_int_equal(o->flags_clear, MS_RDONLY | MS_NOEXEC);
	assert_string_equal(o->data, "mode=755,size=65536k");
	assert_int_equal(o->propagation, MS_SLAVE); /* the last one counts */
	assert_true(o->tmpcopyup);
	assert_false(o->bind);
	oci_spec_free(s);
}

static void recursive_attributes(void **state)
{
	struct oci_spec *s =
		load_mount("{'destination':'/t','source':'/s','options':['rbind','rro','rnosuid',"
			   "'rsuid','rnoatime','ridmap','copy-symlink','rshared']}");
	const struct oci_mount_options *o = &s->mounts.v[0].opt;

	(void)state;
	assert_true(o->bind);
	assert_int_equal(o->rec_set, 0x1 | 0x10);
	assert_int_equal(o->rec_clear, 0x2 | 0x70);
	assert_int_equal(o->idmap, OCI_IDMAP_RECURSIVE);
	assert_true(o->copy_symlink);
	assert_int_equal(o->propagation, MS_SHARED | MS_REC);
	oci_spec_free(s);
}

static void relative_destinations_go_below_the_root(void **state)
{
	struct oci_spec *s = load_mount("{'destination':'proc','type':'proc'}");

	(void)state;
	assert_string_equal(s->mounts.v[0].destination, "/proc");
	assert_int_equal(s->warnings.n, 1);
	assert_string_equal(s->warnings.v[0],
			    "config.json: mounts[0].destination: is not absolute; "
			    "taken as '/proc'");
	oci_spec_free(s);
}

static void hooks_and_annotations_keep_order(void **state)
{
	struct oci_spec *s = load(full_config);

	(void)state;
	assert_int_equal(s->hooks->prestart.n, 1);
	assert_string_equal(s->hooks->prestart.v[0].args.v[1], "x");
	assert_string_equal(s->hooks->prestart.v[0].env.v[0], "K=V");
	assert_int_equal(s->hooks->prestart.v[0].timeout_s.v, 5);
	assert_string_equal(s->hooks->create_runtime.v[0].path, "/h1");
	assert_false(s->hooks->create_runtime.v[0].timeout_s.set);
	assert_string_equal(s->hooks->create_container.v[0].path, "/h2");
	assert_string_equal(s->hooks->start_container.v[0].path, "/h3");
	assert_string_equal(s->hooks->poststart.v[0].path, "/h4");
	assert_string_equal(s->hooks->poststop.v[0].path, "/h5");
	assert_string_equal(s->annotations.v[0].key, "z.last");
	assert_string_equal(oci_kvs_get(&s->annotations, "a.first"), "2");
	assert_null(oci_kvs_get(&s->annotations, "a"));
	oci_spec_free(s);
}

static void linux_values(void **state)
{
	struct oci_spec *s = load(full_config);
	const struct oci_linux *lx = s->linux_;

	(void)state;
	assert_string_equal(oci_spec_ns(s, OCI_NS_NETWORK)->path, "/run/netns/x");
	assert_null(oci_spec_ns(s, OCI_NS_PID)->path);
	assert_null(oci_spec_ns(s, OCI_NS_IPC));
	assert_int_equal(lx->uid_mappings.v[0].size, 65536);
	assert_string_equal(lx->time_offsets.v[0].key, "monotonic");
	assert_int_equal(lx->time_offsets.v[0].secs, -5);
	assert_int_equal(lx->time_offsets.v[0].nanosecs, 7);
	assert_int_equal(lx->devices.v[0].type, 'c');
	assert_int_equal(lx->devices.v[0].minor, 3);
	assert_int_equal(lx->devices.v[0].file_mode.v, 0666);
	assert_string_equal(lx->cgroups_path, "/cg");
	assert_string_equal(lx->sysctl.v[0].key, "net.ipv4.ip_forward");
	assert_int_equal(lx->rootfs_propagation, MS_SLAVE | MS_REC);
	assert_string_equal(lx->masked_paths.v[0], "/proc/kcore");
	assert_string_equal(lx->readonly_paths.v[0], "/proc/sys");
	assert_int_equal(lx->personality->domain, 8);
	oci_spec_free(s);
}

static void resources_values(void **state)
{
	struct oci_spec *s = load(full_config);
	const struct oci_resources *r = s->linux_->resources;

	(void)state;
	assert_false(r->devices.v[0].allow);
	assert_int_equal(r->devices.v[0].minor.v, -1);
	assert_int_equal(r->memory->limit.v, 1000);
	assert_int_equal(r->memory->kernel.v, -1);
	assert_true(r->memory->disable_oom_killer.set);
	assert_false(r->memory->disable_oom_killer.v);
	assert_int_equal(r->cpu->quota.v, -1);
	assert_int_equal(r->cpu->period.v, 100000);
	assert_string_equal(r->cpu->cpus, "0-3");
	assert_int_equal(r->pids->limit.v, 100);
	assert_int_equal(r->block_io->weight.v, 10);
	assert_int_equal(r->block_io->weight_device.v[0].leaf_weight.v, 300);
	assert_int_equal(r->block_io->read_bps.v[0].minor, 1);
	assert_int_equal(r->block_io->write_bps.v[0].minor, 2);
	assert_int_equal(r->block_io->read_iops.v[0].minor, 3);
	assert_int_equal(r->block_io->write_iops.v[0].rate, 4);
	assert_string_equal(r->hugepage_limits.v[0].page_size, "2MB");
	assert_int_equal(r->network->priorities.v[0].priority, 2);
	assert_string_equal(r->rdma.v[0].key, "mlx5");
	assert_int_equal(r->rdma.v[0].hca_objects.v, 2);
	assert_string_equal(oci_kvs_get(&r->unified, "memory.high"), "max");
	oci_spec_free(s);
}

static void seccomp_values(void **state)
{
	struct oci_spec *s = load(full_config);
	const struct oci_seccomp *p = s->linux_->seccomp;
	const struct oci_seccomp_arg *a = &p->syscalls.v[0].args.v[0];

	(void)state;
	assert_int_equal(p->default_action, OCI_SECCOMP_ERRNO);
	assert_int_equal(p->default_errno_ret.v, 38);
	assert_string_equal(p->architectures.v[0], "SCMP_ARCH_X86_64");
	assert_int_equal(p->flags, 2);
	assert_string_equal(p->syscalls.v[0].names.v[1], "write");
	assert_int_equal(p->syscalls.v[0].errno_ret.v, 1);
	assert_int_equal(a->index, 1);
	assert_true(a->value == UINT64_MAX);
	assert_int_equal(a->value_two, 2);
	assert_int_equal(a->op, OCI_SECCOMP_MASKED_EQ);
	oci_spec_free(s);
}

static void vm_values(void **state)
{
	struct oci_spec *s = load(full_config);

	(void)state;
	assert_int_equal(s->vm->hw->vcpus.v, 2);
	assert_int_equal(s->vm->hw->memory.v, 1048576);
	oci_spec_free(s);
}

static void process_files(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct oci_process_file *f = NULL;
	char *good = quoted("{'cwd':'/','args':['id'],'user':{'uid':7},'capabilities':{"
			    "'bounding':['CAP_NOPE']}}");
	char *bad = quoted("{'cwd':'/','args':['id',5]}");

	(void)state;
	assert_no_error(oci_process_parse("p.json", good, strlen(good), &f, &err), err);
	assert_string_equal(f->process->args.v[0], "id");
	assert_int_equal(f->process->user.uid, 7);
	assert_int_equal(f->warnings.n, 1);
	oci_process_file_free(f);
	oci_process_file_free(NULL);
	assert_int_equal(oci_process_parse("p.json", bad, strlen(bad), &f, &err), -EINVAL);
	assert_message(err, "p.json: args[1]: must be a string, not a number");
	assert_int_equal(oci_process_load(AT_FDCWD, "/nonexistent", &f, &err), -ENOENT);
	assert_message(err, "open '/nonexistent': No such file or directory");
	free(good);
	free(bad);
}

static void resources_files(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	struct oci_resources_file *f = NULL;
	char *good = quoted("{'memory':{'limit':5}}");
	int saved = dup(STDIN_FILENO);
	int fds[2];

	(void)state;
	assert_no_error(oci_resources_parse("r.json", good, strlen(good), &f, &err), err);
	assert_int_equal(f->resources->memory->limit.v, 5);
	oci_resources_file_free(f);
	oci_resources_file_free(NULL);
	assert_int_equal(oci_resources_parse("r.json", "[]", 2, &f, &err), -EINVAL);
	assert_message(err, "r.json: must be an object, not an array");

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], good, strlen(good)), (ssize_t)strlen(good));
	close(fds[1]);
	assert_int_equal(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
	close(fds[0]);
	assert_no_error(oci_resources_load(AT_FDCWD, "-", &f, &err), err);
	assert_int_equal(f->resources->memory->limit.v, 5);
	oci_resources_file_free(f);
	assert_int_equal(oci_resources_load(AT_FDCWD, "-", &f, &err), -EINVAL);
	assert_message(err, "standard input: line 1, column 1: parse error: premature EOF");
	if (saved >= 0) {
		assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
		close(saved);
	}
	free(good);
}

static void cpu_lists(void **state)
{
	uint64_t bits[2];

	(void)state;
	assert_int_equal(oci_cpulist_parse("0-3,7,64,7", bits, 2), 6);
	assert_true(bits[0] == 0x8f);
	assert_true(bits[1] == 1);
	assert_int_equal(oci_cpulist_parse("", bits, 2), 0);
	assert_true(bits[0] == 0);
	assert_int_equal(oci_cpulist_parse(NULL, bits, 2), 0);
	assert_int_equal(oci_cpulist_parse("127", bits, 2), 1);
	assert_int_equal(oci_cpulist_parse("128", bits, 2), -ERANGE);
	assert_int_equal(oci_cpulist_parse("8192", NULL, 0), -ERANGE);
	assert_int_equal(oci_cpulist_parse("99999999999999999999", NULL, 0), -ERANGE);
	assert_int_equal(oci_cpulist_parse("0-", NULL, 0), -EINVAL);
	assert_int_equal(oci_cpulist_parse("3-1", NULL, 0), -EINVAL);
	assert_int_equal(oci_cpulist_parse("1,", NULL, 0), -EINVAL);
	assert_int_equal(oci_cpulist_parse(",1", NULL, 0), -EINVAL);
	assert_int_equal(oci_cpulist_parse("a", NULL, 0), -EINVAL);
	assert_int_equal(oci_cpulist_parse("1 2", NULL, 0), -EINVAL);
	assert_int_equal(oci_cpulist_parse("-1", NULL, 0), -EINVAL);
}

static void sysctl_names_become_paths(void **state)
{
	char path[32];

	(void)state;
	assert_int_equal(oci_sysctl_path("net.ipv4.ip_forward", path, sizeof(path)), 0);
	assert_string_equal(path, "net/ipv4/ip_forward");
	assert_int_equal(oci_sysctl_path("net/ipv4/eth0.1/x", path, sizeof(path)), 0);
	assert_string_equal(path, "net/ipv4/eth0.1/x");
	assert_int_equal(oci_sysctl_path("net.ipv4.eth0/1.x", path, sizeof(path)), 0);
	assert_string_equal(path, "net/ipv4/eth0.1/x");
	assert_int_equal(oci_sysctl_path("single", path, sizeof(path)), 0);
	assert_int_equal(oci_sysctl_path("", path, sizeof(path)), -EINVAL);
	assert_int_equal(oci_sysctl_path(".", path, sizeof(path)), -EINVAL);
	assert_int_equal(oci_sysctl_path("a..b", path, sizeof(path)), -EINVAL);
	assert_int_equal(oci_sysctl_path("a.", path, sizeof(path)), -EINVAL);
	assert_int_equal(oci_sysctl_path("/a", path, sizeof(path)), -EINVAL);
	assert_int_equal(oci_sysctl_path("a/../b", path, sizeof(path)), -EINVAL);
	assert_int_equal(oci_sysctl_path("a.//.b", path, sizeof(path)), -EINVAL);
	assert_int_equal(oci_sysctl_path("a./.b", path, sizeof(path)), -EINVAL);
	assert_int_equal(oci_sysctl_path("..", path, sizeof(path)), -EINVAL);
	assert_int_equal(oci_sysctl_path("a b", path, sizeof(path)), -EINVAL);
	assert_int_equal(oci_sysctl_path("a12345678901234567890123456789012", path, sizeof(path)),
			 -EINVAL);
}

static void versions(void **state)
{
	static const char *const good[] = {"1.0.0",	 "1.2.1",      "1.0.2-dev",
					   "1.99.12345", "1.0.0-rc.1", "1.3.0+b"};
	static const char *const bad[] = {
		"",	  "1",	    "1.0",    "2.0.0",	"0.9.0",  "1.0.x",     "1.0.0-",
		"1.0.0 ", "01.0.0", "1.00.0", "11.0.0", "v1.0.0", "1.0.0-a b", "1.1234567890.0"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(oci_check_version(good[i]), 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(oci_check_version(bad[i]), -EINVAL);
	}
}

static void capability_and_signal_names(void **state)
{
	(void)state;
	assert_int_equal(oci_cap_find("CAP_CHOWN"), 0);
	assert_int_equal(oci_cap_find("sys_admin"), 21);
	assert_int_equal(oci_cap_find("cap_checkpoint_restore"), 40);
	assert_int_equal(oci_cap_find("CAP_"), -1);
	assert_int_equal(oci_cap_find(""), -1);
	assert_int_equal(oci_signal_find("KILL"), 9);
	assert_int_equal(oci_signal_find("sigterm"), 15);
	assert_int_equal(oci_signal_find("0"), 0);
	assert_int_equal(oci_signal_find("64"), 64);
	assert_int_equal(oci_signal_find("65"), -1);
	assert_int_equal(oci_signal_find("9x"), -1);
	assert_int_equal(oci_signal_find("-9"), -1);
	assert_int_equal(oci_signal_find(""), -1);
	assert_int_equal(oci_signal_find("SIG"), -1);
	assert_int_equal(oci_signal_find("RTMIN"), 34);
	assert_int_equal(oci_signal_find("SIGRTMIN+3"), 37);
	assert_int_equal(oci_signal_find("RTMAX-1"), 63);
	assert_int_equal(oci_signal_find("RTMIN-1"), -1);
	assert_int_equal(oci_signal_find("RTMIN+31"), -1);
	assert_int_equal(oci_signal_find("RTMIN+"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(minimal_config_gets_defaults),
		cmocka_unit_test(nulls_are_absent_fields),
		cmocka_unit_test(process_values),
		cmocka_unit_test(capability_sets_become_masks),
		cmocka_unit_test(unknown_capabilities_warn),
		cmocka_unit_test(warnings_are_bounded),
		cmocka_unit_test(mount_values),
		cmocka_unit_test(mount_options_go_where_they_belong),
		cmocka_unit_test(recursive_attributes),
		cmocka_unit_test(relative_destinations_go_below_the_root),
		cmocka_unit_test(hooks_and_annotations_keep_order),
		cmocka_unit_test(linux_values),
		cmocka_unit_test(resources_values),
		cmocka_unit_test(seccomp_values),
		cmocka_unit_test(vm_values),
		cmocka_unit_test(process_files),
		cmocka_unit_test(resources_files),
		cmocka_unit_test(cpu_lists),
		cmocka_unit_test(sysctl_names_become_paths),
		cmocka_unit_test(versions),
		cmocka_unit_test(capability_and_signal_names),
	};

	return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}
