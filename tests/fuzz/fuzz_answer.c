/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_answer.c - answers on the control socket, as the cli of the host's root reads them
 *
 * The vmm that answers may be its guest's. The first byte says how many descriptors travel with the
 * answer (two bits) and how many are wanted (two more); the rest is the message. A failure has a
 * code and words, and leaves nothing behind; no descriptor is lost; what a verb decodes from the
 * data has one encoding.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "control.h"

#define ERRNO_MAX 4095

static unsigned n_taken, n_machines, n_refused, n_unreadable;

/* The lowest free descriptor: the same again when none was lost. */
static int free_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	fuzz_must(fd >= 0, "open /dev/null");
	(void)close(fd); /* was only counted */
	return fd;
}

/* What the verbs do with the data. Return: was it a machine? */
static bool decode(const struct ctl_call *call)
{
	static struct ap_stats stats;
	uint8_t again[64];
	struct ctl_machine m;
	size_t n;

	if (ap_decode_stats(call->data, call->data_len, &stats) == 0) {
		n = 0; /* what it accepts: see fuzz_agent_proto.c */
	}
	if (ctl_machine_decode(call->data, call->data_len, &m) < 0) {
		return false;
	}
	n = ctl_machine_encode(again, sizeof(again), &m);
	fuzz_must(n == call->data_len && memcmp(again, call->data, n) == 0, "one encoding");
	return true;
}

static void taken(struct ctl_call *call, size_t n_sent, const struct vr_err *err)
{
	bool machine = decode(call);
	size_t got = 0;

	fuzz_must(err->code == 0 && err->msg[0] == '\0', "success is silent");
	fuzz_must((call->data != NULL) == (call->data_len > 0), "data has a length");
	fuzz_must(call->data_len <= CTL_BODY_MAX + 12, "data fits a message");
	for (size_t i = 0; i < call->cap_got; i++) {
		got += call->got_fds[i] >= 0;
		vr_close_reset(&call->got_fds[i]);
	}
	fuzz_must(got == VR_MIN(n_sent, call->cap_got), "descriptors are those that came");
	fuzz_outcome("%zu bytes, %zu descriptors%s", call->data_len, got,
		     machine ? ", a machine" : "");
	n_taken++;
	n_machines += machine;
}

static void failed(const struct ctl_call *call, int rc, const struct vr_err *err)
{
	fuzz_must(rc < 0 && rc >= -ERRNO_MAX && err->code == -rc, "a failure has an error's code");
	fuzz_must(err->msg[0] != '\0', "and words");
	fuzz_must(!call->data && call->data_len == 0, "but no data");
	for (size_t i = 0; i < call->cap_got; i++) {
		fuzz_must(call->got_fds[i] == -1, "and no descriptors");
	}
	fuzz_outcome("%d: %s", rc, err->msg);
	n_unreadable += rc == -EPROTO;
	n_refused += rc != -EPROTO;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int got[3] = {7, 7, 7}, sent[3] = {1, 1, 1}; /* it doesn't matter what they are */
	uint8_t how = size > 0 ? data[0] : 0;
	struct ctl_call call = {.got_fds = got, .cap_got = how / 4 % 4 % 3};
	struct vr_err err = VR_ERR_INIT;
	size_t n_sent = how % 4;
	int before = free_fd();
	int pair[2];
	int rc;

	if (size < 1 || size > CTL_MSG_MAX) {
		return 0;
	}
	fuzz_must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0, "sockets");
	if (size > 1) {
		rc = vr_send_fds(pair[0], data + 1, size - 1, sent, n_sent);
		fuzz_must(rc == 0, "send the answer");
	}
	(void)close(pair[0]);
	rc = ctl_answer_read(pair[1], &call, &err);
	(void)close(pair[1]);
	if (rc == 0) {
		taken(&call, n_sent, &err);
	} else {
		failed(&call, rc, &err);
	}
	free(call.data);
	fuzz_must(free_fd() == before, "no descriptor is lost");
	return 0;
}

#ifndef VOLT_LIBFUZZER
static bool smoke(void)
{
	static const struct ctl_machine m = {.ram_bytes = 1u << 27, .n_vcpus = 2};
	static uint8_t msg[1 + CTL_MSG_MAX];
	uint8_t body[16];

	for (int i = 0; i < 4000; i++) {
		size_t n = ctl_machine_encode(body, sizeof(body), &m);

		msg[0] = (uint8_t)fuzz_random();
		if (fuzz_random() % 2) {
			n = ctl_reply_encode(msg + 1, CTL_MSG_MAX, EBUSY, "busy");
		} else {
			n = ctl_data_encode(msg + 1, CTL_MSG_MAX, body, n);
		}
		if (fuzz_random() % 2) {
			msg[1 + fuzz_random() % n] ^= (uint8_t)(1u << fuzz_random() % 8);
			n -= fuzz_random() % 2 * (fuzz_random() % n);
		}
		(void)LLVMFuzzerTestOneInput(msg, 1 + n);
	}
	printf("# %u taken, %u machines, %u refusals, %u unreadable\n", n_taken, n_machines,
	       n_refused, n_unreadable);
	return n_taken > 500 && n_machines > 200 && n_refused > 500 && n_unreadable > 200;
}

#define UNREADABLE "-71: unreadable answer on the control socket"

static const struct fuzz_known known[] = {
	FUZZ_KNOWN("success", "0 bytes, 0 descriptors"),
	FUZZ_KNOWN("state", "4 bytes, 0 descriptors"),
	FUZZ_KNOWN("machine", "12 bytes, 2 descriptors, a machine"),
	FUZZ_KNOWN("refusal", "-16: container not running"),
	FUZZ_KNOWN("refusal-mute", "-16: the container refused: Device or resource busy"),
	FUZZ_KNOWN("refusal-descriptors", "-16: no"),
	FUZZ_KNOWN("unwanted-descriptors", "0 bytes, 0 descriptors"),
	FUZZ_REPAIRED("bad-code", UNREADABLE, "1 bytes, 0 descriptors", 4, 0),
	FUZZ_RESIZED("bad-short", UNREADABLE, "0 bytes, 0 descriptors", 1, 0, 5),
	FUZZ_RESIZED("bad-ended", "-104: the container ended before it answered",
		     "0 bytes, 0 descriptors", 1, 0, 5),
	FUZZ_REPAIRED("bad-descriptors", UNREADABLE, "0 bytes, 2 descriptors", 0, 10),
	FUZZ_RESIZED("bad-machine", "13 bytes, 2 descriptors", "12 bytes, 2 descriptors, a machine",
		     1, 0, 17),
};
#endif

FUZZ_MAIN("answer", known, smoke)
