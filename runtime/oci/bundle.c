/* SPDX-License-Identifier: Apache-2.0 */
/* bundle.c - the bundle directory and the rootfs in it; see bundle.h */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "oci/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fdio.h"
#include "base/utf8.h"
#include "oci/json.h"

/*
 * The path of an open directory, as the kernel knows it. Asking the descriptor
 * rather than resolving the name again leaves no gap between the two.
 */
static int path_of_fd(int fd, char **out_path)
{
	char link[64];
	char path[PATH_MAX];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0) {
		return -errno;
	}
	if (n == (ssize_t)sizeof(path) - 1) {
		return -ENAMETOOLONG;
	}
	path[n] = '\0';
	if (!vr_utf8_valid(path, (size_t)n)) {
		return -EILSEQ; /* it could not be shown in the state */
	}
	*out_path = strdup(path);
	return *out_path ? 0 : -ENOMEM;
}

static int open_dir(int dirfd, const char *path, int *out_fd, char **out_path)
{
	vr_autoclose int fd = openat(dirfd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0) {
		return -errno;
	}
	r = path_of_fd(fd, out_path);
	if (r < 0) {
		return r;
	}
	*out_fd = vr_take_fd(&fd);
	return 0;
}

int oci_bundle_open(const char *path, struct oci_bundle *out, struct vr_err *err)
{
	struct oci_bundle b = OCI_BUNDLE_INIT;
	const char *dir = path && path[0] != '\0' ? path : ".";
	int r = open_dir(AT_FDCWD, dir, &b.fd, &b.path);

	if (r < 0) {
		return vr_err_sys(err, r, "open bundle '%s'", dir);
	}
	*out = b;
	return 0;
}

void oci_bundle_close(struct oci_bundle *b)
{
	vr_close_reset(&b->fd);
	free(b->path);
	b->path = NULL;
}

/* Nobody may have to wait for what a pipe brings: it is opened without, then looked at. */
static int read_regular(int dirfd, const char *path, char **out_text, size_t *out_len,
			struct vr_err *err)
{
	vr_autoclose int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		return vr_err_sys(err, errno, "open '%s'", path);
	}
	if (!S_ISREG(st.st_mode)) {
		return vr_err_set(err, EINVAL, "open '%s': not a regular file", path);
	}
	r = vr_read_fd(fd, JSON_TEXT_MAX, out_text, out_len);
	if (r == -EFBIG) {
		return vr_err_set(err, EFBIG, "%s: larger than %u MiB", path,
				  JSON_TEXT_MAX / (1024 * 1024));
	}
	return r < 0 ? vr_err_sys(err, r, "read '%s'", path) : 0;
}

int oci_bundle_spec(const struct oci_bundle *b, const char *config, struct oci_spec **out_spec,
		    char **out_text, size_t *out_len, struct vr_err *err)
{
	/* `--config config.json` names the bundle's, wherever the caller is: as crun has it. */
	bool own = !config || strcmp(config, "config.json") == 0;
	int dirfd = own ? b->fd : AT_FDCWD;
	const char *path = config ? config : "config.json";
	vr_autofree char *text = NULL;
	size_t len = 0;
	int r = read_regular(dirfd, path, &text, &len, err);

	if (r == -ENOENT && own) {
		return vr_err_set(err, ENOENT, "no config.json in bundle '%s'", b->path);
	}
	r = r < 0 ? r : oci_spec_parse(path, text, len, out_spec, err);
	if (r == 0) {
		*out_text = vr_take_ptr(&text);
		*out_len = len;
	}
	return r;
}

int oci_bundle_rootfs(const struct oci_bundle *b, const struct oci_root *root, int *out_fd,
		      char **out_path, struct vr_err *err)
{
	int r = open_dir(b->fd, root->path, out_fd, out_path);

	if (r < 0) {
		return vr_err_sys(err, r, "open rootfs '%s'", root->path);
	}
	return 0;
}

int oci_bundle_source(const struct oci_bundle *b, const char *source, int *out_fd,
		      struct vr_err *err)
{
	int fd = openat(b->fd, source, O_PATH | O_CLOEXEC);

	if (fd < 0) {
		return vr_err_sys(err, errno, "open bind source '%s'", source);
	}
	*out_fd = fd;
	return 0;
}
