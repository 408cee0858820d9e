/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cc.c - the compiler as kbuild sees it: gcc, with precompiled headers where they fit
 *
 * Two thirds of the time that building a small kernel takes go into reading the same
 * headers again for each file. gcc can keep what it has read (NAME.h.gch), but takes it
 * only if nothing but the header comes before, and every option and macro that the
 * header saw is the same. Kbuild begins each file with three headers of its own and
 * with macros that name the file. So this program stands in front of gcc and
 *
 *   - puts our header first, which begins with kbuild's three
 *   - defines the macros in a file that is included after it
 *
 * for files that are compiled as most are, and that don't define anything before their
 * first header. All others, and whatever else kbuild asks of a compiler, go to gcc unchanged.
 *
 * The directory of this program holds, made by build.sh:
 *
 *   flags          options of a usual file, one a line. As long as it is missing, the first
 *                  file that is compiled writes its own.
 *   common.h.gch, net.h.gch
 *   defs/          the files with the macros, one for each object
 *
 * Uses: libc. Used by: build.sh.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ARGS 1024
#define COMPILER "gcc"

/**
 * struct job - a command line taken apart
 * @flags:  what the headers may depend on, one a line
 * @rest:   what they don't: warnings, dependencies, output, source
 * @macros: -D options that name the file
 */
struct job {
	char flags[32768];
	size_t flags_len;
	char *rest[MAX_ARGS];
	int n_rest;
	const char *macros[16];
	int n_macros;
	const char *object;
	const char *source;
	bool compiles;
	bool kernel;
};

static char dir[PATH_MAX];

static bool starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static bool ends(const char *s, const char *with)
{
	size_t n = strlen(s);
	size_t m = strlen(with);

	return n > m && strcmp(s + n - m, with) == 0;
}

static bool add_flag(struct job *j, const char *arg)
{
	size_t left = sizeof(j->flags) - j->flags_len;
	int n = snprintf(j->flags + j->flags_len, left, "%s\n", arg);

	if (n < 0 || (size_t)n >= left) {
		return false;
	}
	j->flags_len += (size_t)n;
	return true;
}

/* Return: whether the command line is one that we understand. */
static bool take_apart(struct job *j, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *a = argv[i];

		if (strcmp(a, "-c") == 0) {
			j->compiles = true;
		} else if (strcmp(a, "-o") == 0 && i + 1 < argc) {
			j->object = argv[++i];
		} else if (starts(a, "-DKBUILD_") || starts(a, "-D__KBUILD_")) {
			if (j->n_macros == (int)(sizeof(j->macros) / sizeof(j->macros[0]))) {
				return false;
			}
			j->macros[j->n_macros++] = a + 2;
		} else if (a[0] != '-' && ends(a, ".c")) {
			j->source = a;
		} else if (starts(a, "-W")) {
			j->rest[j->n_rest++] = a;
		} else {
			j->kernel = j->kernel || strcmp(a, "-D__KERNEL__") == 0;
			if (!add_flag(j, a)) {
				return false;
			}
		}
	}
	return j->compiles && j->kernel && j->object && j->source && ends(j->object, ".o") &&
	       j->n_macros > 0;
}

/* A file below dir, whole and with a NUL. Return: NULL if it can't be read. */
static char *read_text(const char *path)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	char *text = NULL;
	size_t n;

	if (f && fstat(fileno(f), &st) == 0 && (text = malloc((size_t)st.st_size + 1))) {
		n = fread(text, 1, (size_t)st.st_size, f);
		text[n] = '\0';
	}
	if (f) {
		(void)fclose(f);
	}
	return text;
}

static bool write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");
	bool ok = f && fputs(text, f) >= 0;

	return f && fclose(f) == 0 && ok;
}

/* Files that clash with a header which they don't include themselves. */
static bool stands_apart(const char *source)
{
	static const char *const apart[] = {
		"lib/sort.c",	   /* its swap() isn't the macro of linux/minmax.h */
		"net/ipv4/ping.c", /* its rcv_saddr isn't the macro of net/inet_hashtables.h */
	};

	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++) {
		if (strcmp(source, apart[i]) == 0) {
			return true;
		}
	}
	return false;
}

