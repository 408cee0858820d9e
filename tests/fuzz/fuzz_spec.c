/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_spec.c - JSON parser, configuration, process and resources files, settings
 *
 * The smoke test runs a fixed number of mutations of the full configuration, each
 * broken in few places, so that most of them get past the first check.
 */
#include "fuzz.h"

#include "oci/annotations.h"
#include "oci/json.h"
#include "oci/spec.h"
#include "oci/spec_check.h"
#include "tests/c/full_config.h"

/* How often each outcome was seen. */
static unsigned long n_loaded;
static unsigned long n_checked; /* refused behind the JSON parser */
static unsigned long n_broken;	/* refused by it */

/* A failure must say so in words and must not have made anything; success must be silent. */
static int judge(int r, const struct vr_err *err, const void *made)
{
	if (r < 0 && (err->code != -r || err->msg[0] == '\0' || made)) {
		abort();
	}
	if (r == 0 && (err->code != 0 || !made)) {
		abort();
	}
	return r == 0;
}

/* What was read, written and read again is the same text. */
static void round_trip(const struct json *root)
{
	struct json_gen *g = json_gen_create(false);
	struct json_gen *again = json_gen_create(false);
	struct json_doc *doc = NULL;
	const char *text;
	const char *text_again;
	size_t len;

	json_gen_tree(g, root);
	text = json_gen_finish(g, &len);
	if (text) {
		if (json_parse("again", text, len, &doc, NULL) < 0) {
			abort();
		}
		json_gen_tree(again, json_doc_root(doc));
		text_again = json_gen_finish(again, NULL);
		if (!text_again || strcmp(text, text_again) != 0) {
			abort();
		}
		json_doc_free(doc);
	}
	json_gen_destroy(g);
	json_gen_destroy(again);
}

static void use_spec(const struct oci_spec *s)
{
	struct oci_settings settings;
	uint64_t bits[4];
	char path[128];

	if (!s->linux_ || !s->root || !s->root->path || (s->process && s->process->args.n == 0)) {
		abort();
	}
	(void)!oci_settings_parse(s->name, &s->annotations, &settings, NULL);
	for (size_t i = 0; i < s->linux_->sysctl.n; i++) {
		if (oci_sysctl_path(s->linux_->sysctl.v[i].key, path, sizeof(path)) == 0 &&
		    (path[0] == '/' || strstr(path, "../"))) {
			abort();
		}
	}
	if (s->linux_->resources && s->linux_->resources->cpu) {
		(void)!oci_cpulist_parse(s->linux_->resources->cpu->cpus, bits, 4);
	}
	OCI_FOREACH(m, &s->mounts)
	{
		if (m->destination[0] != '/') {
			abort();
		}
	}
}

static void as_spec(const char *text, size_t size)
{
	struct vr_err err = VR_ERR_INIT;
	struct oci_spec *spec = NULL;

	int r = oci_spec_parse("config.json", text, size, &spec, &err);

	if (judge(r, &err, spec)) {
		use_spec(spec);
		oci_spec_free(spec);
		fuzz_outcome("loaded");
		n_loaded++;
	} else {
		fuzz_outcome("%s", err.msg);
		n_checked++;
	}
}

static void as_parts(const char *text, size_t size)
{
	struct vr_err err = VR_ERR_INIT;
	struct oci_process_file *process = NULL;
	struct oci_resources_file *resources = NULL;

	int r = oci_process_parse("p", text, size, &process, &err);

	if (judge(r, &err, process)) {
		oci_process_file_free(process);
	}
	err = (struct vr_err)VR_ERR_INIT;
	r = oci_resources_parse("r", text, size, &resources, &err);
	if (judge(r, &err, resources)) {
		oci_resources_file_free(resources);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vr_err err = VR_ERR_INIT;
	struct json_doc *doc = NULL;
	const char *text = (const char *)data;

	int r = json_parse("t", text, size, &doc, &err);

	if (!judge(r, &err, doc)) {
		fuzz_outcome("%s", err.msg);
		n_broken++;
		return 0;
	}
	round_trip(json_doc_root(doc));
	json_doc_free(doc);
	as_spec(text, size);
	as_parts(text, size);
	return 0;
}

#ifndef VOLT_LIBFUZZER

#define SMOKE_ROUNDS 4000

/* Tokens that are JSON in most places, so that the damage is in the meaning. */
static const char *const tokens[] = {"null", "0",  "-1", "\"\"", "{}", "[]", "true", "\"a\"",
				     "1e9",  "..", "/",	 "\"",	 "}",  "]",  ",",    "\\u0000"};

static size_t mutate(char *text, size_t len, size_t cap)
{
	for (uint32_t n = fuzz_random() % 3; n > 0; n--) {
		const char *token = tokens[fuzz_random() % (sizeof(tokens) / sizeof(tokens[0]))];
		size_t add = strlen(token);
		size_t at = fuzz_random() % len;
		size_t end = at;

		/* Prefer whole values: from behind a colon to the next separator. */
		while (at > 0 && text[at - 1] != ':') {
			at--;
		}
		end = at + strcspn(text + at, ",}]");
		if (end > len || len - (end - at) + add >= cap) {
			continue;
		}
		memmove(text + at + add, text + end, len - end);
		memcpy(text + at, token, add);
		len = len - (end - at) + add;
		text[len] = '\0';
	}
	return len;
}

static bool smoke(void)
{
	static char text[3 * sizeof(full_config)];

	for (int round = 0; round < SMOKE_ROUNDS; round++) {
		size_t len = sizeof(full_config) - 1;

		for (size_t i = 0; i <= len; i++) {
			text[i] = full_config[i] == '\'' ? '"' : full_config[i];
		}
		len = mutate(text, len, sizeof(text));
		(void)LLVMFuzzerTestOneInput((const uint8_t *)text, len);
	}
	/* Each way must be taken often, else this run proves nothing. */
	return n_loaded >= SMOKE_ROUNDS / 10 && n_checked >= SMOKE_ROUNDS / 10 &&
	       n_broken >= SMOKE_ROUNDS / 10;
}

static const struct fuzz_known known[] = {
	FUZZ_KNOWN("full", "loaded"),
	FUZZ_KNOWN("minimal", "loaded"),
	FUZZ_KNOWN("bad-duplicate", "t: ociVersion: duplicate key"),
	FUZZ_KNOWN("deep", "config.json: must be an object, not an array"),
	FUZZ_KNOWN("bad-deep", "*: nested deeper than 128 levels"),
	FUZZ_KNOWN("bad-path-type",
		   "config.json: mounts[0].options: must be an array, not a string"),
	FUZZ_KNOWN("bad-notify",
		   "config.json: linux.seccomp.defaultAction: SCMP_ACT_NOTIFY is not supported: a "
		   "listener on the host can't answer for system calls in the guest"),
};
#endif /* !VOLT_LIBFUZZER */

FUZZ_MAIN("spec", known, smoke)
