/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_scope.c - the conversation with systemd, with a systemd that is played here
 *
 * A thread serves a Unix socket as systemd's own does, without a bus daemon.
 */
#include "cm.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <systemd/sd-id128.h>

#include "base/checked.h"
#include "scope.h"
#include "sdbus.h"

#define UNIT	"libpod-abc.scope"
#define CGROUP	"/machine.slice/" UNIT
#define MANAGER "org.freedesktop.systemd1.Manager"

static struct {
	char dir[64];
	char address[128];
	int listener;
	const char *result; /* of jobs */
	const char *fail;   /* error name of the next start */
	bool vanished;	    /* there is no such unit */
	char log[2048];	    /* what was asked, in order */
} fake;

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *fmt, ...)
{
	size_t used = strlen(fake.log);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(fake.log + used, sizeof(fake.log) - used, fmt, ap);
	va_end(ap);
}

static void note_props(sd_bus_message *m)
{
	const char *name, *type, *text;
	const void *bytes;
	uint64_t t;
	size_t len;
	int b;

	(void)sd_bus_message_enter_container(m, 'a', "(sv)");
	while (sd_bus_message_enter_container(m, 'r', "sv") > 0) {
		(void)sd_bus_message_read(m, "s", &name);
		(void)sd_bus_message_peek_type(m, NULL, &type);
		(void)sd_bus_message_enter_container(m, 'v', type);
		note(" %s=", name);
		if (strcmp(type, "t") == 0 && sd_bus_message_read(m, "t", &t) > 0) {
			note("%llu", (unsigned long long)t);
		} else if (strcmp(type, "b") == 0 && sd_bus_message_read(m, "b", &b) > 0) {
			note("%s", b ? "yes" : "no");
		} else if (strcmp(type, "s") == 0 && sd_bus_message_read(m, "s", &text) > 0) {
			note("%s", text);
		} else if (strcmp(type, "au") == 0 &&
			   sd_bus_message_read_array(m, 'u', &bytes, &len) > 0) {
			for (size_t i = 0; i < len / 4; i++) {
				note("%u,", ((const uint32_t *)bytes)[i]);
			}
		} else {
			(void)sd_bus_message_skip(m, type);
		}
		(void)sd_bus_message_exit_container(m);
		(void)sd_bus_message_exit_container(m);
	}
}

static int job(sd_bus_message *m, const char *unit)
{
	sd_bus *bus = sd_bus_message_get_bus(m);
	int rc = sd_bus_reply_method_return(m, "o", "/org/freedesktop/systemd1/job/7");

	(void)sd_bus_emit_signal(bus, "/org/freedesktop/systemd1", MANAGER, "JobRemoved", "uoss", 6,
				 "/org/freedesktop/systemd1/job/6", "other.service", "failed");
	(void)sd_bus_emit_signal(bus, "/org/freedesktop/systemd1", MANAGER, "JobRemoved", "uoss", 7,
				 "/org/freedesktop/systemd1/job/7", unit, fake.result);
	return rc;
}

static int on_start(sd_bus_message *m, const char *unit)
{
	const char *fail = fake.fail;

	note_props(m);
	fake.fail = NULL;
	return fail ? sd_bus_reply_method_errorf(m, fail, "no luck with %s", unit) : job(m, unit);
}

static int on_call(sd_bus_message *m, void *ctx, sd_bus_error *e)
{
	const char *member = sd_bus_message_get_member(m);
	const char *unit = "", *mode;

	(void)ctx;
	(void)e;
	if (!member || sd_bus_message_is_method_call(m, NULL, NULL) <= 0) {
		return 0;
	}
	if (strcmp(member, "Get") == 0) {
		return sd_bus_reply_method_return(m, "v", "s", CGROUP);
	}
	if (strcmp(member, "Subscribe") == 0) {
		return sd_bus_reply_method_return(m, "");
	}
	(void)sd_bus_message_read(m, "s", &unit);
	note("|%s %s", member, unit);
	if (strcmp(member, "StartTransientUnit") == 0) {
		(void)sd_bus_message_read(m, "s", &mode);
		return on_start(m, unit);
	}
	if (strcmp(member, "StopUnit") == 0) {
		return fake.vanished
			       ? sd_bus_reply_method_errorf(
					 m, "org.freedesktop.systemd1.NoSuchUnit", "not loaded")
			       : job(m, unit);
	}
	if (strcmp(member, "SetUnitProperties") == 0) {
		int runtime;

		(void)sd_bus_message_read(m, "b", &runtime);
		note_props(m);
		return sd_bus_reply_method_return(m, "");
	}
	if (strcmp(member, "GetUnit") == 0) {
		return sd_bus_reply_method_return(m, "o", "/org/freedesktop/systemd1/unit/x");
	}
	return sd_bus_reply_method_return(m, "");
}

/* One client after the other, until the listener is shut down. */
static void *serve(void *ctx)
{
	int fd;

	while ((fd = accept(fake.listener, NULL, NULL)) >= 0) {
		sd_id128_t id;
		sd_bus *bus = NULL;

		(void)sd_id128_randomize(&id);
		(void)sd_bus_new(&bus);
		(void)sd_bus_set_fd(bus, fd, fd);
		(void)sd_bus_set_server(bus, 1, id);
		(void)sd_bus_set_anonymous(bus, 1);
		(void)sd_bus_start(bus);
		(void)sd_bus_add_filter(bus, NULL, on_call, NULL);
		for (;;) {
			int rc = sd_bus_process(bus, NULL);

			if (rc < 0 || (rc == 0 && sd_bus_wait(bus, UINT64_MAX) < 0)) {
				break;
			}
		}
		sd_bus_flush_close_unref(bus);
	}
	return ctx;
}

