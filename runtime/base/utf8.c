/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.c - strict UTF-8 sequence check; see utf8.h */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

static size_t announced_len(unsigned char first)
{
	if (first < 0x80) {
		return 1;
	}
	if (first < 0xc2) { /* a continuation byte, or the start of an overlong form */
		return 0;
	}
	if (first < 0xe0) {
		return 2;
	}
	if (first < 0xf0) {
		return 3;
	}
	return first < 0xf5 ? 4 : 0;
}

size_t vr_utf8_len(const void *s, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *u = s;
	size_t n = announced_len(u[0]);
	uint32_t cp;

	if (n < 2 || n > left) {
		return n == 1 ? 1 : 0;
	}
	cp = u[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80) {
			return 0;
		}
		cp = cp << 6 | (u[i] & 0x3fu);
	}
	if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff)) {
		return 0;
	}
	return n;
}

bool vr_utf8_valid(const void *s, size_t len)
{
	const unsigned char *u = s;

	while (len > 0) {
		size_t n = vr_utf8_len(u, len);

		if (n == 0) {
			return false;
		}
		u += n;
		len -= n;
	}
	return true;
}

static bool is_control(const unsigned char *u, size_t n)
{
	return (n == 1 && (u[0] < 0x20 || u[0] == 0x7f)) || (n == 2 && u[0] == 0xc2 && u[1] < 0xa0);
}

void vr_utf8_tame(char *s)
{
	size_t left = strlen(s);

	while (left > 0) {
		size_t n = vr_utf8_len(s, left);

		if (n == 0 || is_control((const unsigned char *)s, n)) {
			n = n == 0 ? 1 : n;
			memset(s, '?', n);
		}
		s += n;
		left -= n;
	}
}
