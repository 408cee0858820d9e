/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_server.h - a FUSE file server over one directory tree
 *
 * Takes one FUSE request as an iovec and writes the reply into another. It
 * knows nothing of virtqueues or guest memory, so that it runs in a process of
 * its own, in a unit test and under a fuzzer alike.
 *
 * The exported tree has a fixed frame, made by the caller before the server
 * starts: `rootfs/` (the container's root) and `mounts/N` (one bind source
 * each). The frame itself (the top directory and `mounts`) can't be changed
 * from the guest: every request that would is answered with EROFS.
 *
 * Caching promised to the guest: the frame for a day, `rootfs/` for one second
 * (it is the container's, but `podman cp` and friends may write into it from
 * the host), `mounts/` not at all (shared with the host).
 *
 * Trust:    every byte of the request, and the files themselves, come from the
 *           guest. The request may change while it is being read; the server
 *           copies it once. The caller guarantees only that the iovecs point
 *           to mapped memory, readable or writable as named.
 * Threads:  one thread calls everything. Credentials are switched for the
 *           calling thread only (raw system calls); the umask and the working
 *           directory are shared through CLONE_FS, so a later thread of the
 *           server has to unshare(CLONE_FS) and the tables need a lock.
 * Uses:     base. Used by: launch (the fs process), tests, the fuzzer.
 */
#ifndef VIRTIO_FS_FS_SERVER_H
#define VIRTIO_FS_FS_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/* No request or reply may have more pieces than the kernel takes in one preadv(2). */
#define FS_SERVER_IOV_MAX 1024

struct fs_server;

/**
 * struct fs_config - what a server needs; the fds stay the caller's and must outlive the server
 * @root_fd:         O_PATH|O_DIRECTORY of the exported tree, mounts already in place
 * @proc_self_fd_fd: O_PATH|O_DIRECTORY of /proc/self/fd, opened by this very
 *                   process (after its last fork, or it names the parent's
 *                   fds) and before /proc went out of view
 * @max_nodes:       most files the guest can hold at a time, each costs one fd and the kernel's
 *                   memory for the file; 0, or more than it allows: from RLIMIT_NOFILE. From three
 *                   quarters of them on the guest keeps no file it doesn't use
 * @max_handles:     most open files and directories, each costs one fd;
 *                   0, or more than it allows: from RLIMIT_NOFILE
 * @can_chown:       the process may switch its fs uid/gid and give files away
 *                   (CAP_SETUID, CAP_SETGID, CAP_CHOWN, CAP_FOWNER,
 *                   CAP_FSETID, CAP_DAC_OVERRIDE, CAP_SETFCAP); without it all
 *                   new files belong to the server's own user
 */
struct fs_config {
	int root_fd;
	int proc_self_fd_fd;
	unsigned max_nodes;
	unsigned max_handles;
	bool can_chown;
};

/**
 * fs_server_create() - make a server; it waits for the guest's INIT request
 * @cfg:        configuration, copied
 * @out_server: the server; destroy with fs_server_destroy()
 *
 * Sets the process's umask to 0. Needs openat2(2), statx(2) with mount ids.
 * The capabilities it works with are read when the guest's INIT arrives, so a
 * sandbox may drop some between creation and serving.
 *
 * Return: 0; -EINVAL for bad fds or caps; -ENOSYS on a kernel without openat2;
 * -ENOMEM; other -errno.
 * Syscalls: openat2, close, statx, umask, getrandom, brk, mmap, munmap (role fs)
 */
int fs_server_create(const struct fs_config *cfg, struct fs_server **out_server)
	__attribute__((warn_unused_result));

/**
 * fs_server_handle() - serve one FUSE request
 * @srv:     the server
 * @req:     readable pieces that hold the request, header first
 * @n_req:   number of pieces, at most FS_SERVER_IOV_MAX
 * @reply:   writable pieces for the reply; nothing beyond the returned length
 *           is meaningful, though READ may have touched more
 * @n_reply: number of pieces, at most FS_SERVER_IOV_MAX
 *
 * Doesn't wait for anything but the host's file systems.
 *
 * Return: bytes of the reply; 0 for a request that has none (FORGET,
 * BATCH_FORGET, INTERRUPT); -EPROTO when not even an error can be answered
 * (no whole request header, or no room for a reply header).
 */
int64_t fs_server_handle(struct fs_server *srv, const struct iovec *req, unsigned n_req,
			 const struct iovec *reply, unsigned n_reply)
	__attribute__((warn_unused_result));

/**
 * fs_server_freeze() - from now on nothing at or below `rootfs` changes any more
 *
 * Every request that would change it is answered with EROFS, through handles that are
 * open for writing, too. Survives fs_server_reset(): the guest can't undo it.
 */
void fs_server_freeze(struct fs_server *srv);

/**
 * fs_server_reset() - forget the guest: drop all nodes and handles, wait for INIT
 *
 * For a device reset. INIT and DESTROY requests do the same.
 *
 * Syscalls: close, munmap (role fs)
 */
void fs_server_reset(struct fs_server *srv);

/**
 * fs_server_destroy() - close everything the server opened and free it
 * @srv: the server; NULL is allowed. The configured fds are left open.
 */
void fs_server_destroy(struct fs_server *srv);

#endif /* VIRTIO_FS_FS_SERVER_H */
