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

/** struct fuzz_known - a file of the corpus and (the beginning of) what must come of it */
struct fuzz_known {
	const char *file;
	const char *outcome;
};

static char fuzz_last[256];

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

static bool fuzz_replay(const char *path)
{
	static uint8_t data[FUZZ_INPUT_MAX];
	char full[1536];
	uint8_t *exact;
	size_t n;
	FILE *f;

	(void)snprintf(full, sizeof(full), "%s/%s", path[0] == '/' ? "" : fuzz_top, path);
	f = fopen(full, "rb");
	if (!f) {
		perror(path);
		return false;
	}
	n = fread(data, 1, sizeof(data), f);
	(void)fclose(f);	       /* was only read */
	exact = malloc(n > 0 ? n : 1); /* so that a sanitizer sees a read beyond it */
	if (!exact) {
		return false;
	}
	memcpy(exact, data, n);
	fuzz_last[0] = '\0';
	(void)LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return true;
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

static bool fuzz_known_inputs(const char *name, const struct fuzz_known *known, size_t n)
{
	char path[1024];
	bool ok = true;

	for (size_t i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "tests/fuzz/corpus/%s/%s", name, known[i].file);
		if (!fuzz_replay(path) ||
		    strncmp(fuzz_last, known[i].outcome, strlen(known[i].outcome)) != 0) {
			printf("# %s: '%s' instead of '%s'\n", path, fuzz_last, known[i].outcome);
			ok = false;
		}
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
