/* SPDX-License-Identifier: Apache-2.0 */
/* fail.c - how things go wrong in the agent; see fail.h */
#include "fail.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "base/agent_proto.h"

const char *fail_errno_text(int code)
{
	static char text[96];

	snprintf(text, sizeof(text), "%s", strerror(code));
	text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}

static void fill(struct fail *f, uint32_t kind, const char *stage, int rc)
{
	f->kind = kind;
	f->code = rc < 0 ? -rc : rc;
	snprintf(f->stage, sizeof(f->stage), "%s", stage);
}

int fail_set(struct fail *f, const char *stage, int rc, const char *fmt, ...)
{
	size_t len;
	va_list ap;

	fill(f, AP_FAIL_SETUP, stage, rc);
	va_start(ap, fmt);
	(void)vsnprintf(f->text, sizeof(f->text), fmt, ap); /* cut is better than nothing */
	va_end(ap);
	len = strlen(f->text);
	snprintf(f->text + len, sizeof(f->text) - len, ": %s", fail_errno_text(f->code));
	return rc;
}

int fail_kind(struct fail *f, uint32_t kind, const char *stage, int rc, const char *fmt, ...)
{
	va_list ap;

	fill(f, kind, stage, rc);
	va_start(ap, fmt);
	(void)vsnprintf(f->text, sizeof(f->text), fmt, ap); /* cut is better than nothing */
	va_end(ap);
	return rc;
}

static void log_line(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
static void log_line(const char *fmt, va_list ap)
{
	char line[600];
	int kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	int n = snprintf(line, sizeof(line), "<3>volt-agent: ");

	(void)vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	memcpy(line + strlen(line), "\n", 2); /* room was left for it */
	if (kmsg >= 0) {
		(void)!write(kmsg, line, strlen(line)); /* nowhere left to report a failure */
		close(kmsg);
	} else {
		(void)!write(STDERR_FILENO, line + 3, strlen(line + 3));
	}
}

void agent_log(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(fmt, ap);
	va_end(ap);
}

void agent_reboot(void)
{
	if (getpid() != 1) {
		_exit(1); /* a member's agent, or a test's: the machine isn't ours to end */
	}
	sync();
	reboot(RB_AUTOBOOT);
	for (;;) {
		pause();
	}
}

void agent_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(fmt, ap);
	va_end(ap);
	agent_reboot();
}
