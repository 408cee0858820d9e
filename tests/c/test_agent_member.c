/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_member.c - further containers in a machine: agents that the first one starts */
#include "agent_harness.h"
#include "cm.h"

/* A container to be the machine's first, or a member: streams where @number has them. */
static struct ap_container *spec_member(uint32_t number, const char *script)
{
	struct ap_container *c = spec_container(script);

	c->joined = 0;
	c->process.port = TEST_PORT(0x100u * number);
	return c;
}

static void go_member(struct host *m, struct ap_container *c)
{
	struct ap_reply *r = ASK(m, create, c);

	if (r->code) {
		fail_msg("create: %s: %s", r->stage, r->text);
	}
	host_go(m);
}

static char *output_of(struct host *m, uint32_t number)
{
	char *err = host_drain(host_conn(m, TEST_PORT(0x100u * number) + 2));
	char *out = host_drain(host_conn(m, TEST_PORT(0x100u * number) + 1));

	if (*err) {
		print_message("%s", err);
	}
	free(err);
	return out;
}

static void assert_refused(const struct ap_reply *r, uint32_t kind, const char *text)
{
	assert_int_equal(r->fail, kind);
	assert_string_equal(r->text, text);
}

static struct host *first_running(void)
{
	struct host *h = host_created(spec_member(0, "sleep 100"));

	host_go(h);
	return h;
}

static void members_may_join_when(void **state)
{
	struct host *h = host_configured();
	struct host *m;

	(void)state;
	assert_refused(host_ask_join(h, 1, 0), AP_FAIL_STATE,
		       "join is not possible: the container is not created");
	assert_int_equal(ASK(h, create, spec_member(0, "true"))->code, 0);
	m = host_join(h, 1, 0);
	assert_refused(host_ask_join(h, 1, 1), AP_FAIL_STATE, "member 1 already exists");
	assert_int_equal(h->reply.code, EEXIST);
	assert_refused(host_ask_join(h, 2, 0), AP_FAIL_STATE, "slot 0 is in use by member 1");
	assert_int_equal(h->reply.code, EBUSY);
	assert_refused(host_ask_join(m, 2, 1), AP_FAIL_STATE,
		       "join is not possible: the container is not created");
	assert_int_equal(host_leave(m, 1), 0);
	m = host_join(h, 1, 0); /* again, and in the same places */
	host_go(h);
	host_exit(h, 0);
	assert_refused(host_ask_join(h, 2, 1), AP_FAIL_STATE,
		       "join is not possible: the container is stopped");
	assert_int_equal(host_leave(m, 1), 0); /* also without the first container */
	host_stop(h);
}

static void malformed_joins_are_refused(void **state)
{
	static const uint32_t bad[][2] = {
		{0, 0}, {0, AP_MEMBERS_MAX + 1}, {1, AP_MAX_LINKS}, {2, AP_PORT_CONTROL}};
	struct host *h = first_running();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ap_join m = {.number = 1, .slot = 0, .port = MEMBER_PORT(1)};
		long n = ap_encode_join(&m, h->next_id++, h->frame, sizeof(h->frame));

		memcpy(h->frame + AP_HEADER_LEN + 12 * bad[i][0] + 8, &bad[i][1], 4);
		assert_refused(host_ask(h, n), AP_FAIL_PROTOCOL, "malformed join request");
	}
	host_stop(h);
}

static void members_need_a_network_of_the_machine(void **state)
{
	struct ap_container *c = spec_member(0, "true");
	struct host *h;

	(void)state;
	c->namespaces |= AP_NS_USER;
	c->uidmaps[c->n_uidmaps++] = (struct ap_idmap){0, 0, 65536};
	c->gidmaps[c->n_gidmaps++] = (struct ap_idmap){0, 0, 65536};
	h = host_created(c);
	assert_refused(host_ask_join(h, 1, 0), AP_FAIL_STATE,
		       "the network belongs to a container in a user namespace");
	host_stop(h);
}

static void members_have_less_to_ask_for(void **state)
{
	static struct ap_net net;
	struct ap_container *c;
	struct host *h = first_running();
	struct host *m = host_join(h, 1, 0);

	(void)state;
	assert_refused(ASK(m, net, &net), AP_FAIL_STATE, "the network is not the member's own");
	c = spec_member(1, "true");
	c->namespaces |= AP_NS_USER;
	assert_refused(ASK(m, create, c), AP_FAIL_SETUP,
		       "a container with a user namespace can't share another one's network");
	assert_int_equal(ASK(m, create, c)->fail, AP_FAIL_STATE); /* it was its only try */
	assert_int_equal(host_leave(m, 1), 0);
	m = host_join(h, 2, 0);
	assert_int_equal(ASK(m, create, spec_member(2, "sleep 100"))->code, 0);
	assert_refused(host_ask_join(m, 3, 1), AP_FAIL_STATE,
		       "a member of a machine has no members");
	assert_int_equal(host_leave(m, 2), 0);
	host_stop(h);
	h = host_configured();
	c = spec_member(0, "true");
	c->joined = AP_NS_UTS;
	assert_refused(ASK(h, create, c), AP_FAIL_SETUP,
		       "the machine's first container has no other's namespaces to join");
	host_stop(h);
}

