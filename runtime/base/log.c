/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c - leveled log lines; see log.h
 *
 * A line is built in a stack buffer and written at once. The date is computed
 * here rather than by gmtime_r(), which would read the time zone file on its
 * first use: too late for a role whose root is empty by then.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/utf8.h"

/* Worst case of escaping is six bytes for one; the rest is the frame around the message. */
#define LINE_MAX_BYTES (VR_LOG_MSG_MAX * 6 + 256)

/* Fixed before threads start, read by all of them. */
static struct {
	int fd;
	enum vr_log_format format;
	enum vr_log_level level;
	const char *role;
	bool owned;
} log_state = {.fd = STDERR_FILENO, .format = VR_LOG_TEXT, .level = VR_LOG_ERROR, .role = ""};

static const char *const level_names[] = {"error", "warning", "info", "debug"};

_Static_assert(VR_ARRAY_SIZE(level_names) == VR_LOG_LEVEL_COUNT, "a name for each level");

/** struct line - a buffer that stops growing when full */
struct line {
	char *buf;
	size_t cap;
	size_t len;
};

static void line_put(struct line *l, const char *s, size_t n)
{
	if (n <= l->cap - l->len) {
		memcpy(l->buf + l->len, s, n);
		l->len += n;
	}
}

static void line_puts(struct line *l, const char *s)
{
	line_put(l, s, strlen(s));
}

/* One escaped character into @out (at least 8 bytes). Return: bytes of the source used. */
static size_t escape_one(const char *s, size_t left, char out[8], enum vr_log_format format)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n;

	switch (u[0]) {
	case '"':
	case '\\':
		(void)snprintf(out, 8, "\\%c", s[0]);
		return 1;
	case '\n':
		memcpy(out, "\\n", 3);
		return 1;
	case '\t':
		memcpy(out, "\\t", 3);
		return 1;
	case '\r':
		memcpy(out, "\\r", 3);
		return 1;
	default:
		break;
	}
	if (u[0] < 0x20 || u[0] == 0x7f) {
		(void)snprintf(out, 8, format == VR_LOG_JSON ? "\\u%04x" : "\\x%02x", u[0]);
		return 1;
	}
	if (u[0] == 0xc2 && left > 1 && u[1] >= 0x80 && u[1] < 0xa0) {
		/* the control characters of ISO 6429 in their 8-bit form */
		(void)snprintf(out, 8, format == VR_LOG_JSON ? "\\u%04x" : "\\x%02x", u[1]);
		return 2;
	}
	n = vr_utf8_len(u, left);
	if (n == 0) {
		memcpy(out, "\xef\xbf\xbd", 4); /* U+FFFD for each byte that is no UTF-8 */
		return 1;
	}
	memcpy(out, s, n);
	out[n] = '\0';
	return n;
}

static void line_escaped(struct line *l, const char *s, size_t reserve, enum vr_log_format format)
{
	size_t left = strlen(s);
	char one[8];

	while (left > 0) {
		size_t used = escape_one(s, left, one, format);
		size_t n = strlen(one);

		if (n + reserve > l->cap - l->len) {
			return;
		}
		line_put(l, one, n);
		s += used;
		left -= used;
	}
}

size_t vr_log_format_line(char *buf, size_t cap, enum vr_log_format format, enum vr_log_level level,
			  const struct timespec *ts, const char *msg)
{
	struct line l = {.buf = buf, .cap = cap - 1, .len = 0};
	const char *name = level < VR_LOG_LEVEL_COUNT ? level_names[level] : "debug";
	char when[VR_RFC3339_MAX];

	(void)vr_time_rfc3339(when, ts, false);
	if (format == VR_LOG_JSON) {
		line_puts(&l, "{\"level\":\"");
		line_puts(&l, name);
		line_puts(&l, "\",\"msg\":\"");
		line_escaped(&l, msg, sizeof(when) + 16, format);
		line_puts(&l, "\",\"time\":\"");
		line_puts(&l, when);
		line_puts(&l, "\"}\n");
	} else {
		line_puts(&l, "time=\"");
		line_puts(&l, when);
		line_puts(&l, "\" level=");
		line_puts(&l, name);
		line_puts(&l, " msg=\"");
		line_escaped(&l, msg, 4, format);
		line_puts(&l, "\"\n");
	}
	buf[l.len] = '\0';
	return l.len;
}

