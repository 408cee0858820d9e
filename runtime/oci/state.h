/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.h - containers on disk: directory, lock, state file, life cycle
 *
 * <root>/<id>/ holds state.json (replaced atomically), config.json (a copy of
 * what the container was made from) and whatever the roles put there. Commands
 * exclude each other with flock(2) on that directory. The lock belongs to the
 * open file, so a role forked by a command must close oci_container.fd.
 *
 * A process is a pid and a start time, of one boot. So the status shown is
 * right after a kill -9, a reused pid and a reboot: see oci_state_status().
 *
 *	          launch         start
 *	(mkdir) -> creating -> created -> running <-> paused
 *	              \___________\__________\_________/
 *	                         v
 *	                      stopped -> (removed by delete)
 *
 * Uses: base, json, types. Used by: cmd_*, launch, vmproc.
 */
#ifndef OCI_STATE_H
#define OCI_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/fdio.h"
#include "oci/types.h"

#define OCI_ID_MAX	  255 /* a container's directory is one path component */
#define OCI_STATE_FILE	  "state.json"
#define OCI_CONFIG_FILE	  "config.json"
#define OCI_STATE_VERSION 1
#define OCI_SPEC_VERSION  "1.2.0" /* what `state`, `--version` and `features` say */
#define OCI_DEFAULT_ROOT  "/run/volt-runc"

/** enum oci_status - life cycle, see the head of this file */
enum oci_status {
	OCI_CREATING, /* a create is at work, or was killed (then the status shown is stopped) */
	OCI_CREATED,  /* the guest waits before execve; left by start, kill or delete */
	OCI_RUNNING,
	OCI_PAUSED,
	OCI_STOPPED,
	OCI_STATUS_COUNT,
};

/** struct oci_proc - one process of this boot; pid 0 is none */
struct oci_proc {
	pid_t pid;
	uint64_t start;
};

struct json_doc;

/**
 * struct oci_state - content of the state file
 * @status:         as last stored; ask oci_state_status() for the truth
 * @bundle:         absolute
 * @rootfs:         absolute
 * @created:        RFC 3339 with nanoseconds
 * @owner:          name or number of the user that ran create
 * @creator:        the create command, while @status is OCI_CREATING
 * @shim:           the process callers know
 * @machine:        id of the container whose VM it is in, or NULL: its own. There is no vmm and no net then
 * @systemd_cgroup: the cgroup is a systemd scope
 * @cgroup_path:    cgroup of the roles, relative to the hierarchy, or NULL
 * @cgroup_scope:   systemd unit, or NULL
 * @reason:         why the container ended, when that was not the workload; or NULL
 * @exit_status:    wait status of the workload, set when known
 * @terminal:       has a terminal
 * @paused_created: while @status is OCI_PAUSED: it was not started before
 * @doc:            owner of the memory of a state that was read; NULL when the caller
 *                  filled the struct and owns what it points to
 */
struct oci_state {
	enum oci_status status;
	char id[OCI_ID_MAX + 1];
	const char *bundle;
	const char *rootfs;
	const char *machine;
	char created[64];
	char owner[64];
	struct oci_kvs annotations;
	char boot_id[VR_BOOT_ID_LEN + 1];
	struct oci_proc creator;
	struct oci_proc shim;
	struct oci_proc vmm;
	struct oci_proc fs;
	struct oci_proc net;
	bool systemd_cgroup;
	const char *cgroup_path;
	const char *cgroup_scope;
	const char *reason;
	struct oci_opt_i64 exit_status;
	bool terminal;
	bool paused_created;
	struct json_doc *doc;
};

/**
 * struct oci_container - an open container directory
 * @root_fd: borrowed
 * @fd:      the directory, and the lock
 */
struct oci_container {
	int root_fd;
	int fd;
	bool locked;
	char id[OCI_ID_MAX + 1];
};

#define OCI_CONTAINER_INIT                                                                         \
	{                                                                                          \
		.root_fd = -1, .fd = -1                                                            \
	}

/** oci_id_check() - 0 for an id as other runtimes allow: letters, digits, "_+-.", not . or .. */
int oci_id_check(const char *id, struct vr_err *err) __attribute__((warn_unused_result));

/**
 * oci_root_path() - which directory holds the state
 * @root: the --root option, or NULL
 * @buf:  destination
 * @cap:  its size
 *
 * Without the option: $XDG_RUNTIME_DIR/volt-runc for ordinary users and inside a
 * user namespace (where that variable is set), else OCI_DEFAULT_ROOT.
 */
