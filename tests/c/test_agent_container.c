/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_container.c - the agent builds containers as config.json says, seen from inside */
#include "agent_harness.h"
#include "cm.h"

static void output_and_exit_code(void **state)
{
	struct ap_exit e;
	char *out = host_run(spec_container("echo hello; exit 7"), &e);

	(void)state;
	assert_string_equal(out, "hello\n");
	assert_int_equal(e.status, 7);
	assert_int_equal(e.signo, 0);
	free(out);
}

static void namespaces_and_names(void **state)
{
	struct ap_exit e;
	char *out = host_run(spec_container("echo pid $$; hostname; pwd; ls -d /mnt /run/volt; "
					    "echo $HOME; umask; ls /proc | grep -c '^[0-9]'"),
			     &e);

	(void)state;
	assert_has(out, "pid 1\nboxed\n/\n");
	assert_has_not(out, "/run/volt\n");
	assert_has(out, "0022\n");
	free(out);
}

static void mounts_in_order_with_flags(void **state)
{
	struct ap_container *c = spec_container("cat /proc/mounts; cat /dir/file /etc/one; "
						"cat /missing/there; cat /etc/up/etc/two");
	struct ap_exit e;
	char *out;

	(void)state;
	add_mount(c, "/dir", "bind", NULL, MS_BIND | MS_REC | MS_RDONLY | MS_NOSUID);
	c->mounts[c->n_mounts - 1].share = 0;
	add_mount(c, "/etc/one", "bind", NULL, MS_BIND);
	c->mounts[c->n_mounts - 1].share = 1;
	add_mount(c, "/etc/dangling", "bind", NULL, MS_BIND); /* to /missing/there */
	c->mounts[c->n_mounts - 1].share = 1;
	add_mount(c, "/etc/up/etc/two", "bind", NULL, MS_BIND);
	c->mounts[c->n_mounts - 1].share = 1;
	out = host_run(c, &e);
	assert_int_equal(e.status, 0);
	assert_has(out, " /dir tmpfs ro,nosuid,");
	assert_has(out, "tmpfs /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k");
	assert_has(out,
		   "devpts /dev/pts devpts rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666");
	assert_has(out, "sysfs /sys sysfs ro,nosuid,nodev,noexec");
	assert_has(out, "shared\none\none\none\n");
	free(out);
}

static void default_devices(void **state)
{
	struct ap_container *c = spec_container("ls -l /dev; echo x > /dev/null; head -c 3 "
						"/dev/zero | wc -c; ls -l /dev/probe");
	struct ap_exit e;
	char *out;

	(void)state;
	c->devices[c->n_devices++] = (struct ap_device){.path = "/dev/probe",
							.type = 'c',
							.major = 10,
							.minor = 229,
							.mode = 0640,
							.gid = 9};
	out = host_run(c, &e);
	assert_int_equal(e.status, 0);
	assert_has(out, "ptmx -> pts/ptmx");
	assert_has(out, "fd -> /proc/self/fd");
	assert_has(out, "1,   3");
	assert_has(out, "crw-r-----    1 0        9          10, 229");
	free(out);
}

static void rights_of_the_process(void **state)
{
	struct ap_container *c =
		spec_container("cat /proc/self/status; pwd; "
			       "echo home=$HOME; cat /proc/self/oom_score_adj; umask");
	struct ap_process *p = &c->process;
	struct ap_exit e;
	char *out;

	(void)state;
	p->flags = AP_P_HAS_CAPS | AP_P_NO_NEW_PRIVS | AP_P_HAS_OOM | AP_P_HAS_UMASK;
	p->uid = 1000;
	p->gid = 1001;
	p->gids[p->n_gids++] = 7;
	p->gids[p->n_gids++] = 1001;
	p->umask = 027;
	p->oom_score_adj = 321;
	p->cwd = "/made/for/me";
	p->caps[AP_CAPS_BOUNDING] = 0x21;
	p->caps[AP_CAPS_PERMITTED] = p->caps[AP_CAPS_EFFECTIVE] = 0x20;
	p->caps[AP_CAPS_INHERITABLE] = p->caps[AP_CAPS_AMBIENT] = 0x20;
	out = host_run(c, &e);
	assert_int_equal(e.status, 0);
	assert_has(out, "Uid:\t1000\t1000\t1000\t1000\n");
	assert_has(out, "Gid:\t1001\t1001\t1001\t1001\n");
	assert_has(out, "Groups:\t7 1001 \n");
	assert_has(out, "CapInh:\t0000000000000020\nCapPrm:\t0000000000000020\n"
			"CapEff:\t0000000000000020\nCapBnd:\t0000000000000021\n"
			"CapAmb:\t0000000000000020\nNoNewPrivs:\t1\n");
	assert_has(out, "SigBlk:\t0000000000000000\n");
	/* glibc's posix_spawn leaves its own signals 32 and 33 ignored in every child of make. */
	if (!strstr(out, "SigIgn:\t0000000180000000\n")) {
		assert_has(out, "SigIgn:\t0000000000000000\n");
	}
	assert_has(out, "/made/for/me\nhome=/home/user\n321\n0027\n");
	free(out);
}

