/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_process.c - the file of `exec --process`, all the way to the agent
 *
 * What is accepted can be compiled for the guest and encoded, or is refused in words;
 * and the agent's decoder takes what the encoder made.
 */
#include "fuzz.h"

#include <errno.h>

#include "base/agent_proto.h"
#include "guest_plan.h"
#include "oci/spec.h"

static unsigned n_sent, n_refused, n_too_much;

/* Return: was it sent? */
static bool send_to_agent(const struct oci_process *process)
{
	static uint8_t frame[AP_HEADER_LEN + AP_FRAME_MAX];
	static struct ap_exec exec, got;
	struct vr_err err = VR_ERR_INIT;
	long n;

	memset(&exec, 0, sizeof(exec));
	exec.proc = 1;
	if (guest_plan_process(process, &exec.process, &err) < 0) {
		fuzz_must(err.code != 0 && err.msg[0] != '\0', "a refusal says why");
		fuzz_outcome("refused: %s", err.msg);
		return false;
	}
	n = ap_encode_exec(&exec, 1, frame, sizeof(frame));
	if (n < 0) {
		fuzz_outcome("not encoded: %ld", n);
		return false;
	}
	fuzz_must(ap_decode_exec(frame + AP_HEADER_LEN, (size_t)n - AP_HEADER_LEN, &got) == 0,
		  "the agent takes what we send");
	fuzz_must(got.process.uid == process->user.uid, "uid");
	fuzz_must(got.process.args.count == process->args.n, "arguments");
	fuzz_must(strcmp(got.process.cwd, process->cwd) == 0, "working directory");
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vr_err err = VR_ERR_INIT;
	struct oci_process_file *file = NULL;

	if (oci_process_parse("p", (const char *)data, size, &file, &err) < 0) {
		fuzz_must(err.msg[0] != '\0' && !file, "a refusal says why, and makes nothing");
		fuzz_outcome("%s", err.msg);
		n_refused++;
		return 0;
	}
	fuzz_must(err.code == 0, "success is silent");
	if (send_to_agent(file->process)) {
		fuzz_outcome("sent");
		n_sent++;
	} else {
		n_too_much++;
	}
	oci_process_file_free(file);
	return 0;
}

#ifndef VOLT_LIBFUZZER
static bool smoke(void)
{
	static const char good[] = "{\"args\":[\"a\",\"b\"],\"cwd\":\"/\",\"env\":[\"A=b\"],"
				   "\"user\":{\"uid\":1,\"gid\":2,\"additionalGids\":[3]},"
				   "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":2}]}";
	char text[sizeof(good)];

	for (int i = 0; i < 4000; i++) {
		memcpy(text, good, sizeof(good));
		for (uint32_t k = fuzz_random() % 3; k > 0; k--) {
			text[fuzz_random() % (sizeof(good) - 1)] = (char)(32 + fuzz_random() % 96);
		}
		(void)LLVMFuzzerTestOneInput((const uint8_t *)text, sizeof(good) - 1);
	}
	return n_sent > 400 && n_refused > 400 && n_too_much > 0;
}

static const struct fuzz_known known[] = {
	FUZZ_KNOWN("full", "sent"),
	FUZZ_KNOWN("bad-no-args", "p: args: must not be empty"),
	FUZZ_REPAIRED("bad-relative-cwd", "p: cwd: must be an absolute path", "sent", 24, '/'),
	FUZZ_KNOWN("bad-gids", "refused: config.json: process.user.additionalGids: 5000 entries, "
			       "at most 1024 are possible"),
	FUZZ_KNOWN("deep", "p: args[0]: must be a string, not an array"),
	FUZZ_KNOWN("bad-deep", "*: nested deeper than 128 levels"),
};
#endif

FUZZ_MAIN("process", known, smoke)
