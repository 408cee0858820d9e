/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8.h - strict UTF-8 sequence check
 *
 * Uses: libc. Used by: log (escaping), oci/json (validation), the vmm (guest's words).
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/**
 * vr_utf8_len() - length of the character at the start of a byte string
 * @s:    bytes
 * @left: how many there are, at least 1
 *
 * Overlong forms, surrogates and values above U+10FFFF are not UTF-8.
 *
 * Return: 1..4, or 0 when the bytes are not UTF-8 or the sequence is cut.
 */
size_t vr_utf8_len(const void *s, size_t left);

/** vr_utf8_valid() - is the whole string UTF-8? */
bool vr_utf8_valid(const void *s, size_t len);

/**
 * vr_utf8_tame() - make a text of somebody else's harmless for a terminal
 * @s: changed in place, its length stays
 *
 * Control characters (C0, DEL, and C1, which terminals take for escape sequences, too) and bytes
 * that are no UTF-8 become question marks.
 */
void vr_utf8_tame(char *s);

#endif /* BASE_UTF8_H */
