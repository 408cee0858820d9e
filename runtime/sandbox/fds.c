/* SPDX-License-Identifier: Apache-2.0 */
/* fds.c - which descriptors a role keeps; see fds.h */
#include "sandbox/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/fdio.h"

#define FIRST_FD 3u

/* Smallest kept descriptor >= @from, or UINT_MAX. Quadratic over a list of a few dozen. */
static unsigned next_kept(const int *keep, size_t n, unsigned from)
{
	unsigned best = UINT_MAX;
	size_t i;

	for (i = 0; i < n; i++) {
		if (keep[i] >= 0 && (unsigned)keep[i] >= from && (unsigned)keep[i] < best) {
			best = (unsigned)keep[i];
		}
	}
	return best;
}

int sbx_close_fds(const int *keep, size_t n)
{
	unsigned from = FIRST_FD;

	for (;;) {
		unsigned stop = next_kept(keep, n, from);

		if (stop == UINT_MAX) {
			return vr_close_range(from, UINT_MAX);
		}
		if (stop > from) {
			int ret = vr_close_range(from, stop - 1);

			if (ret < 0) {
				return ret;
			}
		}
		from = stop + 1;
	}
}

int sbx_null_fds(const int *fds, size_t n)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
	bool listed = false;
	int ret = 0;
	size_t i;

	if (null_fd < 0) {
		return -errno;
	}
	for (i = 0; ret == 0 && i < n; i++) {
		if (fds[i] == null_fd) {
			/* It was closed, and we got its number. */
			listed = true;
			ret = vr_set_cloexec(null_fd, false);
		} else if (dup2(null_fd, fds[i]) < 0) {
			ret = -errno;
		}
	}
	if (!listed) {
		(void)close(null_fd); /* nothing was written */
	}
	return ret;
}
