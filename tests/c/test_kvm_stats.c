/* SPDX-License-Identifier: Apache-2.0 */
/* test_kvm_stats.c - finding a figure in KVM's self-describing statistics */
#include "cm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/kvm_stats.h"

#define NAME_SIZE 16u

/* The layout of Documentation/virt/kvm/api.rst: header, id, descriptors, data. */
struct file {
	struct kvm_stats_header h;
	char id[NAME_SIZE];
	struct {
		struct kvm_stats_desc d;
		char name[NAME_SIZE];
	} desc[2];
	uint64_t data[3];
};

static struct file good(void)
{
	struct file f = {
		.h = {.name_size = NAME_SIZE,
		      .num_desc = 2,
		      .id_offset = offsetof(struct file, id),
		      .desc_offset = offsetof(struct file, desc),
		      .data_offset = offsetof(struct file, data)},
		.data = {11, 22, 33},
	};

	f.desc[0].d.size = 2;
	(void)strcpy(f.desc[0].name, "halt_hist");
	f.desc[1].d.size = 1;
	f.desc[1].d.offset = 16;
	(void)strcpy(f.desc[1].name, "exits");
	return f;
}

static int find(const struct file *f, size_t n, const char *name, uint64_t *out)
{
	int fd = memfd_create("stats", MFD_CLOEXEC);
	int rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, f, n), n);
	rc = kvm_stat_find(fd, name, out);
	if (rc == 0) {
		struct kvm_stat s = {.fd = fd, .offset = *out};

		rc = kvm_stat_read(&s, out);
	}
	(void)close(fd);
	return rc;
}

static void finds_by_name(void **state)
{
	struct file f = good();
	uint64_t v = 0;

	(void)state;
	assert_int_equal(find(&f, sizeof(f), "exits", &v), 0);
	assert_int_equal(v, 33);
	assert_int_equal(find(&f, sizeof(f), "exit", &v), -ENOENT);
	assert_int_equal(find(&f, sizeof(f), "halt_hist", &v), -EPROTO); /* not one value */
}

static void refuses_files_that_contradict_themselves(void **state)
{
	struct file f = good();
	uint64_t v;

	(void)state;
	assert_int_equal(find(&f, sizeof(f) - 1, "exits", &v), -EIO);
	assert_int_equal(find(&f, sizeof(f.h) - 1, "exits", &v), -EIO);
	f.h.name_size = 0;
	assert_int_equal(find(&f, sizeof(f), "exits", &v), -EPROTO);
	f.h.name_size = 100000;
	assert_int_equal(find(&f, sizeof(f), "exits", &v), -EPROTO);
	f = good();
	f.h.num_desc = UINT32_MAX;
	assert_int_equal(find(&f, sizeof(f), "exits", &v), -EPROTO);
	f = good();
	f.h.num_desc = 1000;
	assert_int_equal(find(&f, sizeof(f), "nothing", &v), -EIO);
	(void)memset(f.desc[1].name, 'x', NAME_SIZE); /* no end */
	assert_int_equal(find(&f, sizeof(f), "exits", &v), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_by_name),
		cmocka_unit_test(refuses_files_that_contradict_themselves),
	};

	return cmocka_run_group_tests_name("kvm_stats", tests, NULL, NULL);
}
