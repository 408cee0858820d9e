/* SPDX-License-Identifier: Apache-2.0 */
/* resolv_conf.c - the name servers a container is told of; see resolv_conf.h */
#include "resolv_conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fdio.h"

#define FILE_MAX 65536u
#define BLANK	 " \t\r"

static const char *source_of(const struct oci_spec *spec)
{
	const char *source = NULL;

	OCI_FOREACH(m, &spec->mounts)
	{
		if (m->opt.bind && m->destination && strcmp(m->destination, RESOLV_CONF) == 0) {
			source = m->source;
		}
	}
	return source;
}

static int read_line(char *line, resolv_conf_fn fn, void *ctx, struct vr_err *err)
{
	uint8_t addr[16] = {0};
	char *save;
	const char *word = strtok_r(line, BLANK, &save);
	const char *text = word ? strtok_r(NULL, BLANK, &save) : NULL;

	if (!text || strcmp(word, "nameserver") != 0) {
		return 0;
	}
	if (inet_pton(AF_INET, text, addr) == 1) {
		return fn(ctx, 4, addr, err);
	}
	return inet_pton(AF_INET6, text, addr) == 1 ? fn(ctx, 6, addr, err) : 0;
}

int resolv_conf_each(const struct oci_spec *spec, resolv_conf_fn fn, void *ctx, struct vr_err *err)
{
	const char *path = source_of(spec);
	vr_autofree char *text = NULL;
	char *save;
	size_t len;
	int rc;

	if (!path) {
		return -ENODATA;
	}
	rc = vr_read_file(AT_FDCWD, path, FILE_MAX, &text, &len);
	if (rc < 0) {
		return vr_err_sys(err, rc, "read '%s'", path);
	}
	for (char *line = strtok_r(text, "\n", &save); rc == 0 && line;
	     line = strtok_r(NULL, "\n", &save)) {
		rc = read_line(line, fn, ctx, err);
	}
	return rc;
}
