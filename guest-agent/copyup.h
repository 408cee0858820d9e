/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copyup.h - fill a fresh tmpfs with what its mount point holds (the tmpcopyup option)
 *
 * Trust: the source is the image's; its depth and its names are bounded here, its size by the
 *        tmpfs and the container's memory limit.
 */
#ifndef AGENT_COPYUP_H
#define AGENT_COPYUP_H

/**
 * copyup_tree() - copy directory @from (O_PATH will do) into directory @to
 * Contents, modes and owners of directories, files and symlinks, and the top directory's mode and
 * owner; other kinds are left out. Return: 0, or -errno
 */
int copyup_tree(int from, int to) __attribute__((warn_unused_result));

#endif /* AGENT_COPYUP_H */