static size_t ps_of(struct host *h, struct ap_ps_entry *entries, size_t cap)
{
	struct ap_reply *r = ASK_EMPTY(h, AP_MSG_PS);
	size_t n;

	assert_int_equal(r->code, 0);
	assert_int_equal(ap_decode_ps(r->body, r->body_len, entries, cap, &n), 0);
	return n;
}

/* Its only process has this command line, or will have in a moment: execve isn't done at once. */
static void assert_only(struct host *h, const char *cmdline)
{
	struct ap_ps_entry ps[8];

	for (int i = 0; i < WAIT_MS; i++) {
		assert_int_equal(ps_of(h, ps, 8), 1);
		if (strcmp(ps[0].cmdline, cmdline) == 0) {
			return;
		}
		usleep(1000);
	}
	fail_msg("'%s' is not '%s'", ps[0].cmdline, cmdline);
}

/* Containers as any other, with all of their own but the network. */
static void members_are_containers(void **state)
{
	struct ap_ps_entry ps[8];
	struct host *h = first_running();
	struct host *a = host_join(h, 1, 0);
	struct host *b = host_join(h, 2, 1);
	struct ap_container *c;
	char *out;

	(void)state;
	c = spec_member(1, "echo pid $$; hostname; cat /etc/member /proc/self/cgroup; exit 3");
	c->namespaces &= ~AP_NS_CGROUP;
	go_member(a, c);
	out = output_of(a, 1);
	assert_has(out, "pid 1\nboxed\nhere\n");
	if (access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0 ||
	    access("/sys/fs/cgroup/unified", F_OK) == 0) {
		assert_has(out, "/container-1\n");
	}
	free(out);
	assert_int_equal(host_exit(a, 0).status, 3);
	go_member(b, spec_member(2, "sleep 200"));
	if (a->hello.features & AP_FEAT_CGROUP) {
		assert_only(h, "sleep 100");
		assert_only(b, "sleep 200");
		assert_int_equal(ps_of(a, ps, 8), 0);
	}
	assert_int_equal(host_leave(b, 2), 0); /* with a process still in it */
	assert_int_equal(host_leave(a, 1), 0);
	if (ps_of(h, ps, 8) > 0) { /* none without cgroups */
		assert_only(h, "sleep 100");
	}
	host_stop(h);
}

static void shutdown_ends_a_member_alone(void **state)
{
	struct host *h = first_running();
	struct host *m = host_join(h, 4, 3);

	(void)state;
	go_member(m, spec_member(4, "sleep 100"));
	assert_int_equal(ASK_EMPTY(m, AP_MSG_SHUTDOWN)->code, 0);
	assert_int_equal(host_left(h, 4), 0);
	close(m->control);
	free(m);
	assert_int_equal(ASK_EMPTY(h, AP_MSG_STATS)->code, 0);
	host_stop(h);
}

/* What a process of container @number says, by exec. */
static char *exec_output(struct host *m, uint32_t number, const char *script)
{
	static struct ap_exec e;
	struct ap_reply *r;
	char *out;

	e.proc = 5 + number;
	spec_shell(&e.process, script);
	e.process.port = TEST_PORT(0x100u * e.proc);
	r = ASK(m, exec, &e);
	if (r->code) {
		fail_msg("exec: %s: %s", r->stage, r->text);
	}
	out = output_of(m, e.proc);
	assert_int_equal(host_exit(m, e.proc).status, 0);
	return out;
}

static void namespaces_can_be_joined(void **state)
{
	struct host *h = host_created(spec_member(0, "while :; do sleep 100; done"));
	struct host *m = host_join(h, 1, 0);
	struct ap_container *c;
	char *out;
	int fd;

	(void)state;
	host_go(h);
	c = spec_member(1,
			"read x; echo $$; hostname; cat /proc/1/comm; for n in pid ipc uts mnt; do "
			"[ $(readlink /proc/1/ns/$n) = $(readlink /proc/self/ns/$n) ] && "
			"echo same $n; done; exit 0");
	c->joined = AP_NS_JOINED;
	c->hostname = "both";
	c->process.stdio |= AP_STDIO_IN;
	go_member(m, c);
	out = exec_output(h, 0, "hostname");
	assert_string_equal(out, "both\n");
	free(out);
	out = exec_output(m, 1, "hostname; cat /proc/1/comm");
	assert_string_equal(out, "both\nsh\n");
	free(out);
	fd = host_conn(m, TEST_PORT(0x100u));
	assert_int_equal(write(fd, "\n", 1), 1);
	out = output_of(m, 1);
	assert_true(atoi(out) > 1); /* not the first of its pid namespace */
	assert_has(out, "\nboth\nsh\nsame pid\nsame ipc\nsame uts\n");
	assert_has_not(out, "mnt");
	free(out);
	close(fd);
	assert_int_equal(host_exit(m, 0).status, 0);
	assert_int_equal(host_leave(m, 1), 0);
	host_stop(h);
}

