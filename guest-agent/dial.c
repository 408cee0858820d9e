/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dial.c - connections to the host over vsock
 *
 * Alone in its file, so that a test can put another transport in its place.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "conn.h"
#include "sys.h"

/* What the host may have in flight to us; the kernel's default of 256 KiB limits throughput. */
#define BUFFER_BYTES (UINT64_C(1024) * 1024)

static void raise_buffers(int fd)
{
	uint64_t size = BUFFER_BYTES;

	/* without them it is slower, not wrong; the maximum first, or the size is clamped to it */
	(void)setsockopt(fd, VA_AF_VSOCK, VA_SO_VM_BUFFER_MAX_SIZE, &size, sizeof(size));
	(void)setsockopt(fd, VA_AF_VSOCK, VA_SO_VM_BUFFER_SIZE, &size, sizeof(size));
}

int agent_dial(uint32_t port)
{
	struct va_sockaddr_vm addr = {
		.family = VA_AF_VSOCK, .port = port, .cid = VA_VMADDR_CID_HOST};
	int fd = sys_rc(socket(VA_AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	int rc;

	if (fd < 0) {
		return fd;
	}
	raise_buffers(fd);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno != EINPROGRESS) {
		rc = -errno;
		sys_close(&fd);
		return rc;
	}
	return fd;
}