/*
 * Does the file define something that its headers look at? A prefix of messages doesn't count:
 * headers only hand it on.
 */
static bool defines_first(const char *source)
{
	FILE *f = fopen(source, "re");
	char line[512];
	bool found = false;

	if (!f) {
		return true;
	}
	while (!found && fgets(line, sizeof(line), f)) {
		const char *p = line + strspn(line, " \t");

		if (*p != '#') {
			continue;
		}
		p += 1 + strspn(p + 1, " \t");
		if (starts(p, "include")) {
			break;
		}
		found = !starts(p, "define pr_fmt") && !starts(p, "define dev_fmt");
	}
	(void)fclose(f);
	return found;
}

/* The macros as a file of its own, named after the object. Return: its name within defs/ */
static char *write_macros(const struct job *j)
{
	char text[4096] = "";
	char *name = NULL;
	char *path = NULL;
	size_t len = 0;

	for (int i = 0; i < j->n_macros; i++) {
		int n = snprintf(text + len, sizeof(text) - len, "#define %s\n", j->macros[i]);
		char *eq = strchr(text + len, '=');

		if (n < 0 || (size_t)n >= sizeof(text) - len) {
			return NULL;
		}
		if (eq) {
			*eq = ' ';
		}
		len += (size_t)n;
	}
	if (asprintf(&name, "%s.h", j->object) < 0) {
		return NULL;
	}
	for (char *c = name; *c; c++) {
		if (*c == '/') {
			*c = '!';
		}
	}
	if (asprintf(&path, "%s/defs/%s", dir, name) < 0 || !write_text(path, text)) {
		return NULL;
	}
	return name;
}

static char *join(const char *a, const char *b)
{
	char *s = NULL;

	if (asprintf(&s, "%s/%s", a, b) < 0) {
		exit(1);
	}
	return s;
}

/* The new command line, or NULL if gcc is to have the old one. */
static char **compose(struct job *j)
{
	static char *args[2 * MAX_ARGS];
	const char *header = starts(j->source, "net/") ? "net.h" : "common.h";
	bool fits = !stands_apart(j->source) && !defines_first(j->source);
	char *macros = fits ? write_macros(j) : NULL;
	char *flag = j->flags;
	int n = 0;

	if (!macros) {
		return NULL;
	}
	args[n++] = COMPILER;
	args[n++] = "-include";
	args[n++] = join(dir, header);
	/* As a system header it is no dependency, which kbuild would look for. */
	args[n++] = "-isystem";
	args[n++] = join(dir, "defs");
	args[n++] = "-include";
	args[n++] = macros;
	while (*flag) {
		char *end = strchr(flag, '\n');

		*end = '\0';
		if (strcmp(flag, "-include") == 0) { /* ours begins with kbuild's */
			flag = end + 1;
			end = strchr(flag, '\n');
		} else {
			args[n++] = flag;
		}
		flag = end + 1;
	}
	for (int i = 0; i < j->n_rest; i++) {
		args[n++] = j->rest[i];
	}
	args[n++] = "-c";
	args[n++] = "-o";
	args[n++] = (char *)j->object;
	args[n++] = (char *)j->source;
	args[n] = NULL;
	return args;
}

int main(int argc, char **argv)
{
	static struct job j;
	ssize_t len = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	char **args = NULL;

	if (len > 0 && argc < MAX_ARGS && take_apart(&j, argc, argv)) {
		char *path, *usual;

		(void)dirname(dir); /* in place */
		path = join(dir, "flags");
		usual = read_text(path);
		if (!usual) {
			(void)write_text(path, j.flags); /* missed, build.sh will say so */
		} else if (strcmp(usual, j.flags) == 0) {
			args = compose(&j);
		}
	}
	if (!args) {
		argv[0] = COMPILER;
		args = argv;
	}
	(void)execvp(COMPILER, args);
	(void)fprintf(stderr, "cc: %s: %s\n", COMPILER, strerror(errno));
	return 1;
}
