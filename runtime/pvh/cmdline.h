/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmdline.h - build the kernel command line
 *
 * A bounded list of words. Each add either appends whole words or leaves the
 * line as it was: a cut parameter would be a different parameter.
 *
 * Trust:   words may come from the operator's configuration; what could end a
 *          word early, start a quoted string or stop the kernel's parser is refused.
 * Threads: a plain value.
 * Uses: base, vmm/memlayout.h.
 */
#ifndef PVH_CMDLINE_H
#define PVH_CMDLINE_H

#include <stddef.h>

#include "vmm/memlayout.h"

/** struct cmdline - @buf is always NUL-terminated; @len without the NUL */
struct cmdline {
	char buf[ML_CMDLINE_MAX];
	size_t len;
};

/** cmdline_init() - the empty command line */
void cmdline_init(struct cmdline *c);

/**
 * cmdline_add() - append one word
 * @fmt: printf format; the result is the word, without blanks
 *
 * The word must be printable ASCII without blanks and double quotes, and not
 * "--", which would end the kernel's parameters.
 *
 * Return: 0, -EINVAL for a bad or empty word, -E2BIG when it doesn't fit
 * (@c unchanged).
 */
int cmdline_add(struct cmdline *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), warn_unused_result));

/**
 * cmdline_add_words() - append words separated by single or several blanks
 *
 * All or nothing; the rules for each word are those of cmdline_add(). A text
 * without any word is accepted and adds nothing.
 *
 * Return: as cmdline_add().
 */
int cmdline_add_words(struct cmdline *c, const char *words) __attribute__((warn_unused_result));

/**
 * cmdline_add_virtio() - announce the device on a virtio-mmio slot
 * @slot: as returned by vm_add_device()
 *
 * Return: as cmdline_add(); -EINVAL for a slot outside 0..ML_MMIO_SLOTS-1.
 */
int cmdline_add_virtio(struct cmdline *c, int slot) __attribute__((warn_unused_result));

#endif /* PVH_CMDLINE_H */
