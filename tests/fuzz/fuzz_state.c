/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_state.c - the state file of a container, as a crash or a full disk may leave it
 *
 * What is read can be shown, written again, and read again with the same content.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/state.h"

#define STATE_FILE "state.json"

static unsigned n_read, n_refused;
static char dir[] = "/tmp/volt-fuzz-state-XXXXXX";
static struct oci_container box = OCI_CONTAINER_INIT;

static void remove_world(void)
{
	struct vr_err err = VR_ERR_INIT;
	int root = box.root_fd;

	(void)!oci_container_remove(&box, &err); /* leaves a directory in /tmp at worst */
	(void)close(root);
	(void)rmdir(dir);
}

static void make_world(void)
{
	struct vr_err err = VR_ERR_INIT;
	int root;

	fuzz_must(mkdtemp(dir) != NULL, "mkdtemp");
	fuzz_must(oci_root_open(dir, true, &root, &err) == 0, "root");
	fuzz_must(oci_container_create(root, "c", &box, &err) == 0, "container");
	(void)atexit(remove_world);
}

static void put_file(const uint8_t *data, size_t size)
{
	int fd = openat(box.fd, STATE_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	fuzz_must(fd >= 0 && write(fd, data, size) == (ssize_t)size, "write the state file");
	(void)close(fd);
}

static void again(const struct oci_state *s)
{
	struct vr_err err = VR_ERR_INIT;
	struct oci_state t = {0};
	char *text = NULL, *text_again = NULL;

	fuzz_must(oci_state_json(s, OCI_RUNNING, false, &text, NULL, &err) == 0, "show it");
	fuzz_must(oci_state_write(&box, s, &err) == 0, "write it");
	fuzz_must(oci_state_read(&box, &t, &err) == 0, "read it again");
	fuzz_must(oci_state_json(&t, OCI_RUNNING, false, &text_again, NULL, &err) == 0, "show it");
	fuzz_must(strcmp(text, text_again) == 0, "the same content");
	fuzz_must(t.shim.pid == s->shim.pid && t.vmm.start == s->vmm.start, "the same processes");
	(void)oci_state_status(&t);
	free(text);
	free(text_again);
	oci_state_finish(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vr_err err = VR_ERR_INIT;
	struct oci_state s = {0};

	if (box.fd < 0) {
		make_world();
	}
	put_file(data, size);
	if (oci_state_read(&box, &s, &err) < 0) {
		fuzz_must(err.msg[0] != '\0' && !s.doc, "a refusal says why, and makes nothing");
		fuzz_outcome("%s", err.msg);
		n_refused++;
		return 0;
	}
	fuzz_outcome("read");
	n_read++;
	again(&s);
	oci_state_finish(&s);
	return 0;
}

#ifndef VOLT_LIBFUZZER
/* The state as it is written, with a few bytes changed. */
static bool smoke(void)
{
	struct vr_err err = VR_ERR_INIT;
	struct oci_state s;
	char good[4096], text[4096];
	ssize_t n;
	int fd;

	if (box.fd < 0) {
		make_world();
	}
	fuzz_must(oci_state_init(&s, "c", &err) == 0, "init");
	s.bundle = s.rootfs = "/b";
	s.shim.pid = 7;
	fuzz_must(oci_state_write(&box, &s, &err) == 0, "write");
	fd = openat(box.fd, STATE_FILE, O_RDONLY | O_CLOEXEC);
	n = read(fd, good, sizeof(good));
	(void)close(fd);
	fuzz_must(n > 0, "read");
	for (int i = 0; i < 2000; i++) {
		memcpy(text, good, (size_t)n);
		for (uint32_t k = fuzz_random() % 3; k > 0; k--) {
			text[fuzz_random() % (uint32_t)n] = (char)(32 + fuzz_random() % 96);
		}
		(void)LLVMFuzzerTestOneInput((const uint8_t *)text, (size_t)n);
	}
	return n_read > 200 && n_refused > 200;
}

static const struct fuzz_known known[] = {
	FUZZ_KNOWN("good", "read"),
	FUZZ_KNOWN("bad-empty",
		   "state of 'c': state.json: line 1, column 1: parse error: premature EOF"),
	FUZZ_KNOWN("bad-cut",
		   "state of 'c': state.json: line 1, column 249: parse error: premature EOF"),
	FUZZ_KNOWN("bad-pid",
		   "state.json: shim.pid: must be an integer from 0 to 2147483647, not -5"),
	FUZZ_KNOWN("bad-version", "state of 'c': version 99 is not 1"),
	FUZZ_KNOWN("bad-other-id", "state of 'c': not what was written"),
};
#endif

FUZZ_MAIN("state", known, smoke)
