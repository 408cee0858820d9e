/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fdrange.h - descriptors whose numbers tell what they are
 *
 * A system call filter sees a descriptor's number, not what is behind it. What takes
 * ioctls that are meant for it alone therefore lives in a range of numbers of its own,
 * which the filters name (sandbox/seccomp_roles.c). Everything else gets the lowest free
 * number, as always. All ranges lie below 1024, the usual soft limit.
 *
 * Threads: reentrant.
 * Uses:    libc. Used by: vmm, the network's code, sandbox.
 */
#ifndef BASE_FDRANGE_H
#define BASE_FDRANGE_H

/* VR_FDS_*: the first number and how many; how many is a power of two that divides the first. */
#define VR_FDS_VCPU   0x200 /* vCPUs: of VM_MAX_VCPUS */
#define VR_FDS_VCPU_N 0x40
#define VR_FDS_VM     0x240 /* the VM */
#define VR_FDS_VM_N   0x1
#define VR_FDS_NET    0x300 /* queues of taps, in use and spare, and the kernel's servers of them */
#define VR_FDS_NET_N  0x100

/**
 * vr_fd_move() - give a descriptor the lowest free number of a range
 * @fd:    open descriptor, any number; its new, close-on-exec number. Unchanged on failure
 * @first: first number of the range
 * @n:     how many numbers it has
 *
 * Raises the soft limit of open descriptors where the range is above it.
 *
 * Return: 0, -EMFILE when the range is full or above the hard limit, or -errno.
 * fcntl() is on the list by hand, for this command. Syscalls: close (role vmm)
 */
int vr_fd_move(int *fd, int first, int n) __attribute__((warn_unused_result));

#endif /* BASE_FDRANGE_H */
