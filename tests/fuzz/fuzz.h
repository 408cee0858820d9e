/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h - what the fuzz targets share
 *
 * A target includes this once, defines LLVMFuzzerTestOneInput(), and below it, with
 * FUZZ_MAIN(), names its corpus, its known inputs, and its smoke test:
 *
 *   - with -DVOLT_LIBFUZZER libFuzzer brings main();
 *   - otherwise main() replays the files it is given, or without any, as a test that prints TAP,
 *     each file of tests/fuzz/corpus/<name>/; each known input must come to its outcome, and the
 *     smoke test must find that every way was taken. A fuzzer whose inputs are all refused at
 *     the door tests nothing.
 *
 * A target tells the outcome of an input with fuzz_outcome().
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <dirent.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUZZ_INPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/**
 * struct fuzz_known - a file of the corpus and what must come of it
 * @outcome:  all of it, or behind an asterisk how it ends
 * @repaired: the outcome when byte @at is @byte instead, and the length @len (0: as it is; what is
 *            added is zeros). So it is that byte, and nothing else, for which the file is refused.
 *            NULL where no single byte is to blame
 */
struct fuzz_known {
	const char *file;
	const char *outcome;
	const char *repaired;
	size_t at;
	uint8_t byte;
	size_t len;
};

#define FUZZ_KNOWN(name, what)                                                                     \
	{                                                                                          \
		.file = (name), .outcome = (what)                                                  \
	}
#define FUZZ_REPAIRED(name, what, then, offset, value)                                             \
	{                                                                                          \
		.file = (name), .outcome = (what), .repaired = (then), .at = (offset),             \
		.byte = (value)                                                                    \
	}
#define FUZZ_RESIZED(name, what, then, offset, value, size)                                        \
	{                                                                                          \
		.file = (name), .outcome = (what), .repaired = (then), .at = (offset),             \
		.byte = (value), .len = (size)                                                     \
	}

static char fuzz_last[1280]; /* a struct vr_err's sentence, and some */

/** fuzz_outcome() - what came of the present input; the last one said counts */
__attribute__((format(printf, 1, 2), unused)) static void fuzz_outcome(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(fuzz_last, sizeof(fuzz_last), fmt, ap); /* a cut outcome is fine */
	va_end(ap);
}

/** fuzz_must() - a property that no input may break */
__attribute__((unused)) static void fuzz_must(bool ok, const char *what)
{
	if (!ok) {
		(void)fprintf(stderr, "broken property: %s\n", what);
		abort();
	}
}

/** struct fuzz_in - an input read as a program; zeros when it is used up */
struct fuzz_in {
	const uint8_t *data;
	size_t len;
};

__attribute__((unused)) static uint8_t fuzz_u8(struct fuzz_in *in)
{
	if (in->len == 0) {
		return 0;
	}
	in->len--;
	return *in->data++;
}

__attribute__((unused)) static uint64_t fuzz_uint(struct fuzz_in *in, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++) {
		v |= (uint64_t)fuzz_u8(in) << 8 * i;
	}
	return v;
}

/** fuzz_bytes() - up to @max bytes of the input. Return: how many */
__attribute__((unused)) static size_t fuzz_bytes(struct fuzz_in *in, void *buf, size_t max)
{
	size_t n = in->len < max ? in->len : max;

	if (n > 0) {
		memcpy(buf, in->data, n);
	}
	in->data += n;
	in->len -= n;
	return n;
}

/** fuzz_random() - a fixed sequence, the same in every run */
__attribute__((unused)) static uint32_t fuzz_random(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32);
}

#ifdef VOLT_LIBFUZZER
#define FUZZ_MAIN(name, known, smoke)
#else

static char fuzz_top[512] = "."; /* inputs may change the directory */

/* Return: bytes of the file, or -1. What @data holds behind them is zeros. */
static long fuzz_load(const char *path, uint8_t data[FUZZ_INPUT_MAX])
{
	char full[1536];
	size_t n;
	FILE *f;

	(void)snprintf(full, sizeof(full), "%s/%s", path[0] == '/' ? "" : fuzz_top, path);
	f = fopen(full, "rb");
	if (!f) {
		perror(path);
		return -1;
	}
	memset(data, 0, FUZZ_INPUT_MAX);
	n = fread(data, 1, FUZZ_INPUT_MAX, f);
	(void)fclose(f); /* was only read */
	return (long)n;
}

