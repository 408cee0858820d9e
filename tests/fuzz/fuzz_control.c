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

static uint32_t word(const uint8_t *data, size_t i)
{
	uint32_t v;

	memcpy(&v, data + 4 * i, sizeof(v));
	return v; /* little-endian, like the only machine this runs on */
}

/* docs/PROTOCOL-control.md in other words. Return: what is wrong with a message, or NULL */
static const char *fault_of(const uint8_t *data, size_t size)
{
	uint32_t type = size >= 8 ? word(data, 1) : 0;
	size_t want = type == CTL_SIGNAL || type == CTL_EXEC || type == CTL_JOIN ? 16 : 8;

	if (size < 8) {
		return "too short for a header";
	}
	if (word(data, 0) != 1) {
		return "version";
	}
	if (type == 0 || type >= CTL_TYPE_COUNT) {
		return "type";
	}
	if (type == CTL_START || type == CTL_UPDATE) {
		return size - 8 > CTL_BODY_MAX ? "body too long" : NULL;
	}
	if (size != want) {
		return size < want ? "too short for its type" : "trailing bytes";
	}
	if (type == CTL_SIGNAL && word(data, 2) > 64) {
		return "signal";
	}
	if ((type == CTL_SIGNAL || type == CTL_EXEC) && word(data, 3) > 1) {
		return "neither yes nor no";
	}
	return type == CTL_JOIN && word(data, 2) > 7 ? "flags of a join" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t again[CTL_MSG_MAX];
	const char *fault = fault_of(data, size);
	struct ctl_request req = {0};
	size_t n;

	if (ctl_parse(data, size, &req) < 0) {
		fuzz_must(req.type == 0, "a refused message leaves nothing behind");
		n_refused++;
		fuzz_must(fault != NULL, "only what is wrong is refused");
		fuzz_outcome("refused: %s", fault);
		return 0;
	}
	fuzz_must(!fault, "nothing that is wrong is accepted");
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
	FUZZ_KNOWN("start", "accepted 1"),
	FUZZ_KNOWN("signal", "accepted 2"),
	FUZZ_KNOWN("exec", "accepted 3"),
	FUZZ_KNOWN("update", "accepted 8"),
	FUZZ_KNOWN("join", "accepted 11"),
	FUZZ_REPAIRED("bad-signal-65", "refused: signal", "accepted 2", 8, 64),
	FUZZ_REPAIRED("bad-version", "refused: version", "accepted 2", 0, CTL_VERSION),
	FUZZ_REPAIRED("bad-type", "refused: type", "accepted 1", 4, CTL_START),
	FUZZ_REPAIRED("bad-flag", "refused: neither yes nor no", "accepted 2", 12, 1),
	FUZZ_REPAIRED("bad-terminal", "refused: neither yes nor no", "accepted 3", 15, 0),
	FUZZ_REPAIRED("bad-join-flags", "refused: flags of a join", "accepted 11", 8, 7),
	FUZZ_RESIZED("bad-trailing-bytes", "refused: trailing bytes", "accepted 4", 4, CTL_PAUSE,
		     8),
	FUZZ_RESIZED("bad-too-short", "refused: too short for a header", "accepted 1", 4, CTL_START,
		     8),
	FUZZ_RESIZED("bad-half-signal", "refused: too short for its type", "accepted 2", 4,
		     CTL_SIGNAL, 16),
};
#endif

FUZZ_MAIN("control", known, smoke)