static void resource_limits(void **state)
{
	struct ap_container *c = spec_container("ulimit -n; ulimit -Hn; ulimit -c");
	struct ap_process *p = &c->process;
	struct ap_exit e;
	char *out;

	(void)state;
	p->rlimits[p->n_rlimits++] = (struct ap_rlimit){.resource = 7, .soft = 64, .hard = 128};
	p->rlimits[p->n_rlimits++] = (struct ap_rlimit){.resource = 4, .soft = 0, .hard = 0};
	out = host_run(c, &e);
	assert_string_equal(out, "64\n128\n0\n");
	free(out);
}

static void protected_paths(void **state)
{
	static const char *const masked[] = {"/etc/plain", "/data", "/not/there"};
	static const char *const readonly[] = {"/proc/sys", "/nowhere"};
	struct ap_container *c = spec_container(
		"wc -c < /etc/plain; ls /data | wc -l; grep -E ' (/|/data|/proc/sys) ' "
		"/proc/mounts; touch /x 2>&1; touch /dev/ok && echo writable");
	struct ap_exit e;
	char *out;

	(void)state;
	c->masked = strings(masked, 3);
	c->readonly = strings(readonly, 2);
	c->flags |= AP_C_READONLY_ROOT;
	out = host_run(c, &e);
	assert_has(out, "0\n0\n");
	assert_has(out, " / tmpfs ro,");
	assert_has(out, " /data tmpfs ro,");
	assert_has(out, " /proc/sys proc ro,");
	assert_has(out, "Read-only file system");
	assert_has(out, "writable");
	free(out);
}

static void copy_up(void **state)
{
	struct ap_container *c = spec_container("cat /data/kept; echo y > /data/new && echo ok; "
						"grep ' /data ' /proc/mounts");
	struct ap_exit e;
	char *out;

	(void)state;
	add_mount(c, "/data", "tmpfs", "size=100k", MS_NODEV);
	c->mounts[c->n_mounts - 1].flags = AP_M_TMPCOPYUP;
	out = host_run(c, &e);
	assert_has(out, "kept\nok\n");
	assert_has(out, "size=100k");
	free(out);
}

static void user_namespace(void **state)
{
	struct ap_container *c =
		spec_container("cat /proc/self/uid_map; id -u; ls -ln /dev/null; "
			       "echo x > /dev/null && echo fine; "
			       "touch /tmpfile; ls -ln /tmpfile; hostname inner && hostname");
	struct ap_exit e;
	char *out;

	(void)state;
	c->namespaces |= AP_NS_USER;
	c->uidmaps[c->n_uidmaps++] = (struct ap_idmap){0, 0, 1};
	c->uidmaps[c->n_uidmaps++] = (struct ap_idmap){1, 100000, 65535};
	c->gidmaps[c->n_gidmaps++] = (struct ap_idmap){0, 0, 1};
	c->gidmaps[c->n_gidmaps++] = (struct ap_idmap){1, 100000, 65535};
	out = host_run(c, &e);
	assert_int_equal(e.status, 0);
	assert_has(out, "1     100000      65535\n0\n");
	assert_has(out, "1,   3");
	assert_has(out, "fine\n");
	assert_has(out, "inner\n");
	free(out);
}

static void time_offsets(void **state)
{
	struct ap_container *c = spec_container("cut -d. -f1 /proc/uptime");
	struct ap_exit e;
	char *out;

	(void)state;
	c->namespaces |= AP_NS_TIME;
	c->flags |= AP_C_TIME_OFFSETS;
	c->boottime_s = 100000000;
	out = host_run(c, &e);
	assert_true(atol(out) > 100000000);
	free(out);
}

static void sysctls(void **state)
{
	struct ap_container *c = spec_container("cd /proc/sys/kernel; cat shmmax msgmax msgmnb");
	struct ap_exit e;
	char *out;

	(void)state;
	/* the network's come first, and needn't be there: these aren't, but the last one, which config.json has, too */
	c->net_sysctls[c->n_net_sysctls++] = (struct ap_kv){"net/ipv4/no_such_thing", "1"};
	c->net_sysctls[c->n_net_sysctls++] = (struct ap_kv){"net/../x", "1"};
	c->net_sysctls[c->n_net_sysctls++] = (struct ap_kv){"kernel/msgmax", "1111"};
	c->net_sysctls[c->n_net_sysctls++] = (struct ap_kv){"kernel/msgmnb", "2222"};
	c->sysctls[c->n_sysctls++] = (struct ap_kv){"kernel.shmmax", "1234567"};
	c->sysctls[c->n_sysctls++] = (struct ap_kv){"kernel/msgmax", "4321"};
	out = host_run(c, &e);
	assert_string_equal(out, "1234567\n4321\n2222\n");
	free(out);
}

