/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checked.h - arithmetic that says when it overflows, and small size helpers
 *
 * Shared with the guest agent: no libc beyond the compiler's headers.
 */
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** vr_add_u64() - *out = a + b; false (and *out untouched) on overflow */
static inline bool vr_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	uint64_t sum;

	if (__builtin_add_overflow(a, b, &sum)) {
		return false;
	}
	*out = sum;
	return true;
}

/** vr_mul_u64() - *out = a * b; false (and *out untouched) on overflow */
static inline bool vr_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	uint64_t product;

	if (__builtin_mul_overflow(a, b, &product)) {
		return false;
	}
	*out = product;
	return true;
}

/** vr_range_inside() - is [start, start+len) inside [base, base+size)? No overflow possible. */
static inline bool vr_range_inside(uint64_t start, uint64_t len, uint64_t base, uint64_t size)
{
	return start >= base && len <= size && start - base <= size - len;
}

/** vr_align_up() - next multiple of @align (a power of two); the caller bounds @v */
static inline uint64_t vr_align_up(uint64_t v, uint64_t align)
{
	return (v + align - 1) & ~(align - 1);
}

static inline bool vr_is_pow2(uint64_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}

#define VR_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define VR_MIN(a, b)                                                                               \
	({                                                                                         \
		__typeof__(a) vr_a_ = (a);                                                         \
		__typeof__(b) vr_b_ = (b);                                                         \
		vr_a_ < vr_b_ ? vr_a_ : vr_b_;                                                     \
	})
#define VR_MAX(a, b)                                                                               \
	({                                                                                         \
		__typeof__(a) vr_a_ = (a);                                                         \
		__typeof__(b) vr_b_ = (b);                                                         \
		vr_a_ > vr_b_ ? vr_a_ : vr_b_;                                                     \
	})

#endif /* BASE_CHECKED_H */
