/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf_sim.h - a seccomp filter, run without a kernel
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_BPF_SIM_H
#define TESTS_BPF_SIM_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t bpf_load_word(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t word;

	assert_true(offset <= sizeof(*data) - sizeof(word) && offset % 4 == 0);
	memcpy(&word, (const char *)data + offset, sizeof(word));
	return word;
}

static inline bool bpf_jump_taken(uint16_t code, uint32_t a, uint32_t k)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	case BPF_JSET:
		return (a & k) != 0;
	default:
		fail_msg("unexpected jump %#x", code);
		return false;
	}
}

/**
 * bpf_simulate() - the action a filter decides on
 *
 * As much of BPF as libseccomp uses; anything else fails the test, as does running off the end.
 */
static inline uint32_t bpf_simulate(const struct sock_filter *insns, size_t n,
				    const struct seccomp_data *data)
{
	uint32_t a = 0;
	size_t pc;

	for (pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &insns[pc];

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			assert_int_equal(i->code, BPF_LD | BPF_W | BPF_ABS);
			a = bpf_load_word(data, i->k);
			break;
		case BPF_ALU:
			assert_int_equal(i->code, BPF_ALU | BPF_AND | BPF_K);
			a &= i->k;
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_JA) {
				pc += i->k;
			} else {
				pc += bpf_jump_taken(i->code, a, i->k) ? i->jt : i->jf;
			}
			break;
		case BPF_RET:
			return i->k;
		default:
			fail_msg("unexpected instruction %#x", i->code);
		}
	}
	fail_msg("ran off the end of the program");
	return 0;
}

#endif /* TESTS_BPF_SIM_H */
