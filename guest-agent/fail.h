/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fail.h - how things go wrong in the agent
 *
 * Two ways only. A request that fails fills a struct fail, which becomes its reply; the container
 * is the host's to end. The agent itself failing is the end of the VM: a line on the console (the
 * host keeps the last ones) and a reboot, which the host sees as the machine stopping. A member's
 * agent (member.h) ends alone.
 */
#ifndef AGENT_FAIL_H
#define AGENT_FAIL_H

#include <stdint.h>

/**
 * struct fail - why a request failed; plain data, crosses the status socket from child to agent
 * @kind:  enum ap_fail; AP_FAIL_NONE: nothing failed
 * @code:  positive errno
 * @stage: which step
 * @text:  the sentence for the operator
 */
struct fail {
	uint32_t kind;
	int32_t code;
	char stage[16];
	char text[512];
};

/**
 * fail_set() - record a failure. @rc is -errno; its text is appended after ": ".
 * Return: @rc, so that callers can `return fail_set(...)`
 */
int fail_set(struct fail *f, const char *stage, int rc, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/** fail_kind() - as fail_set() with a kind of its own, and nothing appended */
int fail_kind(struct fail *f, uint32_t kind, const char *stage, int rc, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/** fail_errno_text() - an errno's text as runc's callers know it (lower case); static storage */
const char *fail_errno_text(int code);

/** agent_log() - a line on the guest's console; no newline in @fmt */
void agent_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/** agent_die() - log, flush file systems, end the VM; or a member's agent alone */
void agent_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/** agent_reboot() - flush file systems and end the VM */
void agent_reboot(void) __attribute__((noreturn));

#endif /* AGENT_FAIL_H */
