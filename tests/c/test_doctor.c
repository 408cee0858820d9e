/* SPDX-License-Identifier: Apache-2.0 */
/* test_doctor.c - the doctor on hosts that lack things */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"
#include "fake_kernel.h"
#include "oci/json.h"
#include "sandbox/landlock.h"

static char dir[] = "/tmp/volt-doctor-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static const char *put(const char *name, const void *data, size_t len)
{
	static char path[4][64];
	static unsigned next;
	char *p = path[next++ % 4];
	int fd;

	(void)snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	fd = open(p, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
	return p;
}

static const struct doctor_item *find(const struct doctor_report *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++) {
		if (strcmp(r->items[i].name, name) == 0) {
			return &r->items[i];
		}
	}
	return NULL;
}

static void expect(const struct doctor_world *w, const char *name, enum doctor_verdict verdict,
		   const char *words)
{
	struct doctor_report r = {0};
	const struct doctor_item *item;

	doctor_check(w, &r);
	item = find(&r, name);
	assert_non_null(item);
	if (item->verdict != verdict || !strstr(item->text, words)) {
		fail_msg("%s: %s '%s'", name, doctor_verdict_name(item->verdict), item->text);
	}
	if (verdict == DOCTOR_BAD) {
		assert_false(doctor_healthy(&r));
	}
}

static void kvm_that_is_not_there(void **state)
{
	struct doctor_world w = {.kvm = "/nonexistent/kvm"};
	struct doctor_report r = {0};

	(void)state;
	expect(&w, "kvm", DOCTOR_BAD,
	       "open '/nonexistent/kvm': No such file or directory (no hard");
	doctor_check_kvm(&w, &r);
	assert_int_equal(r.n, 1); /* nothing can be said about the rest of it */
	assert_false(doctor_healthy(&r));
}

static void kvm_that_is_something_else(void **state)
{
	struct doctor_world w = {.kvm = "/dev/null"};
	struct doctor_report r = {0};

	(void)state;
	expect(&w, "kvm", DOCTOR_OK, "'/dev/null' opens");
	expect(&w, "capabilities", DOCTOR_BAD, "not a KVM device");
	doctor_check_kvm(&w, &r);
	assert_null(find(&r, "guest"));
}

static void kernels_and_archives_are_looked_into(void **state)
{
	struct doctor_world w = {.kvm = "/dev/null"};
	struct fake_kernel k;
	char path[64];
	int fd;

	(void)state;
	w.kernel = "/nonexistent";
	expect(&w, "kernel", DOCTOR_BAD, "open '/nonexistent'");
	w.kernel = put("kernel", "no kernel at all", 16);
	expect(&w, "kernel", DOCTOR_BAD, "");
	fake_kernel_init(&k);
	fd = fake_kernel_fd(&k);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	w.kernel = path;
	expect(&w, "kernel", DOCTOR_OK, "valid image of 2 MiB");
	close(fd);
	w.initramfs = "/nonexistent";
	expect(&w, "initramfs", DOCTOR_BAD, "open '/nonexistent'");
	w.initramfs = put("empty", "", 0);
	expect(&w, "initramfs", DOCTOR_BAD, "no cpio archive");
	w.initramfs = put("other", "070702xxxxxx", 12);
	expect(&w, "initramfs", DOCTOR_BAD, "no cpio archive");
	w.initramfs = put("good", "070701xxxxxx", 12);
	expect(&w, "initramfs", DOCTOR_OK, "0 KiB");
}

static void missing_layers_are_remarks(void **state)
{
	struct doctor_world w = {.landlock_max = SBX_LANDLOCK_ABSENT, .tun = "/nonexistent"};
	struct doctor_report r = {0};

	(void)state;
	expect(&w, "landlock", DOCTOR_NOTE, "no Landlock");
	expect(&w, "tun", DOCTOR_NOTE, "containers have no network");
	if (sbx_landlock_abi(SBX_LANDLOCK_ANY) > 0) {
		w.landlock_max = 1;
		expect(&w, "landlock", DOCTOR_NOTE, "version 1");
	}
	doctor_check(&w, &r);
	for (size_t i = 0; i < r.n; i++) {
		assert_true(r.items[i].text[0] != '\0');
	}
	assert_true(r.n >= 9);
}