size_t vr_log_visible(char *buf, size_t cap, const char *msg)
{
	struct line l = {.buf = buf, .cap = cap - 1, .len = 0};
	size_t left = strlen(msg);
	char one[8];

	for (size_t used; left > 0; msg += used, left -= used) {
		const unsigned char *u = (const unsigned char *)msg;

		if (u[0] == '"' || u[0] == '\\') {
			used = 1;
			memcpy(one, msg, 1);
			one[1] = '\0';
		} else {
			used = escape_one(msg, left, one, VR_LOG_TEXT);
		}
		if (strlen(one) > l.cap - l.len) {
			break;
		}
		line_puts(&l, one);
	}
	buf[l.len] = '\0';
	return l.len;
}

void vr_log(enum vr_log_level level, const char *fmt, ...)
{
	char msg[VR_LOG_MSG_MAX];
	char text[LINE_MAX_BYTES];
	struct timespec now = {0};
	int saved = errno;
	size_t len = 0;
	va_list ap;

	if (!vr_log_enabled(level)) {
		return;
	}
	if (log_state.role[0] != '\0') {
		int n = snprintf(msg, sizeof(msg), "%.32s: ", log_state.role);

		len = n > 0 ? (size_t)n : 0;
	}
	va_start(ap, fmt);
	(void)vsnprintf(msg + len, sizeof(msg) - len, fmt, ap); /* a cut message is fine */
	va_end(ap);
	(void)clock_gettime(CLOCK_REALTIME, &now); /* can't fail; zero would be printed as 1970 */
	len = vr_log_format_line(text, sizeof(text), log_state.format, level, &now, msg);
	if (write(log_state.fd, text, len) < 0) {
		errno = saved; /* nowhere left to report it */
	}
	errno = saved;
}

bool vr_log_enabled(enum vr_log_level level)
{
	return log_state.fd >= 0 && level <= log_state.level;
}

static void set_fd(int fd, bool owned)
{
	int old = log_state.owned ? log_state.fd : -1;

	log_state.fd = fd;
	log_state.owned = owned && fd >= 0;
	if (old >= 0 && old != fd) {
		(void)close(old); /* only appended to; nothing to learn from its close */
	}
}

int vr_log_init(const char *path, enum vr_log_format format, enum vr_log_level level,
		struct vr_err *err)
{
	vr_autoclose int fd = -1;

	if (format >= VR_LOG_FORMAT_COUNT || level >= VR_LOG_LEVEL_COUNT) {
		return vr_err_set(err, EINVAL, "log: unknown format or level");
	}
	if (path) {
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
		if (fd < 0) {
			return vr_err_sys(err, errno, "open log '%s'", path);
		}
		if (fd <= STDERR_FILENO) { /* a standard descriptor was closed: keep clear of it */
			int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);

			if (high < 0) {
				return vr_err_sys(err, errno, "open log '%s'", path);
			}
			vr_close_reset(&fd);
			fd = high;
		}
	}
	log_state.format = format;
	log_state.level = level;
	if (path) {
		set_fd(vr_take_fd(&fd), true);
	} else {
		set_fd(STDERR_FILENO, false);
	}
	return 0;
}

void vr_log_set_role(const char *role)
{
	log_state.role = role ? role : "";
}

void vr_log_set_level(enum vr_log_level level)
{
	log_state.level = level;
}

void vr_log_set_fd(int fd)
{
	set_fd(fd, true);
}

