/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm_stats.h - KVM's own figures about a vCPU
 *
 * KVM describes its binary statistics in the file itself: a header, descriptors
 * with names, and the values. Linux 5.14 and later
 * (Documentation/virt/kvm/api.rst, 4.133 KVM_GET_STATS_FD).
 *
 * Threads: any. Uses: base, vmm/kvm.
 */
#ifndef VMM_KVM_STATS_H
#define VMM_KVM_STATS_H

#include <stdint.h>

/**
 * struct kvm_stat - one figure of a vCPU
 * @fd:     the statistics file, owned; -1 when there is none
 * @offset: of the value, in bytes from the start of the file
 */
struct kvm_stat {
	int fd;
	uint64_t offset;
};

#define KVM_STAT_INIT                                                                              \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/**
 * kvm_stat_open() - find the single 64-bit figure called @name
 *
 * Return: 0, -ENOENT when this kernel doesn't have it, -EPROTO for a file that
 * contradicts itself, or -errno.
 */
int kvm_stat_open(int vcpu_fd, const char *name, struct kvm_stat *out)
	__attribute__((warn_unused_result));

/** kvm_stat_find() - the same in the statistics file @fd, borrowed. Return: as above */
int kvm_stat_find(int fd, const char *name, uint64_t *out_offset)
	__attribute__((warn_unused_result));

/** kvm_stat_read() - the value now. Return: 0, -EIO when the file is short, or -errno */
int kvm_stat_read(const struct kvm_stat *s, uint64_t *out) __attribute__((warn_unused_result));

void kvm_stat_close(struct kvm_stat *s);

#endif /* VMM_KVM_STATS_H */
