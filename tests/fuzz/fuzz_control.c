/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_control.c - messages on the control socket
 *
 * What the vmm accepts has exactly one encoding; borrowed data lies inside the message;
 * a request that is not known is permitted in no state.
 */
#include "fuzz.h"

#include <errno.h>

#include "control.h"

static unsigned n_accepted[CTL_TYPE_COUNT], n_refused;

static void permitted_somewhere(enum ctl_type type)
{
	bool any = false;

	for (int s = 0; s < CTL_STATE_COUNT; s++) {
		any |= ctl_permitted(type, (enum ctl_state)s);
	}
	fuzz_must(any, "a request that is parsed can be made at some time");
	fuzz_must(!ctl_permitted(type, CTL_BOOTING) || type == CTL_STATE,
		  "nothing but the question for the state is permitted before the boot");
	fuzz_must(!ctl_permitted(type, CTL_STATE_COUNT), "no such state");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t again[CTL_MSG_MAX];
	struct ctl_request req = {0};
	size_t n;

	if (ctl_parse(data, size, &req) < 0) {
		fuzz_must(req.type == 0, "a refused message leaves nothing behind");
		n_refused++;
		fuzz_outcome("refused");
		return 0;
	}
	n_accepted[req.type]++;
	fuzz_outcome("accepted %d", (int)req.type);
	fuzz_must(req.signo <= 64, "signal number");
	fuzz_must(req.body_len == 0 || ((const uint8_t *)req.body >= data &&
					(const uint8_t *)req.body + req.body_len <= data + size),
		  "borrowed data lies inside the message");
	permitted_somewhere(req.type);
	n = ctl_request_encode(again, sizeof(again), &req);
	fuzz_must(n == size && memcmp(again, data, n) == 0, "one encoding");
	return 0;
}

#ifndef VOLT_LIBFUZZER
static bool smoke(void)
{
	uint8_t msg[64];
	bool all = n_refused > 0;

	for (int i = 0; i < 20000; i++) {
		struct ctl_request req = {
			.type = (enum ctl_type)(1 + fuzz_random() % (CTL_TYPE_COUNT - 1)),
			.signo = fuzz_random() % 65,
			.all = fuzz_random() % 2 == 0,
			.body = "body",
			.body_len = 4,
		};
		size_t n = ctl_request_encode(msg, sizeof(msg), &req);

		if (fuzz_random() % 2) {
			msg[fuzz_random() % n] ^= (uint8_t)(1u << fuzz_random() % 8);
			n -= fuzz_random() % 2 * (fuzz_random() % n);
		}
		(void)LLVMFuzzerTestOneInput(msg, n);
	}
	for (int t = 1; t < CTL_TYPE_COUNT; t++) {
		all &= n_accepted[t] > 100;
	}
	return all;
}

static const struct fuzz_known known[] = {
	FUZZ_KNOWN("start", "accepted 1"),	FUZZ_KNOWN("signal", "accepted 2"),
	FUZZ_KNOWN("exec", "accepted 3"),	FUZZ_KNOWN("update", "accepted 8"),
	FUZZ_KNOWN("bad-signal-65", "refused"), FUZZ_KNOWN("bad-version", "refused"),
	FUZZ_KNOWN("bad-type", "refused"),	FUZZ_KNOWN("bad-trailing-bytes", "refused"),
	FUZZ_KNOWN("bad-flag", "refused"),	FUZZ_KNOWN("bad-too-short", "refused"),
};
#endif

FUZZ_MAIN("control", known, smoke)
