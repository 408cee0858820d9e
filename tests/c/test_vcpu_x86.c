/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_vcpu_x86.c - what CPUID tells the guest
 */
#include "vmm/vcpu_x86.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define BIT(n) (1u << (n))

static void add(struct x86_cpuid *c, uint32_t fn, uint32_t index, uint32_t eax, uint32_t ebx,
		uint32_t ecx, uint32_t edx)
{
	c->entries[c->nent++] = (struct kvm_cpuid_entry2){
		.function = fn, .index = index, .eax = eax, .ebx = ebx, .ecx = ecx, .edx = edx};
}

/* A host with every feature bit set; "Auth" or "Genu" in EBX of leaf 0. */
static void host(struct x86_cpuid *c, uint32_t vendor_ebx)
{
	memset(c, 0, sizeof(*c));
	add(c, 0, 0, 0x1f, vendor_ebx, 0, 0);
	add(c, 1, 0, 0x806c1, 0x07100800, ~0u & ~BIT(24), ~0u);
	add(c, 4, 0, 0xfc000121, 0, 0, 0);
	add(c, 4, 3, 0xfc01c163, 0, 0, 0);
	add(c, 4, 4, 0, 0, 0, 0);
	add(c, 5, 0, 64, 64, 3, 0);
	add(c, 6, 0, 0, 0, 0, 0);
	add(c, 7, 0, 2, ~0u, ~0u, ~0u);
	add(c, 7, 1, ~0u, ~0u, ~0u, ~0u);
	add(c, 0xa, 0, 0x08300805, 0, 0xf, 0x8604);
	add(c, 0xb, 0, 1, 2, 0x100, 7);
	add(c, 0x1f, 0, 1, 2, 0x100, 7);
	add(c, 0x40000000, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d);
	add(c, 0x40000001, 0, 0x01007efb, 0, 0, 0);
	add(c, 0x80000001, 0, 0, 0, ~0u, ~0u);
	add(c, 0x80000008, 0, 0x3030, 0, 0x700f, 0);
	add(c, 0x8000000a, 0, 1, 0x8000, 0, 0);
	add(c, 0x8000001d, 0, 0x4121, 0, 0, 0);
	add(c, 0x8000001d, 3, 0x1c163, 0, 0, 0);
	add(c, 0x8000001e, 0, 7, 0x103, 0x100, 0);
	add(c, 0x8000001f, 0, ~0u, 0, 0, 0);
}

#define AMD   0x68747541u
#define INTEL 0x756e6547u

static const struct kvm_cpuid_entry2 *get(const struct x86_cpuid *c, uint32_t fn, uint32_t index)
{
	for (uint32_t i = 0; i < c->nent; i++) {
		if (c->entries[i].function == fn && c->entries[i].index == index) {
			return &c->entries[i];
		}
	}
	return NULL;
}

static void what_the_vm_does_not_offer_is_hidden(void **state)
{
	static const uint32_t gone[] = {5, 0xa, 0xb, 0x1f, 0x8000000a, 0x8000001f};
	struct x86_cpuid c;

	(void)state;
	host(&c, AMD);
	vcpu_x86_cpuid_filter(&c);
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		assert_null(get(&c, gone[i], 0));
	}
	assert_int_equal(get(&c, 1, 0)->ecx & (BIT(3) | BIT(5) | BIT(6) | BIT(15)), 0);
	assert_int_equal(get(&c, 0x80000001, 0)->ecx & (BIT(2) | BIT(10) | BIT(23)), 0);
	assert_int_equal(get(&c, 7, 0)->ebx & (BIT(2) | BIT(25)), 0);
	/* Other sub-leaves and other bits stay. */
	assert_int_equal(get(&c, 7, 1)->ebx, ~0u);
	assert_true(get(&c, 7, 0)->ebx & BIT(5));
	assert_true(get(&c, 1, 0)->ecx & BIT(21));
}

