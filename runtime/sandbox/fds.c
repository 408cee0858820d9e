/* SPDX-License-Identifier: Apache-2.0 */
/* fds.c - which descriptors a role keeps; see fds.h */
#include "sandbox/fds.h"

#include <limits.h>
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