static void slow_vm_creation_is_a_remark(void **state)
{
	static const char plain[] = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
	static const char fast[] =
		"30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,favordynmods\n";
	struct doctor_world w = {0};
	struct doctor_report r = {0};

	(void)state;
	w.nx_huge_pages = put("nx", "Y\n", 2);
	w.mountinfo = put("plain", plain, sizeof(plain) - 1);
	expect(&w, "start-up", DOCTOR_NOTE, "favordynmods");
	w.mountinfo = put("fast", fast, sizeof(fast) - 1);
	expect(&w, "start-up", DOCTOR_OK, "");
	w.mountinfo = put("plain", plain, sizeof(plain) - 1);
	w.nx_huge_pages = put("nx", "never\n", 6);
	expect(&w, "start-up", DOCTOR_OK, "");
	w.nx_huge_pages = "/nonexistent";
	doctor_check(&w, &r);
	assert_null(find(&r, "start-up"));
}

static void json_has_every_item(void **state)
{
	struct doctor_report r = {.n = 2};
	struct vr_err err = VR_ERR_INIT;
	struct json_doc *doc = NULL;
	const struct json *item;
	char *text = NULL;

	(void)state;
	r.items[0] = (struct doctor_item){"kvm", DOCTOR_OK, "a \"quoted\" word"};
	r.items[1] = (struct doctor_item){"tun", DOCTOR_NOTE, "b"};
	assert_true(doctor_healthy(&r));
	assert_no_error(doctor_json(&r, &text, &err), err);
	assert_no_error(json_parse("t", text, strlen(text), &doc, &err), err);
	assert_true(json_is_true(json_member(json_doc_root(doc), "ok")));
	assert_int_equal(json_count(json_member(json_doc_root(doc), "items")), 2);
	item = json_at(json_member(json_doc_root(doc), "items"), 1);
	assert_string_equal(json_text(json_member(item, "name")), "tun");
	assert_string_equal(json_text(json_member(item, "verdict")), "note");
	json_doc_free(doc);
	free(text);
	r.items[1].verdict = DOCTOR_BAD;
	assert_false(doctor_healthy(&r));
}

/* Whatever KVM is here, the message itself stays as it was, with the reason behind it. */
static void a_failed_boot_keeps_its_message(void **state)
{
	struct doctor_report r = {0};
	struct doctor_world w = {0};
	struct vr_err err = VR_ERR_INIT;
	const struct doctor_item *guest;

	(void)state;
	(void)vr_err_set(&err, EIO, "it stopped");
	doctor_explain_boot(&err);
	doctor_check_kvm(&w, &r);
	guest = find(&r, "guest");
	if (guest && guest->verdict == DOCTOR_BAD) {
		assert_memory_equal(err.msg, "it stopped (on this host ", 25);
	} else {
		assert_string_equal(err.msg, "it stopped");
	}
	/* no room left */
	memset(err.msg, 'x', sizeof(err.msg) - 1);
	doctor_explain_boot(&err);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kvm_that_is_not_there),
		cmocka_unit_test(kvm_that_is_something_else),
		cmocka_unit_test(kernels_and_archives_are_looked_into),
		cmocka_unit_test(missing_layers_are_remarks),
		cmocka_unit_test(slow_vm_creation_is_a_remark),
		cmocka_unit_test(json_has_every_item),
		cmocka_unit_test(a_failed_boot_keeps_its_message),
	};

	return cmocka_run_group_tests_name("doctor", tests, setup, teardown);
}
