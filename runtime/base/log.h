/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - leveled log lines, as text for people or JSON for callers
 *
 * The only writer to the log. One line is one write(2) to a descriptor opened
 * with O_APPEND, so lines of several processes never mix. Formatting needs no
 * memory, no time zone file and no locale, so that it works in a sandboxed role.
 *
 * JSON lines have exactly the three members that callers of OCI runtimes
 * parse: {"level":"error","msg":"...","time":"2024-01-02T03:04:05Z"}. Those
 * callers take anything else in the file for an error, which is why the
 * default level is VR_LOG_ERROR.
 *
 * Trust:   messages may quote guest text; control bytes and broken UTF-8 are escaped.
 * Threads: init/set functions before the first thread; logging from any thread.
 * Uses:    libc. Used by: everything on the host side (leaf layers: debug only).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"

enum vr_log_format {
	VR_LOG_TEXT, /* time="..." level=error msg="..." */
	VR_LOG_JSON,
	VR_LOG_FORMAT_COUNT,
};

enum vr_log_level {
	VR_LOG_ERROR, /* default */
	VR_LOG_WARN,
	VR_LOG_INFO,
	VR_LOG_DEBUG,
	VR_LOG_LEVEL_COUNT,
};

/** VR_LOG_MSG_MAX - longest message in bytes before escaping; the rest is cut */
#define VR_LOG_MSG_MAX 2048

/** VR_RFC3339_MAX - buffer size for vr_time_rfc3339() */
#define VR_RFC3339_MAX 64

/**
 * vr_log_init() - choose where and how to log
 * @path:   file to append to (created 0644), or NULL for stderr
 * @format: line format
 * @level:  highest level written
 * @err:    filled on failure
 *
 * Before this call the log goes to stderr as text at level error. May be called
 * again; the earlier file is closed.
 *
 * Return: 0, or a negative errno value with the former log still in place.
 */
int vr_log_init(const char *path, enum vr_log_format format, enum vr_log_level level,
		struct vr_err *err) __attribute__((warn_unused_result));

/**
 * vr_log_set_role() - prefix all messages with "<role>: "
 * @role: vmm, fs, shim ...; a string that stays valid; NULL or "" for no prefix
 */
void vr_log_set_role(const char *role);

/** vr_log_set_level() - change the highest level written */
void vr_log_set_level(enum vr_log_level level);

/**
 * vr_log_set_fd() - send the log to another descriptor
 * @fd: taken over (closed by the next change); -1 discards everything
 *
 * A role that must not hold the caller's stderr gives it up with this.
 */
void vr_log_set_fd(int fd);

/**
 * vr_log_fd() - the descriptor in use, borrowed
 *
 * For inventories of descriptors to keep. Return: the fd (2 for stderr) or -1.
 */
int vr_log_fd(void);

/** vr_log_is_stderr() - does the log go to the inherited stderr? */
bool vr_log_is_stderr(void);

/** vr_log_enabled() - would a line of @level be written? */
bool vr_log_enabled(enum vr_log_level level);

/**
 * vr_log() - write one line
 * @level: its level
 * @fmt:   message without newline at its end
 *
 * Keeps errno. A failing write is ignored: there is nowhere left to report it.
 *
 * Syscalls: write, clock_gettime (role vmm, vcpu, fs, shim)
 */
void vr_log(enum vr_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define vr_error(...) vr_log(VR_LOG_ERROR, __VA_ARGS__)
#define vr_warn(...)  vr_log(VR_LOG_WARN, __VA_ARGS__)
#define vr_info(...)  vr_log(VR_LOG_INFO, __VA_ARGS__)
#define vr_debug(...)                                                                              \
	do {                                                                                       \
		if (vr_log_enabled(VR_LOG_DEBUG)) {                                                \
			vr_log(VR_LOG_DEBUG, __VA_ARGS__);                                         \
		}                                                                                  \
	} while (0)

/** vr_log_level_parse() - "error", "warn", "warning", "info", "debug" ("trace", "fatal", "panic"
 *  fold to their neighbour); -EINVAL for anything else */
int vr_log_level_parse(const char *s, enum vr_log_level *out_level)
	__attribute__((warn_unused_result));

/** vr_log_format_parse() - "text" or "json"; -EINVAL for anything else */
int vr_log_format_parse(const char *s, enum vr_log_format *out_format)
	__attribute__((warn_unused_result));

/**
 * vr_log_visible() - a message for a terminal: one line, no control characters
 * @buf: destination of @cap bytes, at least 1; what doesn't fit is cut between characters
 *
 * Messages may have names from a caller and console lines from a guest in them.
 *
 * Return: length of the text.
 */
size_t vr_log_visible(char *buf, size_t cap, const char *msg);

/**
 * vr_log_format_line() - format one complete line, newline included
 * @buf:    destination
 * @cap:    its size, at least 256
 * @format: text or JSON
 * @level:  level to name
 * @ts:     wall-clock time
 * @msg:    message; cut when it does not fit after escaping
 *
 * Return: the number of bytes (no NUL is counted, one is written).
 */
size_t vr_log_format_line(char *buf, size_t cap, enum vr_log_format format, enum vr_log_level level,
			  const struct timespec *ts, const char *msg);

/**
 * vr_time_rfc3339() - UTC time stamp "2024-01-02T03:04:05Z"
 * @buf:  destination
 * @ts:   wall-clock time, 1970 or later
 * @frac: also print nine digits of nanoseconds
 *
 * Return: @buf. Needs no time zone data.
 */
char *vr_time_rfc3339(char buf[VR_RFC3339_MAX], const struct timespec *ts, bool frac);

/**
 * struct vr_ratelimit - allows @burst events in each window of @interval_ms
 *
 * Owned by one thread. Initialise with VR_RATELIMIT_INIT(burst, interval_ms).
 */
struct vr_ratelimit {
	uint32_t burst;
	uint32_t interval_ms;
	uint32_t used;
	uint32_t suppressed;
	uint64_t window_start_ms; /* CLOCK_MONOTONIC; 0: no window yet */
};

#define VR_RATELIMIT_INIT(burst_, interval_ms_)                                                    \
	{                                                                                          \
		.burst = (burst_), .interval_ms = (interval_ms_)                                   \
	}

/**
 * vr_ratelimit() - may this event be reported now?
 * @rl:             the limiter
 * @out_suppressed: when allowed: events refused since the last allowed one; may be NULL
 *
 * Return: true when allowed. Syscalls: clock_gettime (role vmm, vcpu, fs)
 */
bool vr_ratelimit(struct vr_ratelimit *rl, uint32_t *out_suppressed);

/** vr_ratelimit_at() - vr_ratelimit() at a given monotonic time, for callers that know it */
bool vr_ratelimit_at(struct vr_ratelimit *rl, uint64_t now_ms, uint32_t *out_suppressed);

#endif /* BASE_LOG_H */
