/* SPDX-License-Identifier: Apache-2.0 */
/* ps.c - the container's processes, from the agent's /proc */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "sys.h"

/* Bytes handed out one after the other from the caller's buffer. */
struct arena {
	char *at;
	size_t left;
};

static const char *arena_add(struct arena *ar, const char *s)
{
	size_t len = strlen(s) + 1;
	char *copy = ar->at;

	if (len > ar->left) {
		return "";
	}
	memcpy(copy, s, len);
	ar->at += len;
	ar->left -= len;
	return copy;
}

/* Is @pid in the container? By its cgroup, which no process of it can leave. */
static bool in_container(int dir)
{
	char text[512];

	return sys_read_file(dir, "cgroup", text, sizeof(text)) >= 0 && cgroup_is_ours(text);
}

/* The number after @key in /proc/PID/status; the last one of the line when @last. */
static uint32_t status_number(const char *text, const char *key, bool last)
{
	const char *p = strstr(text, key);
	uint32_t v = 0;
	char *end;

	if (!p) {
		return 0;
	}
	for (p += strlen(key);; p = end) {
		unsigned long n = strtoul(p, &end, 10);

		if (end == p) {
			return v;
		}
		v = (uint32_t)n;
		if (!last || *end == '\n') {
			return v;
		}
	}
}

/* Field 22 of stat, clock ticks since boot; fields count from after the command's last ')'. */
static uint64_t start_ns(int dir)
{
	char text[1024];
	char *p;

	if (sys_read_file(dir, "stat", text, sizeof(text)) < 0 || !(p = strrchr(text, ')'))) {
		return 0;
	}
	for (int i = 0; i < 20 && p; i++) {
		p = strchr(p + 1, ' ');
	}
	return p ? strtoull(p, NULL, 10) * (1000000000u / 100u) : 0;
}

static const char *read_comm(int dir, struct arena *ar)
{
	char text[64];

	if (sys_read_file(dir, "comm", text, sizeof(text)) < 0) {
		return "";
	}
	text[strcspn(text, "\n")] = '\0';
	return arena_add(ar, text);
}

static const char *read_cmdline(int dir, struct arena *ar)
{
	char text[1024];
	int n = sys_read_file(dir, "cmdline", text, sizeof(text));

	if (n <= 0) {
		return "";
	}
	for (int i = 0; i < n - 1; i++) {
		text[i] = text[i] ? text[i] : ' ';
	}
	return arena_add(ar, text);
}

static bool read_entry(int dir, struct ap_ps_entry *e, struct arena *ar)
{
	char text[2048];

	if (!in_container(dir) || sys_read_file(dir, "status", text, sizeof(text)) < 0) {
		return false;
	}
	e->pid = status_number(text, "\nNSpid:", true);
	e->ppid = status_number(text, "\nPPid:", false);
	e->uid = status_number(text, "\nUid:", false);
	e->start_ns = start_ns(dir);
	e->comm = read_comm(dir, ar);
	e->cmdline = read_cmdline(dir, ar);
	return true;
}

size_t ps_list(const struct agent *a, struct ap_ps_entry *out, size_t cap, char *text,
	       size_t text_cap)
{
	struct arena ar = {.at = text, .left = text_cap};
	DIR *proc = opendir("/proc");
	struct dirent *e;
	size_t n = 0;

	(void)a;
	while (proc && n < cap && (e = readdir(proc))) {
		int dir;

		if (e->d_name[0] < '1' || e->d_name[0] > '9') {
			continue;
		}
		dir = openat(dirfd(proc), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0) {
			n += read_entry(dir, &out[n], &ar);
			close(dir);
		}
	}
	if (proc) {
		closedir(proc);
	}
	return n;
}