int oci_root_path(const char *root, char *buf, size_t cap, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * oci_root_open() - open the state directory
 * @root:   as for oci_root_path()
 * @create: make it (0700) when missing
 * @out_fd: the directory
 *
 * It must be ours and nobody else's to write to, and no symbolic link. Links on the way to it must be ours, or root's.
 *
 * Return: 0, -ENOENT when it does not exist and @create is false, or -errno.
 */
int oci_root_open(const char *root, bool create, int *out_fd, struct vr_err *err)
	__attribute__((warn_unused_result));

/** oci_root_list() - call @visit for each id, sorted; its first non-zero return ends the walk */
int oci_root_list(int root_fd, int (*visit)(void *ctx, const char *id), void *ctx,
		  struct vr_err *err);

/**
 * oci_container_create() - make a container's directory and lock it
 *
 * Return: 0, -EEXIST ("container with given ID already exists") or -errno.
 */
int oci_container_create(int root_fd, const char *id, struct oci_container *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * oci_container_open() - open an existing container, not locked
 *
 * Return: 0, -ENOENT ("container does not exist") or -errno.
 */
int oci_container_open(int root_fd, const char *id, struct oci_container *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * oci_container_lock() - exclude other commands
 * @timeout_ms: -1 waits; 0 tries once
 *
 * Return: 0; -EBUSY when the time is over; -ENOENT when the container was
 * removed while we waited.
 */
int oci_container_lock(struct oci_container *c, int timeout_ms, struct vr_err *err)
	__attribute__((warn_unused_result));

/** oci_container_unlock() - let others in; closing unlocks as well */
void oci_container_unlock(struct oci_container *c);

/** oci_container_close() - close (and unlock); a second call does nothing */
void oci_container_close(struct oci_container *c);

/** oci_container_remove() - remove the directory with all in it, then close */
int oci_container_remove(struct oci_container *c, struct vr_err *err)
	__attribute__((warn_unused_result));

/** oci_container_put_config() - keep a copy of the configuration for later verbs */
int oci_container_put_config(const struct oci_container *c, const char *text, size_t len,
			     struct vr_err *err) __attribute__((warn_unused_result));

/**
 * oci_state_init() - a state for a new container
 *
 * Status creating, creator this process, this boot, now, owner the calling user.
 * The caller points the remaining strings to its own memory.
 */
int oci_state_init(struct oci_state *s, const char *id, struct vr_err *err)
	__attribute__((warn_unused_result));

/** oci_state_finish() - free what a read state owns; NULL is allowed */
void oci_state_finish(struct oci_state *s);

/** oci_state_write() - replace the state file; hold the lock */
int oci_state_write(const struct oci_container *c, const struct oci_state *s, struct vr_err *err)
	__attribute__((warn_unused_result));

/**
 * oci_state_read() - read the state file
 *
 * Return: 0; -ENODATA when there is none (a create or delete was killed: only
 * `delete --force` helps); or another negative errno value.
 */
int oci_state_read(const struct oci_container *c, struct oci_state *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/** oci_state_status() - the status now: what is stored, corrected by which processes live */
enum oci_status oci_state_status(const struct oci_state *s);

/** oci_proc_alive() - does this process of the state still run (in this boot)? */
bool oci_proc_alive(const struct oci_state *s, const struct oci_proc *p);

/** oci_proc_get() - identity of a running process; 0, or negative with @err */
int oci_proc_get(pid_t pid, struct oci_proc *out, struct vr_err *err)
	__attribute__((warn_unused_result));

/** oci_status_name() - "creating" ... "stopped" */
const char *oci_status_name(enum oci_status status);

/**
 * oci_state_json() - the state as `state` prints it and hooks read it
 * @s:        the state
 * @status:   status to show; stopped shows pid 0
 * @pretty:   indented, for people
 * @out_text: malloc'd
 * @out_len:  its length, may be NULL
 */
int oci_state_json(const struct oci_state *s, enum oci_status status, bool pretty, char **out_text,
		   size_t *out_len, struct vr_err *err) __attribute__((warn_unused_result));

/** struct json_gen - see json.h */
struct json_gen;

/** oci_state_gen() - the same object into a writer, for lists */
void oci_state_gen(struct json_gen *g, const struct oci_state *s, enum oci_status status);

#endif /* OCI_STATE_H */
