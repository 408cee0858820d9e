/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.h - paths inside a container's root
 *
 * Every lookup starts from the root's descriptor with RESOLVE_IN_ROOT: symlinks and ".." in the
 * image can't lead outside. What is returned is a descriptor (O_PATH), used as such; no path is
 * ever looked up twice between check and use.
 *
 * Trust:   the image's contents are hostile; the paths come from config.json.
 * Threads: none.
 */
#ifndef AGENT_PATH_H
#define AGENT_PATH_H

#include <stdbool.h>

/** path_open() - O_PATH descriptor of @path in @root. Return: it, or -errno (-ENOENT) */
int path_open(int root, const char *path) __attribute__((warn_unused_result));

/**
 * path_make() - as path_open(), making what is missing: directories, and a last component that is
 * a directory (@is_dir) or an empty file. Dangling symlinks are followed inside the root, so their
 * target is made. Modes 0755, whatever the umask. Return: descriptor, or -errno
 */
int path_make(int root, const char *path, bool is_dir) __attribute__((warn_unused_result));

/**
 * path_parent() - descriptor of the directory that is to hold @path's last component, made if
 * missing; *@out_name points at the component inside @path. Return: descriptor, or -errno
 */
int path_parent(int root, const char *path, const char **out_name)
	__attribute__((warn_unused_result));

#endif /* AGENT_PATH_H */