static pthread_t server;

static int setup(void **state)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.result = "done";
	(void)snprintf(fake.dir, sizeof(fake.dir), "/tmp/volt-scope-XXXXXX");
	assert_non_null(mkdtemp(fake.dir));
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/private", fake.dir);
	(void)snprintf(fake.address, sizeof(fake.address), "unix:path=%s/private", fake.dir);
	fake.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fake.listener, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fake.listener, 5), 0);
	return pthread_create(&server, NULL, serve, NULL);
}

static int teardown(void **state)
{
	char path[128];

	(void)state;
	(void)shutdown(fake.listener, SHUT_RDWR);
	(void)pthread_join(server, NULL);
	(void)close(fake.listener);
	(void)snprintf(path, sizeof(path), "%s/private", fake.dir);
	return unlink(path) | rmdir(fake.dir);
}

static const pid_t pids[] = {11, 12, 13};
static const struct sbx_cgroup_limits limits = {.memory_max = 1 << 20};
static struct oci_kv kv[] = {{"org.systemd.property.CollectMode", "'inactive'"}};
static const struct oci_kvs annotations = {.v = kv, .n = 1};
static const struct scope unit = {
	.name = UNIT,
	.slice = "machine.slice",
	.description = "test",
	.pids = pids,
	.n_pids = 3,
	.limits = &limits,
	.annotations = &annotations,
};

static void start(void **state)
{
	char path[SBX_CGROUP_PATH_MAX] = "/guess";
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_no_error(scope_start(&unit, fake.address, path, &err), err);
	assert_string_equal(path, CGROUP); /* systemd's word counts */
	assert_non_null(strstr(fake.log, "|StartTransientUnit " UNIT " Description=test "
					 "Slice=machine.slice Delegate=yes "));
	assert_non_null(strstr(fake.log, " DefaultDependencies=no PIDs=11,12,13,"));
	assert_non_null(strstr(fake.log, "=1048576"));
	assert_non_null(strstr(fake.log, " CollectMode=inactive"));
	assert_int_equal(err.code, 0);
}

static void a_failed_unit_of_that_name_is_forgotten(void **state)
{
	char path[SBX_CGROUP_PATH_MAX];
	struct vr_err err = VR_ERR_INIT;
	const char *reset;

	(void)state;
	fake.fail = "org.freedesktop.systemd1.UnitExists";
	assert_no_error(scope_start(&unit, fake.address, path, &err), err);
	reset = strstr(fake.log, "|ResetFailedUnit " UNIT);
	assert_non_null(reset);
	assert_non_null(strstr(reset, "|StartTransientUnit"));
}

static void failures_have_systemds_words(void **state)
{
	char path[SBX_CGROUP_PATH_MAX];
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	fake.fail = "org.freedesktop.DBus.Error.AccessDenied";
	assert_true(scope_start(&unit, fake.address, path, &err) < 0);
	assert_message(err, "systemd: start '" UNIT "': no luck with " UNIT);
	err = (struct vr_err)VR_ERR_INIT;
	fake.result = "canceled";
	assert_int_equal(scope_start(&unit, fake.address, path, &err), -EIO);
	assert_message(err, "systemd: start '" UNIT "': the job ended with 'canceled'");
}

static void nobody_there(void **state)
{
	char path[SBX_CGROUP_PATH_MAX];
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_int_equal(scope_start(&unit, "unix:path=/nowhere", path, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "systemd doesn't answer: No such file"));
	err = (struct vr_err)VR_ERR_INIT;
	assert_int_equal(scope_stop(UNIT, "unix:path=/nowhere", &err), -ENOENT);
	assert_int_equal(scope_probe("unix:path=/nowhere", &err), -ENOENT);
	assert_int_equal(scope_probe(fake.address, &err), 0);
}

static void change(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	const struct sbx_cgroup_limits none = {0};

	(void)state;
	assert_no_error(scope_set(UNIT, fake.address, &limits, &err), err);
	assert_non_null(strstr(fake.log, "|SetUnitProperties " UNIT " Memory"));
	fake.log[0] = '\0';
	assert_no_error(scope_set(UNIT, fake.address, &none, &err), err);
	assert_string_equal(fake.log, ""); /* nothing to say */
}

static void stop(void **state)
{
	struct vr_err err = VR_ERR_INIT;

	(void)state;
	assert_no_error(scope_stop(UNIT, fake.address, &err), err);
	assert_string_equal(fake.log, "|StopUnit " UNIT "|ResetFailedUnit " UNIT);
	fake.vanished = true;
	assert_no_error(scope_stop(UNIT, fake.address, &err), err);
	assert_int_equal(err.code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(start, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_unit_of_that_name_is_forgotten, setup,
						teardown),
		cmocka_unit_test_setup_teardown(failures_have_systemds_words, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_there, setup, teardown),
		cmocka_unit_test_setup_teardown(change, setup, teardown),
		cmocka_unit_test_setup_teardown(stop, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
