/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mkinitramfs.c - writes the guest's initramfs (build time, host)
 *
 * usage: mkinitramfs AGENT OUTPUT
 *
 * An uncompressed newc archive: /init is the agent, with the directories it mounts on and the
 * console node the kernel opens before anything is mounted. No times, no builder's ids: the same
 * agent gives the same bytes.
 */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int add(struct archive *a, const char *path, mode_t mode, dev_t dev, const void *data,
	       size_t len)
{
	struct archive_entry *e = archive_entry_new();
	int rc = ARCHIVE_FATAL;

	if (!e) {
		return rc;
	}
	archive_entry_set_pathname(e, path);
	archive_entry_set_mode(e, mode);
	archive_entry_set_rdev(e, dev);
	archive_entry_set_size(e, (la_int64_t)len);
	archive_entry_set_nlink(e, S_ISDIR(mode) ? 2 : 1);
	rc = archive_write_header(a, e);
	if (rc == ARCHIVE_OK && len > 0 && archive_write_data(a, data, len) != (la_ssize_t)len) {
		rc = ARCHIVE_FATAL;
	}
	archive_entry_free(e);
	return rc;
}

static int add_all(struct archive *a, const void *agent, size_t len)
{
	static const char *const dirs[] = {"dev", "proc", "sys", "run", "mnt"};
	int rc = ARCHIVE_OK;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && rc == ARCHIVE_OK; i++) {
		rc = add(a, dirs[i], S_IFDIR | 0755, 0, NULL, 0);
	}
	if (rc == ARCHIVE_OK) {
		rc = add(a, "dev/console", S_IFCHR | 0600, makedev(5, 1), NULL, 0);
	}
	if (rc == ARCHIVE_OK) {
		rc = add(a, "init", S_IFREG | 0755, 0, agent, len);
	}
	return rc;
}

/* The whole file, on the heap; NULL with a message. */
static void *slurp(const char *path, size_t *out_len)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	void *buf = NULL;

	if (f && fstat(fileno(f), &st) == 0 && st.st_size > 0) {
		*out_len = (size_t)st.st_size;
		buf = malloc(*out_len);
		if (buf && fread(buf, 1, *out_len, f) != *out_len) {
			free(buf);
			buf = NULL;
		}
	}
	if (!buf) {
		perror(path);
	}
	if (f) {
		fclose(f);
	}
	return buf;
}

static int write_archive(const char *path, const void *agent, size_t len)
{
	struct archive *a = archive_write_new();
	int rc;

	if (!a) {
		return 1;
	}
	rc = archive_write_set_format_cpio_newc(a);
	if (rc == ARCHIVE_OK) {
		rc = archive_write_open_filename(a, path);
	}
	if (rc == ARCHIVE_OK) {
		rc = add_all(a, agent, len);
	}
	if (rc == ARCHIVE_OK) {
		rc = archive_write_close(a);
	}
	if (rc != ARCHIVE_OK) {
		fprintf(stderr, "mkinitramfs: %s: %s\n", path, archive_error_string(a));
	}
	archive_write_free(a);
	return rc == ARCHIVE_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
	size_t len = 0;
	void *agent;
	int rc;

	if (argc != 3) {
		fprintf(stderr, "usage: mkinitramfs AGENT OUTPUT\n");
		return 2;
	}
	agent = slurp(argv[1], &len);
	if (!agent) {
		return 1;
	}
	rc = write_archive(argv[2], agent, len);
	free(agent);
	return rc;
}
