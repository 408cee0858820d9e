/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_iov.h - copy into and out of scattered buffers
 *
 * Trust:    the memory behind the pieces may change at any moment (it is the
 *           guest's); addresses and lengths are the caller's and true.
 * Threads:  no state.
 * Uses:     base. Used by: fs_server, handlers.
 */
#ifndef VIRTIO_FS_FS_IOV_H
#define VIRTIO_FS_FS_IOV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/** fs_iov_total() - sum of all lengths; false if it overflows (then @out_total is untouched) */
bool fs_iov_total(const struct iovec *iov, unsigned n, uint64_t *out_total)
	__attribute__((warn_unused_result));

/** fs_iov_read() - copy @len bytes at @off into @dst; false if they aren't all there */
bool fs_iov_read(const struct iovec *iov, unsigned n, size_t off, void *dst, size_t len)
	__attribute__((warn_unused_result));

/** fs_iov_write() - copy @len bytes from @src to @off; false if there isn't room for all */
bool fs_iov_write(const struct iovec *iov, unsigned n, size_t off, const void *src, size_t len)
	__attribute__((warn_unused_result));

/**
 * fs_iov_slice() - the pieces that make up a byte range
 * @iov: pieces
 * @n:   their number
 * @off: first byte of the range
 * @len: bytes wanted; the slice is shorter if the pieces end before
 * @out: the slice, room for @n pieces
 *
 * Return: number of pieces in @out; 0 for an empty range.
 */
unsigned fs_iov_slice(const struct iovec *iov, unsigned n, size_t off, size_t len,
		      struct iovec *out);

#endif /* VIRTIO_FS_FS_IOV_H */
