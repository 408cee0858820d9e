/* SPDX-License-Identifier: Apache-2.0 */
/* err.c - the error value that operator-facing functions fill in; see err.h */
#include "base/err.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Some come from processes that may have been taken over: any number, also one without a negative. */
static int normal_code(int code)
{
	if (code == 0 || code == INT_MIN) {
		return EIO;
	}
	return code < 0 ? -code : code;
}

int vr_err_set(struct vr_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	code = normal_code(code);
	if (err) {
		err->code = code;
		va_start(ap, fmt);
		(void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap); /* a cut message is fine */
		va_end(ap);
	}
	return -code;
}

int vr_err_sys(struct vr_err *err, int code, const char *fmt, ...)
{
	va_list ap;
	size_t used;

	code = normal_code(code);
	if (err) {
		err->code = code;
		va_start(ap, fmt);
		(void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap); /* as above */
		va_end(ap);
		used = strlen(err->msg);
		(void)snprintf(err->msg + used, sizeof(err->msg) - used, ": %s", strerror(code));
	}
	return -code;
}

int vr_err_wrap(struct vr_err *err, const char *fmt, ...)
{
	char tail[VR_ERR_MSG_MAX];
	va_list ap;
	size_t used;

	if (!err || err->code == 0) {
		return -EIO;
	}
	memcpy(tail, err->msg, sizeof(tail));
	va_start(ap, fmt);
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap); /* a cut message is fine */
	va_end(ap);
	used = strlen(err->msg);
	(void)snprintf(err->msg + used, sizeof(err->msg) - used, ": %s", tail);
	return -err->code;
}
