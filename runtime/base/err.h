/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err.h - the error value that operator-facing functions fill in
 *
 * Leaf code returns 0 or -errno and stops there. Code whose failure a person
 * will read takes a `struct vr_err *` as its last parameter, and puts a whole
 * sentence into it that names the object and the reason. Callers prepend what
 * they were doing. Only the command layer prints it, once.
 *
 * Success never touches the value. It lives on the caller's stack with a fixed
 * buffer, so that reporting works without memory.
 *
 * Uses: libc. Used by: everything on the host side.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

#define VR_ERR_MSG_MAX 1024

/**
 * struct vr_err - a failure in words
 * @code: errno value (positive), 0 while nothing failed
 * @msg:  NUL-terminated sentence, lower case, no trailing period
 */
struct vr_err {
	int code;
	char msg[VR_ERR_MSG_MAX];
};

#define VR_ERR_INIT                                                                                \
	{                                                                                          \
		.code = 0, .msg = ""                                                               \
	}

/**
 * vr_err_set() - record a failure
 * @err:  value to fill; NULL is allowed and ignored
 * @code: errno value, positive or negative; 0 is stored as EIO
 * @fmt:  the sentence, naming the object and the reason
 *
 * A message longer than the buffer is cut.
 *
 * Return: the negative errno value, so that `return vr_err_set(...)` works.
 */
int vr_err_set(struct vr_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * vr_err_sys() - record a failed system or library call
 * @err:  value to fill; NULL is allowed
 * @code: errno value, positive or negative
 * @fmt:  what was being done to which object; ": strerror(code)" is appended
 *
 * Return: the negative errno value.
 */
int vr_err_sys(struct vr_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * vr_err_wrap() - prepend what the caller was doing
 * @err: value that already holds a failure; NULL is allowed
 * @fmt: prefix; ": " is put between it and the old message
 *
 * Return: -err->code, or -EIO when @err is NULL or empty.
 */
int vr_err_wrap(struct vr_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif /* BASE_ERR_H */