static void filter(void **state)
{
	/* mkdir -> EPERM, all else allowed: ld nr; jeq 83,0,1; ret ERRNO|1; ret ALLOW */
	static const uint8_t bpf[] = {
		0x20, 0, 0, 0, 0, 0, 0, 0, 0x15, 0, 0, 1, 83, 0, 0,    0,
		0x06, 0, 0, 0, 1, 0, 5, 0, 0x06, 0, 0, 0, 0,  0, 0xff, 0x7f,
	};
	struct ap_exit e;

	(void)state;
	for (int nnp = 0; nnp < 2; nnp++) {
		struct ap_container *c =
			spec_container("mkdir /m 2>&1; grep Seccomp: /proc/self/status");
		char *out;

		c->process.flags = AP_P_HAS_SECCOMP | (nnp ? AP_P_NO_NEW_PRIVS : 0);
		c->process.seccomp = bpf;
		c->process.n_seccomp = sizeof(bpf) / 8;
		out = host_run(c, &e);
		assert_has(out, "Operation not permitted\nSeccomp:\t2\n");
		free(out);
	}
}

static void hooks(void **state)
{
	static const char *const args[] = {"sh", "-c",
					   "cat > /from-hook; echo $WORD >> /from-hook"};
	static const char *const env[] = {"WORD=env", "PATH=/bin"};
	struct ap_container *c = spec_container("cat /from-hook");
	struct ap_start m = {.state = "{\"id\":\"x\"}"};
	struct ap_reply *r;
	struct host *h;
	char *out;

	(void)state;
	c->hooks[c->n_hooks++] = (struct ap_hook){
		.path = "/bin/sh", .args = strings(args, 3), .env = strings(env, 2)};
	h = host_created(c);
	r = ASK(h, start, &m);
	if (r->code) {
		fail_msg("start: %s", r->text);
	}
	out = host_drain(host_stdio(h, 0, 1));
	assert_string_equal(out, "{\"id\":\"x\"}env\n");
	free(out);
	host_exit(h, 0);
	host_stop(h);
}

static void failing_hook(void **state)
{
	static const char *const args[] = {"sleep", "100"};
	struct ap_container *c = spec_container("echo never");
	struct ap_start m = {0};
	struct ap_reply *r;
	struct host *h;

	(void)state;
	c->hooks[c->n_hooks++] =
		(struct ap_hook){.path = "/bin/sleep", .args = strings(args, 2), .timeout_s = 1};
	h = host_created(c);
	r = ASK(h, start, &m);
	assert_int_equal(r->fail, AP_FAIL_SETUP);
	assert_has(r->text, "startContainer hook #0");
	assert_int_equal(host_exit(h, 0).status, 1);
	host_stop(h);
}

static void create_fails(const char *arg0, const char *text, uint32_t kind)
{
	struct ap_container *c = spec_container("");
	const char *args[] = {arg0};
	struct host *h = host_configured();
	struct ap_reply *r;

	c->process.args = strings(args, 1);
	r = ASK(h, create, c);
	assert_int_equal(r->fail, kind);
	assert_string_equal(r->text, text);
	assert_string_equal(r->stage, "exec");
	r = ASK(h, create, c);
	assert_int_equal(r->fail, AP_FAIL_STATE);
	host_stop(h);
}

static void missing_and_denied_executables(void **state)
{
	(void)state;
	create_fails("x", "exec: \"x\": executable file not found in $PATH", AP_FAIL_NOT_FOUND);
	create_fails("/x", "exec: \"/x\": stat /x: no such file or directory", AP_FAIL_NOT_FOUND);
	create_fails("/etc/passwd", "exec: \"/etc/passwd\": permission denied", AP_FAIL_PERMISSION);
	create_fails("/etc", "exec: \"/etc\": is a directory: permission denied",
		     AP_FAIL_PERMISSION);
}

static void failing_steps_say_what(void **state)
{
	struct ap_container *c = spec_container("true");
	struct host *h = host_configured();
	struct ap_reply *r;

	(void)state;
	add_mount(c, "/t", "tmpfs", "size=lots", 0);
	r = ASK(h, create, c);
	assert_int_equal(r->fail, AP_FAIL_SETUP);
	assert_string_equal(r->stage, "mount");
	assert_has(r->text, "tmpfs");
	host_stop(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_and_exit_code),
		cmocka_unit_test(namespaces_and_names),
		cmocka_unit_test(mounts_in_order_with_flags),
		cmocka_unit_test(default_devices),
		cmocka_unit_test(rights_of_the_process),
		cmocka_unit_test(resource_limits),
		cmocka_unit_test(protected_paths),
		cmocka_unit_test(copy_up),
		cmocka_unit_test(user_namespace),
		cmocka_unit_test(time_offsets),
		cmocka_unit_test(sysctls),
		cmocka_unit_test(filter),
		cmocka_unit_test(hooks),
		cmocka_unit_test(failing_hook),
		cmocka_unit_test(missing_and_denied_executables),
		cmocka_unit_test(failing_steps_say_what),
	};

	if (!harness_possible()) {
		printf("1..1\nok 1 - agent # SKIP needs root, busybox and namespaces\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
