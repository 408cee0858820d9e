/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ram_fixture.h - guest memory without a guest
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_RAM_FIXTURE_H
#define TESTS_RAM_FIXTURE_H

#include <unistd.h>

#include "vmm/gmem.h"

/** make_ram() - @bytes of guest memory, to be given back with gmem_unmap() */
static inline struct gmem *make_ram(uint64_t bytes)
{
	struct gmem *m = NULL;
	int fd = gmem_memfd(bytes);

	assert_true(fd >= 0);
	assert_int_equal(gmem_map(fd, bytes, &m), 0);
	close(fd);
	return m;
}

#endif /* TESTS_RAM_FIXTURE_H */
