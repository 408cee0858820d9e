/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_iov.c - copy into and out of scattered buffers
 */
#include "virtio-fs/fs_iov.h"

#include <string.h>

#include "base/checked.h"

bool fs_iov_total(const struct iovec *iov, unsigned n, uint64_t *out_total)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!vr_add_u64(total, iov[i].iov_len, &total)) {
			return false;
		}
	}
	*out_total = total;
	return true;
}

/* Walk @len bytes at @off, copying to @dst or from @src, whichever is given. */
static bool iov_copy(const struct iovec *iov, unsigned n, size_t off, size_t len, uint8_t *dst,
		     const uint8_t *src)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		size_t part;
		uint8_t *base;

		if (off >= iov[i].iov_len) {
			off -= iov[i].iov_len;
			continue;
		}
		part = VR_MIN(iov[i].iov_len - off, len - done);
		base = (uint8_t *)iov[i].iov_base + off;
		if (dst) {
			memcpy(dst + done, base, part);
		} else {
			memcpy(base, src + done, part);
		}
		done += part;
		off = 0;
	}
	return done == len;
}

bool fs_iov_read(const struct iovec *iov, unsigned n, size_t off, void *dst, size_t len)
{
	return iov_copy(iov, n, off, len, dst, NULL);
}

bool fs_iov_write(const struct iovec *iov, unsigned n, size_t off, const void *src, size_t len)
{
	return iov_copy(iov, n, off, len, NULL, src);
}

unsigned fs_iov_slice(const struct iovec *iov, unsigned n, size_t off, size_t len,
		      struct iovec *out)
{
	unsigned n_out = 0;

	for (unsigned i = 0; i < n && len > 0; i++) {
		size_t part;

		if (off >= iov[i].iov_len) {
			off -= iov[i].iov_len;
			continue;
		}
		part = VR_MIN(iov[i].iov_len - off, len);
		out[n_out].iov_base = (uint8_t *)iov[i].iov_base + off;
		out[n_out].iov_len = part;
		n_out++;
		len -= part;
		off = 0;
	}
	return n_out;
}
