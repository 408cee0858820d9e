/* SPDX-License-Identifier: Apache-2.0 */
/* test_vmsize.c - memory and vCPUs of a VM from limits, hardware wishes and annotations */
#include "cm.h"

#include <errno.h>

#include "base/checked.h"
#include "plan_fixture.h"
#include "vmm/memlayout.h"
#include "vmm/vm.h"
#include "vmsize.h"

#define HOST_CPUS 4u
#define HOST_RAM  (8 * ML_GIB)
#define MIB(n)	  ((n)*ML_MIB)

#define MEMORY(v) LINUX("'resources':{'memory':{'limit':" v "}}")
#define CPU(rest) LINUX("'resources':{'cpu':{" rest "}}")

static struct vmsize size_with(const char *text, const struct oci_settings *settings,
			       unsigned host_cpus, uint64_t host_ram)
{
	struct oci_spec *spec = spec_of(text);
	struct vr_err err = VR_ERR_INIT;
	struct vmsize out = {0};

	assert_no_error(vmsize_from_spec(spec, settings, host_cpus, host_ram, &out, &err), err);
	assert_int_equal(err.code, 0);
	oci_spec_free(spec);
	return out;
}

static struct vmsize size_of(const char *text)
{
	const struct oci_settings none = {0};

	return size_with(text, &none, HOST_CPUS, HOST_RAM);
}

static void without_limits(void **state)
{
	const struct oci_settings none = {0};

	(void)state;
	assert_int_equal(size_of(CONFIG("")).ram_bytes, MIB(512));
	assert_int_equal(size_of(CONFIG("")).n_vcpus, HOST_CPUS);
	assert_int_equal(size_with(CONFIG(""), &none, 128, HOST_RAM).n_vcpus, VMSIZE_DEFAULT_VCPUS);
	assert_int_equal(size_with(CONFIG(""), &none, 1, HOST_RAM).n_vcpus, 1);
	assert_int_equal(size_of(MEMORY("-1")).ram_bytes, MIB(512));
	assert_int_equal(size_of(MEMORY("0")).ram_bytes, MIB(512));
}

static void the_whole_limit_is_usable(void **state)
{
	(void)state;
	/* 400 MiB, 48 for the guest itself, 10 for its page tables */
	assert_int_equal(size_of(MEMORY("419430400")).ram_bytes, MIB(458));
	/* one byte more: 2 MiB more, so that huge pages fit */
	assert_int_equal(size_of(MEMORY("419430401")).ram_bytes, MIB(460));
	/* less than a kernel can live on counts as 16 MiB; the guest's cgroup has the exact limit */
	assert_int_equal(size_of(MEMORY("1")).ram_bytes, MIB(66));
	assert_int_equal(size_of(MEMORY("16777216")).ram_bytes, MIB(66));
}

static void no_more_than_the_host_has(void **state)
{
	const struct oci_settings none = {0};
	uint64_t most = size_of(MEMORY("8589934592")).ram_bytes;
	uint64_t huge;

	(void)state;
	assert_int_equal(most, MIB(8446)); /* 8192 + 48 + 204.8, rounded up */
	assert_int_equal(size_of(MEMORY("9223372036854775807")).ram_bytes, most);
	huge = size_with(MEMORY("9223372036854775807"), &none, 1, UINT64_MAX).ram_bytes;
	assert_true(huge <= ML_RAM_MAX);
	assert_int_equal(huge % MIB(2), 0);
}

static void quota_is_rounded_up(void **state)
{
	(void)state;
	assert_int_equal(size_of(CPU("'quota':50000,'period':100000")).n_vcpus, 1);
	assert_int_equal(size_of(CPU("'quota':100000,'period':100000")).n_vcpus, 1);
	assert_int_equal(size_of(CPU("'quota':100001,'period':100000")).n_vcpus, 2);
	assert_int_equal(size_of(CPU("'quota':150000")).n_vcpus, 2); /* the kernel's period */
	assert_int_equal(size_of(CPU("'quota':30000,'period':10000")).n_vcpus, 3);
	assert_int_equal(size_of(CPU("'quota':9000000,'period':100000")).n_vcpus, HOST_CPUS);
	assert_int_equal(size_of(CPU("'quota':-1")).n_vcpus, HOST_CPUS);
	assert_int_equal(size_of(CPU("'quota':0")).n_vcpus, HOST_CPUS);
	assert_int_equal(size_of(CPU("'quota':9223372036854775807,'period':1")).n_vcpus, HOST_CPUS);
}

static void cpusets_are_counted(void **state)
{
	static const struct {
		const char *list;
		unsigned n;
	} table[] = {
		{"0", 1},     {"0-1", 2}, {"0-2", 3},  {"1,3", 2},
		{"0-1,3", 3}, {"7", 1},	  {"0-63", 4}, {"", 4},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		(void)snprintf(text, sizeof(text), CPU("'cpus':'%s'"), table[i].list);
		assert_int_equal(size_of(text).n_vcpus, table[i].n);
	}
	/* the lower of both counts */
	assert_int_equal(size_of(CPU("'quota':300000,'cpus':'0-1'")).n_vcpus, 2);
	assert_int_equal(size_of(CPU("'quota':100000,'cpus':'0-1'")).n_vcpus, 1);
}