static bool fuzz_run(const uint8_t *data, size_t n)
{
	uint8_t *exact = malloc(n > 0 ? n : 1); /* so that a sanitizer sees a read beyond it */

	if (!exact) {
		return false;
	}
	memcpy(exact, data, n);
	fuzz_last[0] = '\0';
	(void)LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return true;
}

static bool fuzz_replay(const char *path)
{
	static uint8_t data[FUZZ_INPUT_MAX];
	long n = fuzz_load(path, data);

	return n >= 0 && fuzz_run(data, (size_t)n);
}

static bool fuzz_corpus(const char *name)
{
	char path[1024];
	struct dirent *e;
	unsigned n = 0;
	bool ok = true;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", fuzz_top, name);
	d = opendir(path);
	while (d && (e = readdir(d)) != NULL) {
		if (e->d_name[0] != '.') {
			(void)snprintf(path, sizeof(path), "tests/fuzz/corpus/%s/%.200s", name,
				       e->d_name);
			ok &= fuzz_replay(path);
			n++;
		}
	}
	if (d) {
		(void)closedir(d);
	}
	printf("# %s: %u inputs replayed\n", name, n);
	return ok && n > 0;
}

/* Was it @want? */
static bool fuzz_came_to(const char *path, const char *want)
{
	const char *last = fuzz_last;

	if (want[0] == '*') {
		want++;
		last += strlen(last) > strlen(want) ? strlen(last) - strlen(want) : 0;
	}
	if (strcmp(last, want) != 0) {
		printf("# %s: '%s' instead of '%s'\n", path, fuzz_last, want);
		return false;
	}
	return true;
}

static bool fuzz_known_input(const char *name, const struct fuzz_known *k)
{
	static uint8_t data[FUZZ_INPUT_MAX];
	char path[1024];
	long n;

	(void)snprintf(path, sizeof(path), "tests/fuzz/corpus/%s/%s", name, k->file);
	n = fuzz_load(path, data);
	if (n < 0 || !fuzz_run(data, (size_t)n) || !fuzz_came_to(path, k->outcome)) {
		return false;
	}
	if (!k->repaired) {
		return true;
	}
	data[k->at] = k->byte;
	(void)snprintf(path, sizeof(path), "%s, repaired", k->file);
	return fuzz_run(data, k->len ? k->len : (size_t)n) && fuzz_came_to(path, k->repaired);
}

static bool fuzz_known_inputs(const char *name, const struct fuzz_known *known, size_t n)
{
	bool ok = true;

	for (size_t i = 0; i < n; i++) {
		ok &= fuzz_known_input(name, &known[i]);
	}
	return ok;
}

static int fuzz_main(const char *name, const struct fuzz_known *known, size_t n,
		     bool (*smoke)(void), int argc, char **argv)
{
	bool results[3];
	int failed = 0;

	if (!getcwd(fuzz_top, sizeof(fuzz_top))) {
		return 1;
	}
	if (argc > 1) {
		for (int i = 1; i < argc; i++) {
			failed |= !fuzz_replay(argv[i]);
			printf("%s: %s\n", argv[i], fuzz_last);
		}
		return failed;
	}
	printf("1..3\n");
	results[0] = fuzz_corpus(name);
	results[1] = n > 0 && fuzz_known_inputs(name, known, n);
	results[2] = smoke();
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = {"corpus", "known inputs", "all ways taken"};

		printf("%s %d - %s: %s\n", results[i] ? "ok" : "not ok", i + 1, name, names[i]);
		failed |= !results[i];
	}
	return failed;
}

#define FUZZ_MAIN(name, known, smoke)                                                              \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		return fuzz_main((name), (known), sizeof(known) / sizeof((known)[0]), (smoke),     \
				 argc, argv);                                                      \
	}
#endif /* VOLT_LIBFUZZER */

#endif /* TESTS_FUZZ_H */
