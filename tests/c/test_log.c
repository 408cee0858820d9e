/* SPDX-License-Identifier: Apache-2.0 */
/* test_log.c - log lines: shape, escaping, levels, limits; UTF-8; rate limit */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fdio.h"
#include "base/log.h"
#include "base/utf8.h"

static char dir[] = "/tmp/test_log.XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir)) {
		return -1;
	}
	(void)snprintf(path, sizeof(path), "%s/log", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

static char *read_log(void)
{
	char *text = NULL;
	size_t len;

	assert_int_equal(vr_read_file(AT_FDCWD, path, 1 << 20, &text, &len), 0);
	return text;
}

static void open_log(enum vr_log_format format, enum vr_log_level level)
{
	struct vr_err err = VR_ERR_INIT;

	(void)unlink(path);
	assert_no_error(vr_log_init(path, format, level, &err), err);
}

static void check_line(enum vr_log_format format, enum vr_log_level level, const char *msg,
		       const char *expected)
{
	struct timespec ts = {.tv_sec = 1704164645};
	char line[1024];
	size_t n = vr_log_format_line(line, sizeof(line), format, level, &ts, msg);

	assert_string_equal(line, expected);
	assert_int_equal(n, strlen(expected));
}

static void json_lines_have_exactly_three_members(void **state)
{
	(void)state;
	check_line(
		VR_LOG_JSON, VR_LOG_ERROR, "it broke",
		"{\"level\":\"error\",\"msg\":\"it broke\",\"time\":\"2024-01-02T03:04:05Z\"}\n");
	check_line(VR_LOG_JSON, VR_LOG_WARN, "",
		   "{\"level\":\"warning\",\"msg\":\"\",\"time\":\"2024-01-02T03:04:05Z\"}\n");
}

static void json_escapes_what_it_must(void **state)
{
	(void)state;
	check_line(VR_LOG_JSON, VR_LOG_ERROR, "a\"b\\c\nd\te\x01\x7f\xc2\x9b",
		   "{\"level\":\"error\",\"msg\":\"a\\\"b\\\\c\\nd\\te\\u0001\\u007f\\u009b\","
		   "\"time\":\"2024-01-02T03:04:05Z\"}\n");
	check_line(VR_LOG_JSON, VR_LOG_ERROR, "\xff\xc3\xa4\xed\xa0\x80\xe2\x82",
		   "{\"level\":\"error\",\"msg\":\"\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd"
		   "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",\"time\":\"2024-01-02T03:04:05Z\"}\n");
}

static void text_lines_look_like_logrus(void **state)
{
	(void)state;
	check_line(VR_LOG_TEXT, VR_LOG_ERROR, "say \"x\"\n",
		   "time=\"2024-01-02T03:04:05Z\" level=error msg=\"say \\\"x\\\"\\n\"\n");
	check_line(VR_LOG_TEXT, VR_LOG_DEBUG, "\x1b[0m \xc2\x9b\x30m \xc2",
		   "time=\"2024-01-02T03:04:05Z\" level=debug msg=\"\\x1b[0m \\x9b0m "
		   "\xef\xbf\xbd\"\n");
}

static void lines_that_do_not_fit_are_cut_but_complete(void **state)
{
	struct timespec ts = {0};
	char big[4000];
	char line[256];

	(void)state;
	memset(big, '"', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	(void)vr_log_format_line(line, sizeof(line), VR_LOG_JSON, VR_LOG_ERROR, &ts, big);
	assert_true(strlen(line) < sizeof(line));
	assert_string_equal(line + strlen(line) - 32, ",\"time\":\"1970-01-01T00:00:00Z\"}\n");
	(void)vr_log_format_line(line, sizeof(line), VR_LOG_TEXT, VR_LOG_ERROR, &ts, big);
	assert_string_equal(line + strlen(line) - 4, "\\\"\"\n");
}

static void quiet_levels_write_nothing(void **state)
{
	struct stat st;

	(void)state;
	open_log(VR_LOG_JSON, VR_LOG_ERROR);
	vr_warn("no");
	vr_info("no");
	vr_debug("no");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_false(vr_log_enabled(VR_LOG_WARN));
	assert_true(vr_log_enabled(VR_LOG_ERROR));
	vr_log_set_level(VR_LOG_DEBUG);
	assert_true(vr_log_enabled(VR_LOG_DEBUG));
}

static void role_and_errno(void **state)
{
	char *text;

	(void)state;
	open_log(VR_LOG_JSON, VR_LOG_ERROR);
	vr_log_set_role("vmm");
	errno = EXDEV;
	vr_error("x%d", 1);
	assert_int_equal(errno, EXDEV);
	vr_log_set_role(NULL);
	text = read_log();
	assert_non_null(strstr(text, "\"msg\":\"vmm: x1\""));
	free(text);
}

static void lines_are_appended(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	char *text;

	(void)state;
	open_log(VR_LOG_JSON, VR_LOG_ERROR);
	vr_error("one");
	assert_no_error(vr_log_init(path, VR_LOG_JSON, VR_LOG_ERROR, &err), err);
	vr_error("two");
	text = read_log();
	assert_non_null(strstr(text, "one"));
	assert_non_null(strstr(text, "two"));
	free(text);
}

static void long_messages_are_cut(void **state)
{
	char *big = malloc(3 * VR_LOG_MSG_MAX);
	char *text;

	(void)state;
	assert_non_null(big);
	memset(big, '\x01', 3 * VR_LOG_MSG_MAX - 1);
	big[3 * VR_LOG_MSG_MAX - 1] = '\0';
	open_log(VR_LOG_JSON, VR_LOG_ERROR);
	vr_error("%s", big);
	text = read_log();
	assert_true(strlen(text) > 6 * (VR_LOG_MSG_MAX - 1));
	assert_string_equal(text + strlen(text) - 3, "\"}\n");
	free(text);
	free(big);
}

static void a_log_that_can_not_be_opened_keeps_the_old_one(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	int fd;

	(void)state;
	open_log(VR_LOG_JSON, VR_LOG_ERROR);
	fd = vr_log_fd();
	assert_int_equal(vr_log_init("/nonexistent/log", VR_LOG_TEXT, VR_LOG_ERROR, &err), -ENOENT);
	assert_message(err, "open log '/nonexistent/log': No such file or directory");
	assert_int_equal(vr_log_fd(), fd);
	assert_int_equal(vr_log_init(path, VR_LOG_FORMAT_COUNT, VR_LOG_ERROR, &err), -EINVAL);
	assert_message(err, "log: unknown format or level");
}

static void descriptor_is_close_on_exec_and_replaceable(void **state)
{
	struct vr_err err = VR_ERR_INIT;
	int fd;

	(void)state;
	open_log(VR_LOG_JSON, VR_LOG_ERROR);
	fd = vr_log_fd();
	assert_true(fd > 2);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_false(vr_log_is_stderr());
	vr_log_set_fd(-1);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* was closed */
	vr_error("to nowhere");
	assert_int_equal(vr_log_fd(), -1);
	assert_no_error(vr_log_init(NULL, VR_LOG_TEXT, VR_LOG_ERROR, &err), err);
	assert_true(vr_log_is_stderr());
}

static void names_parse(void **state)
{
	enum vr_log_level level = VR_LOG_INFO;
	enum vr_log_format format = VR_LOG_JSON;

	(void)state;
	assert_int_equal(vr_log_level_parse("warn", &level), 0);
	assert_int_equal(level, VR_LOG_WARN);
	assert_int_equal(vr_log_level_parse("trace", &level), 0);
	assert_int_equal(level, VR_LOG_DEBUG);
	assert_int_equal(vr_log_level_parse("WARN", &level), -EINVAL);
	assert_int_equal(vr_log_level_parse("", &level), -EINVAL);
	assert_int_equal(level, VR_LOG_DEBUG);
	assert_int_equal(vr_log_format_parse("text", &format), 0);
	assert_int_equal(format, VR_LOG_TEXT);
	assert_int_equal(vr_log_format_parse("json", &format), 0);
	assert_int_equal(vr_log_format_parse("xml", &format), -EINVAL);
}

static void dates_are_right(void **state)
{
	static const struct {
		time_t secs;
		const char *text;
	} dates[] = {
		{0, "1970-01-01T00:00:00Z"},	      {951782399, "2000-02-28T23:59:59Z"},
		{951782400, "2000-02-29T00:00:00Z"},  {951868800, "2000-03-01T00:00:00Z"},
		{4107542399, "2100-02-28T23:59:59Z"}, {4107542400, "2100-03-01T00:00:00Z"},
		{1735689599, "2024-12-31T23:59:59Z"}, {1735689600, "2025-01-01T00:00:00Z"},
		{-5, "1970-01-01T00:00:00Z"},
	};
	struct timespec ts = {.tv_sec = 1, .tv_nsec = 42};
	char buf[VR_RFC3339_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		struct timespec when = {.tv_sec = dates[i].secs};

		assert_string_equal(vr_time_rfc3339(buf, &when, false), dates[i].text);
	}
	assert_string_equal(vr_time_rfc3339(buf, &ts, true), "1970-01-01T00:00:01.000000042Z");
}

static void dates_agree_with_libc(void **state)
{
	char buf[VR_RFC3339_MAX];
	char expected[VR_RFC3339_MAX];

	(void)state;
	for (time_t t = 0; t < 8000000000; t += 86400 * 7 + 3601) {
		struct timespec ts = {.tv_sec = t};
		struct tm tm;

		assert_non_null(gmtime_r(&t, &tm));
		(void)strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", &tm);
		assert_string_equal(vr_time_rfc3339(buf, &ts, false), expected);
	}
}

static void rate_limit_counts_what_it_suppresses(void **state)
{
	struct vr_ratelimit rl = VR_RATELIMIT_INIT(2, 1000);
	uint32_t lost = 99;

	(void)state;
	assert_true(vr_ratelimit_at(&rl, 5000, &lost));
	assert_int_equal(lost, 0);
	assert_true(vr_ratelimit_at(&rl, 5001, NULL));
	assert_false(vr_ratelimit_at(&rl, 5002, &lost));
	assert_false(vr_ratelimit_at(&rl, 5999, &lost));
	assert_true(vr_ratelimit_at(&rl, 6000, &lost));
	assert_int_equal(lost, 2);
	assert_true(vr_ratelimit_at(&rl, 6000, &lost));
	assert_int_equal(lost, 0);
	assert_false(vr_ratelimit_at(&rl, 6001, NULL));
	assert_true(vr_ratelimit_at(&(struct vr_ratelimit)VR_RATELIMIT_INIT(1, 10), 0, NULL));
}

static void utf8_is_strict(void **state)
{
	(void)state;
	assert_true(vr_utf8_valid("", 0));
	assert_true(vr_utf8_valid("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10));
	assert_true(vr_utf8_valid("\xf4\x8f\xbf\xbf", 4));
	assert_false(vr_utf8_valid("\x80", 1));
	assert_false(vr_utf8_valid("\xc0\x80", 2));	    /* overlong */
	assert_false(vr_utf8_valid("\xc1\xbf", 2));	    /* overlong */
	assert_false(vr_utf8_valid("\xe0\x9f\xbf", 3));	    /* overlong */
	assert_false(vr_utf8_valid("\xf0\x8f\xbf\xbf", 4)); /* overlong */
	assert_false(vr_utf8_valid("\xed\xa0\x80", 3));	    /* surrogate */
	assert_false(vr_utf8_valid("\xed\xbf\xbf", 3));	    /* surrogate */
	assert_false(vr_utf8_valid("\xf4\x90\x80\x80", 4)); /* above U+10FFFF */
	assert_false(vr_utf8_valid("\xf5\x80\x80\x80", 4));
	assert_false(vr_utf8_valid("\xc3", 1)); /* cut */
	assert_false(vr_utf8_valid("\xc3\x28", 2));
}

static void messages_for_terminals_are_one_harmless_line(void **state)
{
	char buf[64];

	(void)state;
	assert_int_equal(vr_log_visible(buf, sizeof(buf), "a \"b\" 'c' \\ \xc3\xa4"), 14);
	assert_string_equal(buf, "a \"b\" 'c' \\ \xc3\xa4");
	(void)vr_log_visible(buf, sizeof(buf), "x\n\r\t\033[2J\177");
	assert_string_equal(buf, "x\\n\\r\\t\\x1b[2J\\x7f");
	(void)vr_log_visible(buf, sizeof(buf),
			     "\xc2\x9b"
			     "2J\xc2\xa9\xff");
	assert_string_equal(buf, "\\x9b2J\xc2\xa9\xef\xbf\xbd");
	/* cut between characters, and never beyond the end */
	memset(buf, '#', sizeof(buf));
	assert_int_equal(vr_log_visible(buf, 6, "abc\033d"), 3);
	assert_string_equal(buf, "abc");
	assert_int_equal(buf[6], '#');
	assert_int_equal(vr_log_visible(buf, 1, "abc"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_lines_have_exactly_three_members),
		cmocka_unit_test(json_escapes_what_it_must),
		cmocka_unit_test(text_lines_look_like_logrus),
		cmocka_unit_test(lines_that_do_not_fit_are_cut_but_complete),
		cmocka_unit_test(quiet_levels_write_nothing),
		cmocka_unit_test(role_and_errno),
		cmocka_unit_test(lines_are_appended),
		cmocka_unit_test(long_messages_are_cut),
		cmocka_unit_test(a_log_that_can_not_be_opened_keeps_the_old_one),
		cmocka_unit_test(descriptor_is_close_on_exec_and_replaceable),
		cmocka_unit_test(names_parse),
		cmocka_unit_test(dates_are_right),
		cmocka_unit_test(dates_agree_with_libc),
		cmocka_unit_test(rate_limit_counts_what_it_suppresses),
		cmocka_unit_test(utf8_is_strict),
		cmocka_unit_test(messages_for_terminals_are_one_harmless_line),
	};

	return cmocka_run_group_tests_name("log", tests, setup, teardown);
}