int vr_log_fd(void)
{
	return log_state.fd;
}

bool vr_log_is_stderr(void)
{
	return log_state.fd == STDERR_FILENO;
}

int vr_log_level_parse(const char *s, enum vr_log_level *out_level)
{
	static const struct {
		const char *name;
		enum vr_log_level level;
	} names[] = {
		{"panic", VR_LOG_ERROR}, {"fatal", VR_LOG_ERROR},  {"error", VR_LOG_ERROR},
		{"warn", VR_LOG_WARN},	 {"warning", VR_LOG_WARN}, {"info", VR_LOG_INFO},
		{"debug", VR_LOG_DEBUG}, {"trace", VR_LOG_DEBUG},
	};

	for (size_t i = 0; i < VR_ARRAY_SIZE(names); i++) {
		if (strcmp(s, names[i].name) == 0) {
			*out_level = names[i].level;
			return 0;
		}
	}
	return -EINVAL;
}

int vr_log_format_parse(const char *s, enum vr_log_format *out_format)
{
	if (strcmp(s, "text") == 0) {
		*out_format = VR_LOG_TEXT;
		return 0;
	}
	if (strcmp(s, "json") == 0) {
		*out_format = VR_LOG_JSON;
		return 0;
	}
	return -EINVAL;
}

/*
 * Days since 1970-01-01 to a date of the proleptic Gregorian calendar. Years
 * are counted from March, so that the leap day is the last one of its year:
 * month lengths then follow (153 * m + 2) / 5.
 */
static void civil_from_days(uint64_t days, uint64_t *y, unsigned int *m, unsigned int *d)
{
	uint64_t z = days + 719468; /* days from 0000-03-01 to 1970-01-01 */
	uint64_t era = z / 146097;
	uint64_t doe = z % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint64_t mp = (5 * doy + 2) / 153;

	*d = (unsigned int)(doy - (153 * mp + 2) / 5 + 1);
	*m = (unsigned int)(mp < 10 ? mp + 3 : mp - 9);
	*y = yoe + era * 400 + (*m <= 2 ? 1 : 0);
}

char *vr_time_rfc3339(char buf[VR_RFC3339_MAX], const struct timespec *ts, bool frac)
{
	uint64_t secs = ts->tv_sec > 0 ? (uint64_t)ts->tv_sec : 0;
	unsigned int day_secs = (unsigned int)(secs % 86400);
	unsigned int month;
	unsigned int day;
	uint64_t year;
	char nanos[16] = "";

	civil_from_days(secs / 86400, &year, &month, &day);
	if (frac) {
		(void)snprintf(nanos, sizeof(nanos), ".%09u", (unsigned int)ts->tv_nsec);
	}
	(void)snprintf(buf, VR_RFC3339_MAX, "%04llu-%02u-%02uT%02u:%02u:%02u%sZ",
		       (unsigned long long)(year % 10000), month, day, day_secs / 3600,
		       day_secs / 60 % 60, day_secs % 60, nanos);
	return buf;
}

bool vr_ratelimit_at(struct vr_ratelimit *rl, uint64_t now_ms, uint32_t *out_suppressed)
{
	if (rl->window_start_ms == 0 || now_ms - rl->window_start_ms >= rl->interval_ms) {
		rl->window_start_ms = now_ms ? now_ms : 1;
		rl->used = 0;
	}
	if (rl->used >= rl->burst) {
		if (rl->suppressed < UINT32_MAX) {
			rl->suppressed++;
		}
		return false;
	}
	rl->used++;
	if (out_suppressed) {
		*out_suppressed = rl->suppressed;
	}
	rl->suppressed = 0;
	return true;
}

bool vr_ratelimit(struct vr_ratelimit *rl, uint32_t *out_suppressed)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* can't fail for this clock */
	return vr_ratelimit_at(rl, (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000,
			       out_suppressed);
}