static void bad_cpusets_are_refused(void **state)
{
	static const char *const table[] = {
		"x",
		"0-",
		"-1",
		"3-1",
		"0--1",
		"0,,1",
		",0",
		"0;1",
		"0-70000",
		"99999999999999999999",
		"0-99999999999999999999",
		"1-+2-3",
		"+1",
	};
	const struct oci_settings none = {0};
	char message[256];

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(table); i++) {
		struct vr_err err = VR_ERR_INIT;
		struct vmsize out = {.ram_bytes = 1, .n_vcpus = 99};
		struct oci_spec *spec;

		(void)snprintf(message, sizeof(message),
			       "config.json: linux.resources.cpu.cpus: '%s' is not a list of CPUs",
			       table[i]);
		/* What the check of config.json would not let through. */
		spec = spec_of(CPU("'cpus':'0'"));
		spec->linux_->resources->cpu->cpus = table[i];
		if (vmsize_from_spec(spec, &none, HOST_CPUS, HOST_RAM, &out, &err) != -EINVAL) {
			fail_msg("'%s' was counted as %u", table[i], out.n_vcpus);
		}
		assert_message(err, message);
		assert_int_equal(out.n_vcpus, 99); /* untouched */
		oci_spec_free(spec);
	}
}

static void hardware_of_the_vm_section(void **state)
{
	struct vmsize s;

	(void)state;
	s = size_of(CONFIG(",'vm':{"
			   "'hwConfig':{'vcpus':7,'memory':1073741825}}"));
	assert_int_equal(s.n_vcpus, 7); /* a wish, not a limit: may exceed the host's CPUs */
	assert_int_equal(s.ram_bytes, MIB(1026));
	s = size_of(CONFIG(",'vm':{'hwConfig':{'vcpus':1000,'memory':1}}"));
	assert_int_equal(s.n_vcpus, VM_MAX_VCPUS);
	assert_int_equal(s.ram_bytes, ML_RAM_MIN);
	s = size_of(CONFIG(",'vm':{"
			   "'hwConfig':{'memory':18446744073709551615}}"));
	assert_int_equal(s.ram_bytes, ML_RAM_MAX);
	assert_int_equal(s.n_vcpus, HOST_CPUS);
}

static void annotations_come_first(void **state)
{
	struct oci_settings settings = {0};
	struct vmsize s;

	(void)state;
	settings.vcpus = (struct oci_opt_u32){.set = true, .v = OCI_VCPUS_MAX};
	settings.memory_mib = (struct oci_opt_u32){.set = true, .v = 65};
	s = size_with(CONFIG(",'vm':{'hwConfig':{'vcpus':7,'memory':99}},"
			     "'linux':{'resources':{'memory':{'limit':1073741824},"
			     "'cpu':{'cpus':'0'}}}"),
		      &settings, HOST_CPUS, HOST_RAM);
	assert_int_equal(s.n_vcpus, OCI_VCPUS_MAX);
	assert_int_equal(s.ram_bytes, MIB(66));
	assert_true(OCI_VCPUS_MAX <= VM_MAX_VCPUS);
	settings.memory_mib.v = OCI_MEMORY_MIB_MAX;
	s = size_with(CONFIG(""), &settings, HOST_CPUS, HOST_RAM);
	assert_int_equal(s.ram_bytes, ML_RAM_MAX);
}

/* What the host allows has to hold the page tables of all RAM, three times, and all files the guest may know. */
static void the_host_allows_for_what_it_keeps(void **state)
{
	static const uint64_t sizes[] = {MIB(66), MIB(512), MIB(16384), MIB(1048576)};

	(void)state;
	for (size_t i = 0; i < VR_ARRAY_SIZE(sizes); i++) {
		uint64_t ram = sizes[i];
		uint64_t files = vmsize_max_files(ram, true) * (uint64_t)VMSIZE_FILE_HOST_BYTES;
		uint64_t limit = vmsize_host_limit(ram);

		assert_true(vmsize_max_files(ram, true) >= 10000);
		assert_true(limit >= ram + 3 * (ram / 512) + ram / 256 + files + MIB(32));
		assert_true(limit <= ram + ram / 4 + MIB(64));
		assert_int_equal(vmsize_max_files(ram, false), 0);
	}
}

static void this_host_has_something(void **state)
{
	unsigned cpus = 0;
	uint64_t ram = 0;

	(void)state;
	vmsize_host(&cpus, &ram);
	assert_true(cpus >= 1);
	assert_true(ram >= MIB(64));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_limits),
		cmocka_unit_test(the_whole_limit_is_usable),
		cmocka_unit_test(no_more_than_the_host_has),
		cmocka_unit_test(quota_is_rounded_up),
		cmocka_unit_test(cpusets_are_counted),
		cmocka_unit_test(bad_cpusets_are_refused),
		cmocka_unit_test(hardware_of_the_vm_section),
		cmocka_unit_test(annotations_come_first),
		cmocka_unit_test(the_host_allows_for_what_it_keeps),
		cmocka_unit_test(this_host_has_something),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