/* Whose orphans are the first container's init's, which doesn't wait for them. */
static void joined_pid_namespaces_leave_nobody(void **state)
{
	struct host *h = first_running();
	struct host *m = host_join(h, 1, 0);
	struct ap_container *c = spec_member(1, "(sleep 300 &) ; sleep 200");
	struct ap_ps_entry ps[8];

	(void)state;
	c->joined = AP_NS_PID;
	go_member(m, c);
	if (m->hello.features & AP_FEAT_CGROUP) {
		while (ps_of(m, ps, 8) < 2) {
			usleep(1000);
		}
		assert_int_equal(ps_of(h, ps, 8), 1);
		assert_int_equal(host_leave(m, 1), 0);
	} else {
		(void)host_leave(m, 1);
	}
	host_stop(h);
}

static void nothing_is_joined_of_the_dead(void **state)
{
	static const uint32_t joined[] = {AP_NS_PID, AP_NS_IPC | AP_NS_UTS};
	static const char *const text[] = {
		"join the pid namespace of the machine's first container: no such process",
		"join the namespaces of the machine's first container: no such process"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct host *h = host_created(spec_member(0, "true"));
		struct host *m = host_join(h, 1, 0);
		struct ap_container *c;

		host_go(h);
		host_exit(h, 0);
		c = spec_member(1, "true");
		c->joined = joined[i];
		assert_refused(ASK(m, create, c), AP_FAIL_SETUP, text[i]);
		assert_string_equal(m->reply.stage, "namespaces");
		assert_int_equal(host_leave(m, 1), 0);
		host_stop(h);
	}
}

static void a_member_without_a_device_leaves(void **state)
{
	struct host *h = first_running();

	(void)state;
	assert_int_equal(host_ask_join(h, 1, NO_DEVICE)->code, 0);
	assert_int_equal(host_left(h, 1), 1);
	assert_int_equal(host_leave(host_join(h, 1, 0), 1), 0);
	host_stop(h);
}

static void a_killed_agent_takes_its_container_along(void **state)
{
	struct ap_container *c = spec_member(
		0, "each() { for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline 2>/dev/null | "
		   "grep -q \"$1\" && echo ${p#/proc/}; done; }; "
		   "while [ -z \"$(each 'sleep 30[3]')\" ]; do sleep 0.01; done; "
		   "kill -9 $(each '^volt-agent membe[r] 1'); "
		   "while [ -n \"$(each 'sleep 30[3]')\" ]; do sleep 0.01; done; echo gone");
	struct host *h;
	struct host *m;
	char *out;

	(void)state;
	c->namespaces &= ~AP_NS_PID;
	h = host_created(c);
	m = host_join(h, 1, 0);
	if (!(m->hello.features & AP_FEAT_CGROUP)) {
		assert_int_equal(host_leave(m, 1), 0);
		host_stop(h);
		skip();
	}
	go_member(m, spec_member(1, "sleep 303"));
	host_go(h);
	assert_int_equal(host_left(h, 1), 128 + SIGKILL);
	out = output_of(h, 0);
	assert_has(out, "gone\n");
	free(out);
	host_exit(h, 0);
	close(m->control);
	free(m);
	host_stop(h);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_may_join_when),
		cmocka_unit_test(malformed_joins_are_refused),
		cmocka_unit_test(members_need_a_network_of_the_machine),
		cmocka_unit_test(members_have_less_to_ask_for),
		cmocka_unit_test(members_are_containers),
		cmocka_unit_test(shutdown_ends_a_member_alone),
		cmocka_unit_test(namespaces_can_be_joined),
		cmocka_unit_test(joined_pid_namespaces_leave_nobody),
		cmocka_unit_test(nothing_is_joined_of_the_dead),
		cmocka_unit_test(a_member_without_a_device_leaves),
		cmocka_unit_test(a_killed_agent_takes_its_container_along),
	};

	harness_member(argc, argv);
	if (!harness_possible()) {
		printf("1..1\nok 1 - agent # SKIP needs root, busybox and namespaces\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
