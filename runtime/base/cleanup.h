/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cleanup.h - scope-exit ownership for control-plane code
 *
 * `vr_autofree char *p` frees at scope end, `vr_autoclose int fd = -1` closes.
 * Moving ownership out of the scope is visible: `return vr_take_ptr(&p)`.
 * The device path uses a goto ladder instead; never mix both in a function.
 * Clean-up keeps errno.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void vr_cleanup_free(void *p)
{
	int saved = errno;

	free(*(void **)p);
	errno = saved;
}

static inline void vr_cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0) {
		(void)close(*fd); /* nothing useful can be done about a failing close here */
	}
	errno = saved;
}

static inline void vr_cleanup_fclose(FILE **f)
{
	int saved = errno;

	if (*f) {
		(void)fclose(*f); /* as above; writers check fflush before */
	}
	errno = saved;
}

static inline void vr_cleanup_closedir(DIR **d)
{
	int saved = errno;

	if (*d) {
		(void)closedir(*d);
	}
	errno = saved;
}

#define vr_autofree	__attribute__((cleanup(vr_cleanup_free)))
#define vr_autoclose	__attribute__((cleanup(vr_cleanup_close)))
#define vr_autofclose	__attribute__((cleanup(vr_cleanup_fclose)))
#define vr_autoclosedir __attribute__((cleanup(vr_cleanup_closedir)))

/** vr_take_fd() - move an fd out of its variable, which becomes -1 */
static inline int vr_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/** vr_take_ptr() - move a pointer out of its variable, which becomes NULL */
#define vr_take_ptr(pp)                                                                            \
	({                                                                                         \
		__typeof__(*(pp)) vr_taken_ = *(pp);                                               \
		*(pp) = NULL;                                                                      \
		vr_taken_;                                                                         \
	})

/** vr_close_reset() - close an fd variable if open and set it to -1 */
static inline void vr_close_reset(int *fd)
{
	vr_cleanup_close(fd);
	*fd = -1;
}

#endif /* BASE_CLEANUP_H */