static void timers_and_the_hypervisor_are_announced(void **state)
{
	struct x86_cpuid c;

	(void)state;
	host(&c, INTEL);
	vcpu_x86_cpuid_filter(&c);
	assert_true(get(&c, 1, 0)->ecx & BIT(24));
	assert_true(get(&c, 1, 0)->ecx & BIT(31));
	assert_true(get(&c, 6, 0)->eax & BIT(2));
	assert_int_equal(get(&c, 0x40000000, 0)->ebx, 0x4b4d564b);
	assert_int_equal(get(&c, 0x40000001, 0)->eax, 0x01007efb);
}

static void check_topology(uint32_t vendor, unsigned index, unsigned n, unsigned bits)
{
	struct x86_cpuid c;

	host(&c, vendor);
	vcpu_x86_cpuid_filter(&c);
	assert_int_equal(vcpu_x86_cpuid_topology(&c, index, n), 0);
	assert_int_equal(get(&c, 1, 0)->ebx, index << 24 | 1u << bits << 16 | 0x0800);
	assert_int_equal(!!(get(&c, 1, 0)->edx & BIT(28)), n > 1);
	/* First-level cache private, third-level shared by all. */
	assert_int_equal(get(&c, 4, 0)->eax >> 14 & 0xfff, 0);
	assert_int_equal(get(&c, 4, 3)->eax >> 14 & 0xfff, (1u << bits) - 1);
	assert_int_equal(get(&c, 4, 3)->eax >> 26, (1u << bits) - 1);
	assert_int_equal(get(&c, 4, 4)->eax, 0);
	for (uint32_t leaf = 0xb; leaf <= 0x1f; leaf += 0x14) {
		assert_int_equal(get(&c, leaf, 0)->ebx, 1);
		assert_int_equal(get(&c, leaf, 0)->ecx, 0x100);
		assert_int_equal(get(&c, leaf, 1)->eax, bits);
		assert_int_equal(get(&c, leaf, 1)->ebx, n);
		assert_int_equal(get(&c, leaf, 1)->ecx, 0x201);
		assert_int_equal(get(&c, leaf, 1)->edx, index);
		assert_int_equal(get(&c, leaf, 2)->ecx, 2);
	}
	assert_int_equal(get(&c, 0x8000001e, 0)->eax, index);
	assert_int_equal(get(&c, 0x8000001e, 0)->ebx, index);
	if (vendor == AMD) {
		assert_int_equal(get(&c, 0x80000008, 0)->ecx, bits << 12 | (n - 1));
		assert_int_equal(!!(get(&c, 0x80000001, 0)->ecx & BIT(1)), n > 1);
	} else {
		assert_int_equal(get(&c, 0x80000008, 0)->ecx, 0x700f);
	}
}

static void each_vcpu_is_a_core_of_one_socket(void **state)
{
	(void)state;
	check_topology(INTEL, 0, 1, 0);
	check_topology(AMD, 0, 1, 0);
	check_topology(INTEL, 1, 2, 1);
	check_topology(INTEL, 2, 3, 2);
	check_topology(AMD, 4, 5, 3);
	check_topology(AMD, 63, 64, 6);
	check_topology(INTEL, 63, 64, 6);
}

static void a_full_table_is_refused(void **state)
{
	struct x86_cpuid c;

	(void)state;
	host(&c, INTEL);
	vcpu_x86_cpuid_filter(&c);
	while (c.nent < X86_CPUID_MAX) {
		add(&c, 0x2, 0, 0, 0, 0, 0);
	}
	assert_int_equal(vcpu_x86_cpuid_topology(&c, 0, 1), -E2BIG);
	assert_int_equal(c.nent, X86_CPUID_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_vm_does_not_offer_is_hidden),
		cmocka_unit_test(timers_and_the_hypervisor_are_announced),
		cmocka_unit_test(each_vcpu_is_a_core_of_one_socket),
		cmocka_unit_test(a_full_table_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
