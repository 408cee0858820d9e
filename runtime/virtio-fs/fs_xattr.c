/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_xattr.c - extended attributes
 *
 * What the guest may see and set:
 *   user.*                     anything
 *   system.posix_acl_access,
 *   system.posix_acl_default   ACLs, checked by the host's kernel
 *   security.capability        file capabilities: shown; set only if the server
 *                              may act as root for files at all
 * Everything else of security.*, trusted.* and system.* belongs to the host
 * (labels, overlayfs's own marks) and doesn't exist for the guest.
 *
 * There are no calls for an O_PATH fd; so the file is named through
 * /proc/self/fd, relative to the working directory, which is set before each
 * call (nothing else here uses it).
 */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/checked.h"
#include "virtio-fs/fs_internal.h"

enum xattr_class {
	XATTR_CLASS_HIDDEN,
	XATTR_CLASS_FREE,
	XATTR_CLASS_CAPABILITY,
};

static enum xattr_class classify(const char *name)
{
	if (strncmp(name, "user.", 5) == 0 && name[5] != '\0') {
		return XATTR_CLASS_FREE;
	}
	if (strcmp(name, "system.posix_acl_access") == 0 ||
	    strcmp(name, "system.posix_acl_default") == 0) {
		return XATTR_CLASS_FREE;
	}
	if (strcmp(name, "security.capability") == 0) {
		return XATTR_CLASS_CAPABILITY;
	}
	return XATTR_CLASS_HIDDEN;
}

/* Name of an attribute: 1 to 255 bytes. What follows it stays in the request. */
static int take_xattr_name(struct fs_req *r, const char **out_name)
{
	size_t len;
	int rc = fs_req_string(r, out_name, &len);

	if (rc == 0 && (len == 0 || len > FS_NAME_MAX)) {
		rc = -ERANGE;
	}
	return rc;
}

/* May the guest change this attribute? 0 or -errno */
static int check_change(const struct fs_server *srv, const char *name)
{
	switch (classify(name)) {
	case XATTR_CLASS_FREE:
		return 0;
	case XATTR_CLASS_CAPABILITY:
		return srv->cfg.can_chown ? 0 : -EPERM;
	case XATTR_CLASS_HIDDEN:
	default:
		return -EOPNOTSUPP;
	}
}

/* Make the node's file reachable as @out_proc in the working directory. */
static int goto_proc(const struct fs_req *r, struct fs_proc_name *out_proc)
{
	*out_proc = fs_path_proc(r->node->fd);
	return fchdir(r->srv->cfg.proc_self_fd_fd) < 0 ? -errno : 0;
}

static int take_setxattr(struct fs_req *r, struct fuse_setxattr_in *in, const char **out_name,
			 const uint8_t **out_value)
{
	size_t len = r->srv->setxattr_ext ? sizeof(*in) : FUSE_COMPAT_SETXATTR_IN_SIZE;
	int rc;

	memset(in, 0, sizeof(*in));
	rc = fs_req_args(r, in, len);
	if (rc == 0) {
		rc = take_xattr_name(r, out_name);
	}
	if (rc < 0) {
		return rc;
	}
	if (in->size > FS_MAX_XATTR) {
		return -E2BIG;
	}
	if (in->size != vr_rd_left(&r->args) ||
	    (in->flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))) {
		return -EINVAL;
	}
	*out_value = vr_rd_bytes(&r->args, in->size);
	return 0;
}

/** fs_op_setxattr() - set an attribute. Syscalls: fchdir, setxattr, capset (role fs) */
int fs_op_setxattr(struct fs_req *r)
{
	struct fs_cred_scope scope = {0};
	struct fs_proc_name proc;
	struct fuse_setxattr_in in;
	const uint8_t *value;
	const char *name;
	int rc = take_setxattr(r, &in, &name, &value);

	if (rc == 0) {
		rc = check_change(r->srv, name);
	}
	if (rc == 0) {
		rc = goto_proc(r, &proc);
	}
	if (rc == 0 && (in.setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID)) {
		rc = fs_cred_drop_fsetid(&r->srv->cred, &scope);
	}
	if (rc < 0) {
		return rc;
	}
	rc = setxattr(proc.s, name, value, in.size, (int)in.flags) < 0 ? -errno : 0;
	fs_cred_leave(&r->srv->cred, &scope);
	return rc;
}

/** fs_op_removexattr() - remove an attribute. Syscalls: fchdir, removexattr (role fs) */
int fs_op_removexattr(struct fs_req *r)
{
	struct fs_proc_name proc;
	const char *name;
	int rc = take_xattr_name(r, &name);

	if (rc == 0) {
		rc = fs_req_end(r);
	}
	if (rc == 0) {
		rc = check_change(r->srv, name);
	}
	if (rc == 0) {
		rc = goto_proc(r, &proc);
	}
	if (rc < 0) {
		return rc;
	}
	return removexattr(proc.s, name) < 0 ? -errno : 0;
}

/* Answer with a value, or with its length if the guest asked with size 0. */
static int reply_value(struct fs_req *r, const uint8_t *value, size_t len, uint32_t g_size)
{
	struct fuse_getxattr_out out = {.size = (uint32_t)len};

	if (g_size == 0) {
		return fs_reply_put(r, &out, sizeof(out));
	}
	return len > g_size ? -ERANGE : fs_reply_put(r, value, len);
}

/** fs_op_getxattr() - value of an attribute. Syscalls: fchdir, getxattr (role fs) */
int fs_op_getxattr(struct fs_req *r)
{
	struct fs_proc_name proc;
	struct fuse_getxattr_in in;
	const char *name = NULL;
	ssize_t len;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc == 0) {
		rc = take_xattr_name(r, &name);
	}
	if (rc == 0) {
		rc = fs_req_end(r);
	}
	if (rc == 0 && classify(name) == XATTR_CLASS_HIDDEN) {
		rc = -EOPNOTSUPP;
	}
	if (rc == 0) {
		rc = goto_proc(r, &proc);
	}
	if (rc < 0) {
		return rc;
	}
	len = getxattr(proc.s, name, r->srv->scratch, FS_MAX_XATTR);
	return len < 0 ? -errno : reply_value(r, r->srv->scratch, (size_t)len, in.size);
}

/* Keep only the names that the guest may see; returns the new length. */
static size_t filter_names(const char *list, size_t len, char *out)
{
	size_t kept = 0;
	size_t off = 0;

	while (off < len) {
		size_t part = strnlen(list + off, len - off);

		if (part == len - off) {
			break; /* unterminated: not a list */
		}
		if (classify(list + off) != XATTR_CLASS_HIDDEN) {
			memcpy(out + kept, list + off, part + 1);
			kept += part + 1;
		}
		off += part + 1;
	}
	return kept;
}

/** fs_op_listxattr() - names of attributes. Syscalls: fchdir, listxattr (role fs) */
int fs_op_listxattr(struct fs_req *r)
{
	struct fs_proc_name proc;
	struct fuse_getxattr_in in;
	ssize_t len;
	size_t kept;
	int rc = fs_req_args(r, &in, sizeof(in));

	if (rc == 0) {
		rc = goto_proc(r, &proc);
	}
	if (rc < 0) {
		return rc;
	}
	len = listxattr(proc.s, (char *)r->srv->scratch_in, FS_MAX_XATTR);
	if (len < 0) {
		return -errno;
	}
	kept = filter_names((const char *)r->srv->scratch_in, (size_t)len, (char *)r->srv->scratch);
	return reply_value(r, r->srv->scratch, kept, in.size);
}
