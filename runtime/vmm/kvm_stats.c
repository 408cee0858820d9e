/* SPDX-License-Identifier: Apache-2.0 */
/* kvm_stats.c - KVM's own figures about a vCPU; see kvm_stats.h */
#include "vmm/kvm_stats.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/kvm.h"

#define NAME_MAX_BYTES 256u
#define DESC_MAX       4096u

/* Syscalls: pread64 (role vmm) */
static int read_exactly(int fd, void *buf, size_t n, uint64_t offset)
{
	ssize_t got = pread(fd, buf, n, (off_t)offset);

	if (got < 0) {
		return -errno;
	}
	return (size_t)got == n ? 0 : -EIO;
}

int kvm_stat_find(int fd, const char *name, uint64_t *out_offset)
{
	struct kvm_stats_header h;
	struct kvm_stats_desc d;
	char found[NAME_MAX_BYTES];
	int rc = read_exactly(fd, &h, sizeof(h), 0);

	if (rc < 0) {
		return rc;
	}
	if (h.name_size == 0 || h.name_size > sizeof(found) || h.num_desc > DESC_MAX) {
		return -EPROTO;
	}
	for (uint32_t i = 0; i < h.num_desc; i++) {
		uint64_t at = h.desc_offset + (uint64_t)i * (sizeof(d) + h.name_size);

		rc = read_exactly(fd, &d, sizeof(d), at);
		rc = rc ? rc : read_exactly(fd, found, h.name_size, at + sizeof(d));
		if (rc < 0) {
			return rc;
		}
		found[h.name_size - 1] = '\0';
		if (strcmp(found, name) == 0) {
			*out_offset = h.data_offset + (uint64_t)d.offset;
			return d.size == 1 ? 0 : -EPROTO;
		}
	}
	return -ENOENT;
}

int kvm_stat_open(int vcpu_fd, const char *name, struct kvm_stat *out)
{
	int rc;

	out->fd = kvm_get_stats_fd(vcpu_fd);
	if (out->fd < 0) {
		rc = out->fd;
		out->fd = -1;
		return rc;
	}
	rc = kvm_stat_find(out->fd, name, &out->offset);
	if (rc < 0) {
		kvm_stat_close(out);
	}
	return rc;
}

int kvm_stat_read(const struct kvm_stat *s, uint64_t *out)
{
	return read_exactly(s->fd, out, sizeof(*out), s->offset);
}

void kvm_stat_close(struct kvm_stat *s)
{
	vr_close_reset(&s->fd);
}
