/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmdline.c - build the kernel command line
 *
 * A word is formatted into scratch of the size of the whole line, checked, and
 * only then copied behind a blank.
 */
#include "pvh/cmdline.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void cmdline_init(struct cmdline *c)
{
	c->buf[0] = '\0';
	c->len = 0;
}

static bool word_ok(const char *word, size_t len)
{
	if (len == 0 || (len == 2 && memcmp(word, "--", 2) == 0)) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (word[i] <= ' ' || word[i] >= 0x7f || word[i] == '"') {
			return false;
		}
	}
	return true;
}

static int append(struct cmdline *c, const char *word, size_t len)
{
	size_t sep = c->len > 0 ? 1 : 0;

	if (!word_ok(word, len)) {
		return -EINVAL;
	}
	/* One byte stays for the NUL. */
	if (len >= sizeof(c->buf) || sizeof(c->buf) - 1 - c->len < len + sep) {
		return -E2BIG;
	}
	if (sep) {
		c->buf[c->len++] = ' ';
	}
	memcpy(c->buf + c->len, word, len);
	c->len += len;
	c->buf[c->len] = '\0';
	return 0;
}

int cmdline_add(struct cmdline *c, const char *fmt, ...)
{
	char word[ML_CMDLINE_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(word, sizeof(word), fmt, ap);
	va_end(ap);
	if (n < 0) {
		return -EINVAL;
	}
	if ((size_t)n >= sizeof(word)) {
		return -E2BIG;
	}
	return append(c, word, (size_t)n);
}

int cmdline_add_words(struct cmdline *c, const char *words)
{
	size_t old_len = c->len;
	int ret;

	for (;;) {
		size_t len;

		words += strspn(words, " ");
		if (*words == '\0') {
			return 0;
		}
		len = strcspn(words, " ");
		ret = append(c, words, len);
		if (ret < 0) {
			c->len = old_len;
			c->buf[old_len] = '\0';
			return ret;
		}
		words += len;
	}
}

int cmdline_add_virtio(struct cmdline *c, int slot)
{
	if (slot < 0 || (unsigned)slot >= ML_MMIO_SLOTS) {
		return -EINVAL;
	}
	return cmdline_add(c, "virtio_mmio.device=%lluK@0x%llx:%u", ML_MMIO_STRIDE / 1024,
			   ML_MMIO_BASE + (unsigned)slot * ML_MMIO_STRIDE,
			   ML_IRQ_BASE + (unsigned)slot);
}
