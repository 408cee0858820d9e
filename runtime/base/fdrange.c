/* SPDX-License-Identifier: Apache-2.0 */
/* fdrange.c - descriptors whose numbers tell what they are; see fdrange.h */
#include "base/fdrange.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

/* A caged role can't set limits; what made it has, by making its first such descriptor. */
static bool raise_limit(rlim_t wanted)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur >= wanted || rl.rlim_max < wanted) {
		return false;
	}
	rl.rlim_cur = wanted;
	return setrlimit(RLIMIT_NOFILE, &rl) == 0;
}

int vr_fd_move(int *fd, int first, int n)
{
	int moved = fcntl(*fd, F_DUPFD_CLOEXEC, first);

	/* EINVAL: the range begins above the limit; EMFILE: that or all is taken up to the limit */
	if (moved < 0 && (errno == EINVAL || errno == EMFILE) &&
	    raise_limit((rlim_t)first + (rlim_t)n)) {
		moved = fcntl(*fd, F_DUPFD_CLOEXEC, first);
	}
	if (moved < 0) {
		return errno == EINVAL ? -EMFILE : -errno;
	}
	if (moved >= first + n) {
		(void)close(moved);
		return -EMFILE;
	}
	(void)close(*fd);
	*fd = moved;
	return 0;
}
